// What stands before and after the products of `conv_pool`:
// pack     the weights [outputs, inputs, 3] as [outputs, 3, inputs], the order of the rows that a product reads
// spread   g [input rows, outputs]: dy at the rows that won their window (and whose ReLU was open), else 0; and each row's edges

import package::shared::grid::{BLOCK_ROWS, first_row, flat_group};
import package::shared::pooling::{WINDOW, TAPS, winner_words, edges_within};

struct Args {
    input_rows: u32,
    inputs: u32,
    outputs: u32,
    relu: u32,
}

/// What an invocation of `spread` works on: four outputs where their number is a multiple of four.
@if(vec4) alias Element = vec4<f32>;
@if(scalar) alias Element = f32;
@if(vec4) const OUTPUTS: u32 = 4;
@if(scalar) const OUTPUTS: u32 = 1;

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> packed: array<f32>;
@group(0) @binding(3) var<storage, read> y_gradient: array<Element>;
@group(0) @binding(4) var<storage, read> gate: array<Element>;
@group(0) @binding(5) var<storage, read> won: array<u32>;
@group(0) @binding(6) var<storage, read> input_offsets: array<u32>;
@group(0) @binding(7) var<storage, read> output_offsets: array<u32>;
/// [input rows]: utterance of a row
@group(0) @binding(8) var<storage, read> input_owners: array<u32>;
@group(0) @binding(9) var<storage, read_write> gradients: array<Element>;
/// [input rows]
@group(0) @binding(10) var<storage, read_write> edges: array<u32>;

const WORKGROUP: u32 = 64;
const SPREAD_WORKGROUP: u32 = 32;

@compute @workgroup_size(WORKGROUP)
fn pack(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(group, groups) * WORKGROUP + lane;
    let width = args.inputs * TAPS;
    if (i >= args.outputs * width) {
        return;
    }
    packed[i] = weight[i / width * width + i % args.inputs * TAPS + i % width / args.inputs];
}

/// Which row of a window won, of the outputs from OUTPUTS · c on.
@if(vec4) fn winners_at(window: u32, c: u32) -> vec4<u32> {
    let word = won[window * winner_words(args.outputs) + c / 4u] >> (8u * (c % 4u));
    return vec4<u32>(word, word >> 2u, word >> 4u, word >> 6u) & vec4<u32>(3u);
}

@if(scalar) fn winners_at(window: u32, c: u32) -> u32 {
    return (won[window * winner_words(args.outputs) + c / 16u] >> (2u * (c % 16u))) & 3u;
}

@compute @workgroup_size(SPREAD_WORKGROUP)
fn spread(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let width = args.outputs / OUTPUTS;
    let c = group.x * SPREAD_WORKGROUP + lane;
    if (c >= width) {
        return;
    }
    let first = first_row(group, groups);
    for (var row = first; row < min(first + BLOCK_ROWS, args.input_rows); row++) {
        let utterance = input_owners[row];
        let begin = input_offsets[utterance];
        let window = output_offsets[utterance] + (row - begin) / WINDOW;
        var value = Element();
        if (window < output_offsets[utterance + 1u]) {
            let place = window * width + c;
            @if(vec4) let is_winner = winners_at(window, c) == vec4<u32>((row - begin) % WINDOW);
            @if(scalar) let is_winner = winners_at(window, c) == (row - begin) % WINDOW;
            value = select(Element(), y_gradient[place], is_winner);
            if (args.relu != 0u) {
                value = select(value, Element(), gate[place] <= Element());
            }
        }
        gradients[row * width + c] = value;
        if (c == 0u) {
            edges[row] = edges_within(row, begin, input_offsets[utterance + 1u]);
        }
    }
}
