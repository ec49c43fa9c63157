// The recurrence of a bidirectional LSTM (2–5), its time loop inside the kernel. One workgroup runs SEQUENCES sequences
// of similar length in one direction; the states stay on chip, one invocation per hidden unit.
// forward   i, f, o = σ(a), g = tanh(a), a = x·W_ihᵀ + b_ih (by `linear`) + b_hh + h_{t-1}·W_hhᵀ;
//           c_t = f c_{t-1} + i g,  h_t = o tanh(c_t)
// backward  the gradients of a, walking back; everything else is a product of them (`linear`)
// gates: [rows, 2 · 4H] (directions, then i f g o, then units), cells, previous, hidden: [rows, 2H]

import package::shared::numbers::{sigmoid, hyperbolic_tangent};

struct Args {
    rows: u32,
    batch: u32,
    hidden: u32,
    /// The dispatch covers steps first_step .. end_step, so that long sequences stay within a driver's patience.
    first_step: u32,
    end_step: u32,
}

@group(0) @binding(0) var<uniform> args: Args;
/// W_hh [2 · 4H, H]
@group(0) @binding(1) var<storage, read> recurrent: array<f32>;
/// W_hh as the forward loop reads it: [2, H (summed over), H (unit)] of the four gates
@group(0) @binding(2) var<storage, read> forward_recurrent: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> offsets: array<u32>;
@group(0) @binding(5) var<storage, read> by_length: array<u32>;
@group(0) @binding(6) var<storage, read_write> gates: array<f32>;
@group(0) @binding(7) var<storage, read_write> cells: array<f32>;
@group(0) @binding(8) var<storage, read_write> previous: array<f32>;
@group(0) @binding(9) var<storage, read_write> hidden: array<f32>;
@group(0) @binding(10) var<storage, read> dy: array<f32>;
@group(0) @binding(11) var<storage, read> saved_gates: array<f32>;
@group(0) @binding(12) var<storage, read> saved_cells: array<f32>;
@group(0) @binding(13) var<storage, read_write> dgates: array<f32>;
/// What the step after hands back: [3, batch, 2H]: the cells' gradients, then the states' for even and odd steps
@group(0) @binding(14) var<storage, read_write> carry: array<f32>;

const LANES: u32 = 128;
const SEQUENCES: u32 = 8;
const MAX_HIDDEN: u32 = 512;

/// Forward: states h_{t-1}, [unit] of two vec4 of sequences. Backward: gate gradients of LANES units, [unit, gate] of the same.
var<workgroup> states: array<vec4<f32>, MAX_HIDDEN * 2>;

/// Utterance in place `s` of a workgroup's slice, `batch` where the slice is short.
fn slice_utterance(group: u32, s: u32) -> u32 {
    let place = group * SEQUENCES + s;
    if (place >= args.batch) {
        return args.batch;
    }
    return by_length[place];
}

/// Rows of an utterance; none for the utterance after the last.
fn length_of(utterance: u32) -> u32 {
    if (utterance >= args.batch) {
        return 0u;
    }
    return offsets[utterance + 1u] - offsets[utterance];
}

/// Row that a direction visits at step `t`.
fn row_at(utterance: u32, direction: u32, t: u32) -> u32 {
    return select(offsets[utterance] + t, offsets[utterance + 1u] - 1u - t, direction == 1u);
}

@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let h = args.hidden;
    let direction = group.y;
    // Slices are sorted by length, so the first sequence is the longest.
    let end = min(args.end_step, length_of(slice_utterance(group.x, 0u)));
    for (var unit = lane; unit < h; unit += LANES) {
        var carried = array<f32, SEQUENCES>();
        for (var s = 0u; s < SEQUENCES; s++) {
            let utterance = slice_utterance(group.x, s);
            if (args.first_step > 0u && args.first_step < length_of(utterance)) {
                carried[s] = hidden[row_at(utterance, direction, args.first_step - 1u) * 2u * h + direction * h + unit];
            }
        }
        states[unit * 2u] = vec4<f32>(carried[0], carried[1], carried[2], carried[3]);
        states[unit * 2u + 1u] = vec4<f32>(carried[4], carried[5], carried[6], carried[7]);
    }
    workgroupBarrier();
    for (var t = args.first_step; t < end; t++) {
        for (var unit = lane; unit < h; unit += LANES) {
            // sums[gate · 2 + half]: four sequences each
            var sums = array<vec4<f32>, 8>();
            for (var k = 0u; k < h; k++) {
                let w = forward_recurrent[(direction * h + k) * h + unit];
                let low = states[k * 2u];
                let high = states[k * 2u + 1u];
                sums[0] += w.x * low;
                sums[1] += w.x * high;
                sums[2] += w.y * low;
                sums[3] += w.y * high;
                sums[4] += w.z * low;
                sums[5] += w.z * high;
                sums[6] += w.w * low;
                sums[7] += w.w * high;
            }
            for (var s = 0u; s < SEQUENCES; s++) {
                let utterance = slice_utterance(group.x, s);
                if (t >= length_of(utterance)) {
                    continue;
                }
                let row = row_at(utterance, direction, t);
                let gate = row * 8u * h + direction * 4u * h + unit;
                let first_bias = direction * 4u * h + unit;
                let input = sigmoid(gates[gate] + bias[first_bias] + sums[s / 4u][s % 4u]);
                let forget = sigmoid(gates[gate + h] + bias[first_bias + h] + sums[2u + s / 4u][s % 4u]);
                let update = hyperbolic_tangent(gates[gate + 2u * h] + bias[first_bias + 2u * h] + sums[4u + s / 4u][s % 4u]);
                let output = sigmoid(gates[gate + 3u * h] + bias[first_bias + 3u * h] + sums[6u + s / 4u][s % 4u]);
                var cell = input * update;
                if (t > 0u) {
                    cell += forget * cells[row_at(utterance, direction, t - 1u) * 2u * h + direction * h + unit];
                }
                gates[gate] = input;
                gates[gate + h] = forget;
                gates[gate + 2u * h] = update;
                gates[gate + 3u * h] = output;
                let state = row * 2u * h + direction * h + unit;
                cells[state] = cell;
                previous[state] = states[unit * 2u + s / 4u][s % 4u];
                hidden[state] = output * hyperbolic_tangent(cell);
            }
        }
        workgroupBarrier();
        for (var unit = lane; unit < h; unit += LANES) {
            var next = array<f32, SEQUENCES>();
            for (var s = 0u; s < SEQUENCES; s++) {
                let utterance = slice_utterance(group.x, s);
                if (t < length_of(utterance)) {
                    next[s] = hidden[row_at(utterance, direction, t) * 2u * h + direction * h + unit];
                }
            }
            states[unit * 2u] = vec4<f32>(next[0], next[1], next[2], next[3]);
            states[unit * 2u + 1u] = vec4<f32>(next[4], next[5], next[6], next[7]);
        }
        workgroupBarrier();
    }
}

