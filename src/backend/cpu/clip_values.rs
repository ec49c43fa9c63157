//! Clips every gradient by itself, `g = min(max(g, -c), c)`; NaN stays NaN.

use super::{Cpu, CpuTensor, Real};
use crate::backend::ops::{ClipValues, Run};

impl<T: Real> Run<ClipValues<CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &ClipValues<CpuTensor<T>>) -> ((), ()) {
        let limit = T::of_f32(of.limit);
        // A comparison with NaN leaves it.
        let clipped = |g: T| {
            if g > limit {
                limit
            } else if g < -limit {
                -limit
            } else {
                g
            }
        };
        of.gradients.values_mut().iter_mut().for_each(|g| *g = clipped(*g));
        ((), ())
    }
}
