// `conv_pool` for graphics hardware: products by the tiles of `shared/tile.wgsl` of what `operands.wgsl` reads and writes.

import super::interface::{args, input_offsets, output_offsets, output_owners, winners, partial};
import super::operands::{
    edges_of, reached, input_quad, gradient_quad, output_gradients, output_weights, term_weights, put_output,
    put_input_gradients, put_weight_gradients,
};
import package::shared::grid::in_grid;
import package::shared::pooling::{WINDOW, TAPS, NOWHERE, wins, winner_words, edges_within};
import package::shared::tile::{
    TILE_ROWS, TILE_COLUMNS, ROW_QUADS, WORKGROUP, DEPTH, Blocks, Sums,
    brings_left, brings_second, left_corner, right_corner, own_corner, put_blocks, multiply_tiles, add_rows,
};

/// Windows of a forward tile; an invocation has four of them.
const WINDOWS: u32 = TILE_ROWS / WINDOW;

/// Winners of an invocation's windows, a byte of four columns each.
var<workgroup> tile_winners: array<u32, WORKGROUP>;

/// Left the inputs of rows, right weights; the terms are inputs of the three taps.
fn forward_blocks(lane: u32, rows: vec4<u32>, first_output: u32, k: u32) -> Blocks {
    var blocks: Blocks;
    if (brings_left(lane)) {
        let term = k + left_corner(lane).y;
        blocks[0] = mat4x4<f32>(input_quad(rows.x, term), input_quad(rows.y, term), input_quad(rows.z, term), input_quad(rows.w, term));
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
    let output = first_output + corner.x;
    let term = k + corner.y;
    return mat4x4<f32>(
        output_weights(output, term),
        output_weights(output + 1u, term),
        output_weights(output + 2u, term),
        output_weights(output + 3u, term),
    );
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
    var sums = Sums();
    var blocks = forward_blocks(lane, rows, first_output, 0u);
    for (var k = 0u; k < TAPS * args.inputs; k += DEPTH) {
        if (brings_left(lane)) {
            blocks[0] = reached(blocks[0], row_edges, k + left_corner(lane).y, args.inputs);
        }
        put_blocks(lane, blocks, true, true, TAPS * args.inputs - k);
        workgroupBarrier();
        blocks = forward_blocks(lane, rows, first_output, k + DEPTH);
        multiply_tiles(lane, &sums);
        workgroupBarrier();
    }
    let window = first_window + own.x / WINDOW;
    let output = first_output + own.y;
    tile_winners[lane] = pool(window, output, sums[0][0], sums[0][1], sums[0][2])
        | (pool(window + 1u, output, sums[0][3], sums[1][0], sums[1][1]) << 8u)
        | (pool(window + 2u, output, sums[1][2], sums[1][3], sums[2][0]) << 16u)
        | (pool(window + 3u, output, sums[2][1], sums[2][2], sums[2][3]) << 24u);
    workgroupBarrier();
    // Sixteen columns, four invocations', share a word.
    if (lane % 4u == 0u && output < args.outputs) {
        for (var i = 0u; i < 4u; i++) {
            var word = 0u;
            for (var j = 0u; j < 4u; j++) {
                word |= ((tile_winners[lane + j] >> (8u * i)) & 0xffu) << (8u * j);
            }
            if (window + i < args.output_rows) {
                winners[(window + i) * winner_words(args.outputs) + output / 16u] = word;
            }
        }
    }
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
    if (window < args.output_rows) {
        put_output(window, output, best);
    }
    let bits = winner * vec4<u32>(1u, 4u, 16u, 64u);
    let mask = (1u << (2u * min(4u, args.outputs - output))) - 1u;
    return (bits.x | bits.y | bits.z | bits.w) & mask;
}

/// Left the gradients that reach rows, right weights; the terms are outputs of the three taps.
fn backward_input_blocks(lane: u32, first_row: u32, first_input: u32, k: u32) -> Blocks {
    var blocks: Blocks;
    if (brings_left(lane)) {
        let row = first_row + left_corner(lane).x;
        let term = k + left_corner(lane).y;
        blocks[0] = mat4x4<f32>(
            gradient_quad(row, term), gradient_quad(row + 1u, term), gradient_quad(row + 2u, term), gradient_quad(row + 3u, term),
        );
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
    let input = first_input + corner.x;
    let term = k + corner.y;
    return mat4x4<f32>(
        term_weights(term, input), term_weights(term + 1u, input), term_weights(term + 2u, input), term_weights(term + 3u, input),
    );
}

@compute @workgroup_size(WORKGROUP)
fn backward_input(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let first_input = group.x * TILE_COLUMNS;
    let first_row = group.y * TILE_ROWS;
    // Of the rows of the block of `left` that the invocation brings.
    let row_edges = edges_of(first_row + left_corner(min(lane, TILE_ROWS - 1u)).x, args.input_rows);
    var sums = Sums();
    var blocks = backward_input_blocks(lane, first_row, first_input, 0u);
    for (var k = 0u; k < TAPS * args.outputs; k += DEPTH) {
        if (brings_left(lane)) {
            blocks[0] = reached(blocks[0], row_edges, k + left_corner(lane).y, args.outputs);
        }
        put_blocks(lane, blocks, true, false, TAPS * args.outputs - k);
        workgroupBarrier();
        blocks = backward_input_blocks(lane, first_row, first_input, k + DEPTH);
        multiply_tiles(lane, &sums);
        workgroupBarrier();
    }
    let row = first_row + own_corner(lane).x;
    let input = first_input + own_corner(lane).y;
    put_input_gradients(row, input, sums[0]);
    put_input_gradients(row + 4u, input, sums[1]);
    put_input_gradients(row + 8u, input, sums[2]);
}

/// Left the gradients of outputs, right the inputs of the three taps; the terms are rows.
fn backward_weight_blocks(lane: u32, first_output: u32, first_column: u32, k: u32, end: u32) -> Blocks {
    var blocks: Blocks;
    if (brings_left(lane)) {
        let output = first_output + left_corner(lane).x;
        let row = k + left_corner(lane).y;
        blocks[0] = mat4x4<f32>(
            output_gradients(row, output, end),
            output_gradients(row + 1u, output, end),
            output_gradients(row + 2u, output, end),
            output_gradients(row + 3u, output, end),
        );
    } else {
        blocks[0] = backward_weight_right(lane, first_column, k);
    }
    if (brings_second(lane)) {
        blocks[1] = backward_weight_right(lane + WORKGROUP, first_column, k);
    }
    return blocks;
}

fn backward_weight_right(block: u32, first_column: u32, k: u32) -> mat4x4<f32> {
    let corner = right_corner(block);
    let column = first_column + corner.x;
    let row = k + corner.y;
    return mat4x4<f32>(input_quad(row, column), input_quad(row + 1u, column), input_quad(row + 2u, column), input_quad(row + 3u, column));
}

@compute @workgroup_size(WORKGROUP)
fn backward_weight(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let first_column = group.x * TILE_COLUMNS;
    let first_output = group.y * TILE_ROWS;
    let first_row = group.z * args.slab_rows;
    let end = min(first_row + args.slab_rows, args.input_rows);
    let sums_bias = group.x == 0u && lane < ROW_QUADS;
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
            bias_sums = add_rows(lane, bias_sums);
        }
        workgroupBarrier();
    }
    let slab = group.z * args.outputs * (args.inputs * TAPS + 1u);
    let output = first_output + own_corner(lane).x;
    let first_own_column = first_column + own_corner(lane).y;
    put_weight_gradients(slab, output, first_own_column, sums[0]);
    put_weight_gradients(slab, output + 4u, first_own_column, sums[1]);
    put_weight_gradients(slab, output + 8u, first_own_column, sums[2]);
    if (sums_bias) {
        for (var j = 0u; j < 4u; j++) {
            let own_output = first_output + 4u * lane + j;
            if (own_output < args.outputs) {
                partial[slab + args.outputs * args.inputs * TAPS + own_output] = bias_sums[j];
            }
        }
    }
}
