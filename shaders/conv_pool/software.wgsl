// `conv_pool` for software adapters: the same products over rows by `shared/subgroup_tile.wgsl`. The widths of x and y must
// be multiples of four.

import super::interface::{
    args, x, packed_weight, bias, input_offsets, output_offsets, output_owners, y, winners, gradients, edges, x_gradient, partial,
};
import package::shared::grid::in_grid;
import package::shared::subgroup_tile::{
    SUBGROUP, WORKGROUP, TILE_ROWS, TILE_COLUMNS, HALF, EIGHTS, DEPTH, Eight, Sums, Terms, multiply_rows, multiply_columns,
    terms_of, eight_of, row_of
};
import package::shared::words::{floats, words};
import package::shared::pooling::{WINDOW, TAPS, wins, winner_words, edges_within, reaches};

/// Windows of a forward tile.
const WINDOWS: u32 = SUBGROUP;

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
    let own_window = min(first_window + lane, args.output_rows - 1u);
    let utterance = output_owners[own_window];
    for (var e = 0u; e < WINDOW; e++) {
        rows[e] = input_offsets[utterance] + (own_window - output_offsets[utterance]) * WINDOW + e;
        row_edges[e] = edges_within(rows[e], input_offsets[utterance], input_offsets[utterance + 1u]);
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

/// Stores the maximum of a window's three rows, and which row held it first.
fn pool(window: u32, output: u32, first: vec4<f32>, second: vec4<f32>, third: vec4<f32>, lane: u32) {
    let inside = output < args.outputs;
    let second_wins = wins(second, first);
    var best = select(first, second, second_wins);
    var winner = vec4<u32>(second_wins);
    let third_wins = wins(third, best);
    best = select(best, third, third_wins);
    winner += (2u - winner) * vec4<u32>(third_wins);
    // Sixteen columns, four invocations', share a word.
    let bits = winner << vec4<u32>(0u, 2u, 4u, 6u);
    var word = select(0u, (bits.x | bits.y | bits.z | bits.w) << (8u * (lane % 4u)), inside);
    word |= subgroupShuffleXor(word, 1u);
    word |= subgroupShuffleXor(word, 2u);
    if (!inside) {
        return;
    }
    var value = best + floats(bias[output / 4u]);
    if (args.relu != 0u) {
        value = select(value, vec4<f32>(), value < vec4<f32>());
    }
    y[(window * args.outputs + output) / 4u] = words(value);
    if (lane % 4u == 0u) {
        winners[window * winner_words(args.outputs) + output / 16u] = word;
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
    var row_edges: array<u32, EIGHTS>;
    for (var e = 0u; e < EIGHTS; e++) {
        row_edges[e] = edges[min(first_row + 8u * e + lane, args.input_rows - 1u)];
    }
    var sums = Sums();
    // Over the gradients of rows t - 1, t, t + 1, which x[t] reached by the taps 2, 1, 0.
    for (var k = 0u; k < TAPS * width; k++) {
        let tap = TAPS - 1u - k / width;
        var weights: Terms;
        for (var i = 0u; i < DEPTH; i++) {
            let row = ((4u * (k % width) + i) * TAPS + tap) * pitch;
            weights[i] = mat2x4<f32>(floats(packed_weight[row + first]), floats(packed_weight[row + second]));
        }
        for (var e = 0u; e < EIGHTS; e++) {
            let row = min(first_row + 8u * e + lane, args.input_rows - 1u);
            let reached = reaches(row_edges[e], k / width);
            let values = select(vec4<f32>(), floats(gradients[select(0u, (row - 1u) * width + k, reached)]), reached);
            sums[e] = multiply_rows(values, &weights, sums[e]);
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
    let first_row = group.z * args.slab_rows;
    let end = min(first_row + args.slab_rows, args.input_rows);
    var sums = Sums();
    var bias_sums = vec4<f32>();
    for (var k = first_row; k < end; k += DEPTH) {
        // One row's edges an invocation.
        let own_edges = edges[min(k + lane, end - 1u)];
        var left: mat4x4<f32>;
        var right: Terms;
        for (var i = 0u; i < DEPTH; i++) {
            let row = min(k + i, end - 1u);
            let row_edges = subgroupShuffle(own_edges, i);
            // Both factors: zero times what is not finite would be NaN.
            let is_row = k + i < end;
            left[i] = select(vec4<f32>(), floats(gradients[(row * args.outputs + output) / 4u]), is_row);
            right[i] = mat2x4<f32>(
                select(vec4<f32>(), input_at(row, first, row_edges), is_row),
                select(vec4<f32>(), input_at(row, second, row_edges), is_row),
            );
            bias_sums += left[i];
        }
        for (var e = 0u; e < EIGHTS; e++) {
            sums[e] = multiply_columns(e, left, &right, sums[e]);
        }
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
