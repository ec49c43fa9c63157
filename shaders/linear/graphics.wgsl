// `linear` for graphics hardware, by the tiles of `shared/tile.wgsl`. `vec4`, where all widths and columns are multiples of four,
// takes the buffers as vec4s. `rounded` rounds x, W and g to f16 first: mixed precision where there are no cooperative matrices.

import super::interface::{args, x, weight, bias, y, y_gradient, gate, x_gradient, partial, products, product_at, own, take_term};
import package::shared::grid::in_grid;
@if(rounded) import package::shared::numbers::round_to_f16;
import package::shared::tile::{
    TILE_ROWS, TILE_COLUMNS, ROW_QUADS, OWN_COLUMNS, WORKGROUP, DEPTH, Blocks, Sums,
    brings_left, brings_second, left_corner, right_corner, own_corner, put_blocks, multiply_tiles, add_rows,
};

/// Factors as the product takes them.
fn factors(values: vec4<f32>) -> vec4<f32> {
    @if(rounded) return vec4<f32>(round_to_f16(values.x), round_to_f16(values.y), round_to_f16(values.z), round_to_f16(values.w));
    @else return values;
}

/// Places of the columns `first` to `first + 3` of a row that begins at `start`, the last one's where there are fewer.
@if(!vec4)
fn places(start: u32, first: u32, columns: u32) -> vec4<u32> {
    return start + min(first + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(columns - 1u));
}

// Of rows and columns past the last these load the last: such sums are not stored, and such terms count as zero.

/// x at four inputs of a row.
fn input_quad(row: u32, input: u32, end: u32) -> vec4<f32> {
    let start = own.x + min(row, max(end, 1u) - 1u) * args.x_pitch;
    @if(vec4) {
        return factors(x[(start + min(input, args.inputs - 4u)) / 4u]);
    }
    @else {
        let at = places(start, input, args.inputs);
        return factors(vec4<f32>(x[at.x], x[at.y], x[at.z], x[at.w]));
    }
}

/// W at four inputs of an output.
fn weight_quad(output: u32, input: u32) -> vec4<f32> {
    let start = own.weight + min(output, args.outputs - 1u) * args.inputs;
    @if(vec4) {
        return factors(weight[(start + min(input, args.inputs - 4u)) / 4u]);
    }
    @else {
        let at = places(start, input, args.inputs);
        return factors(vec4<f32>(weight[at.x], weight[at.y], weight[at.z], weight[at.w]));
    }
}

/// g, the gradient before the activation, at four outputs of a row.
fn gradient_quad(row: u32, output: u32, end: u32) -> vec4<f32> {
    let start = min(row, max(end, 1u) - 1u) * args.y_gradient_pitch;
    @if(vec4) {
        let at = start + min(output, args.outputs - 4u);
        let values = y_gradient[(own.y_gradient + at) / 4u];
        if (args.relu != 0u) {
            return factors(select(values, vec4<f32>(), gate[(own.gate + at) / 4u] <= vec4<f32>()));
        }
        return factors(values);
    }
    @else {
        let at = own.y_gradient + places(start, output, args.outputs);
        var values = vec4<f32>(y_gradient[at.x], y_gradient[at.y], y_gradient[at.z], y_gradient[at.w]);
        if (args.relu != 0u) {
            let gate_at = own.gate + places(start, output, args.outputs);
            let gates = vec4<f32>(gate[gate_at.x], gate[gate_at.y], gate[gate_at.z], gate[gate_at.w]);
            values = select(values, vec4<f32>(), gates <= vec4<f32>());
        }
        return factors(values);
    }
}

/// Four inputs of four rows.
fn inputs_of(row: u32, input: u32, end: u32) -> mat4x4<f32> {
    return mat4x4<f32>(
        input_quad(row, input, end), input_quad(row + 1u, input, end), input_quad(row + 2u, input, end), input_quad(row + 3u, input, end),
    );
}

/// Four inputs of four outputs' weights.
fn weights_of(output: u32, input: u32) -> mat4x4<f32> {
    return mat4x4<f32>(
        weight_quad(output, input), weight_quad(output + 1u, input), weight_quad(output + 2u, input), weight_quad(output + 3u, input),
    );
}

/// Gradients at four outputs of four rows.
fn gradients_of(row: u32, output: u32, end: u32) -> mat4x4<f32> {
    return mat4x4<f32>(
        gradient_quad(row, output, end),
        gradient_quad(row + 1u, output, end),
        gradient_quad(row + 2u, output, end),
        gradient_quad(row + 3u, output, end),
    );
}

