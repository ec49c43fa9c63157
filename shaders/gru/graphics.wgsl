// `gru` for graphics hardware: a workgroup runs four sequences, the components of its vectors. What a product of a step multiplies lies on
// chip, a vector for each unit; the weights stream from cache, four terms of a unit in a load (`shared/packed.wgsl`). Of a step's two
// products the second waits for the first.
//
// An invocation has a unit, or with `graphics` alone two of them. With `hidden128` two invocations have the same unit, and each sums one
// part of the terms; both then take the unit's step, of which each writes the half of the sequences that are its own.
//
// A sequence without a step goes on with numbers of another one of its steps, which no one reads. FXC, DX12's older compiler, does not
// see that a loop's invocations meet at a barrier again when they left it one by one: all turns are counted alike.

import super::interface::{
    Layer, Sequence, args, recurrent, sequences, layers, gates, previous, reset, y, y_gradient, saved_gates, saved_previous,
    gates_gradient, carry,
};
import package::shared::numbers::{sigmoid_by_exp2, hyperbolic_tangent_by_exp2};
import package::shared::packed::{TERMS, fours_of};

/// Hidden units that a workgroup works on at a time, …
@if(hidden128) const UNITS: u32 = 128;
@else const UNITS: u32 = 256;
/// … how often it has so many, …
@if(hidden128 || hidden256) const CHUNKS: u32 = 1;
@else const CHUNKS: u32 = 2;
/// … and parts of a product's terms.
@if(hidden128) const PARTS: u32 = 2;
@else const PARTS: u32 = 1;
const SEQUENCES: u32 = 4;
/// Invocation `lane` has the units lane % UNITS and so on, and the terms of part lane / UNITS.
const WORKGROUP: u32 = UNITS * PARTS;
const MAX_HIDDEN: u32 = UNITS * CHUNKS;

/// What is multiplied, of each unit: the states, or the gradients of a gate; past the last unit zeros.
var<workgroup> factors: array<vec4<f32>, MAX_HIDDEN>;
/// The same of a second gate.
var<workgroup> second_factors: array<vec4<f32>, MAX_HIDDEN>;
/// Sums that each invocation made, for the other part's.
@if(hidden128) var<workgroup> exchanged: array<vec4<f32>, 2 * WORKGROUP>;

/// Where the sequences of a slice lie.
struct Slice {
    /// Their first rows in the direction of time.
    first: vec4<u32>,
    /// None where the slice is short.
    lengths: vec4<u32>,
    /// The same of the sequences that the invocation writes, of the others none.
    own: vec4<u32>,
    direction: u32,
    /// Where the direction's gates and states of their layer's first row begin, and its gradients.
    gates: u32,
    states: u32,
    y_gradient: u32,
    /// Where its weights begin.
    recurrent: u32,
    /// The place of the first sequence.
    place: u32,
}

fn slice_of(number: u32, direction: u32, lane: u32) -> Slice {
    let h = args.hidden;
    let place = number * SEQUENCES;
    let layer = layers[sequences[place].layer];
    let lengths = vec4<u32>(
        sequences[place].length, sequences[place + 1u].length, sequences[place + 2u].length, sequences[place + 3u].length,
    );
    return Slice(
        vec4<u32>(
            first_in_time(sequences[place], direction),
            first_in_time(sequences[place + 1u], direction),
            first_in_time(sequences[place + 2u], direction),
            first_in_time(sequences[place + 3u], direction),
        ),
        lengths,
        select(vec4<u32>(), lengths, vec4<u32>(0u, 1u, 2u, 3u) / (SEQUENCES / PARTS) == vec4<u32>(lane / UNITS)),
        direction,
        layer.gates + direction * 3u * h,
        layer.states + direction * h,
        layer.y_gradient + direction * h,
        layer.recurrent / 4u + direction * 3u * fours_of(h) * h,
        place,
    );
}

/// The row that a direction visits first; the first of a sequence without any.
fn first_in_time(sequence: Sequence, direction: u32) -> u32 {
    return sequence.first_row + direction * (max(sequence.length, 1u) - 1u);
}

