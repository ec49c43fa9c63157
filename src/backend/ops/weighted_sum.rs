//! Weighted sum of the rows of each utterance: `H_u = Σ_i a_i x_i`, in an order that depends on the utterance's length alone; zeros
//! where there is no row. A number that is not finite stays in its utterance.

use super::{Differentiable, Operation, Shape, Sizes};
use crate::backend::{Matrix, Ragged, Storage, Work};

/// → `[batch, d]`.
pub struct WeightedSum<B: Storage, T> {
    /// `[rows, 1]`
    pub weights: T,
    /// `[rows, d]`
    pub x: T,
    /// The rows of both.
    pub rows: Ragged<B>,
}

impl<B: Storage, T> Operation<B> for WeightedSum<B, T> {
    const KERNEL: &'static str = "weighted_sum";
    type Operand = T;
    type On<U> = WeightedSum<B, U>;
    type Output = B::Tensor;
    type Kept = ();

    fn map<U>(&self, form: impl FnMut(&T) -> U) -> WeightedSum<B, U> {
        let [weights, x] = [&self.weights, &self.x].map(form);
        WeightedSum { weights, x, rows: self.rows.clone() }
    }

    fn results(of: &WeightedSum<B, Shape>, on: &B) -> (B::Tensor, ()) {
        (on.uninitialised([of.rows.batch(), of.x.columns()]), ())
    }

    fn sizes(of: &WeightedSum<B, Shape>) -> Sizes {
        vec![("rows", of.x.rows()), ("width", of.x.columns()), ("batch", of.rows.batch())]
    }

    fn work(of: &WeightedSum<B, Shape>) -> Work {
        Work::elementwise(2.0, of.x.len(), of.numbers())
    }
}

impl<B: Storage> WeightedSum<B, Shape> {
    /// Those of both operands and of the result.
    fn numbers(&self) -> usize {
        self.weights.len() + self.x.len() + self.rows.batch() * self.x.columns()
    }

    /// Of the gradient of the weights, `g_u(i) · x_i`.
    pub(crate) fn of_weights(&self) -> Work {
        Work::elementwise(2.0, self.x.len(), self.numbers())
    }

    /// Of that of x, `a_i g_u(i)`.
    pub(crate) fn of_x(&self) -> Work {
        Work::elementwise(1.0, self.x.len(), self.numbers())
    }
}

impl<B: Storage, T> Differentiable<B> for WeightedSum<B, T> {
    fn backward_work(of: &WeightedSum<B, Shape>, wanted: &WeightedSum<B, bool>) -> Work {
        let parts = [wanted.weights.then(|| of.of_weights()), wanted.x.then(|| of.of_x())];
        parts.into_iter().flatten().sum()
    }
}
