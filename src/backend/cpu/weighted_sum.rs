//! Weighted sum of the rows of each utterance, `H_u = Σ_i a_i x_i`; on the way back `da_i = g_u(i) · x_i` and `dx_i = a_i g_u(i)`, which
//! are what scores and their gradient are.

use super::row_scores::{dot_rows, spread};
use super::wide::{add, wide};
use super::{Cpu, CpuTensor, Real};
use crate::backend::ops::{Differentiate, Run, WeightedSum};
use crate::backend::{Matrix, Sink};
use crate::base::parallel::*;

impl<T: Real> Run<WeightedSum<Self, CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &WeightedSum<Self, CpuTensor<T>>) -> (CpuTensor<T>, ()) {
        let sums = sums_of_rows(&of.weights.values(), &of.x.values(), &of.rows.offsets, of.x.columns());
        (CpuTensor::new(sums, [of.rows.batch(), of.x.columns()]), ())
    }
}

impl<T: Real> Differentiate<WeightedSum<Self, CpuTensor<T>>> for Cpu<T> {
    fn backward(
        &self,
        of: &WeightedSum<Self, CpuTensor<T>>,
        (): &(),
        dy: &CpuTensor<T>,
        sinks: &WeightedSum<Self, Option<Sink<CpuTensor<T>>>>,
    ) {
        let (width, owners) = (of.x.columns(), &of.rows.owners);
        if let Some(sink) = &sinks.weights {
            let dweights = dot_rows(&of.x.values(), &dy.values(), owners, width);
            sink.store(dweights);
        }
        if let Some(sink) = &sinks.x {
            let dx = spread(&of.weights.values(), &dy.values(), owners, width);
            sink.store(dx);
        }
    }
}

/// Rows that a task sums; counted from an utterance's first one, so that its bits do not depend on the batch.
const ROWS: u32 = 256;

/// `weights: [rows]`, `x: [rows, width]`, `offsets: [sequences + 1]` → `[sequences, width]`.
pub(super) fn sums_of_rows<T: Real>(weights: &[T], x: &[T], offsets: &[u32], width: usize) -> Vec<T> {
    let slabs_of = |(sequence, rows): (usize, &[u32])| {
        let end = rows[1];
        (rows[0]..end).step_by(ROWS as usize).map(move |first| (sequence, first as usize..(first + ROWS).min(end) as usize))
    };
    let slabs: Vec<_> = offsets.windows(2).enumerate().flat_map(slabs_of).collect();
    let sum = |(sequence, rows): &(usize, std::ops::Range<usize>)| {
        let mut sums = vec![T::zero(); width];
        add_weighted(&weights[rows.clone()], &x[rows.start * width..rows.end * width], &mut sums);
        (*sequence, sums)
    };
    let partial: Vec<_> = slabs.par_iter().map(sum).collect();
    let mut sums = vec![T::zero(); (offsets.len() - 1) * width];
    partial.iter().for_each(|(sequence, partial)| add(partial, &mut sums[sequence * width..][..width]));
    sums
}

wide! {
    /// Adds rows `x: [rows, columns]`, each times its weight and in their order, to `sums: [columns]`.
    fn add_weighted<T: Real>(weights: &[T], x: &[T], sums: &mut [T]) {
        for (&weight, row) in weights.iter().zip(x.chunks_exact(sums.len().max(1))) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += weight * value;
            }
        }
    }
}
