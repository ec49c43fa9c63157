// `bilstm` for graphics hardware: a workgroup runs SEQUENCES sequences; the states and what the next step needs first stay on chip,
// the weights stream from cache.

import super::interface::{
    args, recurrent, forward_recurrent, bias, offsets, by_length, gates, cells, previous, hidden, y_gradient, saved_gates, saved_cells,
    gates_gradient, carry,
};
import package::shared::numbers::{sigmoids, hyperbolic_tangents};

/// Hidden units that a workgroup works on at a time, and sequences of one invocation.
const UNITS: u32 = 128;
const OWN: u32 = 4;
/// Sequences of a workgroup.
const SEQUENCES: u32 = 8;
const SHARES: u32 = SEQUENCES / OWN;
/// Invocation `lane` has the unit lane % UNITS and the sequences of share lane / UNITS.
const WORKGROUP: u32 = UNITS * SHARES;
const MAX_HIDDEN: u32 = 512;
/// Terms of a product whose weights are fetched while those before are multiplied.
const BLOCK: u32 = 4;
/// Columns that an invocation of a backward product sums, this far apart so that neighbours read neighbours.
const COLUMN_STEP: u32 = UNITS / 4;

/// Forward: states h_{t-1}, [unit, share]. Backward: gate gradients of UNITS units, [unit, gate, share]; then what each gate
/// adds to as many states' gradients, [gate, unit, share].
var<workgroup> shared_states: array<vec4<f32>, MAX_HIDDEN * SHARES>;

/// The sequences of an invocation, the longest of its workgroup first.
struct Own {
    /// Their first rows in the direction of time.
    first: vec4<u32>,
    /// None where the slice is short.
    lengths: vec4<u32>,
    /// Utterances, as `carry` counts them.
    utterances: vec4<u32>,
}

fn own_sequences(slice: u32, share: u32, direction: u32) -> Own {
    var own: Own;
    for (var s = 0u; s < OWN; s++) {
        let place = slice * SEQUENCES + share * OWN + s;
        let utterance = by_length[min(place, args.batch - 1u)];
        let begin = offsets[utterance];
        let end = offsets[utterance + 1u];
        own.first[s] = select(begin, end - 1u, direction == 1u);
        own.lengths[s] = select(0u, end - begin, place < args.batch);
        own.utterances[s] = utterance;
    }
    return own;
}

/// Steps of this dispatch that a slice takes: slices are sorted by length.
fn end_of(slice: u32) -> u32 {
    let utterance = by_length[slice * SEQUENCES];
    return min(args.end_step, offsets[utterance + 1u] - offsets[utterance]);
}

/// Row that a direction visits at step `t`.
fn row_at(first: u32, direction: u32, t: u32) -> u32 {
    return select(first + t, first - t, direction == 1u);
}

/// Place of a unit among a direction's states of a row.
fn state_at(row: u32, direction: u32, unit: u32) -> u32 {
    return row * 2u * args.hidden + direction * args.hidden + unit;
}

/// Place of a unit's input gate; the other gates lie `hidden` further each.
fn gate_at(row: u32, direction: u32, unit: u32) -> u32 {
    return row * 8u * args.hidden + direction * 4u * args.hidden + unit;
}

