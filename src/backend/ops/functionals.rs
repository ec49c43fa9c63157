//! Functionals of each column over an utterance's rows, [`FUNCTIONALS`]: moments, extremes, quartiles, slope. Takes finite numbers.

use super::{Operation, Shape, Sizes};
use crate::audio::vectors::FUNCTIONALS;
use crate::backend::{Matrix, Ragged, Storage, Work};

/// `[rows, columns]` → `[batch, 9 · columns]`: the means of all columns, then their deviations, and so on; zeros of an utterance
/// without a row.
pub struct Functionals<B: Storage, T> {
    /// `[rows, columns]`
    pub x: T,
    /// The rows of x.
    pub rows: Ragged<B>,
}

/// Times that the kernel goes over a column: for its mean, its moments, twice eight bits of the quartiles and their neighbours.
const PASSES: usize = 19;

impl<B: Storage, T> Operation<B> for Functionals<B, T> {
    const KERNEL: &'static str = "functionals";
    type Operand = T;
    type On<U> = Functionals<B, U>;
    type Output = B::Tensor;
    type Kept = ();

    fn map<U>(&self, mut form: impl FnMut(&T) -> U) -> Functionals<B, U> {
        Functionals { x: form(&self.x), rows: self.rows.clone() }
    }

    fn results(of: &Functionals<B, Shape>, on: &B) -> (B::Tensor, ()) {
        (on.uninitialised([of.rows.batch(), FUNCTIONALS.len() * of.x.columns()]), ())
    }

    fn sizes(of: &Functionals<B, Shape>) -> Sizes {
        vec![("rows", of.x.rows()), ("batch", of.rows.batch()), ("columns", of.x.columns())]
    }

    /// Some ten operations of each number a pass; what is read again need not come from memory.
    fn work(of: &Functionals<B, Shape>) -> Work {
        let results = of.rows.batch() * FUNCTIONALS.len() * of.x.columns();
        Work::elementwise((10 * PASSES) as f64, of.x.len(), of.x.len() + results)
    }
}
