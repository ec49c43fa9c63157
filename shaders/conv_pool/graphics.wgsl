// `conv_pool` for graphics hardware: products by the tiles of `shared/tile.wgsl` of what `operands.wgsl` reads and writes.

import super::interface::{args, input_offsets, output_offsets, output_owners, winners, partial};
import super::operands::{
    edges_of, four_edges, reached, input_starts, gradient_starts, output_gradient_starts, weight_starts, term_starts, inputs_of,
    gradients_of, weights_of, NUMBERS, put_output, put_input_gradients, put_weight_gradients,
};
import package::shared::components::component;
import package::shared::grid::in_grid;
import package::shared::pooling::{WINDOW, TAPS, NOWHERE, wins, winner_words, edges_within};
import package::shared::tile::{
    TILE_ROWS, TILE_COLUMNS, ROW_QUADS, COLUMN_QUADS, OWN_COLUMNS, WORKGROUP, DEPTH, Blocks, Sums, tiles, brings_left, left_corner,
    right_corner, own_corner, places_of, zeros_before, first_block, put_blocks, multiply_tiles, add_brought, put_brought,
    brought_sum,
};

/// Whole windows of a forward tile.
const WINDOWS: u32 = TILE_ROWS / WINDOW;
/// Quads of columns that are pooled at a time: their sums take the room of the tiles, which are square.
const POOLED: u32 = 8;

// Tiles are square here, so that an invocation brings one block, whose first term in the first filling is that of its corner less the
// zeros: below zero such terms are great numbers.

/// Left the inputs of rows, right weights; the terms are inputs of the three taps.
fn forward_block(lane: u32, starts: vec4<u32>, term: u32) -> mat4x4<f32> {
    if (brings_left(lane)) {
        return inputs_of(starts, term);
    }
    return weights_of(starts, term, TAPS * args.inputs);
}

/// The block as it is multiplied.
fn forward_reached(lane: u32, block: mat4x4<f32>, row_edges: u32, term: u32) -> mat4x4<f32> {
    if (brings_left(lane)) {
        return reached(block, row_edges, term, args.inputs);
    }
    return block;
}

/// Stores an invocation's block.
fn put_one(lane: u32, place: u32, block: mat4x4<f32>, left_lies: bool, right_lies: bool) {
    put_blocks(lane, vec2<u32>(place), Blocks(block, mat4x4<f32>()), left_lies, right_lies);
}

/// Row of x at row `number` of the convolution, all windows counted, and its edges.
fn row_of(number: u32) -> vec2<u32> {
    let window = number / WINDOW;
    if (window >= args.output_rows) {
        return vec2<u32>(0u, NOWHERE);
    }
    let utterance = output_owners[window];
    let first = input_offsets[utterance];
    let row = first + (window - output_offsets[utterance]) * WINDOW + number % WINDOW;
    return vec2<u32>(row, edges_within(row, first, input_offsets[utterance + 1u]));
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let first_output = group.x * TILE_COLUMNS;
    let first_window = group.y * WINDOWS;
    let own_quads = own_corner(lane) / 4u;
    let place = places_of(lane).x;
    // Rows of the block of `left` that the invocation brings.
    let number = first_window * WINDOW + left_corner(min(lane, TILE_ROWS - 1u)).x;
    let brought = array<vec2<u32>, 4>(row_of(number), row_of(number + 1u), row_of(number + 2u), row_of(number + 3u));
    let rows = vec4<u32>(brought[0].x, brought[1].x, brought[2].x, brought[3].x);
    let row_edges = four_edges(vec4<u32>(brought[0].y, brought[1].y, brought[2].y, brought[3].y));
    var starts = weight_starts(first_output + right_corner(lane).x);
    if (brings_left(lane)) {
        starts = input_starts(rows);
    }
    let terms = TAPS * args.inputs;
    let zeros = zeros_before(terms);
    var term = left_corner(lane).y - zeros;
    var sums = Sums();
    let first = forward_reached(lane, forward_block(lane, starts, term), row_edges, term);
    put_one(lane, place, first_block(lane, first, true, true, zeros), true, true);
    workgroupBarrier();
    for (var k = 0u; k < terms + zeros; k += DEPTH) {
        term += DEPTH;
        let block = forward_block(lane, starts, term);
        multiply_tiles(own_quads, &sums);
        workgroupBarrier();
        put_one(lane, place, forward_reached(lane, block, row_edges, term), true, true);
        workgroupBarrier();
    }
    // A window's rows are sums of two invocations, so all go through workgroup memory.
    for (var first = 0u; first < COLUMN_QUADS; first += POOLED) {
        put_sums(own_quads, own_quads.y, first, sums[0], sums[1]);
        if (OWN_COLUMNS == 8u) {
            put_sums(own_quads, own_quads.y + COLUMN_QUADS / 2u, first, sums[2], sums[3]);
        }
        workgroupBarrier();
        if (lane < 2u * WINDOWS) {
            let quad = 4u * (lane % 2u);
            pool_word(first_window + lane / 2u, first_output + 4u * (first + quad), lane / 2u * WINDOW * POOLED + quad);
        }
        workgroupBarrier();
    }
}