/// Steps of this dispatch that a slice takes: its first sequence is its longest.
fn end_of(number: u32) -> u32 {
    return min(args.end_step, sequences[number * SEQUENCES].length);
}

/// Which sequences of these lengths have a step `t` of a unit. Before the first step is none: 0 - 1 is past every last.
fn have(lengths: vec4<u32>, t: u32, unit: u32) -> vec4<bool> {
    return vec4<u32>(t) < select(vec4<u32>(), lengths, unit < args.hidden);
}

/// Rows that a direction visits at step `t`; of sequences without it their last ones, and of those without any the first.
fn rows_at(slice: Slice, t: u32) -> vec4<u32> {
    let steps = min(vec4<u32>(t), max(slice.lengths, vec4<u32>(1u)) - 1u);
    return select(slice.first + steps, slice.first - steps, slice.direction == 1u);
}

/// A unit, or the last one.
fn some_unit(unit: u32) -> u32 {
    return min(unit, args.hidden - 1u);
}

/// Places of a unit's states in a matrix in which the direction's begin at `first`.
fn states_at(slice: Slice, first: u32, t: u32, unit: u32) -> vec4<u32> {
    return first + rows_at(slice, t) * args.directions * args.hidden + some_unit(unit);
}

/// Places of its reset gates; those of u and c lie `hidden` further each.
fn gates_at(slice: Slice, t: u32, unit: u32) -> vec4<u32> {
    return slice.gates + rows_at(slice, t) * 3u * args.directions * args.hidden + some_unit(unit);
}

/// Places of what is handed back to a unit.
fn carry_at(slice: Slice, unit: u32) -> vec4<u32> {
    let places = slice.place + vec4<u32>(0u, 1u, 2u, 3u);
    return (places * args.directions + slice.direction) * args.hidden + some_unit(unit);
}

/// A gate before the step's product: what `linear` left there.
fn started_gate(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(gates[at.x], gates[at.y], gates[at.z], gates[at.w]);
}

fn saved_gate(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(saved_gates[at.x], saved_gates[at.y], saved_gates[at.z], saved_gates[at.w]);
}

fn sigmoids(x: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(sigmoid_by_exp2(x.x), sigmoid_by_exp2(x.y), sigmoid_by_exp2(x.z), sigmoid_by_exp2(x.w));
}

fn hyperbolic_tangents(x: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(
        hyperbolic_tangent_by_exp2(x.x), hyperbolic_tangent_by_exp2(x.y), hyperbolic_tangent_by_exp2(x.z), hyperbolic_tangent_by_exp2(x.w),
    );
}

/// Sums of two gates.
struct Pair {
    first: vec4<f32>,
    second: vec4<f32>,
}

/// A sum, and what the terms from `k` on add by their weights.
fn with_four(sum: vec4<f32>, weights: vec4<f32>, numbers: mat4x4<f32>) -> vec4<f32> {
    let half = fma(numbers[1], vec4<f32>(weights.y), fma(numbers[0], vec4<f32>(weights.x), sum));
    return fma(numbers[3], vec4<f32>(weights.w), fma(numbers[2], vec4<f32>(weights.z), half));
}

fn factors_at(k: u32) -> mat4x4<f32> {
    return mat4x4<f32>(factors[k], factors[k + 1u], factors[k + 2u], factors[k + 3u]);
}

fn second_factors_at(k: u32) -> mat4x4<f32> {
    return mat4x4<f32>(second_factors[k], second_factors[k + 1u], second_factors[k + 2u], second_factors[k + 3u]);
}

/// Fours of terms of a turn of a product's loop, whose weights are fetched together: all parts take TERMS terms.
const TURN: u32 = TERMS / 4 / PARTS;

/// Where the weights of a gate's product begin for a unit, the first of the invocation's part of the terms.
fn weights_of(slice: Slice, gate: u32, unit: u32, lane: u32) -> u32 {
    let fours = fours_of(args.hidden);
    return slice.recurrent + (gate * fours + lane / UNITS * (fours / PARTS)) * args.hidden + some_unit(unit);
}

