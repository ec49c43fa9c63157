// `bilstm` in mixed precision by cooperative matrices, whose factors are f16 and whose sums are f32, for the paper's hidden size: a
// workgroup runs SEQUENCES sequences, which are the rows of the left factors. Rows past the last are some numbers that no one reads: those
// of matrices do not meet. An invocation takes the steps of its own sequences as in `graphics`, and finds its sums in workgroup memory.
//
// A product is cut into BLOCKS blocks of columns, and on the way back of two gates each, of which a subgroup takes those that are its own,
// none where there are more subgroups than blocks. Matrices of 16 are of devices whose subgroups are of 32 invocations, as many as blocks:
// each holds the weights of its block in registers over all steps, 128 of an invocation, so that no weight is read again. Of matrices of 8
// they stream from cache. Fragments are numbered by constants alone, since registers have no addresses.
//
// naga refuses operations of cooperative matrices in a branch by what it does not know to be uniform, but not in a loop.

import super::interface::{args, sequences, recurrent, forward_recurrent};
import super::sequences::{UNITS, PARTS, OWN, SEQUENCES, WORKGROUP, Own, own_sequences, layer_of, end_of};
import super::steps::{
    Gates, started_gates, cells_after, hidden_after, advanced, store_step, handed_back, retreated, store_step_back, hand_back,
};
import package::shared::matrices_tile::{Left, Right, Sum, SIZE};

enable f16;
enable wgpu_cooperative_matrix;

/// The hidden size, and columns of all gates.
const H: u32 = UNITS;
const GATES: u32 = 4 * H;
/// Distances of rows: fragments must start at multiples of 16 bytes, and their rows in different banks.
const PITCH: u32 = H + 8;
const GATES_PITCH: u32 = GATES + 8;
/// Columns of a block on the way forward.
const FORWARD_COLUMNS: u32 = 4 * SIZE;
const BLOCKS: u32 = GATES / FORWARD_COLUMNS;
/// On the way back, and terms of a block: two gates.
const BACKWARD_COLUMNS: u32 = 2 * SIZE;
const BLOCKS_ACROSS: u32 = H / BACKWARD_COLUMNS;
const TERMS: u32 = 2 * H;

/// Of a block; right factors for a row of terms
alias Sums = array<Sum, 4>;
alias Fragments = array<Right, 4>;

/// States h_{t-1}, [sequence, unit]
var<workgroup> states: array<f16, SIZE * PITCH>;
/// What their product makes, [sequence, gate, unit]
var<workgroup> gate_sums: array<f32, SIZE * GATES_PITCH>;
/// Gradients of gates, [sequence, gate, unit]
var<workgroup> gradients: array<f16, SIZE * GATES_PITCH>;
/// What two gates each add to the gradients of states, [sequence, unit] of the first two, then of the others
var<workgroup> state_sums: array<f32, 2 * SIZE * PITCH>;

/// Two fragments of each block on their way into registers, [block, fragment, column, term].
@if(size16) var<workgroup> passing: array<f16, 2 * BLOCKS * SIZE * SIZE>;

/// The same fragments as they are loaded from workgroup memory: into registers in a row, in which they are multiplied without being moved.
/// What a barrier is waited for is in the one place while the other is filled.
@if(size16) fn passed(block: u32, weights: Fragments) -> Fragments {
    let place = 2u * block * SIZE * SIZE;
    let other = place + SIZE * SIZE;
    coopStore(weights[0], &passing[place], SIZE);
    workgroupBarrier();
    let first = coopLoad<Right>(&passing[place], SIZE);
    coopStore(weights[1], &passing[other], SIZE);
    workgroupBarrier();
    let second = coopLoad<Right>(&passing[other], SIZE);
    coopStore(weights[2], &passing[place], SIZE);
    workgroupBarrier();
    let third = coopLoad<Right>(&passing[place], SIZE);
    coopStore(weights[3], &passing[other], SIZE);
    workgroupBarrier();
    return Fragments(first, second, third, coopLoad<Right>(&passing[other], SIZE));
}

