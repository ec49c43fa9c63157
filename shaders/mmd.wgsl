// Maximum mean discrepancy of two sets of n rows by five Gaussian kernels, and its gradients with the kernels' widths constant. A
// workgroup for each of the 2n rows; sums are in fixed orders.
// distances   D_ij = |x_i - x_j|², and their sum over j
// pairs       s_ij Σ_m k_m(D_ij) summed over j, and the slopes s_ij k'_ij
// gradients   dx_i = 4 share · scaling[0] Σ_j slope_ij (x_i - x_j), and the loss
// scaling[0] is the loss scale.

import package::shared::numbers::{exponential, is_nan};
import package::shared::tree_sum::{WORKGROUP, tree_sum};

struct Args {
    /// Of one set
    rows: u32,
    width: u32,
    /// What each pair's kernels are multiplied with
    share: f32,
    /// Of the narrowest kernel; 0 where it follows from the distances.
    bandwidth: f32,
}

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> first: array<f32>;
@group(0) @binding(2) var<storage, read> second: array<f32>;
@group(0) @binding(3) var<storage, read_write> squares: array<f32>;
@group(0) @binding(4) var<storage, read_write> square_sums: array<f32>;
@group(0) @binding(5) var<storage, read> saved_squares: array<f32>;
@group(0) @binding(6) var<storage, read> saved_square_sums: array<f32>;
@group(0) @binding(7) var<storage, read_write> slopes: array<f32>;
@group(0) @binding(8) var<storage, read_write> loss_sums: array<f32>;
@group(0) @binding(9) var<storage, read> saved_slopes: array<f32>;
@group(0) @binding(10) var<storage, read> saved_loss_sums: array<f32>;
@group(0) @binding(11) var<storage, read> scaling: array<f32>;
@group(0) @binding(12) var<storage, read_write> loss: array<f32>;
@group(0) @binding(13) var<storage, read_write> first_gradient: array<f32>;
@group(0) @binding(14) var<storage, read_write> second_gradient: array<f32>;

const KERNELS: u32 = 5;

/// An element of the rows of both sets.
fn element(row: u32, c: u32) -> f32 {
    if (row < args.rows) {
        return first[row * args.width + c];
    }
    return second[(row - args.rows) * args.width + c];
}

@compute @workgroup_size(WORKGROUP)
fn distances(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row_count = 2u * args.rows;
    var part = 0.0;
    for (var other = lane; other < row_count; other += WORKGROUP) {
        var square = 0.0;
        for (var c = 0u; c < args.width; c++) {
            let difference = element(group.x, c) - element(other, c);
            square += difference * difference;
        }
        squares[group.x * row_count + other] = square;
        part += square;
    }
    part = tree_sum(lane, part);
    if (lane == 0u) {
        square_sums[group.x] = part;
    }
}

@compute @workgroup_size(WORKGROUP)
fn pairs(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row_count = 2u * args.rows;
    var part = 0.0;
    for (var row = lane; row < row_count; row += WORKGROUP) {
        part += saved_square_sums[row];
    }
    var bandwidth = tree_sum(lane, part) / f32(row_count * row_count - row_count) / 4.0;
    if (args.bandwidth > 0.0) {
        bandwidth = args.bandwidth;
    }
    part = 0.0;
    for (var other = lane; other < row_count; other += WORKGROUP) {
        var sum = 0.0;
        var slope = 0.0;
        // Where all rows are equal, there is nothing to measure by.
        if (is_nan(bandwidth) || bandwidth != 0.0) {
            var breadth = bandwidth;
            for (var kernel_number = 0u; kernel_number < KERNELS; kernel_number++) {
                let value = exponential(-saved_squares[group.x * row_count + other] / breadth);
                sum += value;
                slope -= value / breadth;
                breadth *= 2.0;
            }
        }
        let is_within = (group.x < args.rows) == (other < args.rows);
        part += select(-sum, sum, is_within);
        slopes[group.x * row_count + other] = select(-slope, slope, is_within);
    }
    // Everyone has read the sum before it is made anew.
    workgroupBarrier();
    part = tree_sum(lane, part);
    if (lane == 0u) {
        loss_sums[group.x] = part;
    }
}

@compute @workgroup_size(WORKGROUP)
fn gradients(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row_count = 2u * args.rows;
    let scale = 4.0 * args.share * scaling[0];
    for (var c = lane; c < args.width; c += WORKGROUP) {
        var sum = 0.0;
        for (var other = 0u; other < row_count; other++) {
            sum += saved_slopes[group.x * row_count + other] * (element(group.x, c) - element(other, c));
        }
        if (group.x < args.rows) {
            first_gradient[group.x * args.width + c] = scale * sum;
        } else {
            second_gradient[(group.x - args.rows) * args.width + c] = scale * sum;
        }
    }
    if (group.x == 0u && lane == 0u) {
        var total = 0.0;
        for (var row = 0u; row < row_count; row++) {
            total += saved_loss_sums[row];
        }
        loss[0] = args.share * total;
    }
}