/// The product of the factors with a gate's weights.
fn product(slice: Slice, gate: u32, unit: u32, lane: u32) -> vec4<f32> {
    let pitch = args.hidden;
    let fours = fours_of(args.hidden) / PARTS;
    var at = weights_of(slice, gate, unit, lane);
    var k = lane / UNITS * fours * 4u;
    var sum = vec4<f32>();
    for (var taken = 0u; taken < fours; taken += TURN) {
        sum = with_four(sum, recurrent[at], factors_at(k));
        sum = with_four(sum, recurrent[at + pitch], factors_at(k + 4u));
        @if(!hidden128) {
            sum = with_four(sum, recurrent[at + 2u * pitch], factors_at(k + 8u));
            sum = with_four(sum, recurrent[at + 3u * pitch], factors_at(k + 12u));
        }
        at += TURN * pitch;
        k += TURN * 4u;
    }
    return whole(sum, lane);
}

/// The products of the same factors with two gates' weights.
fn products_of_one(slice: Slice, first: u32, second: u32, unit: u32, lane: u32) -> Pair {
    let pitch = args.hidden;
    let fours = fours_of(args.hidden) / PARTS;
    var at = weights_of(slice, first, unit, lane);
    let further = (second - first) * fours_of(args.hidden) * pitch;
    var k = lane / UNITS * fours * 4u;
    var sums = Pair();
    for (var taken = 0u; taken < fours; taken += TURN) {
        sums = with_same(sums, recurrent[at], recurrent[at + further], factors_at(k));
        sums = with_same(sums, recurrent[at + pitch], recurrent[at + further + pitch], factors_at(k + 4u));
        @if(!hidden128) {
            sums = with_same(sums, recurrent[at + 2u * pitch], recurrent[at + further + 2u * pitch], factors_at(k + 8u));
            sums = with_same(sums, recurrent[at + 3u * pitch], recurrent[at + further + 3u * pitch], factors_at(k + 12u));
        }
        at += TURN * pitch;
        k += TURN * 4u;
    }
    return whole_pair(sums, lane);
}

fn with_same(sums: Pair, first: vec4<f32>, second: vec4<f32>, numbers: mat4x4<f32>) -> Pair {
    return Pair(with_four(sums.first, first, numbers), with_four(sums.second, second, numbers));
}

/// The product of the factors with a gate's weights, and of the second factors with another one's.
fn products_of_two(slice: Slice, first: u32, second: u32, unit: u32, lane: u32) -> Pair {
    let pitch = args.hidden;
    let fours = fours_of(args.hidden) / PARTS;
    var at = weights_of(slice, first, unit, lane);
    var second_at = weights_of(slice, second, unit, lane);
    var k = lane / UNITS * fours * 4u;
    var sums = Pair();
    for (var taken = 0u; taken < fours; taken += TURN) {
        sums = with_both(sums, recurrent[at], recurrent[second_at], k);
        sums = with_both(sums, recurrent[at + pitch], recurrent[second_at + pitch], k + 4u);
        @if(!hidden128) {
            sums = with_both(sums, recurrent[at + 2u * pitch], recurrent[second_at + 2u * pitch], k + 8u);
            sums = with_both(sums, recurrent[at + 3u * pitch], recurrent[second_at + 3u * pitch], k + 12u);
        }
        at += TURN * pitch;
        second_at += TURN * pitch;
        k += TURN * 4u;
    }
    return whole_pair(sums, lane);
}

fn with_both(sums: Pair, first: vec4<f32>, second: vec4<f32>, k: u32) -> Pair {
    return Pair(with_four(sums.first, first, factors_at(k)), with_four(sums.second, second, second_factors_at(k)));
}

/// A sum over all terms from that over a part of them; the same bits in both parts. All invocations get here.
@if(hidden128) fn whole(sum: vec4<f32>, lane: u32) -> vec4<f32> {
    exchanged[lane] = sum;
    workgroupBarrier();
    return sum + exchanged[lane ^ UNITS];
}
@else fn whole(sum: vec4<f32>, lane: u32) -> vec4<f32> {
    return sum;
}

