//! Windows of rows: row i of a sequence's result is `[x_i, …, x_{i+k-1}]`; a linear layer, ReLU and global maximum of these are a
//! convolution over time. What lies behind a sequence's end is zeros, which it takes where a sequence is shorter than a window, or shorter
//! than sequences are to be at least. Numbers are copied as they are.

use super::{Differentiable, Operation, Shape, Sizes};
use crate::backend::{Matrix, Ragged, Storage, Work};

/// → `[output rows, k d]`.
pub struct Windows<B: Storage, T> {
    /// `[input rows, d]`
    pub x: T,
    /// The rows of x.
    pub input: Ragged<B>,
    /// Those of the result, [`Ragged::windows`] of the input's.
    pub output: Ragged<B>,
    /// k
    pub size: usize,
}

impl<B: Storage> Ragged<B> {
    /// The layout of the windows of so many rows: whole ones of sequences that count as having `least` rows at least, and one of each.
    pub fn windows(&self, backend: &B, size: usize, least: usize) -> Self {
        let lengths: Vec<u32> = self.lengths().map(|length| (length.max(least as u32) + 1).saturating_sub(size as u32).max(1)).collect();
        Self::new(backend, &lengths)
    }
}

impl<B: Storage, T> Operation<B> for Windows<B, T> {
    const KERNEL: &'static str = "windows";
    type Operand = T;
    type On<U> = Windows<B, U>;
    type Output = B::Tensor;
    type Kept = ();

    fn map<U>(&self, mut form: impl FnMut(&T) -> U) -> Windows<B, U> {
        let Self { x, input, output, size } = self;
        Windows { x: form(x), input: input.clone(), output: output.clone(), size: *size }
    }

    fn results(of: &Windows<B, Shape>, on: &B) -> (B::Tensor, ()) {
        (on.uninitialised([of.output.rows(), of.size * of.x.columns()]), ())
    }

    fn sizes(of: &Windows<B, Shape>) -> Sizes {
        vec![("rows", of.x.rows()), ("width", of.x.columns()), ("size", of.size)]
    }

    fn work(of: &Windows<B, Shape>) -> Work {
        Work::elementwise(0.0, 0, of.x.len() + of.output.rows() * of.size * of.x.columns())
    }
}

impl<B: Storage, T> Differentiable<B> for Windows<B, T> {
    fn backward_work(of: &Windows<B, Shape>, _: &Windows<B, bool>) -> Work {
        let numbers = of.output.rows() * of.size * of.x.columns();
        Work::elementwise(1.0, numbers, of.x.len() + numbers)
    }
}
