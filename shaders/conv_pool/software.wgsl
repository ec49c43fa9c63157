// `conv_pool` for software adapters: the same products over rows by `shared/subgroup_tile.wgsl`. The widths of x and y must
// be multiples of four.

import super::interface::{args, x, packed_weight, bias, windows, y, winners, y_gradient, won, x_gradient, partial};
import super::gradients::{first_reached, next_reached, codes_at};
import package::shared::grid::in_grid;
import package::shared::subgroup_tile::{
    SUBGROUP, WORKGROUP, TILE_ROWS, TILE_COLUMNS, HALF, EIGHTS, DEPTH, Eight, Sums, Terms, multiply_rows, multiply_columns,
    terms_of, eight_of, row_of
};
import package::shared::words::{floats, words};
import package::shared::pooling::{
    WINDOW, TAPS, OUTPUTS_OF_WORD, NOBODY, NOBODIES, wins, winner_words, of_winners, edges_in, reaches,
};

/// Windows of a forward tile.
const WINDOWS: u32 = SUBGROUP;
/// Fours of outputs whose winners share a word.
const QUADS_OF_WORD: u32 = OUTPUTS_OF_WORD / 4;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let output = group.x * TILE_COLUMNS + 4u * lane;
    let first = min(output, args.outputs - 4u);
    let second = min(output + HALF, args.outputs - 4u);
    let first_window = group.y * WINDOWS;
    let width = args.inputs / 4u;
    // Row of the convolution that the invocation fetches the inputs of: row `e` of its window.
    var rows: array<u32, WINDOW>;
    var row_edges: array<u32, WINDOW>;
    let own_window = windows[min(first_window + lane, args.output_rows - 1u)];
    for (var e = 0u; e < WINDOW; e++) {
        rows[e] = own_window / 4u + e;
        row_edges[e] = edges_in(own_window, e);
    }
    // Row e of all windows makes an eight.
    var sums = array<Eight, WINDOW>();
    for (var k = 0u; k < TAPS * width; k++) {
        var weights = terms_of(weights_at(first, k), weights_at(second, k));
        for (var e = 0u; e < WINDOW; e++) {
            let reached = reaches(row_edges[e], k / width);
            let values = select(vec4<f32>(), floats(x[select(0u, (rows[e] - 1u) * width + k, reached)]), reached);
            sums[e] = multiply_rows(values, &weights, sums[e]);
        }
    }
    for (var i = 0u; i < min(WINDOWS, args.output_rows - first_window); i++) {
        let one = row_of(sums[0], i);
        let two = row_of(sums[1], i);
        let three = row_of(sums[2], i);
        pool(first_window + i, output, one[0], two[0], three[0], lane);
        pool(first_window + i, output + HALF, one[1], two[1], three[1], lane);
    }
}

/// Four rows of packed weights, as many inputs of each.
fn weights_at(output: u32, k: u32) -> mat4x4<f32> {
    let pitch = TAPS * args.inputs / 4u;
    let first = output * pitch + k;
    return mat4x4<f32>(
        floats(packed_weight[first]),
        floats(packed_weight[first + pitch]),
        floats(packed_weight[first + 2u * pitch]),
        floats(packed_weight[first + 3u * pitch]),
    );
}

