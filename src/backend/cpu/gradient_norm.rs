//! Euclidean norm of all gradients, and the factor by which clipping scales them.

use super::wide::{ENOUGH, sum_of, wide};
use super::{Cpu, CpuTensor, Real};
use crate::backend::ops::{GradientNorm, Run};
use crate::base::parallel::*;

impl<T: Real> Run<GradientNorm<CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &GradientNorm<CpuTensor<T>>) -> (CpuTensor<T>, ()) {
        (CpuTensor::new(vec![forward(&of.gradients.values()), T::one()], [1, 2]), ())
    }
}

/// Elements summed by one task; fixed, so that the order of the sum is.
const CHUNK: usize = 4096;

/// `√(Σ g²)`.
pub(crate) fn forward<T: Real>(gradients: &[T]) -> T {
    let chunks = gradients.par_chunks(CHUNK).with_min_len(least(CHUNK, ENOUGH));
    chunks.map(sum_of_squares).collect::<Vec<T>>().into_iter().sum::<T>().sqrt()
}

wide! {
    /// `Σ g²`.
    fn sum_of_squares<T: Real>(gradients: &[T]) -> T {
        sum_of(gradients, |g| g * g)
    }
}

/// What every gradient is multiplied with: `norm[1]` and the clipping's `min(1, clip_norm / (norm[0] + 1e-6))`, as PyTorch's
/// `clip_grad_norm_`, which is 1 where `clip_norm` is infinite and NaN where the norm is. None where the step is skipped.
pub(super) fn clip_factor<T: Real>(norm: &[T], clip_norm: f64) -> Option<T> {
    if norm[1] == T::zero() {
        return None;
    }
    if clip_norm == f64::INFINITY {
        return Some(norm[1]);
    }
    let factor = T::of(clip_norm) / (norm[0] + T::of(1e-6));
    Some(norm[1] * if factor > T::one() { T::one() } else { factor })
}
