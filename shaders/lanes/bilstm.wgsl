// `shaders/bilstm.wgsl` for software adapters: a subgroup of eight runs SEQUENCES sequences of similar length, its products
// by `lanes/product.wgsl`, four hidden units an invocation. The hidden size must be a multiple of four.

import package::lanes::product::{LANES, TILE_COLUMNS, DEPTH, Terms, multiply_quad, terms_of};
import package::shared::numbers::{sigmoids, hyperbolic_tangents};

struct Args {
    rows: u32,
    batch: u32,
    hidden: u32,
    /// The dispatch covers steps first_step .. end_step, so that long sequences stay within a driver's patience.
    first_step: u32,
    end_step: u32,
}

@group(0) @binding(0) var<uniform> args: Args;
/// W_hh [2 · 4H, H], twice
@group(0) @binding(1) var<storage, read> recurrent: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> forward_recurrent: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> offsets: array<u32>;
@group(0) @binding(5) var<storage, read> by_length: array<u32>;
@group(0) @binding(6) var<storage, read_write> gates: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> cells: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> previous: array<vec4<f32>>;
@group(0) @binding(9) var<storage, read_write> hidden: array<vec4<f32>>;
@group(0) @binding(10) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(11) var<storage, read> saved_gates: array<vec4<f32>>;
@group(0) @binding(12) var<storage, read> saved_cells: array<vec4<f32>>;
@group(0) @binding(13) var<storage, read_write> dgates: array<vec4<f32>>;
/// What the step after hands back: [3, batch, 2H]: the cells' gradients, then the states' for even and odd steps
@group(0) @binding(14) var<storage, read_write> carry: array<vec4<f32>>;

const SEQUENCES: u32 = 16;
const QUADS: u32 = SEQUENCES / 4;

alias Sums = array<mat4x4<f32>, QUADS>;

/// First row and end of each of the slice's sequences, the longest first; empty past the last.
var<workgroup> ranges: array<vec2<u32>, SEQUENCES>;
/// h_{t-1}·W_hhᵀ for a tile of units: [gate, sequence, invocation].
var<workgroup> products: array<vec4<f32>, 4 * SEQUENCES * LANES>;

fn length_of(utterance: u32) -> u32 {
    return offsets[utterance + 1u] - offsets[utterance];
}

fn find_ranges(slice: u32, lane: u32) {
    for (var s = lane; s < SEQUENCES; s += LANES) {
        let place = slice * SEQUENCES + s;
        var range = vec2<u32>();
        if (place < args.batch) {
            let utterance = by_length[place];
            range = vec2<u32>(offsets[utterance], offsets[utterance + 1u]);
        }
        ranges[s] = range;
    }
}

/// Sequences that have a step `t`.
fn running_at(t: u32) -> u32 {
    var running = 0u;
    for (var s = 0u; s < SEQUENCES; s++) {
        running += select(0u, 1u, ranges[s].x + t < ranges[s].y);
    }
    return running;
}

/// Row that a direction visits at step `t`; of a sequence that has ended, some row.
fn row_at(s: u32, direction: u32, t: u32) -> u32 {
    return min(select(ranges[s].x + t, ranges[s].y - 1u - t, direction == 1u), args.rows - 1u);
}

/// Place of the invocation's four units among a direction's states of a row.
fn state_at(row: u32, direction: u32, unit: u32) -> u32 {
    return (row * 2u * args.hidden + direction * args.hidden + unit) / 4u;
}

/// Place of the four units' input gates; the other gates lie `hidden` further each.
fn gate_at(row: u32, direction: u32, unit: u32) -> u32 {
    return (row * 8u * args.hidden + direction * 4u * args.hidden + unit) / 4u;
}

@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let h = args.hidden;
    let pitch = h / 4u;
    let direction = group.y;
    find_ranges(group.x, lane);
    workgroupBarrier();
    let end = min(args.end_step, length_of(by_length[group.x * SEQUENCES]));
    for (var t = args.first_step; t < end; t++) {
        let running = running_at(t);
        var rows: array<u32, QUADS>;
        for (var quad = 0u; quad < QUADS; quad++) {
            rows[quad] = row_at(4u * quad + lane / 2u, direction, t - 1u);
        }
        for (var tile = 0u; tile < h; tile += TILE_COLUMNS) {
            let unit = min(tile + 4u * lane, h - 4u);
            for (var gate = 0u; gate < 4u; gate++) {
                let first = (direction * 4u + gate) * h + unit;
                var sums = Sums();
                // No state comes before the first step.
                for (var k = 0u; k < select(0u, pitch, t > 0u); k += 2u) {
                    let more = k + 1u < pitch;
                    let place = first * pitch + k;
                    let low = mat4x4<f32>(
                        forward_recurrent[place],
                        forward_recurrent[place + pitch],
                        forward_recurrent[place + 2u * pitch],
                        forward_recurrent[place + 3u * pitch],
                    );
                    let next = first * pitch + min(k + 1u, pitch - 1u);
                    let high = mat4x4<f32>(
                        select(vec4<f32>(), forward_recurrent[next], more),
                        select(vec4<f32>(), forward_recurrent[next + pitch], more),
                        select(vec4<f32>(), forward_recurrent[next + 2u * pitch], more),
                        select(vec4<f32>(), forward_recurrent[next + 3u * pitch], more),
                    );
                    var weights = terms_of(low, high);
                    let own = k + lane % 2u;
                    for (var quad = 0u; quad < QUADS; quad++) {
                        let state = state_at(rows[quad], direction, 4u * min(own, pitch - 1u));
                        let states = select(vec4<f32>(), hidden[state], own < pitch);
                        sums[quad] = multiply_quad(states, &weights, sums[quad]);
                    }
                }
                for (var quad = 0u; quad < QUADS; quad++) {
                    for (var i = 0u; i < 4u; i++) {
                        products[(gate * SEQUENCES + 4u * quad + i) * LANES + lane] = sums[quad][i];
                    }
                }
            }
            if (tile + 4u * lane < h) {
                for (var s = 0u; s < running; s++) {
                    step_forward(s, direction, t, unit, lane);
                }
            }
        }
        storageBarrier();
    }
}