/// Left rows of x, right rows of W; the terms are inputs.
fn forward_blocks(lane: u32, first_row: u32, first_output: u32, k: u32) -> Blocks {
    var blocks: Blocks;
    if (brings_left(lane)) {
        let corner = left_corner(lane);
        blocks[0] = inputs_of(first_row + corner.x, k + corner.y, own.rows);
    } else {
        blocks[0] = forward_right(lane, first_output, k);
    }
    if (brings_second(lane)) {
        blocks[1] = forward_right(lane + WORKGROUP, first_output, k);
    }
    return blocks;
}

fn forward_right(block: u32, first_output: u32, k: u32) -> mat4x4<f32> {
    let corner = right_corner(block);
    return weights_of(first_output + corner.x, k + corner.y);
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let grid = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let product = products[product_at(grid.y)];
    own = product;
    let group = grid - vec3<u32>(0u, product.first_group, 0u);
    let first_output = group.x * TILE_COLUMNS;
    let first_row = group.y * TILE_ROWS;
    var sums = Sums();
    var blocks = forward_blocks(lane, first_row, first_output, 0u);
    for (var k = 0u; k < args.inputs; k += DEPTH) {
        put_blocks(lane, blocks, true, true, args.inputs - k);
        workgroupBarrier();
        blocks = forward_blocks(lane, first_row, first_output, k + DEPTH);
        multiply_tiles(lane, &sums);
        workgroupBarrier();
    }
    let row = first_row + own_corner(lane).x;
    let output = first_output + own_corner(lane).y;
    put_outputs(row, output, sums[0]);
    put_outputs(row + 4u, output, sums[1]);
    if (OWN_COLUMNS == 8u) {
        put_outputs(row, output + TILE_COLUMNS / 2u, sums[3]);
        put_outputs(row + 4u, output + TILE_COLUMNS / 2u, sums[4]);
    }
}

fn put_outputs(row: u32, output: u32, sums: mat4x4<f32>) {
    put_output(row, output, sums[0]);
    put_output(row + 1u, output, sums[1]);
    put_output(row + 2u, output, sums[2]);
    put_output(row + 3u, output, sums[3]);
}

fn put_output(row: u32, output: u32, sums: vec4<f32>) {
    if (row >= own.rows || output >= args.outputs) {
        return;
    }
    var values = sums;
    if (args.has_bias != 0u) {
        values += bias_quad(output);
    }
    if (args.relu != 0u) {
        values = select(values, vec4<f32>(), values < vec4<f32>());
    }
    let place = own.y + row * args.outputs + output;
    @if(vec4) {
        y[place / 4u] = values;
    }
    @else {
        for (var j = 0u; j < min(4u, args.outputs - output); j++) {
            y[place + j] = values[j];
        }
    }
}

fn bias_quad(output: u32) -> vec4<f32> {
    @if(vec4) {
        return bias[(own.bias + output) / 4u];
    }
    @else {
        let at = places(own.bias, output, args.outputs);
        return vec4<f32>(bias[at.x], bias[at.y], bias[at.z], bias[at.w]);
    }
}

/// Left rows of g, right columns of W; the terms are outputs.
fn backward_input_blocks(lane: u32, first_row: u32, first_input: u32, k: u32) -> Blocks {
    var blocks: Blocks;
    if (brings_left(lane)) {
        let corner = left_corner(lane);
        blocks[0] = gradients_of(first_row + corner.x, k + corner.y, own.rows);
    } else {
        blocks[0] = backward_input_right(lane, first_input, k);
    }
    if (brings_second(lane)) {
        blocks[1] = backward_input_right(lane + WORKGROUP, first_input, k);
    }
    return blocks;
}

fn backward_input_right(block: u32, first_input: u32, k: u32) -> mat4x4<f32> {
    let corner = right_corner(block);
    return weights_of(k + corner.y, first_input + corner.x);
}

@compute @workgroup_size(WORKGROUP)
fn backward_input(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let grid = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let product = products[product_at(grid.y)];
    own = product;
    let group = grid - vec3<u32>(0u, product.first_group, 0u);
    let first_input = group.x * TILE_COLUMNS;
    let first_row = group.y * TILE_ROWS;
    var sums = Sums();
    for (var term = 0u; term <= product.more; term++) {
        take_term(product, term);
        var blocks = backward_input_blocks(lane, first_row, first_input, 0u);
        for (var k = 0u; k < args.outputs; k += DEPTH) {
            put_blocks(lane, blocks, true, false, args.outputs - k);
            workgroupBarrier();
            blocks = backward_input_blocks(lane, first_row, first_input, k + DEPTH);
            multiply_tiles(lane, &sums);
            workgroupBarrier();
        }
    }
    let row = first_row + own_corner(lane).x;
    let input = first_input + own_corner(lane).y;
    put_input_gradients(row, input, sums[0]);
    put_input_gradients(row + 4u, input, sums[1]);
    if (OWN_COLUMNS == 8u) {
        put_input_gradients(row, input + TILE_COLUMNS / 2u, sums[3]);
        put_input_gradients(row + 4u, input + TILE_COLUMNS / 2u, sums[4]);
    }
}

