// Stochastic gradient descent with decoupled weight decay: p = (1 - lr λ) p - lr g.

import package::shared::clipping::clip_factor;
import package::shared::grid::flat_group;

struct Args {
    count: u32,
    learning_rate: f32,
    /// 1 - lr λ
    shrink: f32,
    clip_norm: f32,
}

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read_write> parameters: array<f32>;
@group(0) @binding(2) var<storage, read> gradients: array<f32>;
/// Of all gradients, and the factor on them, 0 for no step
@group(0) @binding(3) var<storage, read> norm: array<f32>;

const WORKGROUP: u32 = 256;

@compute @workgroup_size(WORKGROUP)
fn update(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(group, groups) * WORKGROUP + lane;
    if (i >= args.count || norm[1] == 0.0) {
        return;
    }
    let g = gradients[i] * norm[1] * clip_factor(norm[0], args.clip_norm);
    parameters[i] = parameters[i] * args.shrink - args.learning_rate * g;
}
