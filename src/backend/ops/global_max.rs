//! Global maximum over time (18) of several ragged matrices, concatenated by columns in their order. The earliest of equals wins, the
//! earliest NaN before all, then +inf; the gradient goes to the winning row alone.

use super::{Differentiable, Operation, Shape, Sizes};
use crate::backend::{Matrix, Ragged, Storage, Work};

/// → `[batch, Σ columns]`.
pub struct GlobalMax<B: Storage, T> {
    /// `[rows, columns]` each, with its layout.
    pub streams: Vec<(T, Ragged<B>)>,
}

impl<B: Storage, T> GlobalMax<B, T> {
    /// Utterances.
    pub fn batch(&self) -> usize {
        self.streams.first().map_or(0, |(_, rows)| rows.batch())
    }
}

impl<B: Storage, T: Matrix> GlobalMax<B, T> {
    /// Columns of all streams.
    pub fn columns(&self) -> usize {
        self.streams.iter().map(|(x, _)| x.columns()).sum()
    }
}

impl<B: Storage> GlobalMax<B, Shape> {
    fn len(&self) -> usize {
        self.streams.iter().map(|(x, _)| x.len()).sum()
    }

    /// Of one stream; a comparison is an operation.
    pub fn maximum(&self, stream: usize) -> Work {
        let (x, rows) = &self.streams[stream];
        Work::elementwise(1.0, x.len(), x.len() + 2 * rows.batch() * x.columns())
    }

    /// Of one stream: every row is written.
    pub fn gradient(&self, stream: usize) -> Work {
        let (x, rows) = &self.streams[stream];
        Work::elementwise(0.0, 0, x.len() + 2 * rows.batch() * x.columns())
    }
}

impl<B: Storage, T> Operation<B> for GlobalMax<B, T> {
    const KERNEL: &'static str = "global_max";
    type Operand = T;
    type On<U> = GlobalMax<B, U>;
    type Output = B::Tensor;
    /// The winning rows, in the layout of the result.
    type Kept = B::Words;

    fn map<U>(&self, mut form: impl FnMut(&T) -> U) -> GlobalMax<B, U> {
        GlobalMax { streams: self.streams.iter().map(|(x, rows)| (form(x), rows.clone())).collect() }
    }

    fn results(of: &GlobalMax<B, Shape>, on: &B) -> (B::Tensor, B::Words) {
        let [batch, columns] = [of.batch(), of.columns()];
        (on.uninitialised([batch, columns]), on.uninitialised_words(batch * columns))
    }

    fn sizes(of: &GlobalMax<B, Shape>) -> Sizes {
        vec![("count", of.len())]
    }

    fn work(of: &GlobalMax<B, Shape>) -> Work {
        (0..of.streams.len()).map(|stream| of.maximum(stream)).sum()
    }
}

impl<B: Storage, T> Differentiable<B> for GlobalMax<B, T> {
    fn backward_work(of: &GlobalMax<B, Shape>, wanted: &GlobalMax<B, bool>) -> Work {
        let wanted = wanted.streams.iter().enumerate().filter(|(_, (wanted, _))| *wanted);
        wanted.map(|(stream, _)| of.gradient(stream)).sum()
    }
}
