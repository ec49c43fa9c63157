// How `bilstm` for graphics hardware shares out sequences and units, and where the numbers of a step lie. The sequences of an invocation
// are the components of its vectors.

import super::interface::{args, sequences, layers, Layer, Sequence};

/// Hidden units that a workgroup works on at a time, and parts of a product's terms.
const UNITS: u32 = 128;
const PARTS: u32 = 2;
/// Sequences of a workgroup, and those whose steps an invocation takes at a time.
@if(size8) const SEQUENCES: u32 = 8;
@else const SEQUENCES: u32 = 4;
const OWN: u32 = 2;
/// Invocation `lane` has the unit lane % UNITS, and the terms and the sequences of part lane / UNITS.
const WORKGROUP: u32 = UNITS * PARTS;

/// The hidden size.
@if(hidden128 || matrices) fn hidden_size() -> u32 {
    return 128u;
}
@else fn hidden_size() -> u32 {
    return args.hidden;
}

/// The sequences that an invocation has at a time.
struct Own {
    /// Their first rows in the direction of time.
    first: vec2<u32>,
    /// None where the slice is short.
    lengths: vec2<u32>,
    /// Their places in `sequences`, by which `carry` has them.
    places: vec2<u32>,
    /// Where the direction's input gates and states of their layer's first row begin.
    gates: u32,
    states: u32,
}

fn own_sequences(slice: u32, part: u32, direction: u32) -> Own {
    let place = slice * SEQUENCES + part * OWN;
    let x = sequences[place];
    let y = sequences[place + 1u];
    let layer = layer_of(slice);
    return Own(
        vec2<u32>(first_in_time(x, direction), first_in_time(y, direction)),
        vec2<u32>(x.length, y.length),
        vec2<u32>(place, place + 1u),
        layer.gates + direction * 4u * hidden_size(),
        layer.states + direction * hidden_size(),
    );
}

/// The row that a direction visits first; the first of a sequence without any.
fn first_in_time(sequence: Sequence, direction: u32) -> u32 {
    return sequence.first_row + direction * (max(sequence.length, 1u) - 1u);
}

fn layer_of(slice: u32) -> Layer {
    return layers[sequences[slice * SEQUENCES].layer];
}

/// Steps of this dispatch that a slice takes: its first sequence is its longest.
fn end_of(slice: u32) -> u32 {
    return min(args.end_step, sequences[slice * SEQUENCES].length);
}

/// Which sequences have a step `t` of a unit. Before the first step is none: 0 - 1 is past every last.
fn have(own: Own, t: u32, unit: u32) -> vec2<bool> {
    return vec2<u32>(t) < select(vec2<u32>(), own.lengths, unit < hidden_size());
}

/// Rows that a direction visits at step `t`; of sequences without it their last ones, and of those without any the first.
fn rows_at(own: Own, direction: u32, t: u32) -> vec2<u32> {
    let steps = min(vec2<u32>(t), max(own.lengths, vec2<u32>(1u)) - 1u);
    return select(own.first + steps, own.first - steps, direction == 1u);
}

/// A unit, or the last one.
fn some_unit(unit: u32) -> u32 {
    return min(unit, hidden_size() - 1u);
}

/// Places of a unit, or of the last one, among a direction's states.
fn states_at(own: Own, direction: u32, t: u32, unit: u32) -> vec2<u32> {
    return own.states + rows_at(own, direction, t) * 2u * hidden_size() + some_unit(unit);
}

/// Places of a gate of a unit, or of the last one.
fn gates_at(own: Own, direction: u32, t: u32, unit: u32, gate: u32) -> vec2<u32> {
    return own.gates + rows_at(own, direction, t) * 8u * hidden_size() + gate * hidden_size() + some_unit(unit);
}
