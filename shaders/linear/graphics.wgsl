// `linear` for graphics hardware, by the tiles of `shared/tile.wgsl`. `vec4`, where all widths and columns are multiples of four,
// takes the buffers as vec4s. `rounded` rounds x, W and g to f16 first: mixed precision where there are no cooperative matrices.

import super::interface::{args, x, weight, bias, y, y_gradient, gate, x_gradient, partial, products, product_at, own, take_term};
import package::shared::grid::in_grid;
@if(rounded) import package::shared::numbers::round_to_f16;
import package::shared::tile::{
    TILE_ROWS, TILE_COLUMNS, ROW_QUADS, OWN_COLUMNS, WORKGROUP, DEPTH, Blocks, Sums,
    brings_left, brings_second, left_corner, right_corner, own_corner, put_blocks, multiply_tiles, add_brought, put_brought, brought_sum,
};

/// Factors as the product takes them.
fn factors(values: vec4<f32>) -> vec4<f32> {
    @if(rounded) return vec4<f32>(round_to_f16(values.x), round_to_f16(values.y), round_to_f16(values.z), round_to_f16(values.w));
    @else return values;
}

/// Numbers of an element of the buffers.
@if(vec4) const NUMBERS: u32 = 4;
@else const NUMBERS: u32 = 1;

/// Places of the columns `first` to `first + 3` of a row that begins at `start`, the last one's where there are fewer.
@if(!vec4)
fn places(start: u32, first: u32, columns: u32) -> vec4<u32> {
    return start + min(first + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(columns - 1u));
}

// Of rows and columns past the last these take the last: such sums are not stored, and such terms count as zero. Where four rows
// begin, in elements, is computed before a loop whose terms are their columns.

/// Four rows from `row` on, of which `end` is the first that is not there.
fn rows_from(row: u32, end: u32) -> vec4<u32> {
    return min(row + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(max(end, 1u) - 1u));
}

/// Where rows of x begin.
fn input_starts(row: u32, end: u32) -> vec4<u32> {
    return own.x / NUMBERS + rows_from(row, end) * (args.x_pitch / NUMBERS);
}

/// Where rows of W begin.
fn weight_starts(output: u32) -> vec4<u32> {
    return own.weight / NUMBERS + rows_from(output, args.outputs) * (args.inputs / NUMBERS);
}

/// Where rows of g begin, the gradient before the activation.
fn gradient_starts(row: u32, end: u32) -> vec4<u32> {
    return own.y_gradient / NUMBERS + rows_from(row, end) * (args.y_gradient_pitch / NUMBERS);
}

/// x at four inputs of the row that begins at `start`.
fn input_quad(start: u32, input: u32) -> vec4<f32> {
    @if(vec4) {
        return factors(x[start + min(input, args.inputs - 4u) / 4u]);
    }
    @else {
        let at = places(start, input, args.inputs);
        return factors(vec4<f32>(x[at.x], x[at.y], x[at.z], x[at.w]));
    }
}

/// W at four inputs of the output whose row begins at `start`.
fn weight_quad(start: u32, input: u32) -> vec4<f32> {
    @if(vec4) {
        return factors(weight[start + min(input, args.inputs - 4u) / 4u]);
    }
    @else {
        let at = places(start, input, args.inputs);
        return factors(vec4<f32>(weight[at.x], weight[at.y], weight[at.z], weight[at.w]));
    }
}

/// Four inputs of four rows.
fn inputs_of(starts: vec4<u32>, input: u32) -> mat4x4<f32> {
    return mat4x4<f32>(
        input_quad(starts.x, input), input_quad(starts.y, input), input_quad(starts.z, input), input_quad(starts.w, input),
    );
}

/// Four inputs of four outputs' weights.
fn weights_of(starts: vec4<u32>, input: u32) -> mat4x4<f32> {
    return mat4x4<f32>(
        weight_quad(starts.x, input), weight_quad(starts.y, input), weight_quad(starts.z, input), weight_quad(starts.w, input),
    );
}

/// Gradients at four outputs of four rows: all are under way before the first gate is looked at.
fn gradients_of(starts: vec4<u32>, output: u32) -> mat4x4<f32> {
    var values = mat4x4<f32>(
        gradient_quad(starts.x, output), gradient_quad(starts.y, output), gradient_quad(starts.z, output), gradient_quad(starts.w, output),
    );
    if (args.relu != 0u) {
        let gates = mat4x4<f32>(
            gate_quad(starts.x, output), gate_quad(starts.y, output), gate_quad(starts.z, output), gate_quad(starts.w, output),
        );
        values = mat4x4<f32>(
            select(values[0], vec4<f32>(), gates[0] <= vec4<f32>()),
            select(values[1], vec4<f32>(), gates[1] <= vec4<f32>()),
            select(values[2], vec4<f32>(), gates[2] <= vec4<f32>()),
            select(values[3], vec4<f32>(), gates[3] <= vec4<f32>()),
        );
    }
    return mat4x4<f32>(factors(values[0]), factors(values[1]), factors(values[2]), factors(values[3]));
}

/// dy at four outputs of the row that begins at `start`.
fn gradient_quad(start: u32, output: u32) -> vec4<f32> {
    @if(vec4) {
        return y_gradient[start + min(output, args.outputs - 4u) / 4u];
    }
    @else {
        let at = places(start, output, args.outputs);
        return vec4<f32>(y_gradient[at.x], y_gradient[at.y], y_gradient[at.z], y_gradient[at.w]);
    }
}

