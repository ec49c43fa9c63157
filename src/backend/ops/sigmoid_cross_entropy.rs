//! Cross-entropy of each class by itself, with class weights w and label smoothing s:
//! `Σ_u w_y mean_c [max(z, 0) - z t + log(1 + e^-|z|)] / Σ_u w_y`, `t_c = (1-s) [c = y] + s/C`, and its gradient.
//!
//! Finite logits of any size; a NaN makes NaN of the loss and of its own gradient.

use super::{Operation, Shape, Sizes};
use crate::backend::{Matrix, Storage, Work};

/// → the loss `[1, 1]` times its weight and, times the loss scale too, its gradient `[batch, classes]`.
pub struct SigmoidCrossEntropy<B: Storage, T> {
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
    /// As in [`super::CrossEntropy`].
    pub total_weight: Option<f32>,
}

impl<B: Storage, T> Operation<B> for SigmoidCrossEntropy<B, T> {
    const KERNEL: &'static str = "sigmoid_cross_entropy";
    type Operand = T;
    type On<U> = SigmoidCrossEntropy<B, U>;
    type Output = (B::Tensor, B::Tensor);
    type Kept = ();

    fn map<U>(&self, form: impl FnMut(&T) -> U) -> SigmoidCrossEntropy<B, U> {
        let Self { logits, class_weights, scaling, labels, smoothing, weight, total_weight } = self;
        let [logits, class_weights, scaling] = [logits, class_weights, scaling].map(form);
        let (smoothing, weight, total_weight) = (*smoothing, *weight, *total_weight);
        SigmoidCrossEntropy { logits, class_weights, scaling, labels: labels.clone(), smoothing, weight, total_weight }
    }

    fn results(of: &SigmoidCrossEntropy<B, Shape>, on: &B) -> ((B::Tensor, B::Tensor), ()) {
        ((on.uninitialised([1, 1]), on.uninitialised(of.logits.shape())), ())
    }

    fn sizes(of: &SigmoidCrossEntropy<B, Shape>) -> Sizes {
        vec![("batch", of.logits.rows()), ("classes", of.logits.columns())]
    }

    /// As [`super::CrossEntropy`] has it: an exponential, a logarithm and what is added up.
    fn work(of: &SigmoidCrossEntropy<B, Shape>) -> Work {
        Work::elementwise(20.0, of.logits.len(), 2 * of.logits.len())
    }
}
