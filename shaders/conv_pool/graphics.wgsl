// `conv_pool` for graphics hardware: products by the tiles of `shared/tile.wgsl` of what `operands.wgsl` reads and writes.

import super::interface::{args, input_offsets, output_offsets, output_owners, winners, partial};
import super::operands::{
    edges_of, reached, input_starts, gradient_starts, output_gradient_starts, weight_starts, term_starts, inputs_of, gradients_of,
    weights_of, NUMBERS, put_output, put_input_gradients, put_weight_gradients,
};
import package::shared::grid::in_grid;
import package::shared::pooling::{WINDOW, TAPS, NOWHERE, wins, winner_words, edges_within};
import package::shared::tile::{
    TILE_ROWS, TILE_COLUMNS, ROW_QUADS, COLUMN_QUADS, OWN_COLUMNS, WORKGROUP, DEPTH, Blocks, Sums, tiles,
    brings_left, brings_second, left_corner, right_corner, own_corner, put_blocks, multiply_tiles, add_brought, put_brought, brought_sum,
};

/// Whole windows of a forward tile.
const WINDOWS: u32 = TILE_ROWS / WINDOW;
/// Quads of columns that are pooled at a time: their sums take the room of the tiles, which are square.
const POOLED: u32 = 8;

/// Where the rows of x or of weights begin that an invocation's blocks are of, of the first in `[0]`.
fn forward_starts(lane: u32, rows: vec4<u32>, first_output: u32) -> array<vec4<u32>, 2> {
    var starts: array<vec4<u32>, 2>;
    if (brings_left(lane)) {
        starts[0] = input_starts(rows);
    } else {
        starts[0] = weight_starts(first_output + right_corner(lane).x);
    }
    if (brings_second(lane)) {
        starts[1] = weight_starts(first_output + right_corner(lane + WORKGROUP).x);
    }
    return starts;
}

