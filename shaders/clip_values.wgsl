// Clips every gradient by itself: g = min(max(g, -limit), limit); NaN stays NaN.

import package::shared::grid::flat_group;
import package::shared::numbers::is_nan;

struct Args {
    count: u32,
    limit: f32,
}

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read_write> gradients: array<f32>;

const WORKGROUP: u32 = 256;

@compute @workgroup_size(WORKGROUP)
fn clip(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(group, groups) * WORKGROUP + lane;
    if (i >= args.count) {
        return;
    }
    let g = gradients[i];
    gradients[i] = select(clamp(g, -args.limit, args.limit), g, is_nan(g));
}
