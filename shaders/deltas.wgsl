// Differences over time: y = [x, D x, D₂ x] with (D x)_t = Σ_k taps_k · x_{t + k - width / 2}, for each column by itself
// and within the utterance.
// x: [frames, columns], taps: [filters, width], y: [frames, (1 + orders) · columns]

import package::shared::grid::flat_group;

struct Args {
    frames: u32,
    columns: u32,
    orders: u32,
    filters: u32,
    width: u32,
    /// At an utterance's ends: 1 the filter stays within and is read off its middle, 0 the end frame is repeated.
    shifted: u32,
}

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> x: array<f32>;
/// [batch + 1]: where each utterance's frames start
@group(0) @binding(2) var<storage, read> offsets: array<u32>;
/// [frames]: utterance of a frame
@group(0) @binding(3) var<storage, read> owners: array<u32>;
@group(0) @binding(4) var<storage, read> taps: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

const WORKGROUP: u32 = 256;

/// Frame that a filter at frame `t` reads with its tap `k`; `range` is its utterance's (first frame, end).
fn frame_of(t: u32, k: u32, range: vec2<u32>) -> u32 {
    let half = args.width / 2u;
    if (args.shifted == 1u && range.y - range.x >= args.width) {
        return clamp(max(t, half) - half, range.x, range.y - args.width) + k;
    }
    return clamp(max(t + k, half) - half, range.x, range.y - 1u);
}

/// (D x)_t of one column, by one of the filters.
fn delta(filter_row: u32, t: u32, column: u32, range: vec2<u32>) -> f32 {
    var sum = 0.0;
    for (var k = 0u; k < args.width; k++) {
        sum += taps[filter_row * args.width + k] * x[frame_of(t, k, range) * args.columns + column];
    }
    return sum;
}

@compute @workgroup_size(WORKGROUP)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(group, groups) * WORKGROUP + lane;
    if (i >= args.frames * args.columns) {
        return;
    }
    let t = i / args.columns;
    let column = i % args.columns;
    let range = vec2<u32>(offsets[owners[t]], offsets[owners[t] + 1u]);
    let place = t * (1u + args.orders) * args.columns + column;
    y[place] = x[i];
    y[place + args.columns] = delta(0u, t, column, range);
    if (args.orders == 1u) {
        return;
    }
    var second = 0.0;
    if (args.filters > 1u) {
        second = delta(1u, t, column, range);
    } else {
        for (var k = 0u; k < args.width; k++) {
            second += taps[k] * delta(0u, frame_of(t, k, range), column, range);
        }
    }
    y[place + 2u * args.columns] = second;
}
