// Word vectors: forward gathers rows of the table, backward sums for each row of the table the gradients of the rows
// that used it, in their order.
// table: [words, width], y, dy: [rows, width]

import package::shared::grid::{BLOCK_ROWS, first_row};

struct Args {
    rows: u32,
    words: u32,
    width: u32,
    accumulate: u32,
}

/// What an invocation reads at a time: four columns where all sizes are multiples of four.
@if(vec4) alias Element = vec4<f32>;
@if(scalar) alias Element = f32;
@if(vec4) const COLUMNS: u32 = 4;
@if(scalar) const COLUMNS: u32 = 1;

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> table: array<Element>;
@group(0) @binding(2) var<storage, read> ids: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<Element>;
@group(0) @binding(4) var<storage, read> y_gradient: array<Element>;
/// [words + 1]: range of a word in `occurrences`
@group(0) @binding(5) var<storage, read> occurrence_offsets: array<u32>;
@group(0) @binding(6) var<storage, read> occurrences: array<u32>;
@group(0) @binding(7) var<storage, read_write> table_gradient: array<Element>;

const WORKGROUP: u32 = 32;
const OUT_OF_VOCABULARY: u32 = 0xffffffff;

@compute @workgroup_size(WORKGROUP)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let width = args.width / COLUMNS;
    let c = group.x * WORKGROUP + lane;
    if (c >= width) {
        return;
    }
    let first = first_row(group, groups);
    for (var row = first; row < min(first + BLOCK_ROWS, args.rows); row++) {
        let word = ids[row];
        var value = Element();
        if (word != OUT_OF_VOCABULARY) {
            value = table[word * width + c];
        }
        y[row * width + c] = value;
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let width = args.width / COLUMNS;
    let c = group.x * WORKGROUP + lane;
    if (c >= width) {
        return;
    }
    let first = first_row(group, groups);
    for (var word = first; word < min(first + BLOCK_ROWS, args.words); word++) {
        var total = Element();
        for (var place = occurrence_offsets[word]; place < occurrence_offsets[word + 1u]; place++) {
            total += y_gradient[occurrences[place] * width + c];
        }
        if (args.accumulate != 0u) {
            table_gradient[word * width + c] += total;
        } else {
            table_gradient[word * width + c] = total;
        }
    }
}
