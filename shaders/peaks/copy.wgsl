// The memory roof: a copy.

import package::shared::grid::flat_group;

struct Args {
    vectors: u32,
}

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> source: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> copied: array<vec4<f32>>;

const WORKGROUP: u32 = 256;
// Vectors of an invocation: starting a workgroup costs software devices more than it copies.
const ROUNDS: u32 = 16;

@compute @workgroup_size(WORKGROUP)
fn copy(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let first = flat_group(group, groups) * WORKGROUP * ROUNDS + lane;
    for (var round = 0u; round < ROUNDS; round++) {
        let i = first + round * WORKGROUP;
        if (i < args.vectors) {
            copied[i] = source[i];
        }
    }
}
