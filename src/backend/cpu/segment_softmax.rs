//! Softmax over the rows of each utterance, `α_i = exp(x_i - m) / Σ_j exp(x_j - m)`; on the way back `dx_i = α_i (g_i - Σ_j α_j g_j)`.

use super::wide::{highest, sum_of, wide};
use super::{Cpu, CpuTensor, Real};
use crate::backend::ops::{Differentiate, Run, SegmentSoftmax};
use crate::backend::{Matrix, Sink};

impl<T: Real> Run<SegmentSoftmax<Self, CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &SegmentSoftmax<Self, CpuTensor<T>>) -> (CpuTensor<T>, CpuTensor<T>) {
        let weights = CpuTensor::new(forward(&of.x.values(), &of.rows.offsets), of.x.shape());
        (weights.clone(), weights)
    }
}

impl<T: Real> Differentiate<SegmentSoftmax<Self, CpuTensor<T>>> for Cpu<T> {
    fn backward(
        &self,
        of: &SegmentSoftmax<Self, CpuTensor<T>>,
        weights: &CpuTensor<T>,
        dy: &CpuTensor<T>,
        sinks: &SegmentSoftmax<Self, Option<Sink<CpuTensor<T>>>>,
    ) {
        if let Some(sink) = &sinks.x {
            let dx = backward(&weights.values(), &dy.values(), &of.rows.offsets);
            sink.store(dx);
        }
    }
}

/// `x: [rows]`, `offsets: [batch + 1]` → the weights `[rows]`.
pub(crate) fn forward<T: Real>(x: &[T], offsets: &[u32]) -> Vec<T> {
    let mut weights = x.to_vec();
    offsets.windows(2).for_each(|rows| softmax(&mut weights[rows[0] as usize..rows[1] as usize]));
    weights
}

/// `weights, dy: [rows]` → `dx: [rows]`.
pub(crate) fn backward<T: Real>(weights: &[T], dy: &[T], offsets: &[u32]) -> Vec<T> {
    let mut dx = Vec::with_capacity(dy.len());
    for rows in offsets.windows(2) {
        let rows = rows[0] as usize..rows[1] as usize;
        let (weights, dy) = (&weights[rows.clone()], &dy[rows]);
        let mean = weights.iter().zip(dy).map(|(&weight, &dy)| weight * dy).sum::<T>();
        dx.extend(weights.iter().zip(dy).map(|(&weight, &dy)| weight * (dy - mean)));
    }
    dx
}

wide! {
    /// Replaces scores by their softmax.
    fn softmax<T: Real>(scores: &mut [T]) {
        let highest = highest(scores);
        scores.iter_mut().for_each(|score| *score = (*score - highest).exponential());
        let total = sum_of(scores, |share| share);
        scores.iter_mut().for_each(|share| *share /= total);
    }
}
