// `conv_pool.wgsl` for software adapters, by `lanes/product.wgsl`. A row of the convolution reads the three rows t - 1, t, t + 1
// of x, which lie one after another: 3 · inputs numbers from x[t - 1] on. So with the weights in the order of those numbers
// the convolution is a product over rows, and so are its gradients. Rows outside the utterance count as zero.
// pack              the weights as [outputs, 3, inputs]
// forward           y = act(max of three rows of the product + b), with the winners
// spread            g [input rows, outputs]: dy at the rows that won (and whose ReLU was open), else 0
// backward_input    dx[t] (+)= Σ_k W_kᵀ g[t + 1 - k]
// backward_weight   dW_k = Σ_t g[t] x[t + k - 1]ᵀ, db = Σ_t g[t], by slabs of rows that `slabs.wgsl` adds in order
// The widths of x and y must be multiples of four.

import package::lanes::product::{LANES, TILE_ROWS, TILE_COLUMNS, QUADS, DEPTH, Sums, Terms, multiply_quad, multiply_columns, terms_of};
import package::shared::grid::{BLOCK_ROWS, first_row, flat_group};
import package::shared::numbers::is_nan;

struct Args {
    input_rows: u32,
    output_rows: u32,
    inputs: u32,
    outputs: u32,
    relu: u32,
    accumulate: u32,
    slab_rows: u32,
}

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> packed: array<f32>;
@group(0) @binding(4) var<storage, read> packed_weight: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> input_offsets: array<u32>;
@group(0) @binding(7) var<storage, read> output_offsets: array<u32>;
/// [output rows]: utterance of a window
@group(0) @binding(8) var<storage, read> output_owners: array<u32>;
/// [input rows]: utterance of a row
@group(0) @binding(9) var<storage, read> input_owners: array<u32>;
@group(0) @binding(10) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(11) var<storage, read_write> winners: array<u32>;
@group(0) @binding(12) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(13) var<storage, read> gate: array<vec4<f32>>;
@group(0) @binding(14) var<storage, read> won: array<u32>;
@group(0) @binding(15) var<storage, read_write> spread_out: array<vec4<f32>>;
@group(0) @binding(16) var<storage, read> gradients: array<vec4<f32>>;
@group(0) @binding(17) var<storage, read_write> dx: array<vec4<f32>>;
/// [slabs, outputs · inputs · 3 + outputs]
@group(0) @binding(18) var<storage, read_write> partial: array<f32>;

const WINDOW: u32 = 3;
const TAPS: u32 = 3;
/// Windows of a forward tile, and its rows by fours.
const WINDOWS: u32 = 8;
const WINDOW_QUADS: u32 = WINDOWS * WINDOW / 4;
const FLAT_LANES: u32 = 64;
/// Invocations of a workgroup of `spread`, over fours of columns.
const SPREAD_LANES: u32 = 32;

/// Words that the winners of one row take.
fn winner_words() -> u32 {
    return (args.outputs + 15u) / 16u;
}

/// Bit 0: a row is the first of its utterance, bit 1: the last; all rows past the end are both.
fn edges_of(row: u32) -> u32 {
    if (row >= args.input_rows) {
        return 3u;
    }
    let utterance = input_owners[row];
    return select(0u, 1u, row == input_offsets[utterance]) | select(0u, 2u, row + 1u == input_offsets[utterance + 1u]);
}

/// Whether the row `tap - 1` rows from a row with these edges lies in the same utterance.
fn reaches(edges: u32, tap: u32) -> bool {
    return !((tap == 0u && (edges & 1u) != 0u) || (tap == 2u && (edges & 2u) != 0u));
}

@compute @workgroup_size(FLAT_LANES)
fn pack(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(group, groups) * FLAT_LANES + lane;
    let width = args.inputs * TAPS;
    if (i >= args.outputs * width) {
        return;
    }
    packed[i] = weight[i / width * width + i % args.inputs * TAPS + i % width / args.inputs];
}

