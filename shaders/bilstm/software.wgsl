// `bilstm` for software adapters: a subgroup of eight runs SEQUENCES sequences (half as many rows of products once at most half of
// them still run), its products by `shared/subgroup_tile.wgsl`, two fours of hidden units an invocation. The hidden size must be a
// multiple of four.

import super::interface::{
    Layer, args, recurrent, forward_recurrent, bias, sequences, layers, gates, cells, previous, hidden,
    y_gradient, saved_gates, saved_cells, gates_gradient, carry,
};
import package::shared::subgroup_tile::{
    SUBGROUP, WORKGROUP, TILE_COLUMNS, HALF, DEPTH, Eight, Terms, multiply_rows, terms_of, either, row_of,
};
import package::shared::words::{floats, words};
import package::shared::numbers::{sigmoids, hyperbolic_tangents};

// Whether the second half of the sequences runs is asked in the loops over terms, not before them: what is multiplied there takes
// longest to compile and stands in the program once.
const SEQUENCES: u32 = 16;
const EIGHTS: u32 = SEQUENCES / SUBGROUP;

alias Sums = array<Eight, EIGHTS>;

/// Fours of units of a tile on the way forward, of each of which two invocations have two gates.
const FOURS: u32 = SUBGROUP / 2;

/// First row and end of a sequence of a slice, the longest first; empty past the last.
fn range_of(slice: u32, s: u32) -> vec2<u32> {
    let sequence = sequences[slice * SEQUENCES + s];
    return vec2<u32>(sequence.first_row, sequence.first_row + sequence.length);
}

/// Steps of this dispatch that a slice takes.
fn end_of(slice: u32) -> u32 {
    return min(args.end_step, sequences[slice * SEQUENCES].length);
}

fn layer_of(slice: u32) -> Layer {
    return layers[sequences[slice * SEQUENCES].layer];
}

/// Sequences that have a step `t`.
fn running_at(slice: u32, t: u32) -> u32 {
    var running = 0u;
    for (var s = 0u; s < SEQUENCES; s++) {
        let range = range_of(slice, s);
        running += select(0u, 1u, range.x + t < range.y);
    }
    return running;
}

/// Row that a direction visits at step `t`; of a sequence that has ended, some row.
fn row_at(layer: Layer, range: vec2<u32>, direction: u32, t: u32) -> u32 {
    return min(select(range.x + t, range.y - 1u - t, direction == 1u), layer.rows - 1u);
}

/// Place of the invocation's four units among a direction's states of a row.
fn state_at(layer: Layer, row: u32, direction: u32, unit: u32) -> u32 {
    return (layer.states + row * 2u * args.hidden + direction * args.hidden + unit) / 4u;
}

/// Place of the four units' input gates; the other gates lie `hidden` further each.
fn gate_at(layer: Layer, row: u32, direction: u32, unit: u32) -> u32 {
    return (layer.gates + row * 8u * args.hidden + direction * 4u * args.hidden + unit) / 4u;
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let h = args.hidden;
    let pitch = h / 4u;
    let direction = group.y;
    let layer = layer_of(group.x);
    let end = end_of(group.x);
    // Half of the invocations have the input and the update gates of a tile's units, the others their forget and output gates.
    let half = lane / FOURS;
    for (var t = args.first_step; t < end; t++) {
        let running = running_at(group.x, t);
        var rows: array<u32, EIGHTS>;
        for (var e = 0u; e < EIGHTS; e++) {
            rows[e] = row_at(layer, range_of(group.x, 8u * e + lane), direction, t - 1u);
        }
        for (var tile = 0u; tile < h; tile += 4u * FOURS) {
            let unit = tile + 4u * (lane % FOURS);
            let first = layer.recurrent / 4u + ((direction * 4u + half) * h + min(unit, h - 4u)) * pitch;
            let second = first + 2u * h * pitch;
            var sums = Sums();
            // No state comes before the first step.
            for (var k = 0u; k < select(0u, pitch, t > 0u); k++) {
                var weights = terms_of(weights_at(first, k), weights_at(second, k));
                sums[0] = multiply_rows(floats(hidden[state_at(layer, rows[0], direction, 4u * k)]), &weights, sums[0]);
                if (running > SUBGROUP) {
                    sums[1] = multiply_rows(floats(hidden[state_at(layer, rows[1], direction, 4u * k)]), &weights, sums[1]);
                }
            }
            for (var e = 0u; SUBGROUP * e < running; e++) {
                let eight = either(sums[0], sums[1], e == 1u);
                for (var i = 0u; i < min(SUBGROUP, running - SUBGROUP * e); i += 2u) {
                    let products = gates_of(row_of(eight, i), row_of(eight, i + 1u), half == 1u);
                    let s = SUBGROUP * e + i + half;
                    if (s < running && unit < h) {
                        step_forward(range_of(group.x, s), layer, direction, t, unit, products);
                    }
                }
            }
        }
        storageBarrier();
    }
}

