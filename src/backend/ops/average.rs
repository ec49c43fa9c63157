//! A running average, `average += share · (x - average)`, each element by itself.

use super::{Operation, Shape, Sizes};
use crate::backend::{Matrix, Storage, Work};

/// Changes the average in place.
pub struct Average<T> {
    /// Any shape.
    pub x: T,
    /// Of the same shape.
    pub average: T,
    /// What x counts in the average, from 0 to 1.
    pub share: f32,
}

impl<B: Storage, T> Operation<B> for Average<T> {
    const KERNEL: &'static str = "average";
    const ENTRY: &'static str = "average";
    type Operand = T;
    type On<U> = Average<U>;
    type Output = ();
    type Kept = ();

    fn map<U>(&self, mut form: impl FnMut(&T) -> U) -> Average<U> {
        Average { x: form(&self.x), average: form(&self.average), share: self.share }
    }

    fn results(_: &Average<Shape>, _: &B) -> ((), ()) {
        ((), ())
    }

    fn sizes(of: &Average<Shape>) -> Sizes {
        vec![("count", of.x.len())]
    }

    fn work(of: &Average<Shape>) -> Work {
        Work::elementwise(3.0, of.x.len(), 3 * of.x.len())
    }
}
