// The steps of `bilstm` for graphics hardware beside their products: gates, cells and states of an invocation's own sequences, and their
// gradients, as they are loaded, made and stored.

import super::interface::{
    Layer, args, bias, gates, cells, previous, hidden, y_gradient, saved_gates, saved_cells, gates_gradient, carry,
};
import super::sequences::{OWN, Own, have, rows_at, states_at, gates_at, hidden_size, some_unit};
import package::shared::numbers::{sigmoid_by_exp2, hyperbolic_tangent_by_exp2};

/// Numbers of a unit's gates, or gradients of these.
struct Gates {
    input: vec2<f32>,
    forget: vec2<f32>,
    update: vec2<f32>,
    output: vec2<f32>,
}

/// What a step makes of a unit.
struct Made {
    gates: Gates,
    cell: vec2<f32>,
    states: vec2<f32>,
}

/// What a step back makes of it; the last is what the cell hands back.
struct MadeBack {
    gates: Gates,
    cell: vec2<f32>,
}

/// Gates before the step's product, of which the direction's bias begins at `first_bias`.
fn started_gates(own: Own, direction: u32, t: u32, unit: u32, first_bias: u32) -> Gates {
    return Gates(
        started_gate(own, direction, t, unit, 0u, first_bias),
        started_gate(own, direction, t, unit, 1u, first_bias),
        started_gate(own, direction, t, unit, 2u, first_bias),
        started_gate(own, direction, t, unit, 3u, first_bias),
    );
}

/// A gate before the step's product: what `linear` left there, with the bias, of which the direction's begin at `first_bias`.
fn started_gate(own: Own, direction: u32, t: u32, unit: u32, gate: u32, first_bias: u32) -> vec2<f32> {
    let at = gates_at(own, direction, t, unit, gate);
    return vec2<f32>(gates[at.x], gates[at.y]) + bias[first_bias + gate * hidden_size() + some_unit(unit)];
}

/// Cells after step `t`, as the invocation stored them.
fn cells_after(own: Own, direction: u32, t: u32, unit: u32) -> vec2<f32> {
    let at = states_at(own, direction, t, unit);
    return select(vec2<f32>(), vec2<f32>(cells[at.x], cells[at.y]), have(own, t, unit));
}

/// The same of hidden states.
fn hidden_after(own: Own, direction: u32, t: u32, unit: u32) -> vec2<f32> {
    let at = states_at(own, direction, t, unit);
    return select(vec2<f32>(), vec2<f32>(hidden[at.x], hidden[at.y]), have(own, t, unit));
}

/// What of its own sequences' is the `s`-th one's (see `shared/components.wgsl`).
fn of_sequence(s: u32, values: vec2<f32>) -> f32 {
    return select(values.x, values.y, s == 1u);
}

/// The step of a unit, from the sums of its gates.
fn advanced(started: Gates, sums: Gates, cells_before: vec2<f32>) -> Made {
    let input = sigmoids(started.input + sums.input);
    let forget = sigmoids(started.forget + sums.forget);
    let update = hyperbolic_tangents(started.update + sums.update);
    let output = sigmoids(started.output + sums.output);
    let cell = input * update + forget * cells_before;
    return Made(Gates(input, forget, update, output), cell, output * hyperbolic_tangents(cell));
}

/// Stores it where a sequence has step `t`, and the states `before` it.
fn store_step(own: Own, direction: u32, t: u32, unit: u32, made: Made, before: vec2<f32>) {
    let h = hidden_size();
    let gate_places = gates_at(own, direction, t, unit, 0u);
    let state_places = states_at(own, direction, t, unit);
    let running = have(own, t, unit);
    for (var s = 0u; s < OWN; s++) {
        if (running[s]) {
            gates[gate_places[s]] = of_sequence(s, made.gates.input);
            gates[gate_places[s] + h] = of_sequence(s, made.gates.forget);
            gates[gate_places[s] + 2u * h] = of_sequence(s, made.gates.update);
            gates[gate_places[s] + 3u * h] = of_sequence(s, made.gates.output);
            cells[state_places[s]] = of_sequence(s, made.cell);
            previous[state_places[s]] = of_sequence(s, before);
            hidden[state_places[s]] = of_sequence(s, made.states);
        }
    }
}

fn sigmoids(x: vec2<f32>) -> vec2<f32> {
    return vec2<f32>(sigmoid_by_exp2(x.x), sigmoid_by_exp2(x.y));
}

