// What stands before the products of `conv_pool`, on both ways:
// pack     the weights [outputs, inputs, 3] as [outputs, 3, inputs], the order of the rows that a product reads, with rows of zeros up
//          to a multiple of OUTPUTS_OF_WORD; and where each window lies

import package::shared::grid::flat_group;
import package::shared::pooling::{WINDOW, TAPS, BEGINS, ENDS, OUTPUTS_OF_WORD, winner_words};

struct Args {
    output_rows: u32,
    inputs: u32,
    outputs: u32,
}

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> packed: array<f32>;
@group(0) @binding(3) var<storage, read> input_offsets: array<u32>;
@group(0) @binding(4) var<storage, read> output_offsets: array<u32>;
/// [output rows]: utterance of a window
@group(0) @binding(5) var<storage, read> output_owners: array<u32>;
/// [output rows]: 4 · first row, + BEGINS and ENDS where that and the last are those of the utterance
@group(0) @binding(6) var<storage, read_write> windows: array<u32>;

const WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn pack(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(group, groups) * WORKGROUP + lane;
    let width = args.inputs * TAPS;
    if (i < args.outputs * width) {
        packed[i] = weight[i / width * width + i % args.inputs * TAPS + i % width / args.inputs];
    } else if (i < winner_words(args.outputs) * OUTPUTS_OF_WORD * width) {
        packed[i] = 0.0;
    }
    if (i < args.output_rows) {
        let utterance = output_owners[i];
        let row = input_offsets[utterance] + (i - output_offsets[utterance]) * WINDOW;
        let begins = select(0u, BEGINS, row == input_offsets[utterance]);
        let ends = select(0u, ENDS, row + WINDOW == input_offsets[utterance + 1u]);
        windows[i] = 4u * row + begins + ends;
    }
}
