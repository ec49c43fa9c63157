// ConvBlock (1): MaxPool1d(3, stride 3) of Conv1d(kernel 3, zero padding 1), over ragged rows.
// forward           y[p] = act(max over r of Σ_k W_k x[start(p) + r + k - 1] + b), r = 0, 1, 2
// backward_input    dx[t] (+)= Σ_k W_kᵀ g[t + 1 - k]
// backward_weight   dW_k = Σ_t g[t] x[t + k - 1]ᵀ, db = Σ_t g[t], by slabs of rows that `slabs.wgsl` adds in order
// where g, at a row of the convolution, is dy if that row won its window (and the ReLU was open) and else 0.
// x: [input rows, inputs], W: [outputs, inputs, 3], y: [output rows, outputs], winners: 2 bits each, see `Backend`

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
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> input_offsets: array<u32>;
@group(0) @binding(5) var<storage, read> output_offsets: array<u32>;
/// [output rows]: utterance of a window
@group(0) @binding(6) var<storage, read> output_owners: array<u32>;
@group(0) @binding(7) var<storage, read_write> y: array<f32>;
@group(0) @binding(8) var<storage, read_write> winners: array<u32>;
@group(0) @binding(9) var<storage, read> dy: array<f32>;
@group(0) @binding(10) var<storage, read> gate: array<f32>;
@group(0) @binding(11) var<storage, read> won: array<u32>;
/// [input rows]: utterance of a row
@group(0) @binding(12) var<storage, read> input_owners: array<u32>;
@group(0) @binding(13) var<storage, read_write> dx: array<f32>;
/// [slabs, outputs · inputs · 3 + outputs]
@group(0) @binding(14) var<storage, read_write> partial: array<f32>;

const WINDOW: u32 = 3;
const TAPS: u32 = 3;
/// Columns of a tile, and rows of the gradients' tiles.
const TILE: u32 = 64;
const PITCH: u32 = TILE + 1;
/// Channels (or rows) summed per filling of the tiles.
const DEPTH: u32 = 8;
/// Windows of a forward tile.
const WINDOWS: u32 = 16;
/// Input rows that one window reads.
const REACH: u32 = WINDOW + TAPS - 1;

/// Weights of a tile, `[(depth · TAPS + tap) · PITCH + column]`; for backward_weight the shifted inputs.
var<workgroup> taps: array<f32, DEPTH * TAPS * PITCH>;
/// Inputs of a forward tile, or gradients of the others (whose DEPTH · (TILE + 2) is less).
var<workgroup> rows: array<f32, WINDOWS * REACH * DEPTH>;
/// Winner of each window and column of a forward tile.
var<workgroup> tile_winners: array<u32, WINDOWS * TILE>;

@compute @workgroup_size(16, 16)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) lane: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let first_output = group.x * TILE;
    let first_window = group.y * WINDOWS;
    var sums = array<vec4<f32>, WINDOW>();
    for (var k = 0u; k < args.inputs; k += DEPTH) {
        for (var part = index; part < WINDOWS * REACH * DEPTH; part += 256u) {
            let window = first_window + part / (REACH * DEPTH);
            rows[part] = window_input(window, part / DEPTH % REACH, k + part % DEPTH);
        }
        for (var part = index; part < TILE * DEPTH * TAPS; part += 256u) {
            let column = part / (DEPTH * TAPS);
            let output = first_output + column;
            let channel_tap = k * TAPS + part % (DEPTH * TAPS);
            var value = 0.0;
            if (output < args.outputs && channel_tap < args.inputs * TAPS) {
                value = weight[output * args.inputs * TAPS + channel_tap];
            }
            taps[part % (DEPTH * TAPS) * PITCH + column] = value;
        }
        workgroupBarrier();
        for (var depth = 0u; depth < DEPTH; depth++) {
            var reach: array<f32, REACH>;
            for (var r = 0u; r < REACH; r++) {
                reach[r] = rows[(lane.y * REACH + r) * DEPTH + depth];
            }
            for (var tap = 0u; tap < TAPS; tap++) {
                let columns = tile_columns(depth * TAPS + tap, lane.x);
                sums[0] += reach[tap] * columns;
                sums[1] += reach[tap + 1u] * columns;
                sums[2] += reach[tap + 2u] * columns;
            }
        }
        workgroupBarrier();
    }
    let window = first_window + lane.y;
    for (var j = 0u; j < 4u; j++) {
        let output = first_output + lane.x + j * 16u;
        var best = sums[0][j];
        var winner = 0u;
        for (var r = 1u; r < WINDOW; r++) {
            let value = sums[r][j];
            if ((value > best || is_nan(value)) && !is_nan(best)) {
                best = value;
                winner = r;
            }
        }
        tile_winners[lane.y * TILE + lane.x + j * 16u] = winner;
        if (window < args.output_rows && output < args.outputs) {
            var value = best + bias[output];
            if (args.relu != 0u && value < 0.0) {
                value = 0.0;
            }
            y[window * args.outputs + output] = value;
        }
    }
    workgroupBarrier();
    // 64 of the invocations pack 16 winners each into a word.
    let packing_window = first_window + index / 4u;
    let first_column = first_output + index % 4u * 16u;
    if (index < WINDOWS * 4u && packing_window < args.output_rows && first_column < args.outputs) {
        var word = 0u;
        for (var c = 0u; c < min(16u, args.outputs - first_column); c++) {
            word |= tile_winners[index / 4u * TILE + index % 4u * 16u + c] << (2u * c);
        }
        winners[packing_window * winner_words() + first_column / 16u] = word;
    }
}

