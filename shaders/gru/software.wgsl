// `gru` for software adapters: a subgroup of eight runs SEQUENCES sequences (half as many rows of products once at most half of them
// still run), its products by `shared/subgroup_tile.wgsl`, two fours of hidden units an invocation. The hidden size must be a multiple
// of four.

import super::interface::{
    Layer, args, recurrent, sequences, layers, gates, previous, reset, y, y_gradient, saved_gates, saved_previous, gates_gradient, carry,
};
import package::shared::subgroup_tile::{
    SUBGROUP, WORKGROUP, TILE_COLUMNS, HALF, DEPTH, Eight, Terms, multiply_rows, terms_of, either, row_of,
};
import package::shared::words::{Words, floats, words};
import package::shared::numbers::{sigmoids, hyperbolic_tangents};

// Whether the second half of the sequences runs is asked in the loops over terms, not before them: what is multiplied there takes
// longest to compile and stands in the program once.
const SEQUENCES: u32 = 16;
const EIGHTS: u32 = SEQUENCES / SUBGROUP;

alias Sums = array<Eight, EIGHTS>;

/// Products of a tile of units, by fours: [gate, sequence, units].
var<workgroup> products: array<Words, 2 * SEQUENCES * TILE_COLUMNS / 4>;

/// First row and end of a sequence of a slice, the longest first; empty past the last.
fn range_of(slice: u32, s: u32) -> vec2<u32> {
    let sequence = sequences[slice * SEQUENCES + s];
    return vec2<u32>(sequence.first_row, sequence.first_row + sequence.length);
}

