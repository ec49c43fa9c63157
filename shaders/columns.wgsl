// Copies columns of a matrix to columns of another: out[row, target_first + c] (+)= source[row, source_first + c], c < columns.
// source: [rows, source_width], out: [rows, target_width]

import package::shared::grid::{BLOCK_ROWS, first_row};

struct Args {
    rows: u32,
    columns: u32,
    source_width: u32,
    source_first: u32,
    target_width: u32,
    target_first: u32,
    accumulate: u32,
}

/// What an invocation copies at a time: four columns where all sizes are multiples of four.
@if(vec4) alias Element = vec4<f32>;
@if(scalar) alias Element = f32;
@if(vec4) const COLUMNS: u32 = 4;
@if(scalar) const COLUMNS: u32 = 1;

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> source: array<Element>;
@group(0) @binding(2) var<storage, read_write> out: array<Element>;

const WORKGROUP: u32 = 32;

@compute @workgroup_size(WORKGROUP)
fn copy(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let c = group.x * WORKGROUP + lane;
    if (c >= args.columns / COLUMNS) {
        return;
    }
    let first = first_row(group, groups);
    for (var row = first; row < min(first + BLOCK_ROWS, args.rows); row++) {
        var value = source[(row * args.source_width + args.source_first) / COLUMNS + c];
        let place = (row * args.target_width + args.target_first) / COLUMNS + c;
        if (args.accumulate != 0u) {
            value += out[place];
        }
        out[place] = value;
    }
}
