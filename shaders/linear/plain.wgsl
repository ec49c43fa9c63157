// `linear` for matrices a few columns wide, such as the classifier's last: an invocation computes one result.
// A tile would be empty for the most part, and takes long to compile.

import super::interface::{args, x, weight, bias, y, y_gradient, gate, x_gradient, partial, products, product_at, own, take_term};
import package::shared::grid::in_grid;

/// Results of a workgroup, one an invocation.
const TILE_ROWS: u32 = 8;
const TILE_COLUMNS: u32 = 8;
const WORKGROUP: u32 = TILE_ROWS * TILE_COLUMNS;

/// A value before the activation, none where the ReLU was shut.
fn gradient(place: u32) -> f32 {
    if (args.relu != 0u && gate[own.gate + place] <= 0.0) {
        return 0.0;
    }
    return y_gradient[own.y_gradient + place];
}

/// Row and column of the invocation's result.
fn result_at(group: vec3<u32>, lane: u32) -> vec2<u32> {
    return vec2<u32>(group.y * TILE_ROWS + lane / TILE_COLUMNS, group.x * TILE_COLUMNS + lane % TILE_COLUMNS);
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let grid = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let product = products[product_at(grid.y)];
    own = product;
    let group = grid - vec3<u32>(0u, product.first_group, 0u);
    let row = result_at(group, lane).x;
    let output = result_at(group, lane).y;
    if (row >= product.rows || output >= args.outputs) {
        return;
    }
    var sum = 0.0;
    for (var k = 0u; k < args.inputs; k++) {
        sum += x[product.x + row * args.inputs + k] * weight[product.weight + output * args.inputs + k];
    }
    if (args.has_bias != 0u) {
        sum += bias[product.bias + output];
    }
    y[product.y + row * args.outputs + output] = select(sum, 0.0, args.relu != 0u && sum < 0.0);
}

@compute @workgroup_size(WORKGROUP)
fn backward_input(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let grid = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let product = products[product_at(grid.y)];
    own = product;
    let group = grid - vec3<u32>(0u, product.first_group, 0u);
    let row = result_at(group, lane).x;
    let input = result_at(group, lane).y;
    if (row >= product.rows || input >= args.inputs) {
        return;
    }
    var sum = 0.0;
    for (var term = 0u; term <= product.more; term++) {
        take_term(product, term);
        for (var k = 0u; k < args.outputs; k++) {
            sum += gradient(row * args.outputs + k) * weight[own.weight + k * args.inputs + input];
        }
    }
    let place = product.x_gradient + row * args.inputs + input;
    if (product.accumulate != 0u) {
        x_gradient[place] += sum;
    } else {
        x_gradient[place] = sum;
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward_weight(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let grid = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let product = products[product_at(grid.y)];
    own = product;
    let group = grid - vec3<u32>(0u, product.first_group, 0u);
    let output = result_at(group, lane).x;
    let input = result_at(group, lane).y;
    if (output >= args.outputs || input >= args.inputs) {
        return;
    }
    let first_row = group.z * product.slab_rows;
    var sum = 0.0;
    var bias_sum = 0.0;
    for (var row = first_row; row < min(first_row + product.slab_rows, product.rows); row++) {
        let factor = gradient(row * args.y_gradient_pitch + output);
        sum += factor * x[product.x + row * args.x_pitch + input];
        bias_sum += factor;
    }
    let slab = product.partial + group.z * args.slab_pitch;
    partial[slab + output * args.inputs + input] = sum;
    if (input == 0u) {
        partial[slab + args.outputs * args.inputs + output] = bias_sum;
    }
}