/// Steps of this dispatch that a slice takes.
fn end_of(slice: u32) -> u32 {
    return min(args.end_step, sequences[slice * SEQUENCES].length);
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

/// Place of four units among a direction's states of a row, in a matrix that begins at `first`.
fn state_at(first: u32, row: u32, direction: u32, unit: u32) -> u32 {
    return (first + (row * args.directions + direction) * args.hidden + unit) / 4u;
}

/// Place of the four units' reset gates; the other gates lie `hidden` further each.
fn gate_at(layer: Layer, row: u32, direction: u32, unit: u32) -> u32 {
    return (layer.gates + (row * args.directions + direction) * 3u * args.hidden + unit) / 4u;
}

/// Place of four units in `carry`.
fn carry_at(place: u32, direction: u32, unit: u32) -> u32 {
    return ((place * args.directions + direction) * args.hidden + unit) / 4u;
}

/// Place of the first row of a gate's weights.
fn weights_of(layer: Layer, direction: u32, gate: u32) -> u32 {
    return layer.recurrent / 4u + (direction * 3u + gate) * args.hidden * (args.hidden / 4u);
}

/// Place of four units of a tile in `products`.
fn product_at(gate: u32, s: u32, four: u32) -> u32 {
    return (gate * SEQUENCES + s) * (TILE_COLUMNS / 4u) + four;
}

/// Puts the sums of the sequences that still run where their steps find them by gate; an invocation reads only what it wrote.
fn keep_products(gate: u32, running: u32, lane: u32, sums: ptr<function, Sums>) {
    for (var e = 0u; SUBGROUP * e < running; e++) {
        let rows = either((*sums)[0], (*sums)[1], e == 1u);
        for (var i = 0u; i < min(SUBGROUP, running - SUBGROUP * e); i++) {
            let row = row_of(rows, i);
            let place = product_at(gate, SUBGROUP * e + i, lane);
            products[place] = words(row[0]);
            products[place + SUBGROUP] = words(row[1]);
        }
    }
}

/// Four rows of weights from the one that begins at `row` on, four terms of each.
fn weights_at(row: u32, k: u32) -> mat4x4<f32> {
    let pitch = args.hidden / 4u;
    let place = row + k;
    return mat4x4<f32>(
        floats(recurrent[place]),
        floats(recurrent[place + pitch]),
        floats(recurrent[place + 2u * pitch]),
        floats(recurrent[place + 3u * pitch]),
    );
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let h = args.hidden;
    let pitch = h / 4u;
    let direction = group.y;
    let layer = layers[sequences[group.x * SEQUENCES].layer];
    let end = end_of(group.x);
    for (var t = args.first_step; t < end; t++) {
        let running = running_at(group.x, t);
        var rows: array<u32, EIGHTS>;
        var rows_before: array<u32, EIGHTS>;
        for (var e = 0u; e < EIGHTS; e++) {
            let range = range_of(group.x, 8u * e + lane);
            rows[e] = row_at(layer, range, direction, t);
            rows_before[e] = row_at(layer, range, direction, t - 1u);
        }
        for (var tile = 0u; tile < h; tile += TILE_COLUMNS) {
            let unit = tile + 4u * lane;
            for (var gate = 0u; gate < 2u; gate++) {
                let first_row = weights_of(layer, direction, gate);
                let first = first_row + min(unit, h - 4u) * pitch;
                let second = first_row + min(unit + HALF, h - 4u) * pitch;
                var sums = Sums();
                // No state comes before the first step.
                for (var k = 0u; k < select(0u, pitch, t > 0u); k++) {
                    var weights = terms_of(weights_at(first, k), weights_at(second, k));
                    sums[0] = multiply_rows(floats(y[state_at(layer.states, rows_before[0], direction, 4u * k)]), &weights, sums[0]);
                    if (running > SUBGROUP) {
                        sums[1] = multiply_rows(floats(y[state_at(layer.states, rows_before[1], direction, 4u * k)]), &weights, sums[1]);
                    }
                }
                keep_products(gate, running, lane, &sums);
            }
            for (var four = lane; four < TILE_COLUMNS / 4u; four += SUBGROUP) {
                for (var s = 0u; s < select(0u, running, tile + 4u * four < h); s++) {
                    open_gates(range_of(group.x, s), s, layer, direction, t, tile + 4u * four, four);
                }
            }
        }
        storageBarrier();
        for (var tile = 0u; tile < h; tile += TILE_COLUMNS) {
            let unit = tile + 4u * lane;
            let first_row = weights_of(layer, direction, 2u);
            let first = first_row + min(unit, h - 4u) * pitch;
            let second = first_row + min(unit + HALF, h - 4u) * pitch;
            var sums = Sums();
            for (var k = 0u; k < select(0u, pitch, t > 0u); k++) {
                var weights = terms_of(weights_at(first, k), weights_at(second, k));
                sums[0] = multiply_rows(floats(reset[state_at(layer.states, rows[0], direction, 4u * k)]), &weights, sums[0]);
                if (running > SUBGROUP) {
                    sums[1] = multiply_rows(floats(reset[state_at(layer.states, rows[1], direction, 4u * k)]), &weights, sums[1]);
                }
            }
            keep_products(0u, running, lane, &sums);
            for (var four = lane; four < TILE_COLUMNS / 4u; four += SUBGROUP) {
                for (var s = 0u; s < select(0u, running, tile + 4u * four < h); s++) {
                    let row = row_at(layer, range_of(group.x, s), direction, t);
                    step_forward(s, layer, row, direction, tile + 4u * four, four);
                }
            }
        }
        storageBarrier();
    }
}

/// r and u of four units of a sequence at step `t`, and what r leaves of their states; they are the `four`-th of their tile.
fn open_gates(range: vec2<u32>, s: u32, layer: Layer, direction: u32, t: u32, unit: u32, four: u32) {
    let pitch = args.hidden / 4u;
    let row = row_at(layer, range, direction, t);
    let gate = gate_at(layer, row, direction, unit);
    let opened = sigmoids(floats(gates[gate]) + floats(products[product_at(0u, s, four)]));
    let update = sigmoids(floats(gates[gate + pitch]) + floats(products[product_at(1u, s, four)]));
    var before = vec4<f32>();
    if (t > 0u) {
        before = floats(y[state_at(layer.states, row_at(layer, range, direction, t - 1u), direction, unit)]);
    }
    gates[gate] = words(opened);
    gates[gate + pitch] = words(update);
    let state = state_at(layer.states, row, direction, unit);
    previous[state] = words(before);
    reset[state] = words(opened * before);
}

/// c and the states of four units of a sequence in a row.
fn step_forward(s: u32, layer: Layer, row: u32, direction: u32, unit: u32, four: u32) {
    let pitch = args.hidden / 4u;
    let gate = gate_at(layer, row, direction, unit);
    let state = state_at(layer.states, row, direction, unit);
    let update = floats(gates[gate + pitch]);
    let candidate = hyperbolic_tangents(floats(gates[gate + 2u * pitch]) + floats(products[product_at(0u, s, four)]));
    gates[gate + 2u * pitch] = words(candidate);
    y[state] = words(update * floats(previous[state]) + (1.0 - update) * candidate);
}

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let h = args.hidden;
    let direction = group.y;
    let layer = layers[sequences[group.x * SEQUENCES].layer];
    let end = end_of(group.x);
    for (var step = end; step > args.first_step; step--) {
        let t = step - 1u;
        let running = running_at(group.x, t);
        // What `carry` has of a unit only one invocation reads and writes.
        for (var unit = 4u * lane; unit < h; unit += 4u * SUBGROUP) {
            for (var s = 0u; s < running; s++) {
                step_backward(range_of(group.x, s), layer, group.x * SEQUENCES + s, direction, t, unit);
            }
        }
        storageBarrier();
        var rows: array<u32, EIGHTS>;
        for (var e = 0u; e < EIGHTS; e++) {
            rows[e] = row_at(layer, range_of(group.x, 8u * e + lane), direction, t);
        }
        // First q, of c's gradients, then what those of r, which q makes, and of u hand back.
        for (var product = 0u; product < 2u; product++) {
            let gate = 2u - 2u * product;
            let terms = (product + 1u) * h;
            for (var tile = 0u; tile < h; tile += TILE_COLUMNS) {
                let unit = tile + 4u * lane;
                let first = min(unit, h - 4u) / 4u;
                let second = min(unit + HALF, h - 4u) / 4u;
                let first_weight = weights_of(layer, direction, gate);
                let first_gate = gate * h;
                var sums = Sums();
                for (var k = 0u; k < terms; k += DEPTH) {
                    var weights = gate_weights_at(first_weight + k * (h / 4u), first, second);
                    let term = first_gate + k;
                    sums[0] = multiply_rows(floats(gates_gradient[gate_at(layer, rows[0], direction, term)]), &weights, sums[0]);
                    if (running > SUBGROUP) {
                        sums[1] = multiply_rows(floats(gates_gradient[gate_at(layer, rows[1], direction, term)]), &weights, sums[1]);
                    }
                }
                keep_products(0u, running, lane, &sums);
                for (var four = lane; four < TILE_COLUMNS / 4u; four += SUBGROUP) {
                    for (var s = 0u; s < select(0u, running, tile + 4u * four < h); s++) {
                        let unit_of_four = tile + 4u * four;
                        let place = carry_at(group.x * SEQUENCES + s, direction, unit_of_four);
                        var sum = floats(products[product_at(0u, s, four)]);
                        if (product == 0u) {
                            sum = reset_backward(row_at(layer, range_of(group.x, s), direction, t), layer, direction, unit_of_four, sum);
                        }
                        carry[place] = words(floats(carry[place]) + sum);
                    }
                }
            }
            storageBarrier();
        }
    }
}