/// Weights of BLOCK states from `k` on to the four gates of a unit; past the last state, whose like count as zero, the last one's.
fn state_weights(direction: u32, k: u32, unit: u32) -> mat4x4<f32> {
    let h = args.hidden;
    let last = h - 1u;
    return mat4x4<f32>(
        forward_recurrent[(direction * h + min(k, last)) * h + unit],
        forward_recurrent[(direction * h + min(k + 1u, last)) * h + unit],
        forward_recurrent[(direction * h + min(k + 2u, last)) * h + unit],
        forward_recurrent[(direction * h + min(k + 3u, last)) * h + unit],
    );
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let h = args.hidden;
    let direction = group.y;
    let first_unit = lane % UNITS;
    let share = lane / UNITS;
    let own = own_sequences(group.x, share, direction);
    let end = end_of(group.x);
    // Units past the last are zero up to a whole block.
    for (var unit = first_unit; unit < (h + BLOCK - 1u) / BLOCK * BLOCK; unit += UNITS) {
        shared_states[unit * SHARES + share] = states_of(own, direction, args.first_step, unit);
    }
    workgroupBarrier();
    for (var t = args.first_step; t < end; t++) {
        var newest = vec4<f32>();
        for (var unit = first_unit; unit < h; unit += UNITS) {
            // What else the step needs arrives while the product is computed.
            var sums = array<vec4<f32>, 4>();
            var cells_before = vec4<f32>();
            for (var s = 0u; s < OWN; s++) {
                if (t < own.lengths[s]) {
                    let gate = gate_at(row_at(own.first[s], direction, t), direction, unit);
                    for (var g = 0u; g < 4u; g++) {
                        sums[g][s] = gates[gate + g * h] + bias[direction * 4u * h + g * h + unit];
                    }
                    if (t > 0u) {
                        cells_before[s] = cells[state_at(row_at(own.first[s], direction, t - 1u), direction, unit)];
                    }
                }
            }
            var coming = state_weights(direction, 0u, unit);
            for (var k = 0u; k < h; k += BLOCK) {
                let weights = coming;
                coming = state_weights(direction, k + BLOCK, unit);
                for (var i = 0u; i < BLOCK; i++) {
                    let state = shared_states[(k + i) * SHARES + share];
                    for (var g = 0u; g < 4u; g++) {
                        sums[g] += weights[i][g] * state;
                    }
                }
            }
            let before = shared_states[unit * SHARES + share];
            let input = sigmoids(sums[0]);
            let forget = sigmoids(sums[1]);
            let update = hyperbolic_tangents(sums[2]);
            let output = sigmoids(sums[3]);
            let cell = input * update + forget * cells_before;
            let state = output * hyperbolic_tangents(cell);
            for (var s = 0u; s < OWN; s++) {
                if (t < own.lengths[s]) {
                    let row = row_at(own.first[s], direction, t);
                    let gate = gate_at(row, direction, unit);
                    gates[gate] = input[s];
                    gates[gate + h] = forget[s];
                    gates[gate + 2u * h] = update[s];
                    gates[gate + 3u * h] = output[s];
                    cells[state_at(row, direction, unit)] = cell[s];
                    previous[state_at(row, direction, unit)] = before[s];
                    hidden[state_at(row, direction, unit)] = state[s];
                }
            }
            newest = select(newest, state, unit == first_unit);
        }
        workgroupBarrier();
        for (var unit = first_unit; unit < h; unit += UNITS) {
            // Only of a first unit is the state at hand.
            if (unit == first_unit) {
                shared_states[unit * SHARES + share] = newest;
            } else {
                shared_states[unit * SHARES + share] = states_of(own, direction, t + 1u, unit);
            }
        }
        workgroupBarrier();
    }
}

/// States that a step starts from, as the invocation stored them; zero where there are none.
fn states_of(own: Own, direction: u32, t: u32, unit: u32) -> vec4<f32> {
    var states = vec4<f32>();
    for (var s = 0u; s < OWN; s++) {
        if (t > 0u && t <= own.lengths[s] && unit < args.hidden) {
            states[s] = hidden[state_at(row_at(own.first[s], direction, t - 1u), direction, unit)];
        }
    }
    return states;
}

/// Place of a state's gradient in `carry`; part 0 the cells', 1 and 2 the hidden states' of even and odd steps.
fn carry_at(part: u32, utterance: u32, direction: u32, unit: u32) -> u32 {
    return ((part * args.batch + utterance) * 2u + direction) * args.hidden + unit;
}

/// What steps from `step` on handed back to a unit, by a part of `carry`; nothing after a sequence's last step.
fn handed_back(own: Own, part: u32, direction: u32, step: u32, unit: u32) -> vec4<f32> {
    var gradients = vec4<f32>();
    for (var s = 0u; s < OWN; s++) {
        if (step < own.lengths[s] && unit < args.hidden) {
            gradients[s] = carry[carry_at(part, own.utterances[s], direction, unit)];
        }
    }
    return gradients;
}

/// Weights of one gate's BLOCK units from `u` on to four states; past the last unit the last one's, which count for nothing.
fn unit_weights(gate: u32, u: u32, states: vec4<u32>) -> mat4x4<f32> {
    var weights: mat4x4<f32>;
    for (var i = 0u; i < BLOCK; i++) {
        let places = (gate * args.hidden + min(u + i, args.hidden - 1u)) * args.hidden + states;
        weights[i] = vec4<f32>(recurrent[places.x], recurrent[places.y], recurrent[places.z], recurrent[places.w]);
    }
    return weights;
}

