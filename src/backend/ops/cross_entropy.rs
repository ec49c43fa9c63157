//! Softmax cross-entropy (20), PyTorch's definition with class weights w and label smoothing s:
//! `Σ_u [(1-s) w_y (-log p_y) + s/C Σ_c w_c (-log p_c)] / Σ_u w_y`, and its gradient.
//!
//! Finite logits of any size; a NaN makes NaN of the loss and of its row's gradient.

use super::{Operation, Shape, Sizes};
use crate::backend::{Matrix, Storage, Work};

/// → the loss `[1, 1]` times its weight and, times the loss scale too, its gradient `[batch, classes]`.
pub struct CrossEntropy<B: Storage, T> {
    /// `[batch, classes]`
    pub logits: T,
    /// `[1, classes]`
    pub class_weights: T,
    /// As in [`super::LossScale`].
    pub scaling: T,
    /// `[batch]`
    pub labels: B::Words,
    /// s
    pub smoothing: f32,
    /// That of the loss among others.
    pub weight: f32,
    /// Where these are a part of a batch, the `Σ_u w_y` of the whole batch: the parts' losses and gradients sum up to the whole's.
    pub total_weight: Option<f32>,
}

impl<B: Storage, T> Operation<B> for CrossEntropy<B, T> {
    const KERNEL: &'static str = "cross_entropy";
    type Operand = T;
    type On<U> = CrossEntropy<B, U>;
    type Output = (B::Tensor, B::Tensor);
    type Kept = ();

    fn map<U>(&self, form: impl FnMut(&T) -> U) -> CrossEntropy<B, U> {
        let Self { logits, class_weights, scaling, labels, smoothing, weight, total_weight } = self;
        let [logits, class_weights, scaling] = [logits, class_weights, scaling].map(form);
        let (smoothing, weight, total_weight) = (*smoothing, *weight, *total_weight);
        CrossEntropy { logits, class_weights, scaling, labels: labels.clone(), smoothing, weight, total_weight }
    }

    fn results(of: &CrossEntropy<B, Shape>, on: &B) -> ((B::Tensor, B::Tensor), ()) {
        ((on.uninitialised([1, 1]), on.uninitialised(of.logits.shape())), ())
    }

    fn sizes(of: &CrossEntropy<B, Shape>) -> Sizes {
        vec![("batch", of.logits.rows()), ("classes", of.logits.columns())]
    }

    /// Some twenty for an exponential, a logarithm's share and what is added up.
    fn work(of: &CrossEntropy<B, Shape>) -> Work {
        Work::elementwise(20.0, of.logits.len(), 2 * of.logits.len())
    }
}
