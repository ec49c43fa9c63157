//! Clips the gradient of each parameter by its own norm, `g · min(1, c / ‖g‖)`; NaN where the norm is no finite number.

use super::gradient_norm;
use super::wide::{CHUNK, ENOUGH, scale};
use super::{Cpu, CpuTensor, Real};
use crate::backend::ops::{ClipTensors, Run};
use crate::base::parallel::*;

impl<T: Real> Run<ClipTensors<Self, CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &ClipTensors<Self, CpuTensor<T>>) -> ((), ()) {
        let limit = T::of_f32(of.limit);
        for range in of.tensors.ranges.iter() {
            let gradient = &mut of.gradients.values_mut()[range.clone()];
            let norm = gradient_norm::forward(gradient);
            let factor = match norm.is_finite() {
                false => T::nan(),
                true if norm > limit => limit / norm,
                true => continue,
            };
            gradient.par_chunks_mut(CHUNK).with_min_len(least(CHUNK, ENOUGH)).for_each(|gradient| scale(gradient, factor));
        }
        ((), ())
    }
}