/// The four gates' products of one sequence, which the first half of the invocations takes of `first`, the second half of `second`; each
/// has two gates of both.
fn gates_of(first: mat2x4<f32>, second: mat2x4<f32>, is_second: bool) -> mat4x4<f32> {
    let own = mat2x4<f32>(select(first[0], second[0], is_second), select(first[1], second[1], is_second));
    let others = mat2x4<f32>(
        subgroupShuffleXor(select(second[0], first[0], is_second), FOURS),
        subgroupShuffleXor(select(second[1], first[1], is_second), FOURS),
    );
    return mat4x4<f32>(
        select(own[0], others[0], is_second),
        select(others[0], own[0], is_second),
        select(own[1], others[1], is_second),
        select(others[1], own[1], is_second),
    );
}

/// Four rows of W_hh from the one that begins at `row` on, four hidden units of each.
fn weights_at(row: u32, k: u32) -> mat4x4<f32> {
    let pitch = args.hidden / 4u;
    let place = row + k;
    return mat4x4<f32>(
        floats(forward_recurrent[place]),
        floats(forward_recurrent[place + pitch]),
        floats(forward_recurrent[place + 2u * pitch]),
        floats(forward_recurrent[place + 3u * pitch]),
    );
}

/// W_ih·x + b of four units' gate; the places are those of their input gates.
fn input_at(gate: u32, first: u32, first_bias: u32) -> vec4<f32> {
    let further = gate * args.hidden / 4u;
    return floats(gates[first + further]) + floats(bias[first_bias + further]);
}

/// Gates, cell and state of four units of a sequence at step `t`, with what each gate has of the state before.
fn step_forward(range: vec2<u32>, layer: Layer, direction: u32, t: u32, unit: u32, products: mat4x4<f32>) {
    let pitch = args.hidden / 4u;
    let row = row_at(layer, range, direction, t);
    let gate = gate_at(layer, row, direction, unit);
    let first_bias = (layer.bias + unit) / 4u + direction * args.hidden;
    let input = sigmoids(input_at(0u, gate, first_bias) + products[0]);
    let forget = sigmoids(input_at(1u, gate, first_bias) + products[1]);
    let update = hyperbolic_tangents(input_at(2u, gate, first_bias) + products[2]);
    let output = sigmoids(input_at(3u, gate, first_bias) + products[3]);
    var cell = input * update;
    var before = vec4<f32>();
    if (t > 0u) {
        let state = state_at(layer, row_at(layer, range, direction, t - 1u), direction, unit);
        cell += forget * floats(cells[state]);
        before = floats(hidden[state]);
    }
    gates[gate] = words(input);
    gates[gate + pitch] = words(forget);
    gates[gate + 2u * pitch] = words(update);
    gates[gate + 3u * pitch] = words(output);
    let state = state_at(layer, row, direction, unit);
    cells[state] = words(cell);
    previous[state] = words(before);
    hidden[state] = words(output * hyperbolic_tangents(cell));
}

