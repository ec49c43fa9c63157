//! Clips every gradient by itself, `g = min(max(g, -c), c)`, exactly. NaN stays NaN.

use super::{Operation, Shape, Sizes};
use crate::backend::{Matrix, Storage, Work};

/// Changes the gradients in place.
pub struct ClipValues<T> {
    /// Any shape.
    pub gradients: T,
    /// c, above zero.
    pub limit: f32,
}

impl<B: Storage, T> Operation<B> for ClipValues<T> {
    const KERNEL: &'static str = "clip_values";
    const ENTRY: &'static str = "clip";
    type Operand = T;
    type On<U> = ClipValues<U>;
    type Output = ();
    type Kept = ();

    fn map<U>(&self, mut form: impl FnMut(&T) -> U) -> ClipValues<U> {
        ClipValues { gradients: form(&self.gradients), limit: self.limit }
    }

    fn results(_: &ClipValues<Shape>, _: &B) -> ((), ()) {
        ((), ())
    }

    fn sizes(of: &ClipValues<Shape>) -> Sizes {
        vec![("count", of.gradients.len())]
    }

    fn work(of: &ClipValues<Shape>) -> Work {
        Work::elementwise(2.0, of.gradients.len(), 2 * of.gradients.len())
    }
}
