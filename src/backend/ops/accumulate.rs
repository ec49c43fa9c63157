//! `sum (+)= x`, each element by itself, as IEEE 754 has it.

use super::{Operation, Shape, Sizes};
use crate::backend::{Matrix, Storage, Work, Write};

/// Changes `sum` in place.
pub struct Accumulate<T> {
    /// Any shape.
    pub x: T,
    /// Of the same shape.
    pub sum: T,
    /// Whether `sum` is overwritten or added to.
    pub write: Write,
}

impl<B: Storage, T> Operation<B> for Accumulate<T> {
    const KERNEL: &'static str = "accumulate";
    const ENTRY: &'static str = "accumulate";
    type Operand = T;
    type On<U> = Accumulate<U>;
    type Output = ();
    type Kept = ();

    fn map<U>(&self, mut form: impl FnMut(&T) -> U) -> Accumulate<U> {
        Accumulate { x: form(&self.x), sum: form(&self.sum), write: self.write }
    }

    fn results(_: &Accumulate<Shape>, _: &B) -> ((), ()) {
        ((), ())
    }

    fn sizes(of: &Accumulate<Shape>) -> Sizes {
        vec![("count", of.x.len())]
    }

    fn work(of: &Accumulate<Shape>) -> Work {
        match of.write {
            Write::Set => Work::elementwise(0.0, 0, 2 * of.x.len()),
            Write::Add => Work::elementwise(1.0, of.x.len(), 3 * of.x.len()),
        }
    }
}
