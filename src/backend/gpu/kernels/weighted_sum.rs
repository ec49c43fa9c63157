//! Launches of [`WeightedSum`] and its gradient, which are those of [`RowScores`](ops::RowScores) the other way round.

use super::row_scores::{dot_rows, spread};
use super::*;
use crate::backend::ops::{Differentiate, WeightedSum};
use shader::weighted_sum::{Add, Args, Forward, WORKGROUP};

impl Run<WeightedSum<Self, Tensor>> for Gpu {
    fn forward(&self, of: &WeightedSum<Self, Tensor>) -> (Tensor, ()) {
        let (y, ()) = self.results(of);
        let sink = Sink { tensor: y.clone(), write: Write::Set };
        sum_rows(self, [&of.weights, &of.x], &of.rows, Sums::OfSequences, &sink, work(of));
        (y, ())
    }
}

impl Differentiate<WeightedSum<Self, Tensor>> for Gpu {
    fn backward(&self, of: &WeightedSum<Self, Tensor>, (): &(), dy: &Tensor, sinks: &WeightedSum<Self, Option<Sink<Tensor>>>) {
        if let Some(sink) = &sinks.weights {
            dot_rows(self, [&of.x, dy], &of.rows, sink, shapes(of).of_weights());
        }
        if let Some(sink) = &sinks.x {
            spread(self, [&of.weights, dy], &of.rows, sink, shapes(of).of_x());
        }
    }
}

/// Which rows are added up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sums {
    /// Those of each sequence.
    OfSequences,
    /// All.
    OfAll,
}

/// Rows that an invocation adds, one after the other. A longer sequence is several slabs, counted from its first row, so that its bits
/// depend on nothing else in the batch.
const SLAB_ROWS: u32 = 64;

/// Slabs of a sequence of so many rows; one that has none leaves zeros.
fn slabs_of(rows: u32) -> u32 {
    rows.div_ceil(SLAB_ROWS).max(1)
}

/// First row and end of each slab.
fn slabs(offsets: &[u32]) -> Vec<u32> {
    let of = |rows: &[u32]| {
        let [first, end] = [rows[0], rows[1]];
        (0..slabs_of(end - first)).flat_map(move |slab| [first + slab * SLAB_ROWS, (first + (slab + 1) * SLAB_ROWS).min(end)])
    };
    offsets.windows(2).flat_map(of).collect()
}

/// The first slab of each sequence, and their number.
fn first_slabs(offsets: &[u32]) -> Vec<u32> {
    let ends = offsets.windows(2).scan(0, |end, rows| {
        *end += slabs_of(rows[1] - rows[0]);
        Some(*end)
    });
    std::iter::once(0).chain(ends).collect()
}

/// `y_u (+)= Σ_i w_i x_i`, over slabs first where a sequence has several.
pub(super) fn sum_rows(gpu: &Gpu, [weights, x]: [&Tensor; 2], rows: &Ragged<Gpu>, sums: Sums, sink: &Sink<Tensor>, work: Work) {
    let all = [0, rows.rows() as u32];
    let (offsets, names) = match sums {
        Sums::OfSequences => (&*rows.offsets, ["slabs", "first slabs"]),
        Sums::OfAll => (&all[..], ["slabs of all", "first slab of all"]),
    };
    let derived = |name, make: fn(&[u32]) -> Vec<u32>| gpu.derive_list(name, [&rows.device_offsets; 2], || make(offsets));
    let count: u32 = offsets.windows(2).map(|rows| slabs_of(rows[1] - rows[0])).sum();
    let sequences = offsets.len() - 1;
    let width = Width::of(&[x.columns()]);
    let grid = |rows| row_grid(x.columns() / width.numbers(), WORKGROUP, rows, 1);
    let args = |sums, sink: &Sink<Tensor>| Args { width: x.columns() as u32, sums, accumulate: sink.accumulates() };

    let is_whole = count as usize == sequences;
    let partial = || Sink { tensor: gpu.new_tensor([count as usize, x.columns()]), write: Write::Set };
    let target = if is_whole { sink.clone() } else { partial() };
    let launch = Forward { weights, x, slabs: &derived(names[0], slabs), sums: &target.tensor };
    gpu.dispatch_variant(width, &launch, args(count, &target), grid(count as usize), work);
    if !is_whole {
        let launch = Add { partial: &target.tensor, first_slabs: &derived(names[1], first_slabs), y: &sink.tensor };
        gpu.dispatch_variant(width, &launch, args(sequences as u32, sink), grid(sequences), None);
    }
}