/// Weights of the SIZE states from `k` on to a block of gates' columns; a direction's begin at `first`.
fn state_weights(first: u32, block: u32, k: u32) -> Fragments {
    let at = first + block * FORWARD_COLUMNS * H + k;
    return Fragments(
        coopLoad<Right>(&forward_recurrent[at], H),
        coopLoad<Right>(&forward_recurrent[at + SIZE * H], H),
        coopLoad<Right>(&forward_recurrent[at + 2u * SIZE * H], H),
        coopLoad<Right>(&forward_recurrent[at + 3u * SIZE * H], H),
    );
}

/// Adds what these states add to the block's sums.
fn add_states(sums: ptr<function, Sums>, k: u32, weights: Fragments) {
    let left = coopLoadT<Left>(&states[k], PITCH);
    (*sums)[0] = coopMultiplyAdd(left, weights[0], (*sums)[0]);
    (*sums)[1] = coopMultiplyAdd(left, weights[1], (*sums)[1]);
    (*sums)[2] = coopMultiplyAdd(left, weights[2], (*sums)[2]);
    (*sums)[3] = coopMultiplyAdd(left, weights[3], (*sums)[3]);
}

/// Leaves a block's sums for all.
fn put_gate_sums(block: u32, sums: ptr<function, Sums>) {
    let place = block * FORWARD_COLUMNS;
    coopStoreT((*sums)[0], &gate_sums[place], GATES_PITCH);
    coopStoreT((*sums)[1], &gate_sums[place + SIZE], GATES_PITCH);
    coopStoreT((*sums)[2], &gate_sums[place + 2u * SIZE], GATES_PITCH);
    coopStoreT((*sums)[3], &gate_sums[place + 3u * SIZE], GATES_PITCH);
}

/// The sums of a unit's gates, of the sequence at `row` and the next.
fn sums_of_gates(row: u32, unit: u32) -> Gates {
    let at = row * GATES_PITCH + unit;
    return Gates(
        vec2<f32>(gate_sums[at], gate_sums[at + GATES_PITCH]),
        vec2<f32>(gate_sums[at + H], gate_sums[at + GATES_PITCH + H]),
        vec2<f32>(gate_sums[at + 2u * H], gate_sums[at + GATES_PITCH + 2u * H]),
        vec2<f32>(gate_sums[at + 3u * H], gate_sums[at + GATES_PITCH + 3u * H]),
    );
}

fn put_states(row: u32, unit: u32, values: vec2<f32>) {
    let rounded = vec2<f16>(values);
    states[row * PITCH + unit] = rounded.x;
    states[(row + 1u) * PITCH + unit] = rounded.y;
}

/// Takes the step of an invocation's sequences, the first of which is the `row`-th of the workgroup; returns their cells.
fn step_forward(own: Own, direction: u32, t: u32, row: u32, unit: u32, started: Gates, cells_before: vec2<f32>) -> vec2<f32> {
    let made = advanced(started, sums_of_gates(row, unit), cells_before);
    let before = vec2<f32>(vec2<f16>(states[row * PITCH + unit], states[(row + 1u) * PITCH + unit]));
    store_step(own, direction, t, unit, made, before);
    put_states(row, unit, made.states);
    return made.cell;
}

