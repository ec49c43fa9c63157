// Second half of a sum over rows: adds the slabs' partial sums in their order, so the result never depends on timing.
// out[out_offset + i] (+)= Σ_slab partial[slab · stride + i], and the same of `more` sums that follow, into a second output

import package::shared::grid::flat_group;

/// All in elements
struct Args {
    count: u32,
    more: u32,
    slabs: u32,
    stride: u32,
    out_offset: u32,
    more_out_offset: u32,
    accumulate: u32,
    accumulate_more: u32,
}

/// What an invocation works on: four numbers where all sizes are multiples of four, which are then counted in fours.
@if(vec4) alias Element = vec4<f32>;
@if(scalar) alias Element = f32;

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> partial: array<Element>;
@group(0) @binding(2) var<storage, read_write> out: array<Element>;
@group(0) @binding(3) var<storage, read_write> more_out: array<Element>;

const WORKGROUP: u32 = 256;

@compute @workgroup_size(WORKGROUP)
fn sum(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(group, groups) * WORKGROUP + lane;
    if (i >= args.count + args.more) {
        return;
    }
    var total = Element();
    for (var slab = 0u; slab < args.slabs; slab++) {
        total += partial[slab * args.stride + i];
    }
    if (i < args.count) {
        let place = args.out_offset + i;
        if (args.accumulate != 0u) {
            out[place] += total;
        } else {
            out[place] = total;
        }
    } else {
        let place = args.more_out_offset + i - args.count;
        if (args.accumulate_more != 0u) {
            more_out[place] += total;
        } else {
            more_out[place] = total;
        }
    }
}
