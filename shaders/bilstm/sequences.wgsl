// How `bilstm` for graphics hardware shares out sequences and units, and where the numbers of a step lie. The sequences of an invocation
// are the components of its vectors.

import super::interface::{args, offsets, by_length};

/// Hidden units that a workgroup works on at a time, and parts of a product's terms.
const UNITS: u32 = 128;
const PARTS: u32 = 2;
/// Sequences of a workgroup, and those whose steps an invocation takes.
const SEQUENCES: u32 = 4;
const OWN: u32 = SEQUENCES / PARTS;
/// Invocation `lane` has the unit lane % UNITS, and the terms and the sequences of part lane / UNITS.
const WORKGROUP: u32 = UNITS * PARTS;

/// The hidden size.
@if(hidden128) fn hidden_size() -> u32 {
    return 128u;
}
@else fn hidden_size() -> u32 {
    return args.hidden;
}

/// The sequences of an invocation.
struct Own {
    /// Their first rows in the direction of time.
    first: vec2<u32>,
    /// None where the slice is short.
    lengths: vec2<u32>,
    /// Utterances, as `carry` counts them.
    utterances: vec2<u32>,
}

fn own_sequences(slice: u32, part: u32, direction: u32) -> Own {
    let place = slice * SEQUENCES + part * OWN;
    let x = sequence(place, direction);
    let y = sequence(place + 1u, direction);
    return Own(vec2<u32>(x.x, y.x), vec2<u32>(x.y, y.y), vec2<u32>(x.z, y.z));
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
fn have(own: Own, t: u32, unit: u32) -> vec2<bool> {
    return vec2<u32>(t) < select(vec2<u32>(), own.lengths, unit < hidden_size());
}

/// Rows that a direction visits at step `t`; of sequences without it their last ones, and of those without any some row.
fn rows_at(own: Own, direction: u32, t: u32) -> vec2<u32> {
    let steps = min(vec2<u32>(t), max(own.lengths, vec2<u32>(1u)) - 1u);
    return min(select(own.first + steps, own.first - steps, direction == 1u), vec2<u32>(args.rows - 1u));
}

/// A unit, or the last one.
fn some_unit(unit: u32) -> u32 {
    return min(unit, hidden_size() - 1u);
}

/// Places of a unit, or of the last one, among a direction's states.
fn states_at(own: Own, direction: u32, t: u32, unit: u32) -> vec2<u32> {
    return rows_at(own, direction, t) * 2u * hidden_size() + direction * hidden_size() + some_unit(unit);
}

/// Places of a gate of a unit, or of the last one.
fn gates_at(own: Own, direction: u32, t: u32, unit: u32, gate: u32) -> vec2<u32> {
    return rows_at(own, direction, t) * 8u * hidden_size() + (direction * 4u + gate) * hidden_size() + some_unit(unit);
}
