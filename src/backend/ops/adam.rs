//! Adam (Kingma & Ba 2015, algorithm 1, PyTorch's form) with decoupled weight decay. Where the norm's factor is 0 nothing changes; a
//! norm that is not finite spreads to every parameter where gradients are clipped, else a gradient to its own.

use super::{Operation, Shape, Sizes, StepSize};
use crate::backend::{Matrix, Storage, Work};

/// Changes parameters and both moments, all of one shape, in place.
pub struct Adam<T> {
    /// Any shape.
    pub parameters: T,
    /// As they come from the way back.
    pub gradients: T,
    /// m
    pub first_moment: T,
    /// v
    pub second_moment: T,
    /// `[1, 2]`, as [`super::GradientNorm`] gives it.
    pub norm: T,
    /// Its numbers.
    pub step: AdamStep,
}

/// Adam's numbers; float64, because `1 - β₂` of a float32 β₂ is off by 1e-5.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamStep {
    /// Learning rate, weight decay and clipping.
    pub size: StepSize,
    /// Of the mean of the gradients.
    pub beta1: f64,
    /// Of the mean of their squares.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// 1 for the first step.
    pub step: u32,
}

impl<B: Storage, T> Operation<B> for Adam<T> {
    const KERNEL: &'static str = "adam";
    const ENTRY: &'static str = "update";
    type Operand = T;
    type On<U> = Adam<U>;
    type Output = ();
    type Kept = ();

    fn map<U>(&self, form: impl FnMut(&T) -> U) -> Adam<U> {
        let Self { parameters, gradients, first_moment, second_moment, norm, step } = self;
        let [parameters, gradients, first_moment, second_moment, norm] =
            [parameters, gradients, first_moment, second_moment, norm].map(form);
        Adam { parameters, gradients, first_moment, second_moment, norm, step: *step }
    }

    fn results(_: &Adam<Shape>, _: &B) -> ((), ()) {
        ((), ())
    }

    fn sizes(of: &Adam<Shape>) -> Sizes {
        vec![("count", of.parameters.len())]
    }

    /// Parameters and moments are read and written.
    fn work(of: &Adam<Shape>) -> Work {
        Work::elementwise(15.0, of.parameters.len(), 7 * of.parameters.len())
    }
}
