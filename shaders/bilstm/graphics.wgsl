// `bilstm` for graphics hardware: a workgroup runs SEQUENCES sequences; the states and what the next step needs first stay on chip,
// the weights stream from cache.
//
// The four sequences of an invocation are the components of its vectors. All four are loaded, and zero chosen for those without such
// a step: a loop that writes a vector's component by the loop's variable is one that FXC, DX12's older compiler, unrolls with all
// loops around it, or refuses. Nor does it see that a loop's invocations meet at a barrier again when they left it one by one.

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
    let place = slice * SEQUENCES + share * OWN;
    let x = sequence(place, direction);
    let y = sequence(place + 1u, direction);
    let z = sequence(place + 2u, direction);
    let w = sequence(place + 3u, direction);
    return Own(vec4<u32>(x.x, y.x, z.x, w.x), vec4<u32>(x.y, y.y, z.y, w.y), vec4<u32>(x.z, y.z, z.z, w.z));
}

/// First row, length and utterance of the sequence at a place by length.
fn sequence(place: u32, direction: u32) -> vec3<u32> {
    let utterance = by_length[min(place, args.batch - 1u)];
    let begin = offsets[utterance];
    let end = offsets[utterance + 1u];
    return vec3<u32>(select(begin, end - 1u, direction == 1u), select(0u, end - begin, place < args.batch), utterance);
}

/// Steps of this dispatch that a slice takes: slices are sorted by length.
fn end_of(slice: u32) -> u32 {
    let utterance = by_length[slice * SEQUENCES];
    return min(args.end_step, offsets[utterance + 1u] - offsets[utterance]);
}

/// Which sequences have a step `t` of a unit. Before the first step is none: 0 - 1 is past every last.
fn have(own: Own, t: u32, unit: u32) -> vec4<bool> {
    return vec4<u32>(t) < select(vec4<u32>(), own.lengths, unit < args.hidden);
}

/// Rows that a direction visits at step `t`; of sequences without it their last ones, and of those without any some row.
fn rows_at(own: Own, direction: u32, t: u32) -> vec4<u32> {
    let steps = min(vec4<u32>(t), max(own.lengths, vec4<u32>(1u)) - 1u);
    return min(select(own.first + steps, own.first - steps, direction == 1u), vec4<u32>(args.rows - 1u));
}

/// Places of a unit, or of the last one, among a direction's states.
fn states_at(own: Own, direction: u32, t: u32, unit: u32) -> vec4<u32> {
    return rows_at(own, direction, t) * 2u * args.hidden + direction * args.hidden + min(unit, args.hidden - 1u);
}

/// Places of a gate of a unit, or of the last one.
fn gates_at(own: Own, direction: u32, t: u32, unit: u32, gate: u32) -> vec4<u32> {
    return rows_at(own, direction, t) * 8u * args.hidden + (direction * 4u + gate) * args.hidden + min(unit, args.hidden - 1u);
}

/// A gate before the step's product: what `linear` left there, with the bias.
fn started_gate(own: Own, direction: u32, t: u32, unit: u32, gate: u32) -> vec4<f32> {
    let at = gates_at(own, direction, t, unit, gate);
    let values = vec4<f32>(gates[at.x], gates[at.y], gates[at.z], gates[at.w]);
    return select(vec4<f32>(), values + bias[(direction * 4u + gate) * args.hidden + unit], have(own, t, unit));
}

/// Cells after step `t`, as the invocation stored them.
fn cells_after(own: Own, direction: u32, t: u32, unit: u32) -> vec4<f32> {
    let at = states_at(own, direction, t, unit);
    return select(vec4<f32>(), vec4<f32>(cells[at.x], cells[at.y], cells[at.z], cells[at.w]), have(own, t, unit));
}

/// The same of hidden states.
fn hidden_after(own: Own, direction: u32, t: u32, unit: u32) -> vec4<f32> {
    let at = states_at(own, direction, t, unit);
    return select(vec4<f32>(), vec4<f32>(hidden[at.x], hidden[at.y], hidden[at.z], hidden[at.w]), have(own, t, unit));
}