/// Place of four states' gradients in `carry`; part 0 the cells', 1 and 2 the hidden states' of even and odd steps.
fn carry_at(part: u32, place: u32, direction: u32, unit: u32) -> u32 {
    return (((part * args.sequences + place) * 2u + direction) * args.hidden + unit) / 4u;
}

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let h = args.hidden;
    let direction = group.y;
    let layer = layer_of(group.x);
    let end = end_of(group.x);
    for (var step = end; step > args.first_step; step--) {
        let t = step - 1u;
        let running = running_at(group.x, t);
        for (var unit = 4u * lane; unit < h; unit += 4u * SUBGROUP) {
            for (var s = 0u; s < running; s++) {
                step_backward(range_of(group.x, s), layer, group.x * SEQUENCES + s, direction, t, unit);
            }
        }
        storageBarrier();
        // dh_{t-1} = Σ over gates and units of da · W_hh
        var rows: array<u32, EIGHTS>;
        for (var e = 0u; e < EIGHTS; e++) {
            rows[e] = row_at(layer, range_of(group.x, 8u * e + lane), direction, t);
        }
        for (var tile = 0u; tile < h; tile += TILE_COLUMNS) {
            let unit = tile + 4u * lane;
            let first = min(unit, h - 4u) / 4u;
            let second = min(unit + HALF, h - 4u) / 4u;
            var sums = Sums();
            let first_weight = layer.recurrent / 4u + direction * h * h;
            for (var k = 0u; k < 4u * h; k += DEPTH) {
                var weights = gate_weights_at(first_weight + k * (h / 4u), first, second);
                sums[0] = multiply_rows(floats(gates_gradient[gate_at(layer, rows[0], direction, k)]), &weights, sums[0]);
                if (running > SUBGROUP) {
                    sums[1] = multiply_rows(floats(gates_gradient[gate_at(layer, rows[1], direction, k)]), &weights, sums[1]);
                }
            }
            for (var e = 0u; SUBGROUP * e < running; e++) {
                let eight = either(sums[0], sums[1], e == 1u);
                for (var i = 0u; i < min(SUBGROUP, running - SUBGROUP * e); i++) {
                    let row = row_of(eight, i);
                    let place = group.x * SEQUENCES + SUBGROUP * e + i;
                    hand_back(t, place, direction, unit, row[0]);
                    hand_back(t, place, direction, unit + HALF, row[1]);
                }
            }
        }
        storageBarrier();
    }
}

/// Stores what step `t` hands back to four states before it.
fn hand_back(t: u32, place: u32, direction: u32, unit: u32, gradients: vec4<f32>) {
    if (unit < args.hidden) {
        carry[carry_at(1u + t % 2u, place, direction, unit)] = words(gradients);
    }
}

/// Weights of DEPTH gates, whose rows of W_hh begin at `row`, from two fours of units.
fn gate_weights_at(row: u32, first: u32, second: u32) -> Terms {
    var weights: Terms;
    for (var i = 0u; i < DEPTH; i++) {
        let place = row + i * (args.hidden / 4u);
        weights[i] = mat2x4<f32>(floats(recurrent[place + first]), floats(recurrent[place + second]));
    }
    return weights;
}

/// Gate gradients of four units of a sequence at step `t`, and what the cell hands back.
fn step_backward(range: vec2<u32>, layer: Layer, place: u32, direction: u32, t: u32, unit: u32) {
    let pitch = args.hidden / 4u;
    let row = row_at(layer, range, direction, t);
    let gate = gate_at(layer, row, direction, unit);
    let input = floats(saved_gates[gate]);
    let forget = floats(saved_gates[gate + pitch]);
    let update = floats(saved_gates[gate + 2u * pitch]);
    let output = floats(saved_gates[gate + 3u * pitch]);
    let squashed = hyperbolic_tangents(floats(saved_cells[state_at(layer, row, direction, unit)]));
    var before = vec4<f32>();
    if (t > 0u) {
        before = floats(saved_cells[state_at(layer, row_at(layer, range, direction, t - 1u), direction, unit)]);
    }
    var dh = args.y_share * floats(y_gradient[(layer.y_gradient + row * args.y_columns + direction * args.y_step + unit) / 4u]);
    var dc = vec4<f32>();
    if (range.x + t + 1u < range.y) {
        dh += floats(carry[carry_at(1u + (t + 1u) % 2u, place, direction, unit)]);
        dc = floats(carry[carry_at(0u, place, direction, unit)]);
    }
    dc += dh * output * (1.0 - squashed * squashed);
    carry[carry_at(0u, place, direction, unit)] = words(dc * forget);
    gates_gradient[gate] = words(dc * update * input * (1.0 - input));
    gates_gradient[gate + pitch] = words(dc * before * forget * (1.0 - forget));
    gates_gradient[gate + 2u * pitch] = words(dc * input * (1.0 - update * update));
    gates_gradient[gate + 3u * pitch] = words(dh * squashed * output * (1.0 - output));
}