/// The same of two sums.
@if(hidden128) fn whole_pair(sums: Pair, lane: u32) -> Pair {
    exchanged[lane] = sums.first;
    exchanged[WORKGROUP + lane] = sums.second;
    workgroupBarrier();
    return Pair(sums.first + exchanged[lane ^ UNITS], sums.second + exchanged[WORKGROUP + (lane ^ UNITS)]);
}
@else fn whole_pair(sums: Pair, lane: u32) -> Pair {
    return sums;
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let h = args.hidden;
    let slice = slice_of(group.y, group.x, lane);
    let end = end_of(group.y);
    let first_unit = lane % UNITS;
    let shares = lane < UNITS;
    var states: array<vec4<f32>, CHUNKS>;
    for (var chunk = 0u; chunk < CHUNKS; chunk++) {
        let unit = chunk * UNITS + first_unit;
        let at = states_at(slice, slice.states, args.first_step - 1u, unit);
        states[chunk] = select(vec4<f32>(), vec4<f32>(y[at.x], y[at.y], y[at.z], y[at.w]), have(slice.lengths, args.first_step - 1u, unit));
        if (shares) {
            factors[unit] = states[chunk];
        }
    }
    workgroupBarrier();
    for (var t = args.first_step; t < end; t++) {
        var updates: array<vec4<f32>, CHUNKS>;
        var resets: array<vec4<f32>, CHUNKS>;
        var candidates: array<vec4<f32>, CHUNKS>;
        for (var chunk = 0u; chunk < CHUNKS; chunk++) {
            let unit = chunk * UNITS + first_unit;
            // What the step begins with arrives while the product is computed.
            let gate_places = gates_at(slice, t, unit);
            let reset_start = started_gate(gate_places);
            let update_start = started_gate(gate_places + h);
            candidates[chunk] = started_gate(gate_places + 2u * h);
            let sums = products_of_one(slice, 0u, 1u, unit, lane);
            let opened = sigmoids(reset_start + sums.first);
            let update = sigmoids(update_start + sums.second);
            let before = states[chunk];
            let after_reset = opened * before;
            updates[chunk] = update;
            resets[chunk] = after_reset;
            let state_places = states_at(slice, slice.states, t, unit);
            let writes = have(slice.own, t, unit);
            for (var s = 0u; s < SEQUENCES; s++) {
                if (writes[s]) {
                    gates[gate_places[s]] = opened[s];
                    gates[gate_places[s] + h] = update[s];
                    previous[state_places[s]] = before[s];
                    reset[state_places[s]] = after_reset[s];
                }
            }
        }
        // All have multiplied the last states.
        workgroupBarrier();
        for (var chunk = 0u; chunk < CHUNKS; chunk++) {
            let unit = chunk * UNITS + first_unit;
            if (shares && unit < h) {
                factors[unit] = resets[chunk];
            }
        }
        workgroupBarrier();
        for (var chunk = 0u; chunk < CHUNKS; chunk++) {
            let unit = chunk * UNITS + first_unit;
            let candidate = hyperbolic_tangents(candidates[chunk] + product(slice, 2u, unit, lane));
            let state = updates[chunk] * states[chunk] + (1.0 - updates[chunk]) * candidate;
            states[chunk] = state;
            let gate_places = gates_at(slice, t, unit) + 2u * h;
            let state_places = states_at(slice, slice.states, t, unit);
            let writes = have(slice.own, t, unit);
            for (var s = 0u; s < SEQUENCES; s++) {
                if (writes[s]) {
                    gates[gate_places[s]] = candidate[s];
                    y[state_places[s]] = state[s];
                }
            }
        }
        workgroupBarrier();
        for (var chunk = 0u; chunk < CHUNKS; chunk++) {
            let unit = chunk * UNITS + first_unit;
            if (shares && unit < h) {
                factors[unit] = states[chunk];
            }
        }
        workgroupBarrier();
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let h = args.hidden;
    let slice = slice_of(group.y, group.x, lane);
    let end = end_of(group.y);
    let first_unit = lane % UNITS;
    let shares = lane < UNITS;
    // What the step after handed back.
    var carried: array<vec4<f32>, CHUNKS>;
    for (var chunk = 0u; chunk < CHUNKS; chunk++) {
        let unit = chunk * UNITS + first_unit;
        let at = carry_at(slice, unit);
        carried[chunk] = select(vec4<f32>(), vec4<f32>(carry[at.x], carry[at.y], carry[at.z], carry[at.w]), have(slice.lengths, end, unit));
    }
    for (var step = end; step > args.first_step; step--) {
        let t = step - 1u;
        var resets: array<vec4<f32>, CHUNKS>;
        var before: array<vec4<f32>, CHUNKS>;
        for (var chunk = 0u; chunk < CHUNKS; chunk++) {
            let unit = chunk * UNITS + first_unit;
            let gate_places = gates_at(slice, t, unit);
            let state_places = states_at(slice, slice.states, t, unit);
            let y_places = states_at(slice, slice.y_gradient, t, unit);
            resets[chunk] = saved_gate(gate_places);
            let update = saved_gate(gate_places + h);
            let candidate = saved_gate(gate_places + 2u * h);
            before[chunk] = vec4<f32>(
                saved_previous[state_places.x],
                saved_previous[state_places.y],
                saved_previous[state_places.z],
                saved_previous[state_places.w],
            );
            let arrived = vec4<f32>(y_gradient[y_places.x], y_gradient[y_places.y], y_gradient[y_places.z], y_gradient[y_places.w]);
            let running = have(slice.lengths, t, unit);
            // Nothing where a sequence has no step t.
            let gradient = carried[chunk] + arrived;
            let d_candidate = select(vec4<f32>(), gradient * (1.0 - update) * (1.0 - candidate * candidate), running);
            let d_update = select(vec4<f32>(), gradient * (before[chunk] - candidate) * update * (1.0 - update), running);
            carried[chunk] = gradient * update;
            let writes = have(slice.own, t, unit);
            for (var s = 0u; s < SEQUENCES; s++) {
                if (writes[s]) {
                    gates_gradient[gate_places[s] + h] = d_update[s];
                    gates_gradient[gate_places[s] + 2u * h] = d_candidate[s];
                }
            }
            if (shares) {
                factors[unit] = d_candidate;
                second_factors[unit] = d_update;
            }
        }
        workgroupBarrier();
        var d_resets: array<vec4<f32>, CHUNKS>;
        for (var chunk = 0u; chunk < CHUNKS; chunk++) {
            let unit = chunk * UNITS + first_unit;
            let sums = products_of_two(slice, 2u, 1u, unit, lane);
            let opened = resets[chunk];
            let running = have(slice.lengths, t, unit);
            let d_reset = select(vec4<f32>(), sums.first * before[chunk] * opened * (1.0 - opened), running);
            d_resets[chunk] = d_reset;
            carried[chunk] += sums.first * opened + sums.second;
            let gate_places = gates_at(slice, t, unit);
            let writes = have(slice.own, t, unit);
            for (var s = 0u; s < SEQUENCES; s++) {
                if (writes[s]) {
                    gates_gradient[gate_places[s]] = d_reset[s];
                }
            }
        }
        // All have multiplied the candidates' gradients.
        workgroupBarrier();
        for (var chunk = 0u; chunk < CHUNKS; chunk++) {
            if (shares) {
                factors[chunk * UNITS + first_unit] = d_resets[chunk];
            }
        }
        workgroupBarrier();
        for (var chunk = 0u; chunk < CHUNKS; chunk++) {
            let unit = chunk * UNITS + first_unit;
            carried[chunk] = select(vec4<f32>(), carried[chunk] + product(slice, 0u, unit, lane), have(slice.lengths, t, unit));
        }
        workgroupBarrier();
    }
    for (var chunk = 0u; chunk < CHUNKS; chunk++) {
        let unit = chunk * UNITS + first_unit;
        let places = carry_at(slice, unit);
        let handed_back = carried[chunk];
        let writes = have(slice.own, args.first_step, unit);
        for (var s = 0u; s < SEQUENCES; s++) {
            if (writes[s]) {
                carry[places[s]] = handed_back[s];
            }
        }
    }
}
