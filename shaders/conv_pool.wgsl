// ConvBlock (1): MaxPool1d(3, stride 3) of Conv1d(kernel 3, zero padding 1), over ragged rows, for graphics hardware.
// A row of the convolution reads the three rows t - 1, t, t + 1 of x, which lie one after another: 3 · inputs numbers from
// x[t - 1] on. So with the weights in the order of those numbers the convolution is a product over rows, and so are its
// gradients (`shared/tile.wgsl`). Rows outside the utterance count as zero.
// forward           y[p] = act(max over the rows r = 0, 1, 2 of a window of Σ_k W_k x[start(p) + r + k - 1] + b)
// backward_input    dx[t] (+)= Σ_k W_kᵀ g[t + 1 - k]
// backward_weight   dW_k = Σ_t g[t] x[t + k - 1]ᵀ, db = Σ_t g[t], by slabs of rows that `slabs.wgsl` adds in order
// where g is what `conv_pool_edges.wgsl` spreads and the weights are those that it packs.
// x: [input rows, inputs], W: [outputs, inputs, 3], y: [output rows, outputs], winners: 2 bits each, see `Backend`
// `quads`, where inputs and outputs are multiples of four, takes the matrices as vec4s.

import package::shared::pooling::{WINDOW, TAPS, NOWHERE, wins, winner_words, edges_within, reaches};
import package::shared::tile::{
    TILE_ROWS, TILE_COLUMNS, ROW_QUADS, LANES, DEPTH, Blocks, Sums,
    brings_left, brings_second, left_corner, right_corner, own_corner, put_blocks, multiply_tiles, add_rows,
};

struct Args {
    input_rows: u32,
    output_rows: u32,
    inputs: u32,
    outputs: u32,
    relu: u32,
    accumulate: u32,
    slab_rows: u32,
}

@if(quads) alias Element = vec4<f32>;
@else alias Element = f32;

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> x: array<Element>;
/// [outputs, 3, inputs]
@group(0) @binding(2) var<storage, read> packed_weight: array<Element>;
@group(0) @binding(3) var<storage, read> bias: array<Element>;
@group(0) @binding(4) var<storage, read> input_offsets: array<u32>;
@group(0) @binding(5) var<storage, read> output_offsets: array<u32>;
/// [output rows]: utterance of a window
@group(0) @binding(6) var<storage, read> output_owners: array<u32>;
@group(0) @binding(7) var<storage, read_write> y: array<Element>;
@group(0) @binding(8) var<storage, read_write> winners: array<u32>;
@group(0) @binding(9) var<storage, read> gradients: array<Element>;
/// [input rows]
@group(0) @binding(10) var<storage, read> edges: array<u32>;
@group(0) @binding(11) var<storage, read_write> dx: array<Element>;
/// [slabs, outputs · inputs · 3 + outputs]
@group(0) @binding(12) var<storage, read_write> partial: array<f32>;

/// Windows of a forward tile; an invocation has four of them.
const WINDOWS: u32 = TILE_ROWS / WINDOW;

/// Winners of an invocation's windows, a byte of four columns each.
var<workgroup> tile_winners: array<u32, LANES>;

/// Which of a row's three parts a term belongs to, each `width` terms long; TAPS past the last.
fn tap_of(term: u32, width: u32) -> u32 {
    return u32(term >= width) + u32(term >= 2u * width) + u32(term >= 3u * width);
}

/// Of four rows, the last one's where there are fewer.
fn edges_of(row: u32, end: u32) -> vec4<u32> {
    let last = max(end, 1u) - 1u;
    let at = min(row + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(last));
    return vec4<u32>(edges[at.x], edges[at.y], edges[at.z], edges[at.w]);
}

/// A block of four rows of four terms from `term` on, each row's zero where it does not reach; the terms of a row lie in three
/// parts of `width`.
fn reached(rows: mat4x4<f32>, row_edges: vec4<u32>, term: u32, width: u32) -> mat4x4<f32> {
    return mat4x4<f32>(
        reached_quad(rows[0], row_edges.x, term, width),
        reached_quad(rows[1], row_edges.y, term, width),
        reached_quad(rows[2], row_edges.z, term, width),
        reached_quad(rows[3], row_edges.w, term, width),
    );
}

