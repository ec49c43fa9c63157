//! Global maximum over time (18): `y[u, c] = max over the rows of utterance u of x[row, c]`, the earliest row on ties, a
//! NaN before all; the gradient goes to that row alone. Utterances have at least one row.

use std::rc::Rc;

use super::columns::rows_of_task;
use super::conv_pool::raise;
use super::memory::{unwritten, zeros};
use super::wide::ENOUGH;
use super::{Cpu, CpuTensor, Real};
use crate::backend::ops::{Differentiate, GlobalMax, Run};
use crate::backend::{Matrix, Sink};
use crate::base::parallel::*;

impl<T: Real> Run<GlobalMax<Self, CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &GlobalMax<Self, CpuTensor<T>>) -> (CpuTensor<T>, Rc<[u32]>) {
        let maxima: Vec<_> = of.streams.iter().map(|(x, rows)| forward(&x.values(), &rows.offsets, x.columns())).collect();
        let widths: Vec<usize> = of.streams.iter().map(|(x, _)| x.columns()).collect();
        let (y, winners): (Vec<_>, Vec<_>) = maxima.iter().map(|(y, winners)| (y.as_slice(), winners.as_slice())).unzip();
        let size = of.batch() * of.columns();
        let (mut all, mut all_winners) = (unwritten(size), vec![0; size]);
        concatenate(&y, &widths, &mut all);
        concatenate(&winners, &widths, &mut all_winners);
        (CpuTensor::new(all, [of.batch(), of.columns()]), all_winners.into())
    }
}

impl<T: Real> Differentiate<GlobalMax<Self, CpuTensor<T>>> for Cpu<T> {
    fn backward(
        &self,
        of: &GlobalMax<Self, CpuTensor<T>>,
        winners: &Rc<[u32]>,
        dy: &CpuTensor<T>,
        sinks: &GlobalMax<Self, Option<Sink<CpuTensor<T>>>>,
    ) {
        let mut column = 0;
        for ((x, _), (sink, _)) in of.streams.iter().zip(&sinks.streams) {
            if let Some(sink) = sink {
                let dx = backward(&dy.values(), winners, dy.columns(), column, x.shape());
                sink.store(dx);
            }
            column += x.columns();
        }
    }
}

/// `x: [rows, columns]` → the maxima and their rows, `[batch, columns]` each.
pub(crate) fn forward<T: Real>(x: &[T], offsets: &[u32], columns: usize) -> (Vec<T>, Vec<u32>) {
    let batch = offsets.len() - 1;
    let (mut maxima, mut winners) = (vec![T::neg_infinity(); batch * columns], vec![0; batch * columns]);
    let utterances = maxima.par_chunks_exact_mut(columns).zip(winners.par_chunks_exact_mut(columns));
    let utterances = utterances.zip(offsets.par_windows(2)).with_min_len(least(x.len() / batch.max(1), ENOUGH));
    utterances.for_each(|((maxima, winners), rows)| {
        winners.fill(rows[0]);
        for row in rows[0]..rows[1] {
            raise(&x[row as usize * columns..][..columns], row, maxima, winners);
        }
    });
    (maxima, winners)
}

/// Matrices side by side, by columns, in `all: [rows, Σ widths]`.
pub(super) fn concatenate<V: Copy + Send + Sync>(matrices: &[&[V]], widths: &[usize], all: &mut [V]) {
    let width = widths.iter().sum::<usize>().max(1);
    let rows = rows_of_task(width);
    all.par_chunks_mut(rows * width).enumerate().with_min_len(least(1, 1)).for_each(|(task, part)| {
        for (row, mut line) in (task * rows..).zip(part.chunks_exact_mut(width)) {
            for (matrix, &width) in matrices.iter().zip(widths) {
                let (own, rest) = std::mem::take(&mut line).split_at_mut(width);
                own.copy_from_slice(&matrix[row * width..][..width]);
                line = rest;
            }
        }
    });
}

/// `dy, winners: [batch, total columns]`, of which this stream's start at `column` → `dx: [rows, columns]`.
pub(crate) fn backward<T: Real>(dy: &[T], winners: &[u32], total_columns: usize, column: usize, [rows, columns]: [usize; 2]) -> Vec<T> {
    let mut dx = zeros(rows * columns);
    for (dy, winners) in dy.chunks_exact(total_columns).zip(winners.chunks_exact(total_columns)) {
        for c in 0..columns {
            dx[winners[column + c] as usize * columns + c] = dy[column + c];
        }
    }
    dx
}
