//! Residual and LayerNorm (9, 11): `LayerNorm(x + residual) · scale + shift`, ε = 1e-5. The gradients of x and of the residual are
//! equal. NaN and infinity make NaN of their row, and of the scale's and the shift's gradients.

use super::{Differentiable, Operation, Shape, Sizes};
use crate::backend::{Matrix, Storage, Work};

/// → `[rows, d]`.
pub struct ResidualNorm<T> {
    /// `[rows, d]`
    pub x: T,
    /// `[rows, d]`
    pub residual: T,
    /// `[1, d]`
    pub scale: T,
    /// `[1, d]`
    pub shift: T,
}

/// What the way back needs of the way forward.
#[derive(Debug, Clone)]
pub struct NormKept<T> {
    /// `[rows, d]`: the normalised rows before scale and shift.
    pub normalised: T,
    /// `[rows, 1]`
    pub reciprocal_deviation: T,
}

impl ResidualNorm<Shape> {
    /// The gradients of x and the residual.
    pub fn sum_gradients(&self) -> Work {
        Work::elementwise(10.0, self.x.len(), 4 * self.x.len())
    }

    /// Those of scale and shift, by themselves.
    pub fn parameter_gradients(&self) -> Work {
        Work::elementwise(3.0, self.x.len(), 2 * self.x.len())
    }
}

impl<B: Storage, T> Operation<B> for ResidualNorm<T> {
    const KERNEL: &'static str = "residual_norm";
    type Operand = T;
    type On<U> = ResidualNorm<U>;
    type Output = B::Tensor;
    type Kept = NormKept<B::Tensor>;

    fn map<U>(&self, form: impl FnMut(&T) -> U) -> ResidualNorm<U> {
        let [x, residual, scale, shift] = [&self.x, &self.residual, &self.scale, &self.shift].map(form);
        ResidualNorm { x, residual, scale, shift }
    }

    fn results(of: &ResidualNorm<Shape>, on: &B) -> (B::Tensor, NormKept<B::Tensor>) {
        let y = on.uninitialised(of.x.shape());
        let normalised = on.uninitialised(of.x.shape());
        (y, NormKept { normalised, reciprocal_deviation: on.uninitialised([of.x.rows(), 1]) })
    }

    fn sizes(of: &ResidualNorm<Shape>) -> Sizes {
        vec![("count", of.x.len())]
    }

    fn work(of: &ResidualNorm<Shape>) -> Work {
        Work::elementwise(9.0, of.x.len(), 4 * of.x.len())
    }
}

impl<B: Storage, T> Differentiable<B> for ResidualNorm<T> {
    fn backward_work(of: &ResidualNorm<Shape>, wanted: &ResidualNorm<bool>) -> Work {
        if !wanted.scale && !wanted.shift {
            return of.sum_gradients();
        }
        // Both read the same.
        of.sum_gradients() + of.parameter_gradients() - Work::elementwise(0.0, 0, 2 * of.x.len())
    }
}
