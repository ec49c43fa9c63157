//! The weights of multi-head attention by themselves, for pictures; training never asks for them: `p = softmax(scale · q kᵀ)` over
//! the key rows of the query's own utterance. The values are not read, and queries
//! and keys are taken as they are in any precision. Numbers that are not finite: as in [`super::Attention`].

use super::{Attention, Operation, Shape, Sizes};
use crate::backend::{Matrix, Storage, Work};

/// → utterance after utterance `[heads, queries, keys]`, in a column `[Σ heads · queries · keys, 1]`.
pub struct AttentionWeights<B: Storage, T>(pub Attention<B, T>);

impl<B: Storage, T> AttentionWeights<B, T> {
    fn len(&self) -> usize {
        self.0.weight_offsets().last().copied().unwrap_or(0)
    }
}

impl<B: Storage, T> Operation<B> for AttentionWeights<B, T> {
    const KERNEL: &'static str = "attention_weights";
    type Operand = T;
    type On<U> = AttentionWeights<B, U>;
    type Output = B::Tensor;
    type Kept = ();

    fn map<U>(&self, form: impl FnMut(&T) -> U) -> AttentionWeights<B, U> {
        AttentionWeights(self.0.map(form))
    }

    fn results(of: &AttentionWeights<B, Shape>, on: &B) -> (B::Tensor, ()) {
        (on.uninitialised([of.len(), 1]), ())
    }

    fn sizes(of: &AttentionWeights<B, Shape>) -> Sizes {
        <Attention<B, Shape> as Operation<B>>::sizes(&of.0)
    }

    /// Scores alone.
    fn work(of: &AttentionWeights<B, Shape>) -> Work {
        Work::products(of.0.product(), of.0.queries.len() + of.0.keys.len() + of.len())
    }
}