fn reached_quad(values: vec4<f32>, row_edges: u32, term: u32, width: u32) -> vec4<f32> {
    @if(quads) {
        return select(vec4<f32>(), values, reaches(row_edges, tap_of(term, width)));
    }
    @else {
        let are_reached = vec4<bool>(
            reaches(row_edges, tap_of(term, width)),
            reaches(row_edges, tap_of(term + 1u, width)),
            reaches(row_edges, tap_of(term + 2u, width)),
            reaches(row_edges, tap_of(term + 3u, width)),
        );
        return select(vec4<f32>(), values, are_reached);
    }
}

// Of what lies outside a matrix these load something within: such sums are not stored, such terms count as zero, and so does
// what a row does not reach.

/// Four of the 3 · inputs numbers that a row reads.
fn input_quad(row: u32, term: u32) -> vec4<f32> {
    let place = row * args.inputs + term;
    @if(quads) {
        return x[(clamp(place, args.inputs, (args.input_rows + 1u) * args.inputs - 4u) - args.inputs) / 4u];
    }
    @else {
        let last = vec4<u32>((args.input_rows + 1u) * args.inputs - 1u);
        let at = clamp(place + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(args.inputs), last) - args.inputs;
        return vec4<f32>(x[at.x], x[at.y], x[at.z], x[at.w]);
    }
}

/// Four of the 3 · outputs gradients that reach a row.
fn gradient_quad(row: u32, term: u32) -> vec4<f32> {
    let place = row * args.outputs + term;
    @if(quads) {
        return gradients[(clamp(place, args.outputs, (args.input_rows + 1u) * args.outputs - 4u) - args.outputs) / 4u];
    }
    @else {
        let last = vec4<u32>((args.input_rows + 1u) * args.outputs - 1u);
        let at = clamp(place + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(args.outputs), last) - args.outputs;
        return vec4<f32>(gradients[at.x], gradients[at.y], gradients[at.z], gradients[at.w]);
    }
}

/// Four of the `columns` packed weights from `start` on.
fn weight_quad(start: u32, first: u32, columns: u32) -> vec4<f32> {
    @if(quads) {
        return packed_weight[(start + min(first, columns - 4u)) / 4u];
    }
    @else {
        let at = start + min(first + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(columns - 1u));
        return vec4<f32>(packed_weight[at.x], packed_weight[at.y], packed_weight[at.z], packed_weight[at.w]);
    }
}

/// Four terms of an output's weights.
fn output_weights(output: u32, term: u32) -> vec4<f32> {
    return weight_quad(min(output, args.outputs - 1u) * TAPS * args.inputs, term, TAPS * args.inputs);
}

/// Weights of four inputs for one of the 3 · outputs gradients: those of rows t - 1, t, t + 1, which x[t] reached by the
/// taps 2, 1, 0.
fn term_weights(term: u32, input: u32) -> vec4<f32> {
    let own = min(term, TAPS * args.outputs - 1u);
    let part = tap_of(own, args.outputs);
    return weight_quad(((own - part * args.outputs) * TAPS + TAPS - 1u - part) * args.inputs, input, args.inputs);
}

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
        blocks[1] = forward_right(lane + LANES, first_output, k);
    }
    return blocks;
}

