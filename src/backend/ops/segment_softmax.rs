//! Softmax over the rows of each utterance: `α_i = exp(x_i - m) / Σ_j exp(x_j - m)`, m the utterance's maximum. Finite scores of any
//! size; the weight of an only row is exactly 1. A NaN makes NaN of its utterance alone.

use super::{Differentiable, Operation, Shape, Sizes};
use crate::backend::{Matrix, Ragged, Storage, Work};

/// → `[rows, 1]`.
pub struct SegmentSoftmax<B: Storage, T> {
    /// `[rows, 1]`
    pub x: T,
    /// The rows of x.
    pub rows: Ragged<B>,
}

impl<B: Storage, T> Operation<B> for SegmentSoftmax<B, T> {
    const KERNEL: &'static str = "segment_softmax";
    type Operand = T;
    type On<U> = SegmentSoftmax<B, U>;
    type Output = B::Tensor;
    /// α.
    type Kept = B::Tensor;

    fn map<U>(&self, mut form: impl FnMut(&T) -> U) -> SegmentSoftmax<B, U> {
        SegmentSoftmax { x: form(&self.x), rows: self.rows.clone() }
    }

    fn results(of: &SegmentSoftmax<B, Shape>, on: &B) -> (B::Tensor, B::Tensor) {
        let weights = on.uninitialised(of.x.shape());
        (weights.clone(), weights)
    }

    fn sizes(of: &SegmentSoftmax<B, Shape>) -> Sizes {
        vec![("rows", of.x.rows()), ("batch", of.rows.batch())]
    }

    /// Some ten for an exponential, a maximum, a sum and a division.
    fn work(of: &SegmentSoftmax<B, Shape>) -> Work {
        Work::elementwise(13.0, of.x.len(), 2 * of.x.len())
    }
}

impl<B: Storage, T> Differentiable<B> for SegmentSoftmax<B, T> {
    fn backward_work(of: &SegmentSoftmax<B, Shape>, _: &SegmentSoftmax<B, bool>) -> Work {
        Work::elementwise(4.0, of.x.len(), 3 * of.x.len())
    }
}