/// Gates, cell and state of four units of a sequence at step `t`.
fn step_forward(s: u32, direction: u32, t: u32, unit: u32, lane: u32) {
    let pitch = args.hidden / 4u;
    let row = row_at(s, direction, t);
    let gate = gate_at(row, direction, unit);
    let first_bias = direction * args.hidden + unit / 4u;
    let product = s * LANES + lane;
    let stride = SEQUENCES * LANES;
    let input = sigmoids(gates[gate] + bias[first_bias] + products[product]);
    let forget = sigmoids(gates[gate + pitch] + bias[first_bias + pitch] + products[product + stride]);
    let update = hyperbolic_tangents(gates[gate + 2u * pitch] + bias[first_bias + 2u * pitch] + products[product + 2u * stride]);
    let output = sigmoids(gates[gate + 3u * pitch] + bias[first_bias + 3u * pitch] + products[product + 3u * stride]);
    var cell = input * update;
    var before = vec4<f32>();
    if (t > 0u) {
        let state = state_at(row_at(s, direction, t - 1u), direction, unit);
        cell += forget * cells[state];
        before = hidden[state];
    }
    gates[gate] = input;
    gates[gate + pitch] = forget;
    gates[gate + 2u * pitch] = update;
    gates[gate + 3u * pitch] = output;
    let state = state_at(row, direction, unit);
    cells[state] = cell;
    previous[state] = before;
    hidden[state] = output * hyperbolic_tangents(cell);
}

/// Place of four states' gradients in `carry`; part 0 the cells', 1 and 2 the hidden states' of even and odd steps.
fn carry_at(part: u32, place: u32, direction: u32, unit: u32) -> u32 {
    return (((part * args.batch + place) * 2u + direction) * args.hidden + unit) / 4u;
}

@compute @workgroup_size(LANES)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let h = args.hidden;
    let direction = group.y;
    find_ranges(group.x, lane);
    workgroupBarrier();
    let end = min(args.end_step, length_of(by_length[group.x * SEQUENCES]));
    for (var step = end; step > args.first_step; step--) {
        let t = step - 1u;
        let running = running_at(t);
        for (var unit = 4u * lane; unit < h; unit += TILE_COLUMNS) {
            for (var s = 0u; s < running; s++) {
                step_backward(s, group.x * SEQUENCES + s, direction, t, unit);
            }
        }
        storageBarrier();
        // dh_{t-1} = Σ over gates and units of da · W_hh
        var rows: array<u32, QUADS>;
        for (var quad = 0u; quad < QUADS; quad++) {
            rows[quad] = row_at(4u * quad + lane / 2u, direction, t);
        }
        for (var tile = 0u; tile < h; tile += TILE_COLUMNS) {
            let unit = min(tile + 4u * lane, h - 4u);
            var sums = Sums();
            for (var k = 0u; k < 4u * h; k += DEPTH) {
                var weights: Terms;
                for (var i = 0u; i < DEPTH; i++) {
                    weights[i] = recurrent[((direction * 4u * h + k + i) * h + unit) / 4u];
                }
                for (var quad = 0u; quad < QUADS; quad++) {
                    let da = dgates[gate_at(rows[quad], direction, k) + lane % 2u];
                    sums[quad] = multiply_quad(da, &weights, sums[quad]);
                }
            }
            for (var quad = 0u; quad < QUADS; quad++) {
                for (var i = 0u; i < 4u; i++) {
                    let s = 4u * quad + i;
                    if (s < running && tile + 4u * lane < h) {
                        carry[carry_at(1u + t % 2u, group.x * SEQUENCES + s, direction, unit)] = sums[quad][i];
                    }
                }
            }
        }
        storageBarrier();
    }
}

/// Gate gradients of four units of a sequence at step `t`, and what the cell hands back.
fn step_backward(s: u32, place: u32, direction: u32, t: u32, unit: u32) {
    let pitch = args.hidden / 4u;
    let row = row_at(s, direction, t);
    let gate = gate_at(row, direction, unit);
    let input = saved_gates[gate];
    let forget = saved_gates[gate + pitch];
    let update = saved_gates[gate + 2u * pitch];
    let output = saved_gates[gate + 3u * pitch];
    let squashed = hyperbolic_tangents(saved_cells[state_at(row, direction, unit)]);
    var before = vec4<f32>();
    if (t > 0u) {
        before = saved_cells[state_at(row_at(s, direction, t - 1u), direction, unit)];
    }
    var dh = 0.5 * dy[(row * args.hidden + unit) / 4u];
    var dc = vec4<f32>();
    if (ranges[s].x + t + 1u < ranges[s].y) {
        dh += carry[carry_at(1u + (t + 1u) % 2u, place, direction, unit)];
        dc = carry[carry_at(0u, place, direction, unit)];
    }
    dc += dh * output * (1.0 - squashed * squashed);
    carry[carry_at(0u, place, direction, unit)] = dc * forget;
    dgates[gate] = dc * update * input * (1.0 - input);
    dgates[gate + pitch] = dc * before * forget * (1.0 - forget);
    dgates[gate + 2u * pitch] = dc * input * (1.0 - update * update);
    dgates[gate + 3u * pitch] = dh * squashed * output * (1.0 - output);
}
