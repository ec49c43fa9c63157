// `linear` for graphics hardware, by the tiles of `shared/tile.wgsl`. `vec4`, where all widths and columns are multiples of four,
// takes the buffers as vec4s. `rounded` rounds x, W and g to f16 first: mixed precision where there are no cooperative matrices.

import super::interface::{args, x, weight, bias, y, y_gradient, gate, x_gradient, partial, products, product_at, own, take_term};
@if(!vec4) import package::shared::components::component;
import package::shared::grid::in_grid;
@if(rounded) import package::shared::numbers::round_to_f16;
import package::shared::tile::{
    TILE_ROWS, TILE_COLUMNS, ROW_QUADS, OWN_COLUMNS, WORKGROUP, DEPTH, Blocks, Sums, brings_left, brings_second, left_corner, right_corner,
    own_corner, places_of, zeros_before, first_filling, put_blocks, multiply_tiles, add_brought, put_brought, brought_sum,
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

/// Where a block is read: four elements, from which four rows go on, …
struct Rows {
    starts: vec4<u32>,
    /// … and how far their four numbers lie from them.
    @if(!vec4) columns: vec4<u32>,
}

/// Four rows that begin at `begins`, by columns.
fn rows_at(begins: vec4<u32>, columns: vec4<u32>) -> Rows {
    @if(vec4) return Rows(begins + columns.x / 4u);
    @else return Rows(begins, columns);
}

/// The same rows, so many elements further.
fn further(rows: Rows, step: u32) -> Rows {
    @if(vec4) return Rows(rows.starts + step);
    @else return Rows(rows.starts + step, rows.columns);
}

// Of rows and columns past the last these take the last, and of terms before the first the first: such sums are not stored, and such
// terms count as zero.

const NEXT: vec4<u32> = vec4<u32>(0u, 1u, 2u, 3u);

/// Four columns from one on.
fn columns_from(column: u32, columns: u32) -> vec4<u32> {
    return min(column + NEXT, vec4<u32>(columns - 1u));
}

/// Four rows from one on.
fn rows_from(row: u32, rows: u32) -> vec4<u32> {
    return min(row + NEXT, vec4<u32>(max(rows, 1u) - 1u));
}

/// Four terms of the first filling, whose first would be `term`.
fn terms_from(term: u32, zeros: u32) -> vec4<u32> {
    return max(term + NEXT, vec4<u32>(zeros)) - zeros;
}

/// Where rows of x begin.
fn input_begins(rows: vec4<u32>) -> vec4<u32> {
    return own.x / NUMBERS + rows * (args.x_pitch / NUMBERS);
}

/// Where rows of W begin.
fn weight_begins(outputs: vec4<u32>) -> vec4<u32> {
    return own.weight / NUMBERS + outputs * (args.inputs / NUMBERS);
}

/// Where rows of g begin, the gradient before the activation.
fn gradient_begins(rows: vec4<u32>) -> vec4<u32> {
    return own.y_gradient / NUMBERS + rows * (args.y_gradient_pitch / NUMBERS);
}

/// Four inputs of four rows.
fn inputs_of(rows: Rows) -> mat4x4<f32> {
    return mat4x4<f32>(
        input_quad(rows.starts.x, rows), input_quad(rows.starts.y, rows), input_quad(rows.starts.z, rows), input_quad(rows.starts.w, rows),
    );
}

fn input_quad(start: u32, rows: Rows) -> vec4<f32> {
    @if(vec4) {
        return factors(x[start]);
    }
    @else {
        let at = start + rows.columns;
        return factors(vec4<f32>(x[at.x], x[at.y], x[at.z], x[at.w]));
    }
}

/// Four inputs of four outputs' weights.
fn weights_of(rows: Rows) -> mat4x4<f32> {
    return mat4x4<f32>(
        weight_quad(rows.starts.x, rows),
        weight_quad(rows.starts.y, rows),
        weight_quad(rows.starts.z, rows),
        weight_quad(rows.starts.w, rows),
    );
}

fn weight_quad(start: u32, rows: Rows) -> vec4<f32> {
    @if(vec4) {
        return factors(weight[start]);
    }
    @else {
        let at = start + rows.columns;
        return factors(vec4<f32>(weight[at.x], weight[at.y], weight[at.z], weight[at.w]));
    }
}

/// Gradients at four outputs of four rows: all are under way before the first gate is looked at.
fn gradients_of(rows: Rows) -> mat4x4<f32> {
    let starts = rows.starts;
    var values = mat4x4<f32>(
        gradient_quad(starts.x, rows), gradient_quad(starts.y, rows), gradient_quad(starts.z, rows), gradient_quad(starts.w, rows),
    );
    if (args.relu != 0u) {
        let gates = mat4x4<f32>(
            gate_quad(starts.x, rows), gate_quad(starts.y, rows), gate_quad(starts.z, rows), gate_quad(starts.w, rows),
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

fn gradient_quad(start: u32, rows: Rows) -> vec4<f32> {
    @if(vec4) {
        return y_gradient[start];
    }
    @else {
        let at = start + rows.columns;
        return vec4<f32>(y_gradient[at.x], y_gradient[at.y], y_gradient[at.z], y_gradient[at.w]);
    }
}

/// How far from rows of dy those of what the activation made begin.
var<private> gate_distance: u32;

/// What the activation made there.
fn gate_quad(gradient_start: u32, rows: Rows) -> vec4<f32> {
    let start = gradient_start + gate_distance;
    @if(vec4) {
        return gate[start];
    }
    @else {
        let at = start + rows.columns;
        return vec4<f32>(gate[at.x], gate[at.y], gate[at.z], gate[at.w]);
    }
}

/// Where an invocation's blocks are read.
struct Sources {
    first: Rows,
    second: Rows,
}

/// How far on the next filling's blocks of `left` and of `right` are read; where there is none, those that were are read again.
fn steps_if(is_there: bool, left: u32, right: u32) -> vec2<u32> {
    return select(vec2<u32>(), vec2<u32>(left, right), is_there);
}

/// Left rows of x, right rows of W; the terms are inputs. Of the filling whose first term is `k`, with its zeros.
fn forward_sources(lane: u32, first_row: u32, first_output: u32, k: u32) -> Sources {
    let zeros = zeros_before(args.inputs);
    let terms = terms_from(k + left_corner(lane).y, zeros);
    var first = rows_at(weight_begins(rows_from(first_output + right_corner(lane).x, args.outputs)), terms);
    if (brings_left(lane)) {
        first = rows_at(input_begins(rows_from(first_row + left_corner(lane).x, own.rows)), terms);
    }
    let second = rows_at(weight_begins(rows_from(first_output + right_corner(lane + WORKGROUP).x, args.outputs)), terms);
    return Sources(first, second);
}

fn forward_blocks(lane: u32, sources: ptr<function, Sources>, steps: vec2<u32>) -> Blocks {
    var blocks: Blocks;
    if (brings_left(lane)) {
        blocks[0] = inputs_of((*sources).first);
        (*sources).first = further((*sources).first, steps.x);
    } else {
        blocks[0] = weights_of((*sources).first);
        (*sources).first = further((*sources).first, steps.y);
    }
    if (brings_second(lane)) {
        blocks[1] = weights_of((*sources).second);
        (*sources).second = further((*sources).second, steps.y);
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
    let own_quads = own_corner(lane) / 4u;
    let places = places_of(lane);
    let zeros = zeros_before(args.inputs);
    var sums = Sums();
    var sources = forward_sources(lane, first_row, first_output, 0u);
    put_blocks(lane, places, first_filling(lane, forward_blocks(lane, &sources, vec2<u32>()), true, true, zeros), true, true);
    sources = forward_sources(lane, first_row, first_output, DEPTH);
    workgroupBarrier();
    for (var k = 0u; k < args.inputs + zeros; k += DEPTH) {
        let steps = steps_if(k + 2u * DEPTH < args.inputs + zeros, DEPTH / NUMBERS, DEPTH / NUMBERS);
        let blocks = forward_blocks(lane, &sources, steps);
        multiply_tiles(own_quads, &sums);
        workgroupBarrier();
        put_blocks(lane, places, blocks, true, true);
        workgroupBarrier();
    }
    let row = first_row + 4u * own_quads.x;
    let output = first_output + 4u * own_quads.y;
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
            y[place + j] = component(values, j);
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
fn backward_input_sources(lane: u32, first_row: u32, first_input: u32, k: u32) -> Sources {
    let zeros = zeros_before(args.outputs);
    let terms = terms_from(k + left_corner(lane).y, zeros);
    let weights = weight_begins(terms);
    let second = rows_at(weights, columns_from(first_input + right_corner(lane + WORKGROUP).x, args.inputs));
    if (brings_left(lane)) {
        let first = rows_at(gradient_begins(rows_from(first_row + left_corner(lane).x, own.rows)), terms);
        return Sources(first, second);
    }
    return Sources(rows_at(weights, columns_from(first_input + right_corner(lane).x, args.inputs)), second);
}

fn backward_input_blocks(lane: u32, sources: ptr<function, Sources>, steps: vec2<u32>) -> Blocks {
    var blocks: Blocks;
    if (brings_left(lane)) {
        blocks[0] = gradients_of((*sources).first);
        (*sources).first = further((*sources).first, steps.x);
    } else {
        blocks[0] = weights_of((*sources).first);
        (*sources).first = further((*sources).first, steps.y);
    }
    if (brings_second(lane)) {
        blocks[1] = weights_of((*sources).second);
        (*sources).second = further((*sources).second, steps.y);
    }
    return blocks;
}

@compute @workgroup_size(WORKGROUP)
fn backward_input(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let grid = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let product = products[product_at(grid.y)];
    own = product;
    let group = grid - vec3<u32>(0u, product.first_group, 0u);
    let first_input = group.x * TILE_COLUMNS;
    let first_row = group.y * TILE_ROWS;
    let own_quads = own_corner(lane) / 4u;
    let places = places_of(lane);
    let zeros = zeros_before(args.outputs);
    var sums = Sums();
    for (var term = 0u; term <= product.more; term++) {
        take_term(product, term);
        gate_distance = own.gate / NUMBERS - own.y_gradient / NUMBERS;
        var sources = backward_input_sources(lane, first_row, first_input, 0u);
        let first = backward_input_blocks(lane, &sources, vec2<u32>());
        put_blocks(lane, places, first_filling(lane, first, true, false, zeros), true, false);
        sources = backward_input_sources(lane, first_row, first_input, DEPTH);
        workgroupBarrier();
        for (var k = 0u; k < args.outputs + zeros; k += DEPTH) {
            let steps = steps_if(k + 2u * DEPTH < args.outputs + zeros, DEPTH / NUMBERS, DEPTH * (args.inputs / NUMBERS));
            let blocks = backward_input_blocks(lane, &sources, steps);
            multiply_tiles(own_quads, &sums);
            workgroupBarrier();
            put_blocks(lane, places, blocks, true, false);
            workgroupBarrier();
        }
    }
    let row = first_row + 4u * own_quads.x;
    let input = first_input + 4u * own_quads.y;
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
        for (var j = 0u; j < min(4u, args.inputs - input); j++) {
            if (own.accumulate != 0u) {
                x_gradient[place + j] += component(sums, j);
            } else {
                x_gradient[place + j] = component(sums, j);
            }
        }
    }
}

/// Left columns of g, right columns of x; the terms are rows, those from `first_row` to `end`.
fn backward_weight_sources(lane: u32, first_output: u32, first_input: u32, k: u32, first_row: u32, end: u32) -> Sources {
    let terms = terms_from(k + left_corner(lane).y, zeros_before(end - first_row));
    let rows = min(first_row + terms, vec4<u32>(max(end, 1u) - 1u));
    let inputs = input_begins(rows);
    let second = rows_at(inputs, columns_from(first_input + right_corner(lane + WORKGROUP).x, args.inputs));
    if (brings_left(lane)) {
        let first = rows_at(gradient_begins(rows), columns_from(first_output + left_corner(lane).x, args.outputs));
        return Sources(first, second);
    }
    return Sources(rows_at(inputs, columns_from(first_input + right_corner(lane).x, args.inputs)), second);
}

fn backward_weight_blocks(lane: u32, sources: ptr<function, Sources>, steps: vec2<u32>) -> Blocks {
    var blocks: Blocks;
    if (brings_left(lane)) {
        blocks[0] = gradients_of((*sources).first);
        (*sources).first = further((*sources).first, steps.x);
    } else {
        blocks[0] = inputs_of((*sources).first);
        (*sources).first = further((*sources).first, steps.y);
    }
    if (brings_second(lane)) {
        blocks[1] = inputs_of((*sources).second);
        (*sources).second = further((*sources).second, steps.y);
    }
    return blocks;
}

@compute @workgroup_size(WORKGROUP)
fn backward_weight(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let grid = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let product = products[product_at(grid.y)];
    own = product;
    let group = grid - vec3<u32>(0u, product.first_group, 0u);
    let first_input = group.x * TILE_COLUMNS;
    gate_distance = own.gate / NUMBERS - own.y_gradient / NUMBERS;
    let first_output = group.y * TILE_ROWS;
    let first_row = min(group.z * product.slab_rows, product.rows);
    let end = min(first_row + product.slab_rows, product.rows);
    let own_quads = own_corner(lane) / 4u;
    let places = places_of(lane);
    let zeros = zeros_before(end - first_row);
    let sums_bias = group.x == 0u && brings_left(lane);
    var sums = Sums();
    var bias_sums = vec4<f32>();
    var sources = backward_weight_sources(lane, first_output, first_input, 0u, first_row, end);
    let first = backward_weight_blocks(lane, &sources, vec2<u32>());
    put_blocks(lane, places, first_filling(lane, first, false, false, zeros), false, false);
    sources = backward_weight_sources(lane, first_output, first_input, DEPTH, first_row, end);
    workgroupBarrier();
    for (var k = 0u; k < end - first_row + zeros; k += DEPTH) {
        let is_there = k + 2u * DEPTH < end - first_row + zeros;
        let steps = steps_if(is_there, DEPTH * (args.y_gradient_pitch / NUMBERS), DEPTH * (args.x_pitch / NUMBERS));
        let blocks = backward_weight_blocks(lane, &sources, steps);
        multiply_tiles(own_quads, &sums);
        if (sums_bias) {
            bias_sums = add_brought(places.x, bias_sums);
        }
        workgroupBarrier();
        put_blocks(lane, places, blocks, false, false);
        workgroupBarrier();
    }
    let slab = product.partial + group.z * args.slab_pitch;
    let output = first_output + 4u * own_quads.x;
    let input = first_input + 4u * own_quads.y;
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
        for (var j = 0u; j < min(4u, columns - first); j++) {
            partial[start + first + j] = component(sums, j);
        }
    }
}
