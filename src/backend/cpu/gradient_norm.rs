//! Euclidean norm of all gradients, and the factor by which clipping scales them.

use rayon::prelude::*;

use super::Real;

/// Elements summed by one task; fixed, so that the order of the sum is.
const CHUNK: usize = 4096;

/// `√(Σ g²)`.
pub fn forward<T: Real>(gradients: &[T]) -> T {
    let squares = gradients.par_chunks(CHUNK).map(|chunk| chunk.iter().map(|&g| g * g).sum::<T>());
    squares.collect::<Vec<_>>().into_iter().sum::<T>().sqrt()
}

/// `min(1, clip_norm / (norm + 1e-6))`, as PyTorch's `clip_grad_norm_`; 1 where `clip_norm` is infinite, NaN where the
/// norm is.
pub(super) fn clip_factor<T: Real>(norm: T, clip_norm: f64) -> T {
    if clip_norm == f64::INFINITY {
        return T::one();
    }
    let factor = T::of(clip_norm) / (norm + T::of(1e-6));
    if factor > T::one() { T::one() } else { factor }
}
