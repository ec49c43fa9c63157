// `linear` for software adapters: the same products by `shared/subgroup_tile.wgsl`. All matrices are seen as vec4s, so
// their widths and columns must be multiples of four.

import super::interface::{args, x, weight, bias, y, y_gradient, gate, x_gradient, partial, products, product_at, own, take_term};
import package::shared::grid::in_grid;
import package::shared::subgroup_tile::{
    SUBGROUP, WORKGROUP, TILE_ROWS, TILE_COLUMNS, HALF, EIGHTS, DEPTH, AHEAD, LINE, Sums, Terms, multiply_rows, multiply_columns,
    terms_of, eight_of, row_of
};
import package::shared::words::{floats, words};

/// Four values before the activation, none where the ReLU was shut.
fn gradients(place: u32) -> vec4<f32> {
    let value = floats(y_gradient[own.y_gradient / 4u + place]);
    if (args.relu == 0u) {
        return value;
    }
    return select(value, vec4<f32>(), floats(gate[own.gate / 4u + place]) <= vec4<f32>());
}

/// Four rows of weights, as many inputs of each.
fn weights_at(output: u32, k: u32) -> mat4x4<f32> {
    let pitch = args.inputs / 4u;
    let first = own.weight / 4u + output * pitch + k;
    return mat4x4<f32>(
        floats(weight[first]),
        floats(weight[first + pitch]),
        floats(weight[first + 2u * pitch]),
        floats(weight[first + 3u * pitch]),
    );
}

/// Bias of four outputs.
fn bias_at(output: u32) -> vec4<f32> {
    return select(vec4<f32>(), floats(bias[select(0u, (own.bias + output) / 4u, args.has_bias != 0u)]), args.has_bias != 0u);
}

/// Stores four outputs of a row; past the matrix' end there are none.
fn store_output(row: u32, output: u32, before: vec4<f32>) {
    var values = before;
    if (args.relu != 0u) {
        values = select(values, vec4<f32>(), values < vec4<f32>());
    }
    if (output < args.outputs) {
        y[(own.y + row * args.outputs + output) / 4u] = words(values);
    }
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let grid = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let product = products[product_at(grid.y)];
    own = product;
    let group = grid - vec3<u32>(0u, product.first_group, 0u);
    let output = group.x * TILE_COLUMNS + 4u * lane;
    let first = min(output, args.outputs - 4u);
    let second = min(output + HALF, args.outputs - 4u);
    let first_row = group.y * TILE_ROWS;
    let pitch = args.inputs / 4u;
    var sums = Sums();
    for (var k = 0u; k < pitch; k++) {
        var weights = terms_of(weights_at(first, k), weights_at(second, k));
        for (var e = 0u; e < EIGHTS; e++) {
            let row = min(first_row + 8u * e + lane, product.rows - 1u);
            sums[e] = multiply_rows(floats(x[product.x / 4u + row * pitch + k]), &weights, sums[e]);
        }
    }
    let first_bias = bias_at(first);
    let second_bias = bias_at(second);
    let stored = min(TILE_ROWS, product.rows - first_row);
    for (var e = 0u; SUBGROUP * e < stored; e++) {
        let rows = eight_of(&sums, e);
        for (var i = 0u; i < min(SUBGROUP, stored - SUBGROUP * e); i++) {
            let row = row_of(rows, i);
            store_output(first_row + SUBGROUP * e + i, output, row[0] + first_bias);
            store_output(first_row + SUBGROUP * e + i, output + HALF, row[1] + second_bias);
        }
    }
}