@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let output = min(group.x * TILE_COLUMNS + 4u * lane, args.outputs - 4u);
    let first_window = group.y * WINDOWS;
    let width = args.inputs / 4u;
    let pitch = TAPS * width;
    // Row of the convolution that the invocation fetches the inputs of, for each four of the tile's.
    var rows: array<u32, WINDOW_QUADS>;
    var edges: array<u32, WINDOW_QUADS>;
    for (var quad = 0u; quad < WINDOW_QUADS; quad++) {
        let within = 4u * quad + lane / 2u;
        let window = min(first_window + within / WINDOW, args.output_rows - 1u);
        let utterance = output_owners[window];
        rows[quad] = input_offsets[utterance] + (window - output_offsets[utterance]) * WINDOW + within % WINDOW;
        edges[quad] = select(0u, 1u, rows[quad] == input_offsets[utterance])
            | select(0u, 2u, rows[quad] + 1u == input_offsets[utterance + 1u]);
    }
    var sums = array<mat4x4<f32>, WINDOW_QUADS>();
    for (var k = 0u; k < pitch; k += 2u) {
        let more = k + 1u < pitch;
        let first = output * pitch + k;
        let low = mat4x4<f32>(
            packed_weight[first],
            packed_weight[first + pitch],
            packed_weight[first + 2u * pitch],
            packed_weight[first + 3u * pitch],
        );
        let next = output * pitch + min(k + 1u, pitch - 1u);
        let high = mat4x4<f32>(
            select(vec4<f32>(), packed_weight[next], more),
            select(vec4<f32>(), packed_weight[next + pitch], more),
            select(vec4<f32>(), packed_weight[next + 2u * pitch], more),
            select(vec4<f32>(), packed_weight[next + 3u * pitch], more),
        );
        var weights = terms_of(low, high);
        let own = k + lane % 2u;
        for (var quad = 0u; quad < WINDOW_QUADS; quad++) {
            let reached = own < pitch && reaches(edges[quad], own / width);
            let values = select(vec4<f32>(), x[select(0u, (rows[quad] - 1u) * width + own, reached)], reached);
            sums[quad] = multiply_quad(values, &weights, sums[quad]);
        }
    }
    let inside = group.x * TILE_COLUMNS + 4u * lane < args.outputs;
    pool(first_window, output, inside, lane, sums[0][0], sums[0][1], sums[0][2]);
    pool(first_window + 1u, output, inside, lane, sums[0][3], sums[1][0], sums[1][1]);
    pool(first_window + 2u, output, inside, lane, sums[1][2], sums[1][3], sums[2][0]);
    pool(first_window + 3u, output, inside, lane, sums[2][1], sums[2][2], sums[2][3]);
    pool(first_window + 4u, output, inside, lane, sums[3][0], sums[3][1], sums[3][2]);
    pool(first_window + 5u, output, inside, lane, sums[3][3], sums[4][0], sums[4][1]);
    pool(first_window + 6u, output, inside, lane, sums[4][2], sums[4][3], sums[5][0]);
    pool(first_window + 7u, output, inside, lane, sums[5][1], sums[5][2], sums[5][3]);
}

/// Stores the maximum of a window's three rows, and which row held it first.
fn pool(window: u32, output: u32, inside: bool, lane: u32, first: vec4<f32>, second: vec4<f32>, third: vec4<f32>) {
    let second_wins = wins(second, first);
    var best = select(first, second, second_wins);
    var winner = select(vec4<u32>(), vec4<u32>(1u), second_wins);
    let third_wins = wins(third, best);
    best = select(best, third, third_wins);
    winner = select(winner, vec4<u32>(2u), third_wins);
    // Sixteen columns, four invocations', share a word.
    let bits = winner << vec4<u32>(0u, 2u, 4u, 6u);
    var word = select(0u, (bits.x | bits.y | bits.z | bits.w) << (8u * (lane % 4u)), inside);
    word |= subgroupShuffleXor(word, 1u);
    word |= subgroupShuffleXor(word, 2u);
    if (window >= args.output_rows || !inside) {
        return;
    }
    var value = best + bias[output / 4u];
    if (args.relu != 0u) {
        value = select(value, vec4<f32>(), value < vec4<f32>());
    }
    y[(window * args.outputs + output) / 4u] = value;
    if (lane % 4u == 0u) {
        winners[window * winner_words() + output / 16u] = word;
    }
}

/// Whether a later row's values beat the best so far; NaN beats everything but an earlier one.
fn wins(value: vec4<f32>, best: vec4<f32>) -> vec4<bool> {
    let nans = vec4<bool>(is_nan(value.x), is_nan(value.y), is_nan(value.z), is_nan(value.w));
    let settled = vec4<bool>(is_nan(best.x), is_nan(best.y), is_nan(best.z), is_nan(best.w));
    return ((value > best) | nans) & !settled;
}

@compute @workgroup_size(SPREAD_LANES)
fn spread(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let width = args.outputs / 4u;
    let c = group.x * SPREAD_LANES + lane;
    if (c >= width) {
        return;
    }
    let first = first_row(group, groups);
    for (var row = first; row < min(first + BLOCK_ROWS, args.input_rows); row++) {
        let utterance = input_owners[row];
        let local = row - input_offsets[utterance];
        let window = output_offsets[utterance] + local / WINDOW;
        var value = vec4<f32>();
        if (window < output_offsets[utterance + 1u]) {
            let word = won[window * winner_words() + c / 4u] >> (8u * (c % 4u));
            let winner = vec4<u32>(word, word >> 2u, word >> 4u, word >> 6u) & vec4<u32>(3u);
            let place = window * width + c;
            value = select(vec4<f32>(), dy[place], winner == vec4<u32>(local % WINDOW));
            if (args.relu != 0u) {
                value = select(value, vec4<f32>(), gate[place] <= vec4<f32>());
            }
        }
        spread_out[row * width + c] = value;
    }
}