/// Weights of DEPTH gates, whose rows of W_h begin at `row`, from two fours of units.
fn gate_weights_at(row: u32, first: u32, second: u32) -> Terms {
    var weights: Terms;
    for (var i = 0u; i < DEPTH; i++) {
        let place = row + i * (args.hidden / 4u);
        weights[i] = mat2x4<f32>(floats(recurrent[place + first]), floats(recurrent[place + second]));
    }
    return weights;
}

/// Gradients of u and c of four units of a sequence at step `t`, and what u hands back.
fn step_backward(range: vec2<u32>, layer: Layer, place: u32, direction: u32, t: u32, unit: u32) {
    let pitch = args.hidden / 4u;
    let row = row_at(layer, range, direction, t);
    let gate = gate_at(layer, row, direction, unit);
    let update = floats(saved_gates[gate + pitch]);
    let candidate = floats(saved_gates[gate + 2u * pitch]);
    let before = floats(saved_previous[state_at(layer.states, row, direction, unit)]);
    var gradient = floats(y_gradient[state_at(layer.y_gradient, row, direction, unit)]);
    if (range.x + t + 1u < range.y) {
        gradient += floats(carry[carry_at(place, direction, unit)]);
    }
    carry[carry_at(place, direction, unit)] = words(gradient * update);
    gates_gradient[gate + pitch] = words(gradient * (before - candidate) * update * (1.0 - update));
    gates_gradient[gate + 2u * pitch] = words(gradient * (1.0 - update) * (1.0 - candidate * candidate));
}

/// Gradient of r of four units of a sequence from q, and what r hands back.
fn reset_backward(row: u32, layer: Layer, direction: u32, unit: u32, q: vec4<f32>) -> vec4<f32> {
    let gate = gate_at(layer, row, direction, unit);
    let opened = floats(saved_gates[gate]);
    let before = floats(saved_previous[state_at(layer.states, row, direction, unit)]);
    gates_gradient[gate] = words(q * before * opened * (1.0 - opened));
    return q * opened;
}