/// Left the inputs of rows, right weights; the terms are inputs of the three taps.
fn forward_blocks(lane: u32, starts: array<vec4<u32>, 2>, k: u32) -> Blocks {
    var blocks: Blocks;
    if (brings_left(lane)) {
        blocks[0] = inputs_of(starts[0], k + left_corner(lane).y);
    } else {
        blocks[0] = weights_of(starts[0], k + right_corner(lane).y, TAPS * args.inputs);
    }
    if (brings_second(lane)) {
        blocks[1] = weights_of(starts[1], k + right_corner(lane + WORKGROUP).y, TAPS * args.inputs);
    }
    return blocks;
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
    let own = own_corner(lane);
    // Rows of the block of `left` that the invocation brings.
    let number = first_window * WINDOW + left_corner(min(lane, TILE_ROWS - 1u)).x;
    let brought = array<vec2<u32>, 4>(row_of(number), row_of(number + 1u), row_of(number + 2u), row_of(number + 3u));
    let rows = vec4<u32>(brought[0].x, brought[1].x, brought[2].x, brought[3].x);
    let row_edges = vec4<u32>(brought[0].y, brought[1].y, brought[2].y, brought[3].y);
    let starts = forward_starts(lane, rows, first_output);
    var sums = Sums();
    var blocks = forward_blocks(lane, starts, 0u);
    for (var k = 0u; k < TAPS * args.inputs; k += DEPTH) {
        if (brings_left(lane)) {
            blocks[0] = reached(blocks[0], row_edges, k + left_corner(lane).y, args.inputs);
        }
        put_blocks(lane, blocks, true, true, TAPS * args.inputs - k);
        workgroupBarrier();
        blocks = forward_blocks(lane, starts, k + DEPTH);
        multiply_tiles(lane, &sums);
        workgroupBarrier();
    }
    // A window's rows are sums of two invocations, so all go through workgroup memory.
    for (var first = 0u; first < COLUMN_QUADS; first += POOLED) {
        put_sums(own, own.y / 4u, first, sums[0], sums[1]);
        if (OWN_COLUMNS == 8u) {
            put_sums(own, own.y / 4u + COLUMN_QUADS / 2u, first, sums[2], sums[3]);
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
fn put_sums(own: vec2<u32>, quad: u32, first: u32, upper: mat4x4<f32>, lower: mat4x4<f32>) {
    if (quad / POOLED != first / POOLED) {
        return;
    }
    let at = own.x * POOLED + quad % POOLED;
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
fn backward_input_blocks(lane: u32, starts: vec4<u32>, first_input: u32, k: u32) -> Blocks {
    var blocks: Blocks;
    if (brings_left(lane)) {
        blocks[0] = gradients_of(starts, k + left_corner(lane).y);
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
    return weights_of(term_starts(k + corner.y), first_input + corner.x, args.inputs);
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
    var sums = Sums();
    var blocks = backward_input_blocks(lane, starts, first_input, 0u);
    for (var k = 0u; k < TAPS * args.outputs; k += DEPTH) {
        if (brings_left(lane)) {
            blocks[0] = reached(blocks[0], row_edges, k + left_corner(lane).y, args.outputs);
        }
        put_blocks(lane, blocks, true, false, TAPS * args.outputs - k);
        workgroupBarrier();
        blocks = backward_input_blocks(lane, starts, first_input, k + DEPTH);
        multiply_tiles(lane, &sums);
        workgroupBarrier();
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

/// Left the gradients of outputs, right the inputs of the three taps; the terms are rows.
fn backward_weight_blocks(lane: u32, first_output: u32, first_column: u32, k: u32, end: u32) -> Blocks {
    // Both blocks of an invocation hold the same terms, so the same rows.
    let row = k + left_corner(lane).y;
    var blocks: Blocks;
    if (brings_left(lane)) {
        blocks[0] = gradients_of(output_gradient_starts(row, end), min(first_output + left_corner(lane).x, args.outputs - NUMBERS));
    } else {
        blocks[0] = backward_weight_right(lane, first_column, row);
    }
    if (brings_second(lane)) {
        blocks[1] = backward_weight_right(lane + WORKGROUP, first_column, row);
    }
    return blocks;
}

fn backward_weight_right(block: u32, first_column: u32, row: u32) -> mat4x4<f32> {
    return inputs_of(input_starts(row + vec4<u32>(0u, 1u, 2u, 3u)), first_column + right_corner(block).x);
}

@compute @workgroup_size(WORKGROUP)
fn backward_weight(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let first_column = group.x * TILE_COLUMNS;
    let first_output = group.y * TILE_ROWS;
    let first_row = group.z * args.slab_rows;
    let end = min(first_row + args.slab_rows, args.input_rows);
    let sums_bias = group.x == 0u && brings_left(lane);
    // Both blocks of an invocation hold the same terms, so the same rows.
    let own_term = left_corner(lane).y;
    let column = first_column + right_corner(lane).x;
    let second_column = first_column + right_corner(lane + WORKGROUP).x;
    var sums = Sums();
    var bias_sums = vec4<f32>();
    var blocks = backward_weight_blocks(lane, first_output, first_column, first_row, end);
    var row_edges = edges_of(first_row + own_term, end);
    for (var k = first_row; k < end; k += DEPTH) {
        if (!brings_left(lane)) {
            blocks[0] = reached(blocks[0], row_edges, column, args.inputs);
        }
        blocks[1] = reached(blocks[1], row_edges, second_column, args.inputs);
        put_blocks(lane, blocks, false, false, end - k);
        workgroupBarrier();
        blocks = backward_weight_blocks(lane, first_output, first_column, k + DEPTH, end);
        row_edges = edges_of(k + DEPTH + own_term, end);
        multiply_tiles(lane, &sums);
        if (sums_bias) {
            bias_sums = add_brought(lane, bias_sums);
        }
        workgroupBarrier();
    }
    let slab = group.z * args.outputs * (args.inputs * TAPS + 1u);
    let output = first_output + own_corner(lane).x;
    let first_own_column = first_column + own_corner(lane).y;
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
                partial[slab + args.outputs * args.inputs * TAPS + own_output] = bias_gradients[j];
            }
        }
    }
}