@compute @workgroup_size(LANES)
fn backward_input(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let input = min(group.x * TILE_COLUMNS + 4u * lane, args.inputs - 4u);
    let first_row = group.y * TILE_ROWS;
    let width = args.outputs / 4u;
    var edges: array<u32, QUADS>;
    for (var quad = 0u; quad < QUADS; quad++) {
        edges[quad] = edges_of(first_row + 4u * quad + lane / 2u);
    }
    var sums = Sums();
    // Over the gradients of rows t - 1, t, t + 1, which x[t] reached by the taps 2, 1, 0.
    for (var k = 0u; k < TAPS * width; k += 2u) {
        var weights: Terms;
        for (var i = 0u; i < DEPTH; i++) {
            let term = min(4u * k + i, TAPS * args.outputs - 1u);
            let tap = TAPS - 1u - term / args.outputs;
            let place = ((term % args.outputs * TAPS + tap) * args.inputs + input) / 4u;
            weights[i] = select(vec4<f32>(), packed_weight[place], 4u * k + i < TAPS * args.outputs);
        }
        let own = k + lane % 2u;
        for (var quad = 0u; quad < QUADS; quad++) {
            let row = min(first_row + 4u * quad + lane / 2u, args.input_rows - 1u);
            let reached = own < TAPS * width && reaches(edges[quad], own / width);
            let values = select(vec4<f32>(), gradients[select(0u, (row - 1u) * width + own, reached)], reached);
            sums[quad] = multiply_quad(values, &weights, sums[quad]);
        }
    }
    for (var quad = 0u; quad < QUADS; quad++) {
        for (var i = 0u; i < 4u; i++) {
            let row = first_row + 4u * quad + i;
            if (row < args.input_rows && group.x * TILE_COLUMNS + 4u * lane < args.inputs) {
                let place = (row * args.inputs + input) / 4u;
                if (args.accumulate != 0u) {
                    dx[place] += sums[quad][i];
                } else {
                    dx[place] = sums[quad][i];
                }
            }
        }
    }
}

@compute @workgroup_size(LANES)
fn backward_weight(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let columns = TAPS * args.inputs;
    let column = min(group.x * TILE_COLUMNS + 4u * lane, columns - 4u);
    let first_output = group.y * TILE_ROWS;
    let output = min(first_output + 4u * lane, args.outputs - 4u);
    let first_row = group.z * args.slab_rows;
    let end = min(first_row + args.slab_rows, args.input_rows);
    var sums = Sums();
    var bias_sums = vec4<f32>();
    for (var k = first_row; k < end; k += DEPTH) {
        // One row's edges an invocation.
        let edges = edges_of(k + lane);
        var left: Terms;
        var right: Terms;
        for (var i = 0u; i < DEPTH; i++) {
            let row = min(k + i, end - 1u);
            let reached = k + i < end && reaches(subgroupShuffle(edges, i), column / args.inputs);
            left[i] = select(vec4<f32>(), gradients[(row * args.outputs + output) / 4u], k + i < end);
            right[i] = select(vec4<f32>(), x[select(0u, (row * args.inputs - args.inputs + column) / 4u, reached)], reached);
            bias_sums += left[i];
        }
        for (var quad = 0u; quad < QUADS; quad++) {
            sums[quad] = multiply_columns(quad, &left, &right, sums[quad]);
        }
    }
    let slab = group.z * args.outputs * (columns + 1u);
    for (var quad = 0u; quad < QUADS; quad++) {
        for (var i = 0u; i < 4u; i++) {
            let row = first_output + 4u * quad + i;
            if (row < args.outputs && group.x * TILE_COLUMNS + 4u * lane < columns) {
                let first = slab + row * columns + column % args.inputs * TAPS + column / args.inputs;
                partial[first] = sums[quad][i].x;
                partial[first + TAPS] = sums[quad][i].y;
                partial[first + 2u * TAPS] = sums[quad][i].z;
                partial[first + 3u * TAPS] = sums[quad][i].w;
            }
        }
    }
    if (group.x == 0u && first_output + 4u * lane < args.outputs) {
        let first = slab + args.outputs * columns + output;
        partial[first] = bias_sums.x;
        partial[first + 1u] = bias_sums.y;
        partial[first + 2u] = bias_sums.z;
        partial[first + 3u] = bias_sums.w;
    }
}