fn hyperbolic_tangents(x: vec2<f32>) -> vec2<f32> {
    return vec2<f32>(hyperbolic_tangent_by_exp2(x.x), hyperbolic_tangent_by_exp2(x.y));
}

/// Places of the gradients of a unit's states, or of the last one's, in `carry`; part 0 the cells', 1 and 2 the hidden states' of even
/// and odd steps.
fn carry_at(own: Own, part: u32, direction: u32, unit: u32) -> vec2<u32> {
    return ((part * args.sequences + own.places) * 2u + direction) * hidden_size() + some_unit(unit);
}

/// What steps from `step` on handed back to a unit, by a part of `carry`; nothing after a sequence's last step.
fn handed_back(own: Own, part: u32, direction: u32, step: u32, unit: u32) -> vec2<f32> {
    let at = carry_at(own, part, direction, unit);
    return select(vec2<f32>(), vec2<f32>(carry[at.x], carry[at.y]), have(own, step, unit));
}

/// A gate of a unit at step `t`, or of another step of the same sequence where it has none.
fn saved_gate(own: Own, direction: u32, t: u32, unit: u32, gate: u32) -> vec2<f32> {
    let at = gates_at(own, direction, t, unit, gate);
    return vec2<f32>(saved_gates[at.x], saved_gates[at.y]);
}

/// The same of cells after step `t`.
fn saved_cells_after(own: Own, direction: u32, t: u32, unit: u32) -> vec2<f32> {
    let at = states_at(own, direction, t, unit);
    return vec2<f32>(saved_cells[at.x], saved_cells[at.y]);
}

/// The same of the outputs' gradients, in which states count `y_share`.
fn output_gradients(own: Own, layer: Layer, direction: u32, t: u32, unit: u32) -> vec2<f32> {
    let at = layer.y_gradient + rows_at(own, direction, t) * args.y_columns + direction * args.y_step + some_unit(unit);
    return vec2<f32>(y_gradient[at.x], y_gradient[at.y]);
}

/// The step back of a unit, from what step t + 1 handed back to its states and cells; all zero where a sequence has no step t.
fn retreated(own: Own, layer: Layer, direction: u32, t: u32, unit: u32, states_back: vec2<f32>, cells_back: vec2<f32>) -> MadeBack {
    let input = saved_gate(own, direction, t, unit, 0u);
    let forget = saved_gate(own, direction, t, unit, 1u);
    let update = saved_gate(own, direction, t, unit, 2u);
    let output = saved_gate(own, direction, t, unit, 3u);
    let squashed = hyperbolic_tangents(saved_cells_after(own, direction, t, unit));
    let running = have(own, t, unit);
    let cells_before = select(saved_cells_after(own, direction, t - 1u, unit), vec2<f32>(), t == 0u);
    let dh = select(vec2<f32>(), states_back + args.y_share * output_gradients(own, layer, direction, t, unit), running);
    let dc = select(vec2<f32>(), cells_back + dh * output * (1.0 - squashed * squashed), running);
    let made = Gates(
        dc * update * input * (1.0 - input),
        dc * cells_before * forget * (1.0 - forget),
        dc * input * (1.0 - update * update),
        dh * squashed * output * (1.0 - output),
    );
    return MadeBack(made, dc * forget);
}

/// Stores the gradients of its gates where a sequence has step `t`.
fn store_step_back(own: Own, direction: u32, t: u32, unit: u32, made: MadeBack) {
    let h = hidden_size();
    let gate_places = gates_at(own, direction, t, unit, 0u);
    let running = have(own, t, unit);
    for (var s = 0u; s < OWN; s++) {
        if (running[s]) {
            gates_gradient[gate_places[s]] = of_sequence(s, made.gates.input);
            gates_gradient[gate_places[s] + h] = of_sequence(s, made.gates.forget);
            gates_gradient[gate_places[s] + 2u * h] = of_sequence(s, made.gates.update);
            gates_gradient[gate_places[s] + 3u * h] = of_sequence(s, made.gates.output);
        }
    }
}

/// Hands back to a unit, by a part of `carry`, what is of the sequences that have step `t`.
fn hand_back(own: Own, part: u32, direction: u32, t: u32, unit: u32, values: vec2<f32>) {
    let places = carry_at(own, part, direction, unit);
    let running = have(own, t, unit);
    for (var s = 0u; s < OWN; s++) {
        if (running[s]) {
            carry[places[s]] = of_sequence(s, values);
        }
    }
}
