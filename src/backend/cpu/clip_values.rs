//! Clips every gradient by itself, `g = min(max(g, -c), c)`; NaN stays NaN.

use super::wide::{CHUNK, ENOUGH, wide};
use super::{Cpu, CpuTensor, Real};
use crate::backend::ops::{ClipValues, Run};
use crate::base::parallel::*;

impl<T: Real> Run<ClipValues<CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &ClipValues<CpuTensor<T>>) -> ((), ()) {
        let limit = T::of_f32(of.limit);
        of.gradients.values_mut().par_chunks_mut(CHUNK).with_min_len(least(CHUNK, ENOUGH)).for_each(|gradients| clip(gradients, limit));
        ((), ())
    }
}

wide! {
    /// A comparison with NaN leaves it.
    fn clip<T: Real>(gradients: &mut [T], limit: T) {
        for g in gradients {
            let below = if *g > limit { limit } else { *g };
            *g = if below < -limit { -limit } else { below };
        }
    }
}
