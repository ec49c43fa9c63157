// A running average: average += share · (x - average).

import package::shared::grid::flat_group;

struct Args {
    count: u32,
    share: f32,
}

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> mean: array<f32>;

const WORKGROUP: u32 = 256;

@compute @workgroup_size(WORKGROUP)
fn average(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(group, groups) * WORKGROUP + lane;
    if (i >= args.count) {
        return;
    }
    mean[i] += args.share * (x[i] - mean[i]);
}