fn store_input_gradient(row: u32, input: u32, sum: vec4<f32>) {
    if (input < args.inputs) {
        let place = (own.x_gradient + row * args.inputs + input) / 4u;
        if (own.accumulate != 0u) {
            x_gradient[place] = words(floats(x_gradient[place]) + sum);
        } else {
            x_gradient[place] = words(sum);
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward_input(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let grid = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let product = products[product_at(grid.y)];
    own = product;
    let group = grid - vec3<u32>(0u, product.first_group, 0u);
    let input = group.x * TILE_COLUMNS + 4u * lane;
    let first = min(input, args.inputs - 4u) / 4u;
    let second = min(input + HALF, args.inputs - 4u) / 4u;
    let first_row = group.y * TILE_ROWS;
    let pitch = args.inputs / 4u;
    var sums = Sums();
    for (var term = 0u; term <= product.more; term++) {
        take_term(product, term);
        for (var k = 0u; k < args.outputs; k += DEPTH) {
            var weights: Terms;
            for (var i = 0u; i < DEPTH; i++) {
                let row = own.weight / 4u + (k + i) * pitch;
                weights[i] = mat2x4<f32>(floats(weight[row + first]), floats(weight[row + second]));
            }
            for (var e = 0u; e < EIGHTS; e++) {
                let row = min(first_row + 8u * e + lane, product.rows - 1u);
                sums[e] = multiply_rows(gradients((row * args.outputs + k) / 4u), &weights, sums[e]);
            }
        }
    }
    let stored = min(TILE_ROWS, product.rows - first_row);
    for (var e = 0u; SUBGROUP * e < stored; e++) {
        let rows = eight_of(&sums, e);
        for (var i = 0u; i < min(SUBGROUP, stored - SUBGROUP * e); i++) {
            let row = row_of(rows, i);
            store_input_gradient(first_row + SUBGROUP * e + i, input, row[0]);
            store_input_gradient(first_row + SUBGROUP * e + i, input + HALF, row[1]);
        }
    }
}

fn store_weight_gradient(slab: u32, output: u32, input: u32, sum: vec4<f32>) {
    if (input < args.inputs) {
        partial[(slab + output * args.inputs + input) / 4u] = words(sum);
    }
}

/// Has the processor fetch what of both factors lies AHEAD rows behind row `k`: an invocation asks for a line of each of them. Bits of
/// all come back, so that no compiler leaves the loads out.
fn fetched_ahead(k: u32, end: u32, first_input: u32, first_output: u32, lane: u32) -> u32 {
    let input = min(first_input + LINE * (lane % 4u), args.inputs - 4u);
    let output = min(first_output + LINE * (lane % 2u), args.outputs - 4u);
    let row = min(k + AHEAD + lane / 4u, end - 1u);
    let later_row = min(k + AHEAD + 2u + lane / 4u, end - 1u);
    let gradient = (min(k + AHEAD + lane / 2u, end - 1u) * args.y_gradient_pitch + output) / 4u;
    var bits = u32(x[(own.x + row * args.x_pitch + input) / 4u].x) ^ u32(x[(own.x + later_row * args.x_pitch + input) / 4u].x);
    bits ^= u32(y_gradient[own.y_gradient / 4u + gradient].x);
    if (args.relu != 0u) {
        bits ^= u32(gate[own.gate / 4u + gradient].x);
    }
    return bits;
}

@compute @workgroup_size(WORKGROUP)
fn backward_weight(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let grid = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let product = products[product_at(grid.y)];
    own = product;
    let group = grid - vec3<u32>(0u, product.first_group, 0u);
    let input = group.x * TILE_COLUMNS + 4u * lane;
    let first = (product.x + min(input, args.inputs - 4u)) / 4u;
    let second = (product.x + min(input + HALF, args.inputs - 4u)) / 4u;
    let first_output = group.y * TILE_ROWS;
    let output = min(first_output + 4u * lane, args.outputs - 4u);
    let first_row = group.z * product.slab_rows;
    let end = min(first_row + product.slab_rows, product.rows);
    var sums = Sums();
    var bias_sums = vec4<f32>();
    var fetched = 0u;
    for (var k = first_row; k < end; k += DEPTH) {
        fetched ^= fetched_ahead(k, end, group.x * TILE_COLUMNS, first_output, lane);
        var left: mat4x4<f32>;
        var right: Terms;
        for (var i = 0u; i < DEPTH; i++) {
            let row = min(k + i, end - 1u);
            let x_row = row * args.x_pitch / 4u;
            // Both factors: zero times what is not finite would be NaN.
            let is_row = k + i < end;
            left[i] = select(vec4<f32>(), gradients((row * args.y_gradient_pitch + output) / 4u), is_row);
            right[i] = mat2x4<f32>(
                select(vec4<f32>(), floats(x[x_row + first]), is_row),
                select(vec4<f32>(), floats(x[x_row + second]), is_row),
            );
            bias_sums += left[i];
        }
        for (var e = 0u; e < EIGHTS; e++) {
            sums[e] = multiply_columns(e, left, &right, sums[e]);
        }
    }
    // There is always a row, so that the fetched bits decide nothing.
    let stored = select(min(TILE_ROWS, args.outputs - first_output), fetched, product.rows == 0u);
    let slab = product.partial + group.z * args.slab_pitch;
    for (var e = 0u; SUBGROUP * e < stored; e++) {
        let rows = eight_of(&sums, e);
        for (var i = 0u; i < min(SUBGROUP, stored - SUBGROUP * e); i++) {
            let row = row_of(rows, i);
            store_weight_gradient(slab, first_output + SUBGROUP * e + i, input, row[0]);
            store_weight_gradient(slab, first_output + SUBGROUP * e + i, input + HALF, row[1]);
        }
    }
    if (group.x == 0u && first_output + 4u * lane < args.outputs) {
        partial[(slab + args.outputs * args.inputs + output) / 4u] = words(bias_sums);
    }
}