/// Four factors times a number of each sequence, a column for each factor.
fn outer_product(numbers: vec4<f32>, factors: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(factors.x * numbers, factors.y * numbers, factors.z * numbers, factors.w * numbers);
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
    let chunks = (h + UNITS - 1u) / UNITS;
    // Units past the last are zero up to a whole block.
    for (var unit = first_unit; unit < (h + BLOCK - 1u) / BLOCK * BLOCK; unit += UNITS) {
        shared_states[unit * SHARES + share] = hidden_after(own, direction, args.first_step - 1u, unit);
    }
    workgroupBarrier();
    for (var t = args.first_step; t < end; t++) {
        var newest = vec4<f32>();
        for (var chunk = 0u; chunk < chunks; chunk++) {
            let unit = chunk * UNITS + first_unit;
            if (unit < h) {
                let states = stepped(own, direction, t, unit, share);
                newest = select(newest, states, chunk == 0u);
            }
        }
        workgroupBarrier();
        // Only of a first unit are the states at hand.
        if (first_unit < h) {
            shared_states[first_unit * SHARES + share] = newest;
        }
        for (var unit = UNITS + first_unit; unit < h; unit += UNITS) {
            shared_states[unit * SHARES + share] = hidden_after(own, direction, t, unit);
        }
        workgroupBarrier();
    }
}

/// Steps a unit of the sequences to `t` and stores what becomes of it; returns the hidden states.
fn stepped(own: Own, direction: u32, t: u32, unit: u32, share: u32) -> vec4<f32> {
    let h = args.hidden;
    // What else the step needs arrives while the product is computed.
    var sums = mat4x4<f32>(
        started_gate(own, direction, t, unit, 0u),
        started_gate(own, direction, t, unit, 1u),
        started_gate(own, direction, t, unit, 2u),
        started_gate(own, direction, t, unit, 3u),
    );
    let cells_before = cells_after(own, direction, t - 1u, unit);
    var coming = state_weights(direction, 0u, unit);
    for (var k = 0u; k < h; k += BLOCK) {
        let weights = coming;
        coming = state_weights(direction, k + BLOCK, unit);
        for (var i = 0u; i < BLOCK; i++) {
            sums += outer_product(shared_states[(k + i) * SHARES + share], weights[i]);
        }
    }
    let before = shared_states[unit * SHARES + share];
    let input = sigmoids(sums[0]);
    let forget = sigmoids(sums[1]);
    let update = hyperbolic_tangents(sums[2]);
    let output = sigmoids(sums[3]);
    let cell = input * update + forget * cells_before;
    let states = output * hyperbolic_tangents(cell);
    let gate_places = gates_at(own, direction, t, unit, 0u);
    let state_places = states_at(own, direction, t, unit);
    for (var s = 0u; s < OWN; s++) {
        if (t < own.lengths[s]) {
            gates[gate_places[s]] = input[s];
            gates[gate_places[s] + h] = forget[s];
            gates[gate_places[s] + 2u * h] = update[s];
            gates[gate_places[s] + 3u * h] = output[s];
            cells[state_places[s]] = cell[s];
            previous[state_places[s]] = before[s];
            hidden[state_places[s]] = states[s];
        }
    }
    return states;
}

/// Places of the gradients of a unit's states, or of the last one's, in `carry`; part 0 the cells', 1 and 2 the hidden states' of even
/// and odd steps.
fn carry_at(own: Own, part: u32, direction: u32, unit: u32) -> vec4<u32> {
    return ((part * args.batch + own.utterances) * 2u + direction) * args.hidden + min(unit, args.hidden - 1u);
}

/// What steps from `step` on handed back to a unit, by a part of `carry`; nothing after a sequence's last step.
fn handed_back(own: Own, part: u32, direction: u32, step: u32, unit: u32) -> vec4<f32> {
    let at = carry_at(own, part, direction, unit);
    return select(vec4<f32>(), vec4<f32>(carry[at.x], carry[at.y], carry[at.z], carry[at.w]), have(own, step, unit));
}

/// A gate of a unit at step `t`.
fn saved_gate(own: Own, direction: u32, t: u32, unit: u32, gate: u32) -> vec4<f32> {
    let at = gates_at(own, direction, t, unit, gate);
    let values = vec4<f32>(saved_gates[at.x], saved_gates[at.y], saved_gates[at.z], saved_gates[at.w]);
    return select(vec4<f32>(), values, have(own, t, unit));
}

/// Cells of a unit after step `t`.
fn saved_cells_after(own: Own, direction: u32, t: u32, unit: u32) -> vec4<f32> {
    let at = states_at(own, direction, t, unit);
    let values = vec4<f32>(saved_cells[at.x], saved_cells[at.y], saved_cells[at.z], saved_cells[at.w]);
    return select(vec4<f32>(), values, have(own, t, unit));
}

