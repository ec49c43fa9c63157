// `bilstm` for graphics hardware: a workgroup runs SEQUENCES sequences, all of them in each product; the states and what the next step
// needs first stay on chip, the weights stream from cache (`weights.wgsl`). Of the terms of a product an invocation sums one part for
// all sequences; once the parts are summed it takes the step of its own sequences (`sequences.wgsl`, `steps.wgsl`), which is the same to
// the bit in either part.
//
// `hidden128` has the paper's hidden size as a constant. With `held` an invocation holds the weights of its first BLOCK terms in registers
// over all steps: of a direction's 256 KiB a step reads 192, which a large processor's own cache can keep.
//
// `rounded` takes states and gradients of gates as f16 into its products, where their weights come rounded: mixed precision without
// cooperative matrices.
//
// A sequence without a step goes on with numbers of another one of its steps, which no one reads. FXC, DX12's older compiler, unrolls a
// loop that writes a vector's component by the loop's variable with all loops around it, or refuses it. Nor does it see that a loop's
// invocations meet at a barrier again when they left it one by one.

import super::interface::{args, sequences, gates_gradient};
import super::sequences::{
    UNITS, PARTS, OWN, SEQUENCES, WORKGROUP, Own, own_sequences, layer_of, end_of, have, gates_at, hidden_size, some_unit,
};
import super::steps::{
    Gates, started_gates, cells_after, hidden_after, advanced, store_step, handed_back, retreated, store_step_back, hand_back,
};
import super::weights::{BLOCK, Block, part_of, outer_product, state_weights, gate_weights};
@if(rounded) import package::shared::numbers::round_normal_to_f16;

@if(hidden128) const MAX_HIDDEN: u32 = 128;
@else const MAX_HIDDEN: u32 = 512;
/// Fours of columns that the invocations of a backward product have side by side.
const FOURS: u32 = UNITS / 4;

/// States h_{t-1}, [unit, part] of the part's sequences.
var<workgroup> shared_states: array<vec2<f32>, MAX_HIDDEN * PARTS>;
/// Cells of each invocation, which registers have no room for beside the weights.
@if(hidden128) var<workgroup> shared_cells: array<vec2<f32>, WORKGROUP>;
/// Sums that an invocation made for the sequences of another part: [gate, invocation that they are for].
var<workgroup> exchanged: array<vec2<f32>, 4 * WORKGROUP>;
/// Gate gradients of UNITS units, [unit, gate, part]; then what each gate and part of the units adds to as many states' gradients, as
/// `sum_at` has them.
var<workgroup> shared_gradients: array<vec2<f32>, 4 * PARTS * UNITS * PARTS>;

/// Numbers as products take them.
fn as_factors(values: vec2<f32>) -> vec2<f32> {
    @if(rounded) return vec2<f32>(round_normal_to_f16(values.x), round_normal_to_f16(values.y));
    @else return values;
}

/// What of all sequences' sums is a part's.
fn of_part(part: u32, sums: vec4<f32>) -> vec2<f32> {
    return select(sums.xy, sums.zw, part == 1u);
}

/// A unit's states of all sequences.
fn states_of(unit: u32) -> vec4<f32> {
    return vec4<f32>(shared_states[unit * PARTS], shared_states[unit * PARTS + 1u]);
}

/// Sums, a column for each gate, and what BLOCK states from `k` on add.
fn with_states(sums: mat4x4<f32>, k: u32, weights: Block) -> mat4x4<f32> {
    return with_four_states(
        with_four_states(with_four_states(with_four_states(sums, k, weights.first), k + 4u, weights.second), k + 8u, weights.third),
        k + 12u,
        weights.last,
    );
}