/// Stores the result of a window's three rows, and which row held the maximum first; ReLU shuts it for all three.
fn pool(window: u32, output: u32, first: vec4<f32>, second: vec4<f32>, third: vec4<f32>, lane: u32) {
    let inside = output < args.outputs;
    let second_wins = wins(second, first);
    var best = select(first, second, second_wins);
    var winner = vec4<u32>(second_wins);
    let third_wins = wins(third, best);
    best = select(best, third, third_wins);
    winner += (2u - winner) * vec4<u32>(third_wins);
    var value = best + floats(bias[min(output, args.outputs - 4u) / 4u]);
    if (args.relu != 0u) {
        winner = select(winner, vec4<u32>(NOBODY), value <= vec4<f32>());
        value = select(value, vec4<f32>(), value < vec4<f32>());
    }
    // Sixteen columns, four invocations', share a word.
    let bits = winner << vec4<u32>(0u, 2u, 4u, 6u);
    var word = select(NOBODIES, bits.x | bits.y | bits.z | bits.w, inside) << (8u * (lane % 4u));
    word |= subgroupShuffleXor(word, 1u);
    word |= subgroupShuffleXor(word, 2u);
    if (!inside) {
        return;
    }
    y[(window * args.outputs + output) / 4u] = words(value);
    if (lane % 4u == 0u) {
        winners[window * winner_words(args.outputs) + output / OUTPUTS_OF_WORD] = word;
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward_input(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let input = group.x * TILE_COLUMNS + 4u * lane;
    let first = min(input, args.inputs - 4u) / 4u;
    let second = min(input + HALF, args.inputs - 4u) / 4u;
    let first_row = group.y * TILE_ROWS;
    let width = args.outputs / 4u;
    let pitch = args.inputs / 4u;
    var reached = first_reached(first_row + lane, SUBGROUP);
    let word_pitch = winner_words(args.outputs);
    var sums = Sums();
    var quad = 0u;
    var part = 0u;
    // Over the gradients of rows t - 1, t, t + 1, which x[t] reached by the taps 2, 1, 0: in one loop, as the sums are copied for each.
    for (var k = 0u; k < TAPS * width; k++) {
        var weights: Terms;
        for (var i = 0u; i < DEPTH; i++) {
            let row = ((4u * quad + i) * TAPS + TAPS - 1u - part) * pitch;
            weights[i] = mat2x4<f32>(floats(packed_weight[row + first]), floats(packed_weight[row + second]));
        }
        let own = min(reached.rows / 4u, vec4<u32>(args.output_rows - 1u));
        let words = own * word_pitch + vec4<u32>(quad / QUADS_OF_WORD);
        let winners = vec4<u32>(won[words.x], won[words.y], won[words.z], won[words.w]);
        let codes = codes_at(reached.rows, winners) >> vec4<u32>(8u * (quad % QUADS_OF_WORD));
        for (var e = 0u; e < EIGHTS; e++) {
            let values = of_winners(floats(y_gradient[own[e] * width + quad]), codes[e], 0u);
            sums[e] = multiply_rows(values, &weights, sums[e]);
        }
        quad += 1u;
        if (quad == width) {
            quad = 0u;
            part += 1u;
            reached = next_reached(reached);
        }
    }
    let stored = min(TILE_ROWS, args.input_rows - first_row);
    for (var e = 0u; SUBGROUP * e < stored; e++) {
        let rows = eight_of(&sums, e);
        for (var i = 0u; i < min(SUBGROUP, stored - SUBGROUP * e); i++) {
            let row = row_of(rows, i);
            store_input_gradient(first_row + SUBGROUP * e + i, input, row[0]);
            store_input_gradient(first_row + SUBGROUP * e + i, input + HALF, row[1]);
        }
    }
}

fn store_input_gradient(row: u32, input: u32, sum: vec4<f32>) {
    if (input < args.inputs) {
        let place = (row * args.inputs + input) / 4u;
        if (args.accumulate != 0u) {
            x_gradient[place] = words(floats(x_gradient[place]) + sum);
        } else {
            x_gradient[place] = words(sum);
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward_weight(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let columns = TAPS * args.inputs;
    let column = group.x * TILE_COLUMNS + 4u * lane;
    let first = min(column, columns - 4u);
    let second = min(column + HALF, columns - 4u);
    let first_output = group.y * TILE_ROWS;
    let output = min(first_output + 4u * lane, args.outputs - 4u);
    let first_window = group.z * args.slab_windows;
    let end = min(first_window + args.slab_windows, args.output_rows);
    let word_pitch = winner_words(args.outputs);
    var sums = Sums();
    var bias_sums = vec4<f32>();
    let first_word = first_output / OUTPUTS_OF_WORD;
    var place = 0u;
    // A place of DEPTH windows after the other, in one loop, as the sums are copied for each.
    for (var k = first_window; k < end; k += select(0u, DEPTH, place == 0u)) {
        // One window's word an invocation, and one of the two words of winners that each of DEPTH windows has.
        let own_window = windows[min(k + lane, end - 1u)];
        let own_won = won[min(k + lane / 2u, end - 1u) * word_pitch + min(first_word + lane % 2u, word_pitch - 1u)];
        var left: mat4x4<f32>;
        var right: Terms;
        for (var i = 0u; i < DEPTH; i++) {
            let own = min(k + i, end - 1u);
            let window = subgroupShuffle(own_window, i);
            let row = window / 4u + place;
            let row_edges = edges_in(window, place);
            // Both factors: zero times what is not finite would be NaN.
            let is_row = k + i < end;
            let word = subgroupShuffle(own_won, 2u * i + output / OUTPUTS_OF_WORD - first_word) >> (2u * (output % OUTPUTS_OF_WORD));
            let gradients = floats(y_gradient[(own * args.outputs + output) / 4u]);
            left[i] = of_winners(gradients, select(NOBODIES, word, is_row), place);
            right[i] = mat2x4<f32>(
                select(vec4<f32>(), input_at(row, first, row_edges), is_row),
                select(vec4<f32>(), input_at(row, second, row_edges), is_row),
            );
            bias_sums += left[i];
        }
        for (var e = 0u; e < EIGHTS; e++) {
            sums[e] = multiply_columns(e, left, &right, sums[e]);
        }
        place = (place + 1u) % WINDOW;
    }
    let slab = group.z * args.outputs * (columns + 1u);
    let stored = min(TILE_ROWS, args.outputs - first_output);
    for (var e = 0u; SUBGROUP * e < stored; e++) {
        let rows = eight_of(&sums, e);
        for (var i = 0u; i < min(SUBGROUP, stored - SUBGROUP * e); i++) {
            let row = row_of(rows, i);
            store_weight_gradient(slab, first_output + SUBGROUP * e + i, column, row[0]);
            store_weight_gradient(slab, first_output + SUBGROUP * e + i, column + HALF, row[1]);
        }
    }
    if (group.x == 0u && first_output + 4u * lane < args.outputs) {
        let place = slab + args.outputs * columns + output;
        for (var i = 0u; i < 4u; i++) {
            partial[place + i] = bias_sums[i];
        }
    }
}

/// Four of the 3 · inputs numbers that row `row` of the convolution reads, zero where the utterance has ended.
fn input_at(row: u32, column: u32, row_edges: u32) -> vec4<f32> {
    let reached = reaches(row_edges, column / args.inputs);
    return select(vec4<f32>(), floats(x[select(0u, (row * args.inputs + column - args.inputs) / 4u, reached)]), reached);
}

fn store_weight_gradient(slab: u32, output: u32, column: u32, sum: vec4<f32>) {
    if (column < TAPS * args.inputs) {
        let place = slab + output * TAPS * args.inputs + column % args.inputs * TAPS + column / args.inputs;
        for (var i = 0u; i < 4u; i++) {
            partial[place + i * TAPS] = sum[i];
        }
    }
}