@compute @workgroup_size(WORKGROUP)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
) {
    let direction = group.x;
    let unit = lane % UNITS;
    let row = lane / UNITS * OWN;
    let own = own_sequences(group.y, lane / UNITS, direction);
    let layer = layer_of(group.y);
    let end = end_of(group.y);
    let first_weight = (sequences[group.y * SEQUENCES].layer * 2u + direction) * GATES * H;
    let first_bias = layer.bias + direction * GATES;
    @if(size16) let block = min(subgroup, BLOCKS - 1u);
    @if(size16) let weights0 = passed(block, state_weights(first_weight, block, 0u));
    @if(size16) let weights1 = passed(block, state_weights(first_weight, block, SIZE));
    @if(size16) let weights2 = passed(block, state_weights(first_weight, block, 2u * SIZE));
    @if(size16) let weights3 = passed(block, state_weights(first_weight, block, 3u * SIZE));
    @if(size16) let weights4 = passed(block, state_weights(first_weight, block, 4u * SIZE));
    @if(size16) let weights5 = passed(block, state_weights(first_weight, block, 5u * SIZE));
    @if(size16) let weights6 = passed(block, state_weights(first_weight, block, 6u * SIZE));
    @if(size16) let weights7 = passed(block, state_weights(first_weight, block, 7u * SIZE));
    put_states(row, unit, hidden_after(own, direction, args.first_step - 1u, unit));
    var own_cells = cells_after(own, direction, args.first_step - 1u, unit);
    @if(size8) let others = own_sequences(group.y, PARTS + lane / UNITS, direction);
    @if(size8) put_states(PARTS * OWN + row, unit, hidden_after(others, direction, args.first_step - 1u, unit));
    @if(size8) var other_cells = cells_after(others, direction, args.first_step - 1u, unit);
    workgroupBarrier();
    for (var t = args.first_step; t < end; t++) {
        // What the step begins with arrives while the product is computed.
        let started = started_gates(own, direction, t, unit, first_bias);
        @if(size8) let others_started = started_gates(others, direction, t, unit, first_bias);
        @if(size16) {
            var sums = Sums();
            add_states(&sums, 0u, weights0);
            add_states(&sums, SIZE, weights1);
            add_states(&sums, 2u * SIZE, weights2);
            add_states(&sums, 3u * SIZE, weights3);
            add_states(&sums, 4u * SIZE, weights4);
            add_states(&sums, 5u * SIZE, weights5);
            add_states(&sums, 6u * SIZE, weights6);
            add_states(&sums, 7u * SIZE, weights7);
            put_gate_sums(block, &sums);
        }
        @if(size8) for (var job = subgroup; job < BLOCKS; job += subgroups) {
            var sums = Sums();
            for (var k = 0u; k < H; k += SIZE) {
                add_states(&sums, k, state_weights(first_weight, job, k));
            }
            put_gate_sums(job, &sums);
        }
        workgroupBarrier();
        own_cells = step_forward(own, direction, t, row, unit, started, own_cells);
        @if(size8) other_cells = step_forward(others, direction, t, PARTS * OWN + row, unit, others_started, other_cells);
        workgroupBarrier();
    }
}

/// Weights of the SIZE units from `k` on of a block's first gate, then of its second, to its columns of states; a direction's begin at
/// `first`.
fn gate_weights(first: u32, block: u32, k: u32) -> Fragments {
    let at = first + (block / BLOCKS_ACROSS * TERMS + k) * H + block % BLOCKS_ACROSS * BACKWARD_COLUMNS;
    return Fragments(
        coopLoadT<Right>(&recurrent[at], H),
        coopLoadT<Right>(&recurrent[at + SIZE], H),
        coopLoadT<Right>(&recurrent[at + H * H], H),
        coopLoadT<Right>(&recurrent[at + H * H + SIZE], H),
    );
}

/// Adds what these units add by both gates to the block's first two sums.
fn add_gradients(sums: ptr<function, Sums>, block: u32, k: u32, weights: Fragments) {
    let at = block / BLOCKS_ACROSS * TERMS + k;
    let first = coopLoadT<Left>(&gradients[at], GATES_PITCH);
    let second = coopLoadT<Left>(&gradients[at + H], GATES_PITCH);
    (*sums)[0] = coopMultiplyAdd(first, weights[0], (*sums)[0]);
    (*sums)[1] = coopMultiplyAdd(first, weights[1], (*sums)[1]);
    (*sums)[0] = coopMultiplyAdd(second, weights[2], (*sums)[0]);
    (*sums)[1] = coopMultiplyAdd(second, weights[3], (*sums)[1]);
}

fn put_state_sums(block: u32, sums: ptr<function, Sums>) {
    let place = block / BLOCKS_ACROSS * SIZE * PITCH + block % BLOCKS_ACROSS * BACKWARD_COLUMNS;
    coopStoreT((*sums)[0], &state_sums[place], PITCH);
    coopStoreT((*sums)[1], &state_sums[place + SIZE], PITCH);
}

/// What step t hands back to a unit's states, of the sequence at `row` and the next.
fn states_back_at(row: u32, unit: u32) -> vec2<f32> {
    let at = row * PITCH + unit;
    let other = at + SIZE * PITCH;
    return vec2<f32>(state_sums[at] + state_sums[other], state_sums[at + PITCH] + state_sums[other + PITCH]);
}

fn put_gradients(place: u32, values: vec2<f32>) {
    let rounded = vec2<f16>(values);
    gradients[place] = rounded.x;
    gradients[place + GATES_PITCH] = rounded.y;
}