fn with_four_states(sums: mat4x4<f32>, k: u32, weights: mat4x4<f32>) -> mat4x4<f32> {
    return sums + outer_product(states_of(k), weights[0]) + outer_product(states_of(k + 1u), weights[1])
        + outer_product(states_of(k + 2u), weights[2]) + outer_product(states_of(k + 3u), weights[3]);
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let h = hidden_size();
    let direction = group.x;
    let first_unit = lane % UNITS;
    let part = lane / UNITS;
    let own = own_sequences(group.y, part, direction);
    let layer = layer_of(group.y);
    let end = end_of(group.y);
    let chunks = (h + UNITS - 1u) / UNITS;
    let terms = part_of(args.hidden);
    let first_weight = (sequences[group.y * SEQUENCES].layer * 2u + direction) * h * h;
    let first_bias = layer.bias + direction * 4u * h;
    @if(held) let held = state_weights(first_weight, part * terms, first_unit);
    // Units past the last are zero up to the last part's end.
    for (var unit = first_unit; unit < PARTS * terms; unit += UNITS) {
        shared_states[unit * PARTS + part] = as_factors(hidden_after(own, direction, args.first_step - 1u, unit));
    }
    @if(hidden128) shared_cells[lane] = cells_after(own, direction, args.first_step - 1u, first_unit);
    workgroupBarrier();
    for (var t = args.first_step; t < end; t++) {
        var newest = vec2<f32>();
        for (var chunk = 0u; chunk < chunks; chunk++) {
            let unit = chunk * UNITS + first_unit;
            // What the step begins with arrives while the product is computed.
            let started = started_gates(own, direction, t, unit, first_bias);
            var sums = mat4x4<f32>();
            var k = part * terms;
            var taken = 0u;
            @if(held) {
                sums = with_states(sums, k, held);
                k += BLOCK;
                taken += BLOCK;
            }
            for (; taken < terms; taken += BLOCK) {
                sums = with_states(sums, k, state_weights(first_weight, k, unit));
                k += BLOCK;
            }
            // The sums of the chunk before have been read.
            @if(!hidden128) if (chunk > 0u) {
                workgroupBarrier();
            }
            let other = lane ^ UNITS;
            exchanged[other] = of_part(1u - part, sums[0]);
            exchanged[WORKGROUP + other] = of_part(1u - part, sums[1]);
            exchanged[2u * WORKGROUP + other] = of_part(1u - part, sums[2]);
            exchanged[3u * WORKGROUP + other] = of_part(1u - part, sums[3]);
            workgroupBarrier();
            // The parts first, so that a sequence's bits are the same in either part.
            let whole = Gates(
                of_part(part, sums[0]) + exchanged[lane],
                of_part(part, sums[1]) + exchanged[WORKGROUP + lane],
                of_part(part, sums[2]) + exchanged[2u * WORKGROUP + lane],
                of_part(part, sums[3]) + exchanged[3u * WORKGROUP + lane],
            );
            @if(hidden128) let cells_before = shared_cells[lane];
            @else let cells_before = cells_after(own, direction, t - 1u, unit);
            let before = shared_states[some_unit(unit) * PARTS + part];
            let made = advanced(started, whole, cells_before);
            @if(hidden128) shared_cells[lane] = made.cell;
            if (chunk == 0u) {
                newest = made.states;
            }
            store_step(own, direction, t, unit, made, before);
        }
        // All have summed the last states. Only of a first unit are the new ones at hand.
        if (first_unit < h) {
            shared_states[first_unit * PARTS + part] = as_factors(newest);
        }
        for (var unit = UNITS + first_unit; unit < h; unit += UNITS) {
            shared_states[unit * PARTS + part] = as_factors(hidden_after(own, direction, t, unit));
        }
        workgroupBarrier();
    }
}

/// All sequences' gradients of a gate of one of the UNITS units at hand.
fn gradients_at(gate: u32, unit: u32) -> vec4<f32> {
    let at = (unit * 4u + gate) * PARTS;
    return vec4<f32>(shared_gradients[at], shared_gradients[at + 1u]);
}

/// Sums, a column for each state, and what BLOCK of these units from `unit` on add by a gate.
fn with_gradients(sums: mat4x4<f32>, gate: u32, unit: u32, weights: Block) -> mat4x4<f32> {
    return with_four_gradients(
        with_four_gradients(
            with_four_gradients(with_four_gradients(sums, gate, unit, weights.first), gate, unit + 4u, weights.second),
            gate, unit + 8u, weights.third,
        ),
        gate, unit + 12u, weights.last,
    );
}

fn with_four_gradients(sums: mat4x4<f32>, gate: u32, unit: u32, weights: mat4x4<f32>) -> mat4x4<f32> {
    return sums + outer_product(gradients_at(gate, unit), weights[0]) + outer_product(gradients_at(gate, unit + 1u), weights[1])
        + outer_product(gradients_at(gate, unit + 2u), weights[2]) + outer_product(gradients_at(gate, unit + 3u), weights[3]);
}

