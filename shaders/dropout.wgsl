// Dropout: element i stays where its random number is at least `rate`, scaled by 1 / (1 - rate). The gradient is the
// same map: the numbers depend on (seed, stream, first + i) alone and are drawn again.

import package::shared::grid::flat_group;
import package::shared::philox::{philox, unit};

struct Args {
    count: u32,
    rate: f32,
    // Number of the first element, where this is a part of a batch.
    first: u32,
    seed_low: u32,
    seed_high: u32,
    stream_low: u32,
    stream_high: u32,
}

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

const WORKGROUP: u32 = 256;

@compute @workgroup_size(WORKGROUP)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    // One block of four random words serves four neighbouring elements.
    let block = flat_group(group, groups) * WORKGROUP + lane;
    let words = philox(
        vec4<u32>(args.first / 4u + block, 0u, args.stream_low, args.stream_high),
        vec2<u32>(args.seed_low, args.seed_high),
    );
    for (var word = 0u; word < 4u; word++) {
        let i = block * 4u + word - args.first % 4u;
        // Before the first element i wraps around to a large number.
        if (i < args.count) {
            var value = 0.0;
            if (unit(words[word]) >= args.rate) {
                value = x[i] / (1.0 - args.rate);
            }
            y[i] = value;
        }
    }
}
