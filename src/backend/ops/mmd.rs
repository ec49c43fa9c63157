//! Maximum mean discrepancy (Gretton et al. 2012) of two sets of n rows, by five Gaussian kernels at once:
//! `(1/n²) Σ_ij s_ij Σ_m exp(-D_ij / σ_m)` over all 2n rows, `D_ij = |x_i - x_j|²`, s +1 within a set and -1 across, σ_m = 2^m σ_0,
//! m = 0 … 4. σ_0 is a quarter of the mean of D over the pairs of different rows, and counts as constant on the way back:
//! `dx_i = (4/n²) Σ_j s_ij k'_ij (x_i - x_j)`, `k' = -Σ_m exp(-D / σ_m) / σ_m`.
//!
//! Where all rows are equal the loss and its gradients are zero. A number that is not finite makes NaN of all.

use super::{Operation, Shape, Sizes};
use crate::backend::{Matrix, Storage, Work};

/// → the loss `[1, 1]` times its weight and, times the loss scale too, its gradients for the first and the second set.
pub struct Mmd<T> {
    /// `[n, d]`
    pub first: T,
    /// `[n, d]`
    pub second: T,
    /// As in [`super::LossScale`].
    pub scaling: T,
    /// That of the loss among others, which may be below zero.
    pub weight: f32,
    /// σ_0, where it is not to follow from the rows.
    pub bandwidth: Option<f32>,
}

/// Kernels of different widths.
pub(crate) const KERNELS: i32 = 5;

impl<B: Storage, T> Operation<B> for Mmd<T> {
    const KERNEL: &'static str = "mmd";
    type Operand = T;
    type On<U> = Mmd<U>;
    type Output = (B::Tensor, [B::Tensor; 2]);
    type Kept = ();

    fn map<U>(&self, form: impl FnMut(&T) -> U) -> Mmd<U> {
        let [first, second, scaling] = [&self.first, &self.second, &self.scaling].map(form);
        Mmd { first, second, scaling, weight: self.weight, bandwidth: self.bandwidth }
    }

    fn results(of: &Mmd<Shape>, on: &B) -> ((B::Tensor, [B::Tensor; 2]), ()) {
        ((on.uninitialised([1, 1]), [of.first, of.second].map(|set| on.uninitialised(set.shape()))), ())
    }

    fn sizes(of: &Mmd<Shape>) -> Sizes {
        vec![("rows", of.first.rows()), ("width", of.first.columns())]
    }

    /// A difference, its square and their sum an element and pair, and again for the gradient; of a pair five exponentials.
    fn work(of: &Mmd<Shape>) -> Work {
        let pairs = (2 * of.first.rows()).pow(2);
        let numbers = 2 * (of.first.len() + of.second.len());
        Work::elementwise(6.0, pairs * of.first.columns(), numbers) + Work::elementwise(60.0, pairs, 0)
    }
}
