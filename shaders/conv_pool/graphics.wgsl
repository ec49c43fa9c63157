// `conv_pool` for graphics hardware: products by the tiles of `shared/tile.wgsl` of what `operands.wgsl` reads and writes.

import super::interface::{args, windows, winners, won, partial};
import super::gradients::{first_reached, next_reached, codes_at};
import super::operands::{
    four_edges, reached, input_starts, weight_starts, inputs_of, gradient_at, weights_of, weight_at, NUMBERS, put_output, put_input_gradients,
    put_weight_gradients,
};
import super::windows::{
    FILLED, LEFT_PITCH, RIGHT_PITCH, RIGHT_WINDOWS, Brought, Places, multiply_windows, bring_gradients, bring_inputs, put_gradients,
    put_inputs, taps_of,
};
import package::shared::components::component;
import package::shared::grid::in_grid;
import package::shared::pooling::{
    WINDOW, TAPS, OUTPUTS_OF_WORD, NOBODY, NOBODIES, NOWHERE, wins, winner_words, of_winners, edges_in,
};
import package::shared::tile::{
    TILE_ROWS, TILE_COLUMNS, ROW_QUADS, COLUMN_QUADS, OWN_COLUMNS, WORKGROUP, DEPTH, Blocks, Sums, tiles, brings_left, left_corner,
    right_corner, own_corner, places_of, zeros_before, first_block, put_blocks, multiply_tiles, put_brought, brought_sum,
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
    let own = windows[window];
    return vec2<u32>(own / 4u + number % WINDOW, edges_in(own, number % WINDOW));
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
    winners[window * winner_words(args.outputs) + output / OUTPUTS_OF_WORD] = word;
}

/// Stores the result of a window's three rows; returns which row held the maximum first, two bits a column, of columns that are none or
/// that ReLU shuts nobody.
fn pool(window: u32, output: u32, first: vec4<f32>, second: vec4<f32>, third: vec4<f32>) -> u32 {
    if (output >= args.outputs) {
        return NOBODIES;
    }
    let second_wins = wins(second, first);
    var best = select(first, second, second_wins);
    var winner = vec4<u32>(second_wins);
    let third_wins = wins(third, best);
    best = select(best, third, third_wins);
    winner += (2u - winner) * vec4<u32>(third_wins);
    let values = put_output(window, output, best);
    if (args.relu != 0u) {
        winner |= NOBODY * vec4<u32>(values <= vec4<f32>());
    }
    let bits = winner * vec4<u32>(1u, 4u, 16u, 64u);
    let mask = (1u << (2u * min(4u, args.outputs - output))) - 1u;
    return ((bits.x | bits.y | bits.z | bits.w) & mask) | (NOBODIES & ~mask);
}

/// What an invocation brings of the gradient of x, as it was loaded: gradients of four outputs at four windows, and the words of their
/// winners; or weights.
struct Terms {
    block: mat4x4<f32>,
    winners: vec4<u32>,
}

/// Gradients and winners of four outputs at rows of the convolution; those of windows lie `pitches` apart, and end at `last`.
fn bring_reached(rows: vec4<u32>, pitches: vec2<u32>, output: u32, last: vec2<u32>, terms: ptr<function, Terms>) {
    let own = rows / 4u;
    let words = min(own * pitches.y + vec4<u32>(output / OUTPUTS_OF_WORD), vec4<u32>(last.y));
    let gradients = own * pitches.x + vec4<u32>(output / NUMBERS);
    (*terms).winners = vec4<u32>(won[words.x], won[words.y], won[words.z], won[words.w]);
    (*terms).block = mat4x4<f32>(
        gradient_at(gradients.x, last.x),
        gradient_at(gradients.y, last.x),
        gradient_at(gradients.z, last.x),
        gradient_at(gradients.w, last.x),
    );
}

/// Four weights from an element on of each of four outputs.
fn bring_weights(first: u32, pitch: u32, last: u32, terms: ptr<function, Terms>) {
    (*terms).block = mat4x4<f32>(
        weight_at(first, last),
        weight_at(first + TAPS * pitch, last),
        weight_at(first + 2u * TAPS * pitch, last),
        weight_at(first + 3u * TAPS * pitch, last),
    );
}

/// Stores gradients at rows of the convolution as they are multiplied, whose winners begin at bit `shift` of their words.
fn put_reached(lane: u32, place: u32, terms: Terms, rows: vec4<u32>, shift: u32) {
    let codes = codes_at(rows, terms.winners) >> vec4<u32>(shift);
    let block = mat4x4<f32>(
        of_winners(terms.block[0], codes.x, 0u),
        of_winners(terms.block[1], codes.y, 0u),
        of_winners(terms.block[2], codes.z, 0u),
        of_winners(terms.block[3], codes.w, 0u),
    );
    put_one(lane, place, block, true, false);
}

