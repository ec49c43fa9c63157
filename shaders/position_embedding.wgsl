// Sinusoidal position embedding (Vaswani et al. 2017, 3.5), added: y[r] = x[r] + table[row within its sequence].
// The table is made on the host in float64: a driver's sine may be off by 2^-11, more for large arguments.
// x, y: [rows, columns], table: [longest sequence, columns]

import package::shared::grid::flat_group;

struct Args {
    rows: u32,
    columns: u32,
}

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> owners: array<u32>;
@group(0) @binding(3) var<storage, read> offsets: array<u32>;
@group(0) @binding(4) var<storage, read> table: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

const LANES: u32 = 256;

@compute @workgroup_size(LANES)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(group, groups) * LANES + lane;
    if (i >= args.rows * args.columns) {
        return;
    }
    let row = i / args.columns;
    let position = row - offsets[owners[row]];
    y[i] = x[i] + table[position * args.columns + i % args.columns];
}
