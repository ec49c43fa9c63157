//! Stochastic gradient descent with decoupled weight decay. Numbers that are not finite, and a factor of 0: as in [`super::Adam`].

use super::{Operation, Shape, Sizes};
use crate::backend::{Matrix, Storage, Work};

/// Changes the parameters in place.
pub struct Sgd<T> {
    /// Any shape.
    pub parameters: T,
    /// As they come from the way back.
    pub gradients: T,
    /// `[1, 2]`, as [`super::GradientNorm`] gives it.
    pub norm: T,
    /// Learning rate, weight decay and clipping.
    pub size: StepSize,
}

/// One optimiser step's numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepSize {
    /// lr
    pub learning_rate: f64,
    /// Decoupled: weights shrink by `learning_rate · weight_decay` before the step.
    pub weight_decay: f64,
    /// Gradients are scaled by `min(1, clip_norm / (norm + 1e-6))`; infinity turns it off.
    pub clip_norm: f64,
}

impl StepSize {
    /// What weight decay multiplies the parameters with.
    pub fn shrink(&self) -> f64 {
        1.0 - self.learning_rate * self.weight_decay
    }

    /// The clipping norm as shaders take it, 0 where clipping is off.
    pub fn clip_or_zero(&self) -> f64 {
        if self.clip_norm.is_finite() { self.clip_norm } else { 0.0 }
    }
}

impl<B: Storage, T> Operation<B> for Sgd<T> {
    const KERNEL: &'static str = "sgd";
    const ENTRY: &'static str = "update";
    type Operand = T;
    type On<U> = Sgd<U>;
    type Output = ();
    type Kept = ();

    fn map<U>(&self, form: impl FnMut(&T) -> U) -> Sgd<U> {
        let [parameters, gradients, norm] = [&self.parameters, &self.gradients, &self.norm].map(form);
        Sgd { parameters, gradients, norm, size: self.size }
    }

    fn results(_: &Sgd<Shape>, _: &B) -> ((), ()) {
        ((), ())
    }

    fn sizes(of: &Sgd<Shape>) -> Sizes {
        vec![("count", of.parameters.len())]
    }

    fn work(of: &Sgd<Shape>) -> Work {
        Work::elementwise(4.0, of.parameters.len(), 3 * of.parameters.len())
    }
}
