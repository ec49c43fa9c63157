// Second half of a sum over rows: adds the slabs' partial sums in their order, so the result never depends on timing.
// out[out_offset + i] (+)= Σ_slab partial[slab · stride + offset + i]

import package::shared::grid::flat_group;

struct Args {
    count: u32,
    slabs: u32,
    stride: u32,
    offset: u32,
    out_offset: u32,
    accumulate: u32,
}

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> partial: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

const LANES: u32 = 256;

@compute @workgroup_size(LANES)
fn sum(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(group, groups) * LANES + lane;
    if (i >= args.count) {
        return;
    }
    var total = 0.0;
    for (var slab = 0u; slab < args.slabs; slab++) {
        total += partial[slab * args.stride + args.offset + i];
    }
    if (args.accumulate != 0u) {
        out[args.out_offset + i] += total;
    } else {
        out[args.out_offset + i] = total;
    }
}
