// How `gru` for graphics hardware shares out sequences and units, and where the numbers of a step lie. The four sequences of a workgroup
// are the components of its vectors.

import super::interface::{Sequence, args, sequences, layers};
import package::shared::packed::fours_of;

/// Hidden units that a workgroup works on at a time, …
@if(to128) const UNITS: u32 = 128;
@else const UNITS: u32 = 256;
/// … how often it has so many, …
@if(to128 || to256) const CHUNKS: u32 = 1;
@else const CHUNKS: u32 = 2;
/// … and parts of a product's terms.
@if(to128) const PARTS: u32 = 2;
@else const PARTS: u32 = 1;
const SEQUENCES: u32 = 4;
/// Invocation `lane` has the units lane % UNITS and so on, and the terms of part lane / UNITS.
const WORKGROUP: u32 = UNITS * PARTS;
const MAX_HIDDEN: u32 = UNITS * CHUNKS;

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
        lengths * vec4<u32>(vec4<u32>(0u, 1u, 2u, 3u) / (SEQUENCES / PARTS) == vec4<u32>(lane / UNITS)),
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
