// Clips the gradient of each parameter by its own norm, g · min(1, limit / norm): `squares` sums chunks of a parameter, `clip` adds its
// chunks in a fixed order. Where the norm is no finite number all become NaN.

import package::shared::grid::flat_group;
import package::shared::numbers::is_finite;
import package::shared::tree_sum::{WORKGROUP, tree_sum};

struct Args {
    chunks: u32,
    limit: f32,
}

/// Elements of a chunk, and the chunks of its parameter.
struct Chunk {
    first: u32,
    end: u32,
    first_chunk: u32,
    end_chunk: u32,
}

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> chunks: array<Chunk>;
@group(0) @binding(2) var<storage, read> gradients: array<f32>;
@group(0) @binding(3) var<storage, read_write> partial: array<f32>;
@group(0) @binding(4) var<storage, read> chunk_sums: array<f32>;
@group(0) @binding(5) var<storage, read_write> clipped: array<f32>;

const NOT_A_NUMBER: u32 = 0x7fc00000u;

/// Groups past the last chunk work on it, too, but write nothing.
@compute @workgroup_size(WORKGROUP)
fn squares(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let chunk = flat_group(group, groups);
    let own = chunks[min(chunk, args.chunks - 1u)];
    var total = 0.0;
    for (var i = own.first + lane; i < own.end; i += WORKGROUP) {
        total += gradients[i] * gradients[i];
    }
    total = tree_sum(lane, total);
    if (lane == 0u && chunk < args.chunks) {
        partial[chunk] = total;
    }
}

@compute @workgroup_size(WORKGROUP)
fn clip(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let chunk = flat_group(group, groups);
    let own = chunks[min(chunk, args.chunks - 1u)];
    var total = 0.0;
    for (var other = own.first_chunk + lane; other < own.end_chunk; other += WORKGROUP) {
        total += chunk_sums[other];
    }
    let norm = sqrt(tree_sum(lane, total));
    if (chunk >= args.chunks) {
        return;
    }
    var factor = 1.0;
    if (norm > args.limit) {
        factor = args.limit / norm;
    }
    for (var i = own.first + lane; i < own.end; i += WORKGROUP) {
        // Of bits that are no constant: a constant that is no number is refused.
        let nan = bitcast<f32>(bitcast<u32>(norm) | NOT_A_NUMBER);
        clipped[i] = select(nan, clipped[i] * factor, is_finite(norm));
    }
}