/// Puts an invocation's gate gradients where all find them.
fn share_gradients(lane: u32, gradients: array<vec4<f32>, 4>) {
    var all = gradients;
    for (var g = 0u; g < 4u; g++) {
        shared_states[(lane % UNITS * 4u + g) * SHARES + lane / UNITS] = all[g];
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let h = args.hidden;
    let direction = group.y;
    let first_unit = lane % UNITS;
    let share = lane / UNITS;
    let own = own_sequences(group.x, share, direction);
    let end = end_of(group.x);
    let chunks = (h + UNITS - 1u) / UNITS;
    // In the product an invocation has the columns `column` and those COLUMN_STEP further each, of one gate and one share.
    let column = lane % COLUMN_STEP;
    let column_share = lane / COLUMN_STEP % SHARES;
    let gate = lane / COLUMN_STEP / SHARES;
    // What the step before handed back to the first unit.
    var states_back = handed_back(own, 1u + end % 2u, direction, end, first_unit);
    var cells_back = handed_back(own, 0u, direction, end, first_unit);
    for (var step = end; step > args.first_step; step--) {
        let t = step - 1u;
        for (var chunk = 0u; chunk < chunks; chunk++) {
            let unit = chunk * UNITS + first_unit;
            var dh = states_back;
            var dc = cells_back;
            if (chunk > 0u) {
                dh = handed_back(own, 1u + step % 2u, direction, step, unit);
                dc = handed_back(own, 0u, direction, step, unit);
            }
            // All zero where a sequence has no step t.
            var saved = array<vec4<f32>, 4>();
            var cell = vec4<f32>();
            var cell_before = vec4<f32>();
            for (var s = 0u; s < OWN; s++) {
                if (t < own.lengths[s] && unit < h) {
                    let row = row_at(own.first[s], direction, t);
                    for (var g = 0u; g < 4u; g++) {
                        saved[g][s] = saved_gates[gate_at(row, direction, unit) + g * h];
                    }
                    cell[s] = saved_cells[state_at(row, direction, unit)];
                    if (t > 0u) {
                        cell_before[s] = saved_cells[state_at(row_at(own.first[s], direction, t - 1u), direction, unit)];
                    }
                    dh[s] += 0.5 * y_gradient[row * h + unit];
                }
            }
            let squashed = hyperbolic_tangents(cell);
            dc += dh * saved[3] * (1.0 - squashed * squashed);
            let da = array<vec4<f32>, 4>(
                dc * saved[2] * saved[0] * (1.0 - saved[0]),
                dc * cell_before * saved[1] * (1.0 - saved[1]),
                dc * saved[0] * (1.0 - saved[2] * saved[2]),
                dh * squashed * saved[3] * (1.0 - saved[3]),
            );
            dc *= saved[1];
            store_gradients(own, direction, t, unit, da, dc);
            if (chunk == 0u) {
                cells_back = dc;
            }
            // The product starts with the last chunk.
            if (chunk == chunks - 1u) {
                share_gradients(lane, da);
            }
        }
        workgroupBarrier();
        // dh_{t-1} = Σ over gates and units of da · W_hh
        for (var tile = 0u; tile < chunks; tile++) {
            let columns = min(tile * UNITS + column + COLUMN_STEP * vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(h - 1u));
            var sums = array<vec4<f32>, 4>();
            for (var i = 0u; i < chunks; i++) {
                let first = (chunks - 1u - i) * UNITS;
                if (tile + i > 0u) {
                    workgroupBarrier();
                    share_gradients(lane, gradients_of(own, direction, t, first + first_unit));
                    workgroupBarrier();
                }
                let row = direction * 4u + gate;
                var coming = unit_weights(row, first, columns);
                for (var u = 0u; u < min(UNITS, h - first); u += BLOCK) {
                    var weights = coming;
                    coming = unit_weights(row, first + u + BLOCK, columns);
                    for (var j = 0u; j < BLOCK; j++) {
                        let gradient = shared_states[((u + j) * 4u + gate) * SHARES + column_share];
                        for (var c = 0u; c < 4u; c++) {
                            sums[c] += weights[j][c] * gradient;
                        }
                    }
                }
            }
            workgroupBarrier();
            for (var c = 0u; c < 4u; c++) {
                shared_states[(gate * UNITS + column + c * COLUMN_STEP) * SHARES + column_share] = sums[c];
            }
            workgroupBarrier();
            var total = vec4<f32>();
            for (var g = 0u; g < 4u; g++) {
                total += shared_states[(g * UNITS + first_unit) * SHARES + share];
            }
            let unit = tile * UNITS + first_unit;
            for (var s = 0u; s < OWN; s++) {
                if (t < own.lengths[s] && unit < h) {
                    carry[carry_at(1u + t % 2u, own.utterances[s], direction, unit)] = total[s];
                }
            }
            if (tile == 0u) {
                states_back = total;
            }
        }
        workgroupBarrier();
    }
}

/// Stores the gate gradients of a unit at step `t`, and what its cells hand back.
fn store_gradients(own: Own, direction: u32, t: u32, unit: u32, gradients: array<vec4<f32>, 4>, cells_back: vec4<f32>) {
    for (var s = 0u; s < OWN; s++) {
        if (t < own.lengths[s] && unit < args.hidden) {
            let place = gate_at(row_at(own.first[s], direction, t), direction, unit);
            gates_gradient[place] = gradients[0][s];
            gates_gradient[place + args.hidden] = gradients[1][s];
            gates_gradient[place + 2u * args.hidden] = gradients[2][s];
            gates_gradient[place + 3u * args.hidden] = gradients[3][s];
            carry[carry_at(0u, own.utterances[s], direction, unit)] = cells_back[s];
        }
    }
}

/// Gate gradients of a unit at step `t`, as the invocation stored them.
fn gradients_of(own: Own, direction: u32, t: u32, unit: u32) -> array<vec4<f32>, 4> {
    var gradients = array<vec4<f32>, 4>();
    for (var s = 0u; s < OWN; s++) {
        if (t < own.lengths[s] && unit < args.hidden) {
            let place = gate_at(row_at(own.first[s], direction, t), direction, unit);
            for (var g = 0u; g < 4u; g++) {
                gradients[g][s] = gates_gradient[place + g * args.hidden];
            }
        }
    }
    return gradients;
}