/// Words that the winners of one row take.
fn winner_words() -> u32 {
    return (args.outputs + 15u) / 16u;
}

/// Four columns of the weight tile, 16 apart.
fn tile_columns(row: u32, lane: u32) -> vec4<f32> {
    let c = row * PITCH + lane;
    return vec4<f32>(taps[c], taps[c + 16u], taps[c + 32u], taps[c + 48u]);
}

/// Channel of the input row `reach - 1` rows past the window's first one, zero outside the utterance.
fn window_input(window: u32, reach: u32, channel: u32) -> f32 {
    if (window >= args.output_rows || channel >= args.inputs) {
        return 0.0;
    }
    let utterance = output_owners[window];
    let first = input_offsets[utterance];
    let row_after = first + (window - output_offsets[utterance]) * WINDOW + reach;
    if (row_after <= first || row_after > input_offsets[utterance + 1u]) {
        return 0.0;
    }
    return x[(row_after - 1u) * args.inputs + channel];
}

/// Gradient at row `row` of the convolution.
fn gradient(row: u32, output: u32) -> f32 {
    if (row >= args.input_rows || output >= args.outputs) {
        return 0.0;
    }
    let utterance = input_owners[row];
    let local = row - input_offsets[utterance];
    let window = output_offsets[utterance] + local / WINDOW;
    if (window >= output_offsets[utterance + 1u]) {
        return 0.0;
    }
    let winner = (won[window * winner_words() + output / 16u] >> (2u * (output % 16u))) & 3u;
    let place = window * args.outputs + output;
    if (winner != local % WINDOW || (args.relu != 0u && gate[place] <= 0.0)) {
        return 0.0;
    }
    return dy[place];
}