fn forward_right(block: u32, first_output: u32, k: u32) -> mat4x4<f32> {
    let corner = right_corner(block);
    let output = first_output + corner.x;
    let term = k + corner.y;
    return mat4x4<f32>(
        output_weights(output, term), output_weights(output + 1u, term), output_weights(output + 2u, term), output_weights(output + 3u, term),
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

@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
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

fn put_output(window: u32, output: u32, best: vec4<f32>) {
    var values = best + bias_quad(output);
    if (args.relu != 0u) {
        values = select(values, vec4<f32>(), values < vec4<f32>());
    }
    let place = window * args.outputs + output;
    @if(quads) {
        y[place / 4u] = values;
    }
    @else {
        for (var j = 0u; j < min(4u, args.outputs - output); j++) {
            y[place + j] = values[j];
        }
    }
}

fn bias_quad(output: u32) -> vec4<f32> {
    @if(quads) {
        return bias[output / 4u];
    }
    @else {
        let at = min(output + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(args.outputs - 1u));
        return vec4<f32>(bias[at.x], bias[at.y], bias[at.z], bias[at.w]);
    }
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
        blocks[1] = backward_input_right(lane + LANES, first_input, k);
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

@compute @workgroup_size(LANES)
fn backward_input(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
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

fn put_input_gradients(row: u32, input: u32, sums: mat4x4<f32>) {
    put_input_gradient(row, input, sums[0]);
    put_input_gradient(row + 1u, input, sums[1]);
    put_input_gradient(row + 2u, input, sums[2]);
    put_input_gradient(row + 3u, input, sums[3]);
}

fn put_input_gradient(row: u32, input: u32, sums: vec4<f32>) {
    if (row >= args.input_rows || input >= args.inputs) {
        return;
    }
    let place = row * args.inputs + input;
    @if(quads) {
        if (args.accumulate != 0u) {
            dx[place / 4u] += sums;
        } else {
            dx[place / 4u] = sums;
        }
    }
    @else {
        var values = sums;
        for (var j = 0u; j < min(4u, args.inputs - input); j++) {
            if (args.accumulate != 0u) {
                dx[place + j] += values[j];
            } else {
                dx[place + j] = values[j];
            }
        }
    }
}

/// Gradients at four outputs of a row.
fn output_gradients(row: u32, output: u32, end: u32) -> vec4<f32> {
    let start = min(row, max(end, 1u) - 1u) * args.outputs;
    @if(quads) {
        return gradients[(start + min(output, args.outputs - 4u)) / 4u];
    }
    @else {
        let at = start + min(output + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(args.outputs - 1u));
        return vec4<f32>(gradients[at.x], gradients[at.y], gradients[at.z], gradients[at.w]);
    }
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
        blocks[1] = backward_weight_right(lane + LANES, first_column, k);
    }
    return blocks;
}

fn backward_weight_right(block: u32, first_column: u32, k: u32) -> mat4x4<f32> {
    let corner = right_corner(block);
    let column = first_column + corner.x;
    let row = k + corner.y;
    return mat4x4<f32>(input_quad(row, column), input_quad(row + 1u, column), input_quad(row + 2u, column), input_quad(row + 3u, column));
}

@compute @workgroup_size(LANES)
fn backward_weight(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first_column = group.x * TILE_COLUMNS;
    let first_output = group.y * TILE_ROWS;
    let first_row = group.z * args.slab_rows;
    let end = min(first_row + args.slab_rows, args.input_rows);
    let sums_bias = group.x == 0u && lane < ROW_QUADS;
    // Both blocks of an invocation hold the same terms, so the same rows.
    let own_term = left_corner(lane).y;
    let column = first_column + right_corner(lane).x;
    let second_column = first_column + right_corner(lane + LANES).x;
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

fn put_weight_gradients(slab: u32, output: u32, column: u32, sums: mat4x4<f32>) {
    put_weight_gradient(slab, output, column, sums[0]);
    put_weight_gradient(slab, output + 1u, column, sums[1]);
    put_weight_gradient(slab, output + 2u, column, sums[2]);
    put_weight_gradient(slab, output + 3u, column, sums[3]);
}

fn put_weight_gradient(slab: u32, output: u32, column: u32, sums: vec4<f32>) {
    if (output >= args.outputs) {
        return;
    }
    var values = sums;
    for (var j = 0u; j < 4u; j++) {
        let tap = tap_of(column + j, args.inputs);
        if (tap < TAPS) {
            partial[slab + (output * args.inputs + column + j - tap * args.inputs) * TAPS + tap] = values[j];
        }
    }
}
