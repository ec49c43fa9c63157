//! What recurrences over sequences share: which sequences run in one workgroup, and which steps in one dispatch.

use std::cmp::Reverse;

use super::*;

/// Most time steps of one dispatch; fewer where they would take longer than a submission is to take, or more turns of loops than a
/// software adapter takes.
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

/// Who takes which workgroup.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Schedule {
    /// Whoever is free takes the next one: the longest slices come first, both directions of each, since they take longest.
    Free,
    /// Each core takes its share of those that follow each other, as llvmpipe's do: one direction comes after the other, in each a short
    /// slice behind a long one.
    Shares,
}

impl Schedule {
    /// That of a variant for software adapters, or of another.
    pub(super) fn of(is_software: bool) -> Self {
        if is_software { Self::Shares } else { Self::Free }
    }

    /// Workgroups of so many slices.
    pub(super) fn grid(self, directions: u32, slices: u32) -> [u32; 3] {
        match self {
            Self::Free => [directions, slices, 1],
            Self::Shares => [slices, directions, 1],
        }
    }

    /// Slices from the longest to the shortest in the order of their workgroups.
    fn ordered<T>(self, mut slices: Vec<T>) -> Vec<T> {
        match self {
            Self::Free => slices,
            Self::Shares => {
                let mut short = slices.split_off(slices.len().div_ceil(2));
                slices.into_iter().flat_map(|long| [Some(long), short.pop()]).flatten().collect()
            }
        }
    }
}

/// Sequences of all layers in slices of so many, which are each of one layer, in the order of their workgroups. Those without a row are in
/// none.
pub(super) fn slices(layers: &[&Ragged<Gpu>], sequences: usize, schedule: Schedule) -> Vec<Placed> {
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
    schedule.ordered(slices).concat()
}

/// What a time step takes, by which dispatches are cut.
pub(super) struct Step {
    /// Of all sequences.
    pub flop: f64,
    /// Turns of loops of an invocation, where it is the variant for software adapters that takes them.
    pub turns: Option<usize>,
}

/// Turns of loops that llvmpipe lets an invocation take in a dispatch; from then on it leaves every loop, without a word.
const MOST_TURNS: usize = 65_535;

/// Turns of a variant `software` in a step, or more: products of so many gates' weights by tiles of 64 units, in so many passes that wait
/// for each other, with as many sequences as it takes. Of each loop the turn that leaves it counts, too.
pub(super) fn turns_of_software(hidden: usize, gates: usize, passes: usize) -> usize {
    24 + hidden.div_ceil(64) * (gates * (hidden / 4 + 24) + passes * 44)
}

/// The dispatches' ranges of time steps.
pub(super) fn stretches(gpu: &Gpu, layers: &[&Ragged<Gpu>], step: &Step) -> impl DoubleEndedIterator<Item = (u32, u32)> + use<> {
    let longest = layers.iter().map(|rows| rows.longest()).max().unwrap_or(0) as u32;
    let by_turns = step.turns.map_or(STEPS, |turns| (MOST_TURNS / turns) as u32);
    let steps = gpu.part_of_submission(step.flop).min(by_turns).clamp(1, STEPS);
    (0..longest.div_ceil(steps)).map(move |stretch| (stretch * steps, ((stretch + 1) * steps).min(longest)))
}
