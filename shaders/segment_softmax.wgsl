// Softmax over the rows of each utterance and its gradient: weights_i = exp(x_i - m) / Σ_j exp(x_j - m), m their maximum;
// dx_i = weights_i (dy_i - Σ_j weights_j dy_j). A workgroup an utterance; each invocation takes every WORKGROUP-th row, and sums are
// added in the order of the invocations.

import package::shared::numbers::exponential;

struct Args {
    accumulate: u32,
}

@group(0) @binding(0) var<uniform> args: Args;
/// [batch + 1]
@group(0) @binding(1) var<storage, read> offsets: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> weights: array<f32>;
@group(0) @binding(4) var<storage, read> saved_weights: array<f32>;
@group(0) @binding(5) var<storage, read> y_gradient: array<f32>;
@group(0) @binding(6) var<storage, read_write> x_gradient: array<f32>;

const WORKGROUP: u32 = 128;
/// No number is less.
const LOWEST: f32 = -3.4028234e38;

var<workgroup> parts: array<f32, WORKGROUP>;

/// Sum of the first `count` invocations' values.
fn sum_of(lane: u32, count: u32, part: f32) -> f32 {
    workgroupBarrier();
    parts[lane] = part;
    workgroupBarrier();
    var sum = 0.0;
    for (var other = 0u; other < count; other++) {
        sum += parts[other];
    }
    return sum;
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first = offsets[group.x];
    let end = offsets[group.x + 1u];
    let count = min(end - first, WORKGROUP);
    var highest = LOWEST;
    for (var row = first + lane; row < end; row += WORKGROUP) {
        highest = max(highest, x[row]);
    }
    parts[lane] = highest;
    workgroupBarrier();
    for (var other = 0u; other < count; other++) {
        highest = max(highest, parts[other]);
    }
    var part = 0.0;
    for (var row = first + lane; row < end; row += WORKGROUP) {
        let share = exponential(x[row] - highest);
        weights[row] = share;
        part += share;
    }
    let sum = sum_of(lane, count, part);
    for (var row = first + lane; row < end; row += WORKGROUP) {
        // A division may be off by two roundings; of an only row the weight is 1.
        weights[row] = select(weights[row] / sum, weights[row], end - first == 1u);
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first = offsets[group.x];
    let end = offsets[group.x + 1u];
    var part = 0.0;
    for (var row = first + lane; row < end; row += WORKGROUP) {
        part += saved_weights[row] * y_gradient[row];
    }
    let mean = sum_of(lane, min(end - first, WORKGROUP), part);
    for (var row = first + lane; row < end; row += WORKGROUP) {
        var gradient = saved_weights[row] * (y_gradient[row] - mean);
        if (args.accumulate != 0u) {
            gradient += x_gradient[row];
        }
        x_gradient[row] = gradient;
    }
}