/// Gradients of a unit's outputs at step `t`, which are both directions' mean.
fn output_gradients(own: Own, direction: u32, t: u32, unit: u32) -> vec4<f32> {
    let at = rows_at(own, direction, t) * args.hidden + min(unit, args.hidden - 1u);
    let values = vec4<f32>(y_gradient[at.x], y_gradient[at.y], y_gradient[at.z], y_gradient[at.w]);
    return select(vec4<f32>(), values, have(own, t, unit));
}

/// Weights of one gate's BLOCK units from `u` on to four states; past the last unit the last one's, which count for nothing.
fn unit_weights(gate: u32, u: u32, states: vec4<u32>) -> mat4x4<f32> {
    return mat4x4<f32>(
        weights_of(gate, u, states), weights_of(gate, u + 1u, states), weights_of(gate, u + 2u, states), weights_of(gate, u + 3u, states),
    );
}

fn weights_of(gate: u32, unit: u32, states: vec4<u32>) -> vec4<f32> {
    let at = (gate * args.hidden + min(unit, args.hidden - 1u)) * args.hidden + states;
    return vec4<f32>(recurrent[at.x], recurrent[at.y], recurrent[at.z], recurrent[at.w]);
}

/// Puts an invocation's gate gradients where all find them.
fn share_gradients(lane: u32, gradients: mat4x4<f32>) {
    let first = lane % UNITS * 4u * SHARES + lane / UNITS;
    shared_states[first] = gradients[0];
    shared_states[first + SHARES] = gradients[1];
    shared_states[first + 2u * SHARES] = gradients[2];
    shared_states[first + 3u * SHARES] = gradients[3];
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
            let input = saved_gate(own, direction, t, unit, 0u);
            let forget = saved_gate(own, direction, t, unit, 1u);
            let update = saved_gate(own, direction, t, unit, 2u);
            let output = saved_gate(own, direction, t, unit, 3u);
            let squashed = hyperbolic_tangents(saved_cells_after(own, direction, t, unit));
            let cells_before = select(vec4<f32>(), saved_cells_after(own, direction, t - 1u, unit), have(own, t, unit));
            dh += 0.5 * output_gradients(own, direction, t, unit);
            dc += dh * output * (1.0 - squashed * squashed);
            let da = mat4x4<f32>(
                dc * update * input * (1.0 - input),
                dc * cells_before * forget * (1.0 - forget),
                dc * input * (1.0 - update * update),
                dh * squashed * output * (1.0 - output),
            );
            dc *= forget;
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
            var sums = mat4x4<f32>();
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
                    let weights = coming;
                    coming = unit_weights(row, first + u + BLOCK, columns);
                    for (var j = 0u; j < BLOCK; j++) {
                        sums += outer_product(shared_states[((u + j) * 4u + gate) * SHARES + column_share], weights[j]);
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
            let places = carry_at(own, 1u + t % 2u, direction, unit);
            for (var s = 0u; s < OWN; s++) {
                if (t < own.lengths[s] && unit < h) {
                    carry[places[s]] = total[s];
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
fn store_gradients(own: Own, direction: u32, t: u32, unit: u32, gradients: mat4x4<f32>, cells_back: vec4<f32>) {
    let gate_places = gates_at(own, direction, t, unit, 0u);
    let carry_places = carry_at(own, 0u, direction, unit);
    for (var s = 0u; s < OWN; s++) {
        if (t < own.lengths[s] && unit < args.hidden) {
            gates_gradient[gate_places[s]] = gradients[0][s];
            gates_gradient[gate_places[s] + args.hidden] = gradients[1][s];
            gates_gradient[gate_places[s] + 2u * args.hidden] = gradients[2][s];
            gates_gradient[gate_places[s] + 3u * args.hidden] = gradients[3][s];
            carry[carry_places[s]] = cells_back[s];
        }
    }
}

/// Gate gradients of a unit at step `t`, as the invocation stored them.
fn gradients_of(own: Own, direction: u32, t: u32, unit: u32) -> mat4x4<f32> {
    return mat4x4<f32>(
        stored_gradient(own, direction, t, unit, 0u),
        stored_gradient(own, direction, t, unit, 1u),
        stored_gradient(own, direction, t, unit, 2u),
        stored_gradient(own, direction, t, unit, 3u),
    );
}

fn stored_gradient(own: Own, direction: u32, t: u32, unit: u32, gate: u32) -> vec4<f32> {
    let at = gates_at(own, direction, t, unit, gate);
    let values = vec4<f32>(gates_gradient[at.x], gates_gradient[at.y], gates_gradient[at.z], gates_gradient[at.w]);
    return select(vec4<f32>(), values, have(own, t, unit));
}
