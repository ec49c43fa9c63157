// Second half of sums over rows: adds the slabs' partial sums in their order, so the result never depends on timing. One dispatch
// does it for many sums at once, whose partial sums lie in one buffer and whose results in another:
// out[sum.out + i] (+)= Σ_slab partial[sum.partial + slab · sum.stride + i], i < sum.count

import package::shared::grid::flat_group;

struct Args {
    sums: u32,
    /// Most slabs of a sum: as many loads follow each other.
    slabs: u32,
}

/// A sum, which workgroups from `first_group` to the next one's make. Places and counts are in elements.
struct SlabSum {
    first_group: u32,
    count: u32,
    slabs: u32,
    stride: u32,
    partial: u32,
    out: u32,
    accumulate: u32,
}

/// What an invocation works on: four numbers where all sizes are multiples of four, which are then counted in fours.
@if(vec4) alias Element = vec4<f32>;
@if(scalar) alias Element = f32;

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> sums: array<SlabSum>;
@group(0) @binding(2) var<storage, read> partial: array<Element>;
@group(0) @binding(3) var<storage, read_write> out: array<Element>;

const WORKGROUP: u32 = 256;

/// The sum that a workgroup is of: the last that does not begin after it.
fn sum_of(group: u32) -> u32 {
    var begin = 0u;
    var end = args.sums;
    while (end - begin > 1u) {
        let middle = (begin + end) / 2u;
        if (sums[middle].first_group <= group) {
            begin = middle;
        } else {
            end = middle;
        }
    }
    return begin;
}

@compute @workgroup_size(WORKGROUP)
fn sum(
    @builtin(workgroup_id) group_id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = flat_group(group_id, groups);
    let own = sums[sum_of(group)];
    let i = (group - own.first_group) * WORKGROUP + lane;
    if (i >= own.count) {
        return;
    }
    var total = Element();
    for (var slab = 0u; slab < own.slabs; slab++) {
        total += partial[own.partial + slab * own.stride + i];
    }
    if (own.accumulate != 0u) {
        out[own.out + i] += total;
    } else {
        out[own.out + i] = total;
    }
}
