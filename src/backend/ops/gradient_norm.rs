//! Euclidean norm of all gradients and the factor 1 that the optimiser multiplies them with; they stay on the device. NaN and
//! infinity make the norm so; squares overflow where gradients pass 1e19.

use super::{Operation, Shape, Sizes};
use crate::backend::{Matrix, Storage, Work};

/// → `[1, 2]`.
pub struct GradientNorm<T> {
    /// Any shape.
    pub gradients: T,
}

impl<B: Storage, T> Operation<B> for GradientNorm<T> {
    const KERNEL: &'static str = "gradient_norm";
    type Operand = T;
    type On<U> = GradientNorm<U>;
    type Output = B::Tensor;
    type Kept = ();

    fn map<U>(&self, mut form: impl FnMut(&T) -> U) -> GradientNorm<U> {
        GradientNorm { gradients: form(&self.gradients) }
    }

    fn results(_: &GradientNorm<Shape>, on: &B) -> (B::Tensor, ()) {
        (on.uninitialised([1, 2]), ())
    }

    fn sizes(of: &GradientNorm<Shape>) -> Sizes {
        vec![("count", of.gradients.len())]
    }

    fn work(of: &GradientNorm<Shape>) -> Work {
        Work::elementwise(2.0, of.gradients.len(), of.gradients.len())
    }
}
