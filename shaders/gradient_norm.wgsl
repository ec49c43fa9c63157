// Euclidean norm of all gradients in one buffer: `squares` sums fixed chunks, `finish` adds the chunks in order.

import package::shared::tree_sum::{WORKGROUP, tree_sum};

struct Args {
    count: u32,
    chunks: u32,
}

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> gradients: array<f32>;
@group(0) @binding(2) var<storage, read_write> partial: array<f32>;
@group(0) @binding(3) var<storage, read> chunk_sums: array<f32>;
/// And the factor 1, as the optimiser takes them
@group(0) @binding(4) var<storage, read_write> norm: array<f32>;

/// Elements that one workgroup sums.
const CHUNK: u32 = 4096;

@compute @workgroup_size(WORKGROUP)
fn squares(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first = group.x * CHUNK;
    var total = 0.0;
    for (var i = first + lane; i < min(first + CHUNK, args.count); i += WORKGROUP) {
        total += gradients[i] * gradients[i];
    }
    total = tree_sum(lane, total);
    if (lane == 0u) {
        partial[group.x] = total;
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
        norm[0] = sqrt(total);
        norm[1] = 1.0;
    }
}