/// Where a row of what the activation made begins, by where the one of dy does.
fn gate_start(start: u32) -> u32 {
    return start - own.y_gradient / NUMBERS + own.gate / NUMBERS;
}

/// What the activation made there.
fn gate_quad(start: u32, output: u32) -> vec4<f32> {
    @if(vec4) {
        return gate[gate_start(start) + min(output, args.outputs - 4u) / 4u];
    }
    @else {
        let at = places(gate_start(start), output, args.outputs);
        return vec4<f32>(gate[at.x], gate[at.y], gate[at.z], gate[at.w]);
    }
}

/// Where the rows of x or of W begin that an invocation's blocks are of, of the first in `[0]`.
fn forward_starts(lane: u32, first_row: u32, first_output: u32) -> array<vec4<u32>, 2> {
    var starts: array<vec4<u32>, 2>;
    if (brings_left(lane)) {
        starts[0] = input_starts(first_row + left_corner(lane).x, own.rows);
    } else {
        starts[0] = weight_starts(first_output + right_corner(lane).x);
    }
    if (brings_second(lane)) {
        starts[1] = weight_starts(first_output + right_corner(lane + WORKGROUP).x);
    }
    return starts;
}

/// Left rows of x, right rows of W; the terms are inputs.
fn forward_blocks(lane: u32, starts: array<vec4<u32>, 2>, k: u32) -> Blocks {
    let input = k + left_corner(lane).y;
    var blocks: Blocks;
    if (brings_left(lane)) {
        blocks[0] = inputs_of(starts[0], input);
    } else {
        blocks[0] = weights_of(starts[0], input);
    }
    if (brings_second(lane)) {
        blocks[1] = weights_of(starts[1], k + right_corner(lane + WORKGROUP).y);
    }
    return blocks;
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let grid = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let product = products[product_at(grid.y)];
    own = product;
    let group = grid - vec3<u32>(0u, product.first_group, 0u);
    let first_output = group.x * TILE_COLUMNS;
    let first_row = group.y * TILE_ROWS;
    let starts = forward_starts(lane, first_row, first_output);
    var sums = Sums();
    var blocks = forward_blocks(lane, starts, 0u);
    for (var k = 0u; k < args.inputs; k += DEPTH) {
        put_blocks(lane, blocks, true, true, args.inputs - k);
        workgroupBarrier();
        blocks = forward_blocks(lane, starts, k + DEPTH);
        multiply_tiles(lane, &sums);
        workgroupBarrier();
    }
    let row = first_row + own_corner(lane).x;
    let output = first_output + own_corner(lane).y;
    put_outputs(row, output, sums[0]);
    put_outputs(row + 4u, output, sums[1]);
    if (OWN_COLUMNS == 8u) {
        put_outputs(row, output + TILE_COLUMNS / 2u, sums[2]);
        put_outputs(row + 4u, output + TILE_COLUMNS / 2u, sums[3]);
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

/// Left rows of g, right columns of W; the terms are outputs. `starts` is where the rows of g begin.
fn backward_input_blocks(lane: u32, first_row: u32, first_input: u32, k: u32) -> Blocks {
    var blocks: Blocks;
    if (brings_left(lane)) {
        blocks[0] = gradients_of(gradient_starts(first_row + left_corner(lane).x, own.rows), k + left_corner(lane).y);
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
    return weights_of(weight_starts(k + corner.y), first_input + corner.x);
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
        put_input_gradients(row, input + TILE_COLUMNS / 2u, sums[2]);
        put_input_gradients(row + 4u, input + TILE_COLUMNS / 2u, sums[3]);
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
        blocks[0] = gradients_of(gradient_starts(k + corner.y, end), first_output + corner.x);
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
    return inputs_of(input_starts(k + corner.y, end), first_input + corner.x);
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
    let sums_bias = group.x == 0u && brings_left(lane);
    var sums = Sums();
    var bias_sums = vec4<f32>();
    var blocks = backward_weight_blocks(lane, first_output, first_input, first_row, end);
    for (var k = first_row; k < end; k += DEPTH) {
        put_blocks(lane, blocks, false, false, end - k);
        workgroupBarrier();
        blocks = backward_weight_blocks(lane, first_output, first_input, k + DEPTH, end);
        multiply_tiles(lane, &sums);
        if (sums_bias) {
            bias_sums = add_brought(lane, bias_sums);
        }
        workgroupBarrier();
    }
    let slab = product.partial + group.z * args.slab_pitch;
    let output = first_output + own_corner(lane).x;
    let input = first_input + own_corner(lane).y;
    put_weight_gradients(slab, output, input, sums[0]);
    put_weight_gradients(slab, output + 4u, input, sums[1]);
    if (OWN_COLUMNS == 8u) {
        put_weight_gradients(slab, output, input + TILE_COLUMNS / 2u, sums[2]);
        put_weight_gradients(slab, output + 4u, input + TILE_COLUMNS / 2u, sums[3]);
    }
    put_brought(lane, bias_sums);
    workgroupBarrier();
    if (group.x == 0u && lane < ROW_QUADS) {
        put_partial(slab + args.outputs * args.inputs, first_output + 4u * lane, args.outputs, brought_sum(lane));
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