/// Puts an invocation's gate gradients where all find them.
fn share_gradients(lane: u32, gradients: Gates) {
    let first = lane % UNITS * 4u * PARTS + lane / UNITS;
    shared_gradients[first] = as_factors(gradients.input);
    shared_gradients[first + PARTS] = as_factors(gradients.forget);
    shared_gradients[first + 2u * PARTS] = as_factors(gradients.update);
    shared_gradients[first + 3u * PARTS] = as_factors(gradients.output);
}

/// Place of what a gate and a part of the units (`source`) add to the `c`-th state of a four.
fn sum_at(source: u32, c: u32, four: u32) -> u32 {
    return (source * UNITS + c * FOURS + four) * PARTS;
}

fn keep_sum(place: u32, sum: vec4<f32>) {
    shared_gradients[place] = sum.xy;
    shared_gradients[place + 1u] = sum.zw;
}

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let h = hidden_size();
    let direction = group.x;
    let first_unit = lane % UNITS;
    let part = lane / UNITS;
    let own = own_sequences(group.y, part, direction);
    let layer = layer_of(group.y);
    let end = end_of(group.y);
    let chunks = (h + UNITS - 1u) / UNITS;
    // In the product an invocation has a four of columns, a gate, and a part of the units.
    let four = lane % FOURS;
    let gate = lane / FOURS % 4u;
    let source = gate * PARTS + part;
    let first_weight = layer.recurrent + (direction * 4u + gate) * h * h;
    @if(held) let held = gate_weights(first_weight, part * part_of(args.hidden), 4u * four);
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
            let made = retreated(own, layer, direction, t, unit, dh, dc);
            store_step_back(own, direction, t, unit, made);
            hand_back(own, 0u, direction, t, unit, made.cell);
            if (chunk == 0u) {
                cells_back = made.cell;
            }
            // The product starts with the last chunk.
            if (chunk == chunks - 1u) {
                share_gradients(lane, made.gates);
            }
        }
        workgroupBarrier();
        // dh_{t-1} = Σ over gates and units of da · W_hh
        for (var tile = 0u; tile < chunks; tile++) {
            let column = tile * UNITS + 4u * four;
            var sums = mat4x4<f32>();
            for (var i = 0u; i < chunks; i++) {
                let first = (chunks - 1u - i) * UNITS;
                @if(!hidden128) if (tile + i > 0u) {
                    workgroupBarrier();
                    share_gradients(
                        lane,
                        Gates(
                            stored_gradient(own, direction, t, first + first_unit, 0u),
                            stored_gradient(own, direction, t, first + first_unit, 1u),
                            stored_gradient(own, direction, t, first + first_unit, 2u),
                            stored_gradient(own, direction, t, first + first_unit, 3u),
                        ),
                    );
                    workgroupBarrier();
                }
                let terms = part_of(min(UNITS, args.hidden - first));
                var u = part * terms;
                var taken = 0u;
                @if(held) {
                    sums = with_gradients(sums, gate, u, held);
                    u += BLOCK;
                    taken += BLOCK;
                }
                for (; taken < terms; taken += BLOCK) {
                    sums = with_gradients(sums, gate, u, gate_weights(first_weight, first + u, column));
                    u += BLOCK;
                }
            }
            workgroupBarrier();
            keep_sum(sum_at(source, 0u, four), sums[0]);
            keep_sum(sum_at(source, 1u, four), sums[1]);
            keep_sum(sum_at(source, 2u, four), sums[2]);
            keep_sum(sum_at(source, 3u, four), sums[3]);
            workgroupBarrier();
            var total = vec2<f32>();
            for (var other = 0u; other < 4u * PARTS; other++) {
                total += shared_gradients[sum_at(other, first_unit % 4u, first_unit / 4u) + part];
            }
            let unit = tile * UNITS + first_unit;
            hand_back(own, 1u + t % 2u, direction, t, unit, total);
            if (tile == 0u) {
                states_back = total;
            }
        }
        workgroupBarrier();
    }
}

/// Gradients of a gate of a unit at step `t`, as the invocation stored them.
fn stored_gradient(own: Own, direction: u32, t: u32, unit: u32, gate: u32) -> vec2<f32> {
    let at = gates_at(own, direction, t, unit, gate);
    return select(vec2<f32>(), vec2<f32>(gates_gradient[at.x], gates_gradient[at.y]), have(own, t, unit));
}
