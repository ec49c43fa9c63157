// y = (x - mean) · reciprocal deviation, statistics of the row's group.
// x: [rows, columns], mean, reciprocal_deviation: [groups, columns]

import package::shared::grid::flat_group;

struct Args {
    rows: u32,
    columns: u32,
}

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> x: array<f32>;
/// [rows]: utterance of a row
@group(0) @binding(2) var<storage, read> owners: array<u32>;
/// [batch]: group of an utterance
@group(0) @binding(3) var<storage, read> utterance_groups: array<u32>;
@group(0) @binding(4) var<storage, read> mean: array<f32>;
@group(0) @binding(5) var<storage, read> reciprocal_deviation: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<f32>;

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
    let statistic = utterance_groups[owners[i / args.columns]] * args.columns + i % args.columns;
    y[i] = (x[i] - mean[statistic]) * reciprocal_deviation[statistic];
}
