// Mean squared error and its gradient: `forward` writes the gradient and sums the squares of chunks, `finish` adds the chunks in a fixed
// order. The gradient is that of the loss times scaling[0], the loss scale.

import package::shared::tree_sum::{WORKGROUP, tree_sum};
import package::shared::grid::flat_group;

struct Args {
    count: u32,
    chunks: u32,
    /// What each square is multiplied with
    share: f32,
}

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> wanted: array<f32>;
@group(0) @binding(3) var<storage, read> scaling: array<f32>;
@group(0) @binding(4) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(5) var<storage, read_write> partial: array<f32>;
@group(0) @binding(6) var<storage, read> chunk_sums: array<f32>;
@group(0) @binding(7) var<storage, read_write> loss: array<f32>;

/// Elements that one workgroup sums.
const CHUNK: u32 = 2048;

@compute @workgroup_size(WORKGROUP)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let chunk = flat_group(group, groups);
    let first = chunk * CHUNK;
    let scale = 2.0 * args.share * scaling[0];
    var total = 0.0;
    for (var i = first + lane; i < min(first + CHUNK, args.count); i += WORKGROUP) {
        let difference = x[i] - wanted[i];
        gradient[i] = scale * difference;
        total += difference * difference;
    }
    total = tree_sum(lane, total);
    if (lane == 0u && chunk < args.chunks) {
        partial[chunk] = total;
    }
}

@compute @workgroup_size(WORKGROUP)
fn finish(@builtin(local_invocation_index) lane: u32) {
    var total = 0.0;
    for (var chunk = lane; chunk < args.chunks; chunk += WORKGROUP) {
        total += chunk_sums[chunk];
    }
    total = tree_sum(lane, total);
    if (lane == 0u) {
        loss[0] = args.share * total;
    }
}
