//! Matrices side by side, by columns: `y = [a, b, …]`; each gets its columns of the gradient. Numbers are copied as they are.

use super::{Differentiable, Operation, Shape, Sizes};
use crate::backend::{Matrix, Storage, Work};

/// → `[rows, Σ columns]`.
pub struct Concat<T> {
    /// `[rows, columns]` each, at least one.
    pub parts: Vec<T>,
}

impl<T: Matrix> Concat<T> {
    /// That of the result.
    pub(crate) fn shape(&self) -> [usize; 2] {
        [self.parts.first().map_or(0, Matrix::rows), self.parts.iter().map(Matrix::columns).sum()]
    }

    /// Each part with its first column of the result.
    pub(crate) fn places(&self) -> impl Iterator<Item = (usize, &T)> {
        let mut next = 0;
        self.parts.iter().map(move |part| {
            let first = next;
            next += part.columns();
            (first, part)
        })
    }
}

impl<B: Storage, T> Operation<B> for Concat<T> {
    const KERNEL: &'static str = "concat";
    type Operand = T;
    type On<U> = Concat<U>;
    type Output = B::Tensor;
    type Kept = ();

    fn map<U>(&self, form: impl FnMut(&T) -> U) -> Concat<U> {
        Concat { parts: self.parts.iter().map(form).collect() }
    }

    fn results(of: &Concat<Shape>, on: &B) -> (B::Tensor, ()) {
        (on.uninitialised(of.shape()), ())
    }

    fn sizes(of: &Concat<Shape>) -> Sizes {
        let [rows, columns] = of.shape();
        vec![("rows", rows), ("columns", columns)]
    }

    fn work(of: &Concat<Shape>) -> Work {
        of.parts.iter().map(copied).sum()
    }
}

impl<B: Storage, T> Differentiable<B> for Concat<T> {
    fn backward_work(of: &Concat<Shape>, wanted: &Concat<bool>) -> Work {
        of.parts.iter().zip(&wanted.parts).filter(|(_, wanted)| **wanted).map(|(part, _)| copied(part)).sum()
    }
}

/// To read and write a part.
pub(crate) fn copied(part: &Shape) -> Work {
    Work::elementwise(0.0, 0, 2 * part.len())
}