@compute @workgroup_size(16, 16)
fn backward_input(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) lane: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let first_input = group.x * TILE;
    let first_row = group.y * TILE;
    // Whether the neighbours of each of the invocation's rows belong to the same utterance.
    var has_previous = vec4<bool>();
    var has_next = vec4<bool>();
    for (var i = 0u; i < 4u; i++) {
        let row = first_row + lane.y * 4u + i;
        if (row < args.input_rows) {
            let utterance = input_owners[row];
            has_previous[i] = row > input_offsets[utterance];
            has_next[i] = row + 1u < input_offsets[utterance + 1u];
        }
    }
    var sums = array<vec4<f32>, 4>();
    for (var k = 0u; k < args.outputs; k += DEPTH) {
        // Rows first_row - 1 .. first_row + TILE, both inclusive.
        for (var part = index; part < (TILE + 2u) * DEPTH; part += 256u) {
            let row = first_row + part / DEPTH;
            var value = 0.0;
            if (row > 0u) {
                value = gradient(row - 1u, k + part % DEPTH);
            }
            rows[part % DEPTH * (TILE + 2u) + part / DEPTH] = value;
        }
        for (var part = index; part < TILE * DEPTH * TAPS; part += 256u) {
            let output = k + part / (TILE * TAPS);
            let channel_tap = first_input * TAPS + part % (TILE * TAPS);
            var value = 0.0;
            if (output < args.outputs && channel_tap < args.inputs * TAPS) {
                value = weight[output * args.inputs * TAPS + channel_tap];
            }
            taps[(part / (TILE * TAPS) * TAPS + channel_tap % TAPS) * PITCH + part % (TILE * TAPS) / TAPS] = value;
        }
        workgroupBarrier();
        for (var depth = 0u; depth < DEPTH; depth++) {
            let previous = tile_columns(depth * TAPS + 2u, lane.x);
            let same = tile_columns(depth * TAPS + 1u, lane.x);
            let next = tile_columns(depth * TAPS, lane.x);
            for (var i = 0u; i < 4u; i++) {
                let r = depth * (TILE + 2u) + lane.y * 4u + i;
                sums[i] += select(0.0, rows[r], has_previous[i]) * previous
                    + rows[r + 1u] * same
                    + select(0.0, rows[r + 2u], has_next[i]) * next;
            }
        }
        workgroupBarrier();
    }
    for (var i = 0u; i < 4u; i++) {
        let row = first_row + lane.y * 4u + i;
        for (var j = 0u; j < 4u; j++) {
            let input = first_input + lane.x + j * 16u;
            if (row < args.input_rows && input < args.inputs) {
                let place = row * args.inputs + input;
                if (args.accumulate != 0u) {
                    dx[place] += sums[i][j];
                } else {
                    dx[place] = sums[i][j];
                }
            }
        }
    }
}

/// Input row `row + tap - 1`, zero where that is another utterance's.
fn shifted_input(row: u32, tap: u32, channel: u32, end: u32) -> f32 {
    if (row >= end || channel >= args.inputs) {
        return 0.0;
    }
    let utterance = input_owners[row];
    if (row + tap <= input_offsets[utterance] || row + tap > input_offsets[utterance + 1u]) {
        return 0.0;
    }
    return x[(row + tap - 1u) * args.inputs + channel];
}

@compute @workgroup_size(16, 16)
fn backward_weight(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) lane: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let first_input = group.x * TILE;
    let first_output = group.y * TILE;
    let first_row = group.z * args.slab_rows;
    let end = min(first_row + args.slab_rows, args.input_rows);
    var sums = array<vec4<f32>, 12>();
    var bias_sums = vec4<f32>();
    for (var k = first_row; k < end; k += DEPTH) {
        for (var part = index; part < TILE * DEPTH; part += 256u) {
            let row = k + part / TILE;
            var value = 0.0;
            if (row < end) {
                value = gradient(row, first_output + part % TILE);
            }
            rows[part] = value;
        }
        for (var part = index; part < TILE * DEPTH * TAPS; part += 256u) {
            let depth_tap = part / TILE;
            taps[depth_tap * PITCH + part % TILE] = shifted_input(k + depth_tap / TAPS, depth_tap % TAPS, first_input + part % TILE, end);
        }
        workgroupBarrier();
        for (var depth = 0u; depth < DEPTH; depth++) {
            let r = depth * TILE + lane.y * 4u;
            let outputs = vec4<f32>(rows[r], rows[r + 1u], rows[r + 2u], rows[r + 3u]);
            bias_sums += outputs;
            for (var tap = 0u; tap < TAPS; tap++) {
                let columns = tile_columns(depth * TAPS + tap, lane.x);
                sums[tap * 4u] += outputs.x * columns;
                sums[tap * 4u + 1u] += outputs.y * columns;
                sums[tap * 4u + 2u] += outputs.z * columns;
                sums[tap * 4u + 3u] += outputs.w * columns;
            }
        }
        workgroupBarrier();
    }
    let slab = group.z * args.outputs * (args.inputs * TAPS + 1u);
    for (var i = 0u; i < 4u; i++) {
        let output = first_output + lane.y * 4u + i;
        for (var j = 0u; j < 4u; j++) {
            let input = first_input + lane.x + j * 16u;
            if (output < args.outputs && input < args.inputs) {
                for (var tap = 0u; tap < TAPS; tap++) {
                    partial[slab + (output * args.inputs + input) * TAPS + tap] = sums[tap * 4u + i][j];
                }
            }
        }
        if (first_input == 0u && lane.x == 0u && output < args.outputs) {
            partial[slab + args.outputs * args.inputs * TAPS + output] = bias_sums[i];
        }
    }
}