// Left the gradients at rows of the convolution, right weights. The terms are the outputs of the first of the three rows that rows of x
// reach, then those of the second and of the third. Each of these parts has whole fillings: beyond the outputs nobody won, and the weights
// are zero.
@compute @workgroup_size(WORKGROUP)
fn backward_input(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let first_input = group.x * TILE_COLUMNS;
    let first_row = group.y * TILE_ROWS;
    let is_left = brings_left(lane);
    var reached = first_reached(first_row + left_corner(min(lane, TILE_ROWS - 1u)).x, 1u);
    let word_pitch = winner_words(args.outputs);
    let outputs = word_pitch * OUTPUTS_OF_WORD;
    let output_pitch = args.outputs / NUMBERS;
    let input_pitch = args.inputs / NUMBERS;
    let pitches = vec2<u32>(output_pitch, word_pitch);
    let last = args.output_rows * pitches - 1u;
    let last_weight = outputs * TAPS * input_pitch - 1u;
    let own_quads = own_corner(lane) / 4u;
    let place = places_of(lane).x;
    var output = left_corner(lane).y;
    let shift = 2u * output;
    var weight = (output * TAPS + TAPS - 1u) * input_pitch + (first_input + right_corner(lane).x) / NUMBERS;
    var sums = Sums();
    var terms = Terms();
    if (is_left) {
        bring_reached(reached.rows, pitches, output, last, &terms);
        put_reached(lane, place, terms, reached.rows, shift);
    } else {
        bring_weights(weight, input_pitch, last_weight, &terms);
        put_one(lane, place, terms.block, true, false);
    }
    workgroupBarrier();
    for (var k = 0u; k < TAPS * outputs; k += DEPTH) {
        output += DEPTH;
        weight += DEPTH * TAPS * input_pitch;
        if (output >= outputs) {
            output -= outputs;
            weight -= (outputs * TAPS + 1u) * input_pitch;
            reached = next_reached(reached);
        }
        var terms = Terms();
        if (is_left) {
            bring_reached(reached.rows, pitches, output, last, &terms);
        } else {
            bring_weights(weight, input_pitch, last_weight, &terms);
        }
        multiply_tiles(own_quads, &sums);
        workgroupBarrier();
        if (is_left) {
            put_reached(lane, place, terms, reached.rows, shift);
        } else {
            put_one(lane, place, terms.block, true, false);
        }
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

@compute @workgroup_size(WORKGROUP)
fn backward_weight(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let first_column = group.x * TILE_COLUMNS;
    let first_output = group.y * TILE_ROWS;
    let first_window = min(group.z * args.slab_windows, args.output_rows);
    let end = min(first_window + args.slab_windows, args.output_rows);
    let is_left = brings_left(lane);
    let sums_bias = group.x == 0u;
    let own_quads = own_corner(lane) / 4u;
    let brought_output = min(first_output + left_corner(lane).x, args.outputs - NUMBERS);
    let column = first_column + right_corner(lane).x;
    let shift = 2u * (brought_output % OUTPUTS_OF_WORD);
    let taps = taps_of(column);
    var window = first_window + lane % FILLED;
    var place = RIGHT_WINDOWS + lane % FILLED * RIGHT_PITCH + right_corner(lane).x / 4u;
    if (is_left) {
        place = lane % FILLED * LEFT_PITCH + left_corner(lane).x / 4u;
    }
    let output_pitch = args.outputs / NUMBERS;
    let word_pitch = winner_words(args.outputs);
    let pitch = args.inputs / NUMBERS;
    var places = Places(
        window * output_pitch + brought_output / NUMBERS,
        window * word_pitch + brought_output / OUTPUTS_OF_WORD,
        column / NUMBERS - pitch,
        pitch,
        window + FILLED,
        args.output_rows * output_pitch - 1u,
        args.output_rows * word_pitch - 1u,
        args.input_rows * pitch - 1u,
        args.output_rows - 1u,
    );
    var sums = Sums();
    var bias_sums = vec4<f32>();
    var brought = Brought();
    // Of the next window, known before what it leads to is loaded.
    var word = 0u;
    if (is_left) {
        bring_gradients(places, &brought);
        put_gradients(place, brought, shift, window >= end, sums_bias, &bias_sums);
    } else {
        bring_inputs(places, windows[min(window, places.last_window)], &brought);
        word = windows[min(places.window, places.last_window)];
        put_inputs(place, brought, taps, window >= end);
    }
    workgroupBarrier();
    for (var k = first_window; k < end; k += FILLED) {
        var brought = Brought();
        if (is_left) {
            places.gradient += FILLED * output_pitch;
            places.won += FILLED * word_pitch;
            bring_gradients(places, &brought);
        } else {
            bring_inputs(places, word, &brought);
            places.window += FILLED;
            word = windows[min(places.window, places.last_window)];
        }
        multiply_windows(own_quads, &sums);
        workgroupBarrier();
        window += FILLED;
        if (is_left) {
            put_gradients(place, brought, shift, window >= end, sums_bias, &bias_sums);
        } else {
            put_inputs(place, brought, taps, window >= end);
        }
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
    if (sums_bias && lane < ROW_QUADS) {
        let bias_gradients = brought_sum(lane);
        for (var j = 0u; j < 4u; j++) {
            let own_output = first_output + 4u * lane + j;
            if (own_output < args.outputs) {
                partial[slab + args.outputs * args.inputs * TAPS + own_output] = component(bias_gradients, j);
            }
        }
    }
}
