//! `(x - mean) / deviation` for each column, statistics chosen by the utterance's group. Each element by itself, as IEEE 754 has it.

use super::{Operation, Shape, Sizes};
use crate::backend::{Matrix, Ragged, Storage, Work};

/// Rows of `[any, columns]` → `[rows, columns]`.
pub struct ZScore<B: Storage, T> {
    /// `[any, columns]`: the rows of each sequence one after the other, and others that are of none.
    pub x: T,
    /// `[batch]`, or more: row of x that a sequence begins with. Where x holds the sequences alone, the layout's offsets.
    pub first_rows: B::Words,
    /// Layout of the result.
    pub rows: Ragged<B>,
    /// What is taken away and divided by.
    pub statistics: GroupStatistics<B>,
}

/// Mean and deviation of each column, for each group of utterances.
pub struct GroupStatistics<B: Storage> {
    /// `[batch]`: which row of the statistics an utterance uses.
    pub groups: B::Words,
    /// `[groups, columns]`
    pub mean: B::Tensor,
    /// `[groups, columns]`: 1 / standard deviation.
    pub reciprocal_deviation: B::Tensor,
}

impl<B: Storage> Clone for GroupStatistics<B> {
    fn clone(&self) -> Self {
        let Self { groups, mean, reciprocal_deviation } = self;
        Self { groups: groups.clone(), mean: mean.clone(), reciprocal_deviation: reciprocal_deviation.clone() }
    }
}

impl<B: Storage, T> Operation<B> for ZScore<B, T> {
    const KERNEL: &'static str = "z_score";
    type Operand = T;
    type On<U> = ZScore<B, U>;
    type Output = B::Tensor;
    type Kept = ();

    fn map<U>(&self, mut form: impl FnMut(&T) -> U) -> ZScore<B, U> {
        let Self { x, first_rows, rows, statistics } = self;
        ZScore { x: form(x), first_rows: first_rows.clone(), rows: rows.clone(), statistics: statistics.clone() }
    }

    fn results(of: &ZScore<B, Shape>, on: &B) -> (B::Tensor, ()) {
        (on.uninitialised([of.rows.rows(), of.x.columns()]), ())
    }

    fn sizes(of: &ZScore<B, Shape>) -> Sizes {
        vec![("count", of.rows.rows() * of.x.columns())]
    }

    fn work(of: &ZScore<B, Shape>) -> Work {
        let count = of.rows.rows() * of.x.columns();
        Work::elementwise(2.0, count, 2 * count)
    }
}
