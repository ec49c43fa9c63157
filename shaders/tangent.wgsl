// tanh after a product and its gradient before one, for `linear` and `conv_pool`, whose own loops and ends stay as they are:
// forward    y = tanh y, in place
// backward   dz = dy (1 - y²)

import package::shared::grid::flat_group;
import package::shared::numbers::hyperbolic_tangent;

struct Args {
    count: u32,
}

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read> saved_y: array<f32>;
@group(0) @binding(3) var<storage, read> y_gradient: array<f32>;
@group(0) @binding(4) var<storage, read_write> z_gradient: array<f32>;

const WORKGROUP: u32 = 128;

@compute @workgroup_size(WORKGROUP)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(group, groups) * WORKGROUP + lane;
    if (i < args.count) {
        y[i] = hyperbolic_tangent(y[i]);
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(group, groups) * WORKGROUP + lane;
    if (i < args.count) {
        z_gradient[i] = y_gradient[i] * (1.0 - saved_y[i] * saved_y[i]);
    }
}
