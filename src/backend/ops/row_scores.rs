//! Scores of rows by a query: `e_i = q_u(i) · x_i`, u(i) the utterance of row i; or by one query for all. A number that is not finite
//! stays in its row's score, and on the way back in its utterance.

use super::{Differentiable, Operation, Shape, Sizes};
use crate::backend::{Matrix, Ragged, Storage, Work};

/// → `[rows, 1]`.
pub struct RowScores<B: Storage, T> {
    /// `[rows, d]`
    pub x: T,
    /// `[batch, d]`, or `[1, d]`: one for all.
    pub query: T,
    /// The rows of x.
    pub rows: Ragged<B>,
}

impl<B: Storage, T> Operation<B> for RowScores<B, T> {
    const KERNEL: &'static str = "row_scores";
    type Operand = T;
    type On<U> = RowScores<B, U>;
    type Output = B::Tensor;
    type Kept = ();

    fn map<U>(&self, form: impl FnMut(&T) -> U) -> RowScores<B, U> {
        let [x, query] = [&self.x, &self.query].map(form);
        RowScores { x, query, rows: self.rows.clone() }
    }

    fn results(of: &RowScores<B, Shape>, on: &B) -> (B::Tensor, ()) {
        (on.uninitialised([of.x.rows(), 1]), ())
    }

    fn sizes(of: &RowScores<B, Shape>) -> Sizes {
        vec![("rows", of.x.rows()), ("width", of.x.columns()), ("queries", of.query.rows())]
    }

    fn work(of: &RowScores<B, Shape>) -> Work {
        Work::elementwise(2.0, of.x.len(), of.x.len() + of.query.len() + of.x.rows())
    }
}

impl<B: Storage> RowScores<B, Shape> {
    /// Of the gradient of x, `g_i q_u(i)`.
    pub(crate) fn of_x(&self) -> Work {
        Work::elementwise(1.0, self.x.len(), self.x.rows() + self.query.len() + self.x.len())
    }

    /// Of that of the query, `Σ_i g_i x_i`.
    pub(crate) fn of_query(&self) -> Work {
        Work::elementwise(2.0, self.x.len(), self.x.rows() + self.x.len() + self.query.len())
    }
}

impl<B: Storage, T> Differentiable<B> for RowScores<B, T> {
    fn backward_work(of: &RowScores<B, Shape>, wanted: &RowScores<B, bool>) -> Work {
        let parts = [wanted.x.then(|| of.of_x()), wanted.query.then(|| of.of_query())];
        parts.into_iter().flatten().sum()
    }
}
