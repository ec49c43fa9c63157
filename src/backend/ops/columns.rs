//! Some columns of a matrix; on the way back the others get zeros. Numbers are copied as they are.

use super::{Differentiable, Operation, Shape, Sizes};
use crate::backend::{Matrix, Storage, Work};

/// → `[rows, columns]`.
pub struct Columns<T> {
    /// `[rows, at least first + columns]`
    pub x: T,
    /// The first of them.
    pub first: usize,
    /// How many they are.
    pub columns: usize,
}

impl<B: Storage, T> Operation<B> for Columns<T> {
    const KERNEL: &'static str = "columns";
    type Operand = T;
    type On<U> = Columns<U>;
    type Output = B::Tensor;
    type Kept = ();

    fn map<U>(&self, mut form: impl FnMut(&T) -> U) -> Columns<U> {
        Columns { x: form(&self.x), first: self.first, columns: self.columns }
    }

    fn results(of: &Columns<Shape>, on: &B) -> (B::Tensor, ()) {
        (on.uninitialised([of.x.rows(), of.columns]), ())
    }

    fn sizes(of: &Columns<Shape>) -> Sizes {
        vec![("rows", of.x.rows()), ("width", of.x.columns()), ("columns", of.columns)]
    }

    fn work(of: &Columns<Shape>) -> Work {
        Work::elementwise(0.0, 0, 2 * of.x.rows() * of.columns)
    }
}

impl<B: Storage, T> Differentiable<B> for Columns<T> {
    fn backward_work(of: &Columns<Shape>, _: &Columns<bool>) -> Work {
        Work::elementwise(0.0, 0, of.x.rows() * of.columns + of.x.len())
    }
}