/// Place of a state's gradient in `carry`; part 0 the cells', 1 and 2 the hidden states' of even and odd steps.
fn carry_at(part: u32, utterance: u32, direction: u32, unit: u32) -> u32 {
    return ((part * args.batch + utterance) * 2u + direction) * args.hidden + unit;
}

@compute @workgroup_size(LANES)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let h = args.hidden;
    let direction = group.y;
    let end = min(args.end_step, length_of(slice_utterance(group.x, 0u)));
    let chunks = (h + LANES - 1u) / LANES;
    for (var step = end; step > args.first_step; step--) {
        let t = step - 1u;
        let arriving = 1u + step % 2u;
        let leaving = 1u + t % 2u;
        for (var chunk = 0u; chunk < chunks; chunk++) {
            let unit = chunk * LANES + lane;
            var low = array<vec4<f32>, 4>();
            var high = array<vec4<f32>, 4>();
            if (unit < h) {
                for (var s = 0u; s < SEQUENCES; s++) {
                    let utterance = slice_utterance(group.x, s);
                    let length = length_of(utterance);
                    if (t >= length) {
                        continue;
                    }
                    let row = row_at(utterance, direction, t);
                    let gate = row * 8u * h + direction * 4u * h + unit;
                    let input = saved_gates[gate];
                    let forget = saved_gates[gate + h];
                    let update = saved_gates[gate + 2u * h];
                    let output = saved_gates[gate + 3u * h];
                    let squashed = hyperbolic_tangent(saved_cells[row * 2u * h + direction * h + unit]);
                    var before = 0.0;
                    if (t > 0u) {
                        before = saved_cells[row_at(utterance, direction, t - 1u) * 2u * h + direction * h + unit];
                    }
                    var dh = 0.5 * dy[row * h + unit];
                    var dc = 0.0;
                    if (step < length) {
                        dh += carry[carry_at(arriving, utterance, direction, unit)];
                        dc = carry[carry_at(0u, utterance, direction, unit)];
                    }
                    dc += dh * output * (1.0 - squashed * squashed);
                    carry[carry_at(0u, utterance, direction, unit)] = dc * forget;
                    let da = vec4<f32>(
                        dc * update * input * (1.0 - input),
                        dc * before * forget * (1.0 - forget),
                        dc * input * (1.0 - update * update),
                        dh * squashed * output * (1.0 - output),
                    );
                    for (var g = 0u; g < 4u; g++) {
                        dgates[gate + g * h] = da[g];
                        if (s < 4u) {
                            low[g][s] = da[g];
                        } else {
                            high[g][s - 4u] = da[g];
                        }
                    }
                }
            }
            for (var g = 0u; g < 4u; g++) {
                states[(lane * 4u + g) * 2u] = low[g];
                states[(lane * 4u + g) * 2u + 1u] = high[g];
            }
            workgroupBarrier();
            // dh_{t-1} = Σ over gates and units of da · W_hh, this chunk's units
            for (var k = lane; k < h; k += LANES) {
                var sums = array<vec4<f32>, 2>();
                for (var u = 0u; u < min(LANES, h - chunk * LANES); u++) {
                    for (var g = 0u; g < 4u; g++) {
                        let w = recurrent[((direction * 4u + g) * h + chunk * LANES + u) * h + k];
                        sums[0] += w * states[(u * 4u + g) * 2u];
                        sums[1] += w * states[(u * 4u + g) * 2u + 1u];
                    }
                }
                for (var s = 0u; s < SEQUENCES; s++) {
                    let utterance = slice_utterance(group.x, s);
                    if (t < length_of(utterance)) {
                        let place = carry_at(leaving, utterance, direction, k);
                        if (chunk > 0u) {
                            carry[place] += sums[s / 4u][s % 4u];
                        } else {
                            carry[place] = sums[s / 4u][s % 4u];
                        }
                    }
                }
            }
            workgroupBarrier();
        }
    }
}
