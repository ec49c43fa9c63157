// Softmax cross-entropy (20) with class weights w and label smoothing s, as PyTorch's:
// loss = Σ_u [(1-s) w_y (-log p_y) + s/C Σ_c w_c (-log p_c)] / Σ_u w_y, and its gradient; of a part of a batch the
// divisor is the whole batch's.
// The loss is times its weight among others; the gradient is that, times scaling[0], the loss scale.
// One workgroup; each invocation takes every WORKGROUP-th utterance, and one adds the partial sums in order.
// logits, gradient: [batch, classes], class_weights: [classes]

import package::shared::numbers::{exponential, is_nan};

struct Args {
    batch: u32,
    classes: u32,
    smoothing: f32,
    // That of the loss among others.
    weight: f32,
    // Σ w_y of the whole batch where this is a part of it, else 0.
    total_weight: f32,
}

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read> class_weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> loss: array<f32>;
@group(0) @binding(5) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(6) var<storage, read> scaling: array<f32>;

const WORKGROUP: u32 = 256;

var<workgroup> weight_sums: array<f32, WORKGROUP>;
var<workgroup> loss_sums: array<f32, WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(local_invocation_index) lane: u32) {
    var weight_sum = 0.0;
    for (var u = lane; u < args.batch; u += WORKGROUP) {
        weight_sum += class_weights[labels[u]];
    }
    weight_sums[lane] = weight_sum;
    workgroupBarrier();
    var total_weight = 0.0;
    for (var other = 0u; other < WORKGROUP; other++) {
        total_weight += weight_sums[other];
    }
    if (args.total_weight > 0.0) {
        total_weight = args.total_weight;
    }

    let spread = args.smoothing / f32(args.classes);
    var loss_sum = 0.0;
    for (var u = lane; u < args.batch; u += WORKGROUP) {
        let first = u * args.classes;
        let label = labels[u];
        var highest = logits[first];
        for (var c = 1u; c < args.classes; c++) {
            let logit = logits[first + c];
            if (logit > highest || is_nan(logit)) {
                highest = logit;
            }
        }
        var exponentials = 0.0;
        for (var c = 0u; c < args.classes; c++) {
            exponentials += exponential(logits[first + c] - highest);
        }
        let log_sum = log(exponentials) + highest;
        // Weight of each class's -log p: targets_c = (1-s) w_y [c = y] + s/C w_c.
        var targets = 0.0;
        for (var c = 0u; c < args.classes; c++) {
            var part = spread * class_weights[c];
            if (c == label) {
                part += (1.0 - args.smoothing) * class_weights[c];
            }
            targets += part;
            loss_sum += part * (log_sum - logits[first + c]);
        }
        for (var c = 0u; c < args.classes; c++) {
            var part = spread * class_weights[c];
            if (c == label) {
                part += (1.0 - args.smoothing) * class_weights[c];
            }
            gradient[first + c] = (targets * exponential(logits[first + c] - log_sum) - part) / total_weight * (args.weight * scaling[0]);
        }
    }
    loss_sums[lane] = loss_sum;
    workgroupBarrier();
    if (lane == 0u) {
        var total = 0.0;
        for (var other = 0u; other < WORKGROUP; other++) {
            total += loss_sums[other];
        }
        loss[0] = total / total_weight * args.weight;
    }
}