/// Leaves an invocation's sums of a quad of columns, if it is one of those that are pooled from `first` on: `[row, quad]`.
fn put_sums(own_quads: vec2<u32>, quad: u32, first: u32, upper: mat4x4<f32>, lower: mat4x4<f32>) {
    if (quad / POOLED != first / POOLED) {
        return;
    }
    let at = 4u * own_quads.x * POOLED + quad % POOLED;
    tiles[at] = upper[0];
    tiles[at + POOLED] = upper[1];
    tiles[at + 2u * POOLED] = upper[2];
    tiles[at + 3u * POOLED] = upper[3];
    tiles[at + 4u * POOLED] = lower[0];
    tiles[at + 5u * POOLED] = lower[1];
    tiles[at + 6u * POOLED] = lower[2];
    tiles[at + 7u * POOLED] = lower[3];
}

/// Pools sixteen columns of a window, whose first sums lie at `at`: their winners share a word.
fn pool_word(window: u32, output: u32, at: u32) {
    if (window >= args.output_rows || output >= args.outputs) {
        return;
    }
    var word = 0u;
    for (var quad = 0u; quad < 4u; quad++) {
        let first = at + quad;
        let winner = pool(window, output + 4u * quad, tiles[first], tiles[first + POOLED], tiles[first + 2u * POOLED]);
        word |= winner << (8u * quad);
    }
    winners[window * winner_words(args.outputs) + output / 16u] = word;
}

/// Stores the maximum of a window's three rows; returns which row held it first, two bits a column.
fn pool(window: u32, output: u32, first: vec4<f32>, second: vec4<f32>, third: vec4<f32>) -> u32 {
    let second_wins = wins(second, first);
    var best = select(first, second, second_wins);
    var winner = vec4<u32>(second_wins);
    let third_wins = wins(third, best);
    best = select(best, third, third_wins);
    winner += (2u - winner) * vec4<u32>(third_wins);
    if (output >= args.outputs) {
        return 0u;
    }
    put_output(window, output, best);
    let bits = winner * vec4<u32>(1u, 4u, 16u, 64u);
    let mask = (1u << (2u * min(4u, args.outputs - output))) - 1u;
    return (bits.x | bits.y | bits.z | bits.w) & mask;
}

/// Left the gradients that reach rows, right weights; the terms are outputs of the three taps. `starts` is where the rows' gradients
/// begin.
fn backward_input_block(lane: u32, starts: vec4<u32>, first_input: u32, term: u32) -> mat4x4<f32> {
    if (brings_left(lane)) {
        return gradients_of(starts, term);
    }
    return weights_of(term_starts(term), first_input + right_corner(lane).x, args.inputs);
}