fn put_input_gradients(row: u32, input: u32, sums: mat4x4<f32>) {
    put_input_gradient(row, input, sums[0]);
    put_input_gradient(row + 1u, input, sums[1]);
    put_input_gradient(row + 2u, input, sums[2]);
    put_input_gradient(row + 3u, input, sums[3]);
}

fn put_input_gradient(row: u32, input: u32, sums: vec4<f32>) {
    if (row >= own.rows || input >= args.inputs) {
        return;
    }
    let place = own.x_gradient + row * args.inputs + input;
    @if(vec4) {
        if (own.accumulate != 0u) {
            x_gradient[place / 4u] += sums;
        } else {
            x_gradient[place / 4u] = sums;
        }
    }
    @else {
        var values = sums;
        for (var j = 0u; j < min(4u, args.inputs - input); j++) {
            if (own.accumulate != 0u) {
                x_gradient[place + j] += values[j];
            } else {
                x_gradient[place + j] = values[j];
            }
        }
    }
}

/// Left columns of g, right columns of x; the terms are rows.
fn backward_weight_blocks(lane: u32, first_output: u32, first_input: u32, k: u32, end: u32) -> Blocks {
    var blocks: Blocks;
    if (brings_left(lane)) {
        let corner = left_corner(lane);
        blocks[0] = gradients_of(k + corner.y, first_output + corner.x, end);
    } else {
        blocks[0] = backward_weight_right(lane, first_input, k, end);
    }
    if (brings_second(lane)) {
        blocks[1] = backward_weight_right(lane + WORKGROUP, first_input, k, end);
    }
    return blocks;
}

fn backward_weight_right(block: u32, first_input: u32, k: u32, end: u32) -> mat4x4<f32> {
    let corner = right_corner(block);
    return inputs_of(k + corner.y, first_input + corner.x, end);
}

@compute @workgroup_size(WORKGROUP)
fn backward_weight(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let grid = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let product = products[product_at(grid.y)];
    own = product;
    let group = grid - vec3<u32>(0u, product.first_group, 0u);
    let first_input = group.x * TILE_COLUMNS;
    let first_output = group.y * TILE_ROWS;
    let first_row = group.z * product.slab_rows;
    let end = min(first_row + product.slab_rows, product.rows);
    let sums_bias = group.x == 0u && lane < ROW_QUADS;
    var sums = Sums();
    var bias_sums = vec4<f32>();
    var blocks = backward_weight_blocks(lane, first_output, first_input, first_row, end);
    for (var k = first_row; k < end; k += DEPTH) {
        put_blocks(lane, blocks, false, false, end - k);
        workgroupBarrier();
        blocks = backward_weight_blocks(lane, first_output, first_input, k + DEPTH, end);
        multiply_tiles(lane, &sums);
        if (sums_bias) {
            bias_sums = add_rows(lane, bias_sums);
        }
        workgroupBarrier();
    }
    let slab = product.partial + group.z * args.slab_pitch;
    let output = first_output + own_corner(lane).x;
    let input = first_input + own_corner(lane).y;
    put_weight_gradients(slab, output, input, sums[0]);
    put_weight_gradients(slab, output + 4u, input, sums[1]);
    if (OWN_COLUMNS == 8u) {
        put_weight_gradients(slab, output, input + TILE_COLUMNS / 2u, sums[3]);
        put_weight_gradients(slab, output + 4u, input + TILE_COLUMNS / 2u, sums[4]);
    }
    if (sums_bias) {
        put_partial(slab + args.outputs * args.inputs, first_output + 4u * lane, args.outputs, bias_sums);
    }
}

fn put_weight_gradients(slab: u32, output: u32, input: u32, sums: mat4x4<f32>) {
    put_weight_gradient(slab, output, input, sums[0]);
    put_weight_gradient(slab, output + 1u, input, sums[1]);
    put_weight_gradient(slab, output + 2u, input, sums[2]);
    put_weight_gradient(slab, output + 3u, input, sums[3]);
}

fn put_weight_gradient(slab: u32, output: u32, input: u32, sums: vec4<f32>) {
    if (output < args.outputs) {
        put_partial(slab + output * args.inputs, input, args.inputs, sums);
    }
}

/// Four of the `columns` sums from `start` on.
fn put_partial(start: u32, first: u32, columns: u32, sums: vec4<f32>) {
    if (first >= columns) {
        return;
    }
    @if(vec4) {
        partial[(start + first) / 4u] = sums;
    }
    @else {
        var values = sums;
        for (var j = 0u; j < min(4u, columns - first); j++) {
            partial[start + first + j] = values[j];
        }
    }
}
