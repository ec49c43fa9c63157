// Sinusoidal position embedding (Vaswani et al. 2017, 3.5), added: y[r] = x[r] + table[row within its sequence].
// The table is made on the host in float64: a driver's sine may be off by 2^-11, more for large arguments.
// x, y: [rows, columns], table: [longest sequence, columns]

import package::shared::grid::{BLOCK_ROWS, first_row};

struct Args {
    rows: u32,
    columns: u32,
}

/// What an invocation reads at a time: four columns where all sizes are multiples of four.
@if(vec4) alias Element = vec4<f32>;
@if(scalar) alias Element = f32;
@if(vec4) const COLUMNS: u32 = 4;
@if(scalar) const COLUMNS: u32 = 1;

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read> owners: array<u32>;
@group(0) @binding(3) var<storage, read> offsets: array<u32>;
@group(0) @binding(4) var<storage, read> table: array<Element>;
@group(0) @binding(5) var<storage, read_write> y: array<Element>;

const WORKGROUP: u32 = 32;

@compute @workgroup_size(WORKGROUP)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let width = args.columns / COLUMNS;
    let c = group.x * WORKGROUP + lane;
    if (c >= width) {
        return;
    }
    let first = first_row(group, groups);
    for (var row = first; row < min(first + BLOCK_ROWS, args.rows); row++) {
        let i = row * width + c;
        let position = row - offsets[owners[row]];
        y[i] = x[i] + table[position * width + c];
    }
}
