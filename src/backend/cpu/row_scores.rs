//! Scores of rows by their utterance's query, `e_i = q_u(i) · x_i`, or by one query for all. With g the gradient of the scores
//! `dx_i = g_i q_u(i)` and `dq_u = Σ_i g_i x_i`, which is a weighted sum.

use super::memory::unwritten;
use super::weighted_sum::sums_of_rows;
use super::wide::wide;
use super::{Cpu, CpuTensor, Real};
use crate::backend::ops::{Differentiate, RowScores, Run};
use crate::backend::{Matrix, Sink};
use crate::base::parallel::*;

impl<T: Real> Run<RowScores<Self, CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &RowScores<Self, CpuTensor<T>>) -> (CpuTensor<T>, ()) {
        let scores = dot_rows(&of.x.values(), &of.query.values(), &of.rows.owners, of.x.columns());
        (CpuTensor::new(scores, [of.x.rows(), 1]), ())
    }
}

impl<T: Real> Differentiate<RowScores<Self, CpuTensor<T>>> for Cpu<T> {
    fn backward(
        &self,
        of: &RowScores<Self, CpuTensor<T>>,
        (): &(),
        dy: &CpuTensor<T>,
        sinks: &RowScores<Self, Option<Sink<CpuTensor<T>>>>,
    ) {
        let width = of.x.columns();
        if let Some(sink) = &sinks.x {
            let dx = spread(&dy.values(), &of.query.values(), &of.rows.owners, width);
            sink.store(dx);
        }
        if let Some(sink) = &sinks.query {
            let all = [0, of.x.rows() as u32];
            let offsets = if of.query.rows() == of.rows.batch() { &*of.rows.offsets } else { &all };
            let dq = sums_of_rows(&dy.values(), &of.x.values(), offsets, width);
            sink.store(dq);
        }
    }
}

/// Rows that a task goes through.
const ROWS: usize = 256;

/// The vector of a row's utterance, or the one for all.
fn vector_of<T>(vectors: &[T], owner: u32, width: usize) -> &[T] {
    if vectors.len() == width { vectors } else { &vectors[owner as usize * width..][..width] }
}

/// `x: [rows, width]`, `vectors: [batch or 1, width]`, `owners: [rows]` → the product of each row with its utterance's vector, `[rows]`.
pub(super) fn dot_rows<T: Real>(x: &[T], vectors: &[T], owners: &[u32], width: usize) -> Vec<T> {
    let tasks = x.par_chunks(ROWS * width).zip(owners.par_chunks(ROWS));
    let products = |(x, owners): (&[T], &[u32])| -> Vec<T> {
        x.chunks_exact(width).zip(owners).map(|(x, &owner)| dot(x, vector_of(vectors, owner, width))).collect()
    };
    tasks.map(products).collect::<Vec<_>>().concat()
}

/// `factors: [rows]` → each times its row's vector, `[rows, width]`.
pub(super) fn spread<T: Real>(factors: &[T], vectors: &[T], owners: &[u32], width: usize) -> Vec<T> {
    let mut y = unwritten(factors.len() * width);
    let tasks = y.par_chunks_mut(ROWS * width).zip(factors.par_chunks(ROWS)).zip(owners.par_chunks(ROWS));
    tasks.for_each(|((y, factors), owners)| {
        for ((y, &factor), &owner) in y.chunks_exact_mut(width).zip(factors).zip(owners) {
            y.iter_mut().zip(vector_of(vectors, owner, width)).for_each(|(y, &value)| *y = factor * value);
        }
    });
    y
}

/// Products that a sum carries side by side.
const PARTIAL_SUMS: usize = 16;

wide! {
    /// Σ a b, in partial sums that are added in their order.
    fn dot<T: Real>(a: &[T], b: &[T]) -> T {
        let mut sums = [T::zero(); PARTIAL_SUMS];
        let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<PARTIAL_SUMS>(), b.as_chunks::<PARTIAL_SUMS>());
        for (a, b) in a.iter().zip(b) {
            sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (&a, &b))| *sum += a * b);
        }
        sums.iter_mut().zip(a_rest.iter().zip(b_rest)).for_each(|(sum, (&a, &b))| *sum += a * b);
        sums.into_iter().sum()
    }
}