/// Stores the block as it is multiplied.
fn put_backward_input(lane: u32, place: u32, block: mat4x4<f32>, row_edges: u32, term: u32) {
    if (brings_left(lane)) {
        put_one(lane, place, reached(block, row_edges, term, args.outputs), true, false);
    } else {
        put_one(lane, place, block, true, false);
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward_input(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let first_input = group.x * TILE_COLUMNS;
    let first_row = group.y * TILE_ROWS;
    // Of the rows of the block of `left` that the invocation brings.
    let brought_row = first_row + left_corner(min(lane, TILE_ROWS - 1u)).x;
    let row_edges = edges_of(brought_row, args.input_rows);
    let starts = gradient_starts(brought_row);
    let terms = TAPS * args.outputs;
    let zeros = zeros_before(terms);
    let own_quads = own_corner(lane) / 4u;
    let place = places_of(lane).x;
    var term = left_corner(lane).y - zeros;
    var sums = Sums();
    let first = first_block(lane, backward_input_block(lane, starts, first_input, term), true, false, zeros);
    put_backward_input(lane, place, first, row_edges, term);
    workgroupBarrier();
    for (var k = 0u; k < terms + zeros; k += DEPTH) {
        term += DEPTH;
        let block = backward_input_block(lane, starts, first_input, term);
        multiply_tiles(own_quads, &sums);
        workgroupBarrier();
        put_backward_input(lane, place, block, row_edges, term);
        workgroupBarrier();
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

/// Left the gradients of outputs, right the inputs of the three taps; the terms are rows. `column` is the first that the invocation
/// brings.
fn backward_weight_block(lane: u32, column: u32, row: u32, end: u32) -> mat4x4<f32> {
    if (brings_left(lane)) {
        return gradients_of(output_gradient_starts(row, end), column);
    }
    return inputs_of(input_starts(row + vec4<u32>(0u, 1u, 2u, 3u)), column);
}

/// The block as it is multiplied.
fn backward_weight_reached(lane: u32, block: mat4x4<f32>, row_edges: u32, column: u32) -> mat4x4<f32> {
    if (brings_left(lane)) {
        return block;
    }
    return reached(block, row_edges, column, args.inputs);
}

@compute @workgroup_size(WORKGROUP)
fn backward_weight(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let first_column = group.x * TILE_COLUMNS;
    let first_output = group.y * TILE_ROWS;
    let first_row = min(group.z * args.slab_rows, args.input_rows);
    let end = min(first_row + args.slab_rows, args.input_rows);
    let zeros = zeros_before(end - first_row);
    let sums_bias = group.x == 0u && brings_left(lane);
    let own_quads = own_corner(lane) / 4u;
    let place = places_of(lane).x;
    var column = first_column + right_corner(lane).x;
    if (brings_left(lane)) {
        column = min(first_output + left_corner(lane).x, args.outputs - NUMBERS);
    }
    var row = first_row + left_corner(lane).y - zeros;
    var sums = Sums();
    var bias_sums = vec4<f32>();
    let first = backward_weight_reached(lane, backward_weight_block(lane, column, row, end), edges_of(row, end), column);
    put_one(lane, place, first_block(lane, first, false, false, zeros), false, false);
    workgroupBarrier();
    for (var k = first_row; k < end + zeros; k += DEPTH) {
        row += DEPTH;
        let block = backward_weight_block(lane, column, row, end);
        let row_edges = edges_of(row, end);
        multiply_tiles(own_quads, &sums);
        if (sums_bias) {
            bias_sums = add_brought(place, bias_sums);
        }
        workgroupBarrier();
        put_one(lane, place, backward_weight_reached(lane, block, row_edges, column), false, false);
        workgroupBarrier();
    }
    let slab = group.z * args.outputs * (args.inputs * TAPS + 1u);
    let output = first_output + 4u * own_quads.x;
    let first_own_column = first_column + 4u * own_quads.y;
    put_weight_gradients(slab, output, first_own_column, sums[0]);
    put_weight_gradients(slab, output + 4u, first_own_column, sums[1]);
    if (OWN_COLUMNS == 8u) {
        put_weight_gradients(slab, output, first_own_column + TILE_COLUMNS / 2u, sums[2]);
        put_weight_gradients(slab, output + 4u, first_own_column + TILE_COLUMNS / 2u, sums[3]);
    }
    put_brought(lane, bias_sums);
    workgroupBarrier();
    if (group.x == 0u && lane < ROW_QUADS) {
        let bias_gradients = brought_sum(lane);
        for (var j = 0u; j < 4u; j++) {
            let own_output = first_output + 4u * lane + j;
            if (own_output < args.outputs) {
                partial[slab + args.outputs * args.inputs * TAPS + own_output] = component(bias_gradients, j);
            }
        }
    }
}