/// The same with the gradients of its gates.
fn share_gradients(row: u32, unit: u32, made: Gates) {
    let at = row * GATES_PITCH + unit;
    put_gradients(at, made.input);
    put_gradients(at + H, made.forget);
    put_gradients(at + 2u * H, made.update);
    put_gradients(at + 3u * H, made.output);
}

@compute @workgroup_size(WORKGROUP)
fn backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
) {
    let direction = group.x;
    let unit = lane % UNITS;
    let row = lane / UNITS * OWN;
    let own = own_sequences(group.y, lane / UNITS, direction);
    let layer = layer_of(group.y);
    let end = end_of(group.y);
    let first_weight = layer.recurrent + direction * GATES * H;
    @if(size16) let block = min(subgroup, BLOCKS - 1u);
    @if(size16) let weights0 = passed(block, gate_weights(first_weight, block, 0u));
    @if(size16) let weights1 = passed(block, gate_weights(first_weight, block, SIZE));
    @if(size16) let weights2 = passed(block, gate_weights(first_weight, block, 2u * SIZE));
    @if(size16) let weights3 = passed(block, gate_weights(first_weight, block, 3u * SIZE));
    @if(size16) let weights4 = passed(block, gate_weights(first_weight, block, 4u * SIZE));
    @if(size16) let weights5 = passed(block, gate_weights(first_weight, block, 5u * SIZE));
    @if(size16) let weights6 = passed(block, gate_weights(first_weight, block, 6u * SIZE));
    @if(size16) let weights7 = passed(block, gate_weights(first_weight, block, 7u * SIZE));
    var states_back = handed_back(own, 1u + end % 2u, direction, end, unit);
    var cells_back = handed_back(own, 0u, direction, end, unit);
    @if(size8) let others = own_sequences(group.y, PARTS + lane / UNITS, direction);
    @if(size8) var other_states_back = handed_back(others, 1u + end % 2u, direction, end, unit);
    @if(size8) var other_cells_back = handed_back(others, 0u, direction, end, unit);
    for (var step = end; step > args.first_step; step--) {
        let t = step - 1u;
        let made = retreated(own, layer, direction, t, unit, states_back, cells_back);
        store_step_back(own, direction, t, unit, made);
        share_gradients(row, unit, made.gates);
        cells_back = made.cell;
        @if(size8) let others_made = retreated(others, layer, direction, t, unit, other_states_back, other_cells_back);
        @if(size8) store_step_back(others, direction, t, unit, others_made);
        @if(size8) share_gradients(PARTS * OWN + row, unit, others_made.gates);
        @if(size8) other_cells_back = others_made.cell;
        workgroupBarrier();
        @if(size16) {
            var sums = Sums();
            add_gradients(&sums, block, 0u, weights0);
            add_gradients(&sums, block, SIZE, weights1);
            add_gradients(&sums, block, 2u * SIZE, weights2);
            add_gradients(&sums, block, 3u * SIZE, weights3);
            add_gradients(&sums, block, 4u * SIZE, weights4);
            add_gradients(&sums, block, 5u * SIZE, weights5);
            add_gradients(&sums, block, 6u * SIZE, weights6);
            add_gradients(&sums, block, 7u * SIZE, weights7);
            put_state_sums(block, &sums);
        }
        @if(size8) for (var job = subgroup; job < BLOCKS; job += subgroups) {
            var sums = Sums();
            for (var k = 0u; k < H; k += SIZE) {
                add_gradients(&sums, job, k, gate_weights(first_weight, job, k));
            }
            put_state_sums(job, &sums);
        }
        workgroupBarrier();
        states_back = states_back_at(row, unit);
        @if(size8) other_states_back = states_back_at(PARTS * OWN + row, unit);
    }
    // For the dispatch of the steps before these.
    hand_back(own, 0u, direction, args.first_step, unit, cells_back);
    hand_back(own, 1u + args.first_step % 2u, direction, args.first_step, unit, states_back);
    @if(size8) hand_back(others, 0u, direction, args.first_step, unit, other_cells_back);
    @if(size8) hand_back(others, 1u + args.first_step % 2u, direction, args.first_step, unit, other_states_back);
}
