//! Dropout: element i is kept where `stream.uniform(first + i) >= rate`, then divided by `1 - rate`. Its own gradient. Each element by
//! itself, as IEEE 754 has it.

use super::{Operation, Shape, Sizes};
use crate::backend::{Matrix, Storage, Work};
use crate::base::philox::Stream;

/// Any shape → the same shape.
pub struct Dropout<T> {
    /// Any shape.
    pub x: T,
    /// Share of the elements that become 0.
    pub rate: f32,
    /// Where the random numbers come from.
    pub stream: Stream,
    /// Number of the first element in the stream.
    pub first: usize,
}

impl<B: Storage, T> Operation<B> for Dropout<T> {
    const KERNEL: &'static str = "dropout";
    type Operand = T;
    type On<U> = Dropout<U>;
    type Output = B::Tensor;
    type Kept = ();

    fn map<U>(&self, mut form: impl FnMut(&T) -> U) -> Dropout<U> {
        let Self { x, rate, stream, first } = self;
        Dropout { x: form(x), rate: *rate, stream: *stream, first: *first }
    }

    fn results(of: &Dropout<Shape>, on: &B) -> (B::Tensor, ()) {
        (on.uninitialised(of.x.shape()), ())
    }

    fn sizes(of: &Dropout<Shape>) -> Sizes {
        vec![("count", of.x.len())]
    }

    /// A division; the random numbers are whole.
    fn work(of: &Dropout<Shape>) -> Work {
        Work::elementwise(1.0, of.x.len(), 2 * of.x.len())
    }
}
