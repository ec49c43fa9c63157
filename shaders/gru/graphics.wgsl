// `gru` for graphics hardware: a workgroup runs four sequences, all of them in each product (`products.wgsl`). Of a step's two products the
// second waits for the first.
//
// An invocation has a unit, or with `graphics` alone two of them. With `to128` two invocations have the same unit, and each sums one
// part of the terms; both then take the unit's step, of which each writes the half of the sequences that are its own.
//
// A sequence without a step goes on with numbers of another one of its steps, which no one reads. FXC, DX12's older compiler, does not
// see that a loop's invocations meet at a barrier again when they left it one by one: all turns are counted alike.

import super::interface::{args, gates, previous, reset, y, y_gradient, saved_gates, saved_previous, gates_gradient, carry};
import super::sequences::{UNITS, CHUNKS, SEQUENCES, WORKGROUP, slice_of, end_of, have, states_at, gates_at, carry_at};
import super::products::{factors, second_factors, product, products_of_one, products_of_two};
import package::shared::components::component;
import package::shared::numbers::{sigmoid_by_exp2, hyperbolic_tangent_by_exp2};

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
                    gates[gate_places[s]] = component(opened, s);
                    gates[gate_places[s] + h] = component(update, s);
                    previous[state_places[s]] = component(before, s);
                    reset[state_places[s]] = component(after_reset, s);
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
                    gates[gate_places[s]] = component(candidate, s);
                    y[state_places[s]] = component(state, s);
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
                    gates_gradient[gate_places[s] + h] = component(d_update, s);
                    gates_gradient[gate_places[s] + 2u * h] = component(d_candidate, s);
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
                    gates_gradient[gate_places[s]] = component(d_reset, s);
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
                carry[places[s]] = component(handed_back, s);
            }
        }
    }
}
