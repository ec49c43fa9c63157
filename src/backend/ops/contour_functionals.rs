//! Functionals of each contour over an utterance's frames, [`FUNCTIONALS`]: deviation, mean, slope, centroid, percentiles, of contours that
//! are smoothed first. Takes finite numbers.

use super::{Operation, Shape, Sizes};
use crate::audio::prosody::FUNCTIONALS;
use crate::backend::{Matrix, Ragged, Storage, Work};

/// `[rows, columns]` → `[batch, 7 · columns]`: the functionals of the first column, then those of the second, and so on; zeros of an
/// utterance of which nothing takes part.
pub struct ContourFunctionals<B: Storage, T> {
    /// `[rows, columns]`
    pub x: T,
    /// The rows of x.
    pub rows: Ragged<B>,
    /// Whether zeros take no part: neither in means of neighbours nor in functionals.
    pub skips_zeros: bool,
}

/// Times that the kernel goes over a contour: to smooth it, for what takes part, its mean, its moments, and the bits of percentiles.
const PASSES: usize = 21;

impl<B: Storage, T> Operation<B> for ContourFunctionals<B, T> {
    const KERNEL: &'static str = "contour_functionals";
    type Operand = T;
    type On<U> = ContourFunctionals<B, U>;
    type Output = B::Tensor;
    type Kept = ();

    fn map<U>(&self, mut form: impl FnMut(&T) -> U) -> ContourFunctionals<B, U> {
        ContourFunctionals { x: form(&self.x), rows: self.rows.clone(), skips_zeros: self.skips_zeros }
    }

    fn results(of: &ContourFunctionals<B, Shape>, on: &B) -> (B::Tensor, ()) {
        (on.uninitialised([of.rows.batch(), FUNCTIONALS.len() * of.x.columns()]), ())
    }

    fn sizes(of: &ContourFunctionals<B, Shape>) -> Sizes {
        vec![("rows", of.x.rows()), ("batch", of.rows.batch()), ("columns", of.x.columns())]
    }

    /// Some ten operations of each number a pass; what is read again need not come from memory.
    fn work(of: &ContourFunctionals<B, Shape>) -> Work {
        let results = of.rows.batch() * FUNCTIONALS.len() * of.x.columns();
        Work::elementwise((10 * PASSES) as f64, of.x.len(), of.x.len() + results)
    }
}
