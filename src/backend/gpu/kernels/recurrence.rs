//! What recurrences over sequences share: which sequences run in one workgroup, and which steps in one dispatch.

use std::cmp::Reverse;

use super::*;

/// Most time steps of one dispatch; fewer where they would take longer than a submission is to take.
const STEPS: u32 = 128;

/// A sequence as a recurrence's table has it.
#[derive(Clone, Copy)]
pub(super) struct Placed {
    /// Its first row in its layer.
    pub first_row: u32,
    /// None where a slice is short.
    pub length: u32,
    /// The same in all of a slice.
    pub layer: u32,
}

/// Sequences of all layers in slices of so many, which are each of one layer; the longest slices first, since they take longest. Those
/// without a row are in none.
pub(super) fn slices(layers: &[&Ragged<Gpu>], sequences: usize) -> Vec<Placed> {
    let mut slices: Vec<Vec<Placed>> = Vec::new();
    for (layer, rows) in layers.iter().enumerate() {
        let layer = layer as u32;
        let begins = rows.offsets.iter().zip(rows.lengths());
        let mut own: Vec<Placed> = begins.map(|(&first_row, length)| Placed { first_row, length, layer }).collect();
        own.retain(|sequence| sequence.length > 0);
        own.sort_by_key(|sequence| Reverse(sequence.length));
        let whole = own.len().next_multiple_of(sequences);
        own.resize(whole, Placed { first_row: 0, length: 0, layer });
        slices.extend(own.chunks(sequences).map(<[Placed]>::to_vec));
    }
    slices.sort_by_key(|slice| Reverse(slice[0].length));
    slices.concat()
}

/// The dispatches' ranges of time steps, of which each takes so many FLOP.
pub(super) fn stretches(gpu: &Gpu, layers: &[&Ragged<Gpu>], flop_of_step: f64) -> impl DoubleEndedIterator<Item = (u32, u32)> + use<> {
    let longest = layers.iter().map(|rows| rows.longest()).max().unwrap_or(0) as u32;
    let steps = gpu.part_of_submission(flop_of_step).clamp(1, STEPS);
    (0..longest.div_ceil(steps)).map(move |stretch| (stretch * steps, ((stretch + 1) * steps).min(longest)))
}
