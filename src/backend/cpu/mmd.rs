//! Maximum mean discrepancy of two sets of n rows, `(1/n²) Σ_ij s_ij Σ_m exp(-D_ij / σ_m)`; with σ constant its gradient is
//! `dx_i = (4/n²) Σ_j s_ij k'_ij (x_i - x_j)`, `k' = -Σ_m exp(-D / σ_m) / σ_m`.

use super::{Cpu, CpuTensor, Real};
use crate::backend::Matrix;
use crate::backend::ops::{KERNELS, Mmd, Run};
use crate::base::parallel::*;

impl<T: Real> Run<Mmd<CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &Mmd<CpuTensor<T>>) -> ((CpuTensor<T>, [CpuTensor<T>; 2]), ()) {
        let [rows, width] = of.first.shape();
        let x = [&*of.first.values(), &*of.second.values()].concat();
        let distances = distances(&x, width);
        let bandwidth = of.bandwidth.map_or_else(|| bandwidth(&distances, 2 * rows), T::of_f32);
        let share = T::of_f32(of.weight) / T::count(rows * rows);
        let scale = T::of(4.0) * share * of.scaling.values()[0];

        let pair = |index: usize| {
            let is_within = (index / (2 * rows) < rows) == (index % (2 * rows) < rows);
            kernels(distances[index], bandwidth).map(|value| if is_within { value } else { -value })
        };
        let pairs: Vec<[T; 2]> = (0..distances.len()).map(pair).collect();
        let loss = share * pairs.iter().map(|&[kernel, _]| kernel).sum::<T>();
        let gradient_of = |(one, pairs): (&[T], &[[T; 2]])| {
            let mut gradient = vec![T::zero(); width];
            for (other, &[_, slope]) in x.chunks_exact(width).zip(pairs) {
                gradient.iter_mut().zip(one.iter().zip(other)).for_each(|(sum, (&one, &other))| *sum += slope * (one - other));
            }
            gradient.into_iter().map(|sum| scale * sum).collect::<Vec<_>>()
        };
        let gradients: Vec<Vec<T>> = x.par_chunks_exact(width).zip(pairs.par_chunks_exact(2 * rows)).map(gradient_of).collect();
        let [first, second] = [&gradients[..rows], &gradients[rows..]].map(|gradients| CpuTensor::new(gradients.concat(), [rows, width]));
        ((CpuTensor::new(vec![loss], [1, 1]), [first, second]), ())
    }
}

/// `x: [rows, width]` → the squared distance of each two, `[rows, rows]`.
fn distances<T: Real>(x: &[T], width: usize) -> Vec<T> {
    let distance = |one: &[T], other: &[T]| one.iter().zip(other).map(|(&one, &other)| (one - other) * (one - other)).sum::<T>();
    let of = |one: &[T]| x.chunks_exact(width).map(|other| distance(one, other)).collect::<Vec<_>>();
    x.par_chunks_exact(width).map(of).collect::<Vec<_>>().concat()
}

/// σ_0 of so many rows.
fn bandwidth<T: Real>(distances: &[T], rows: usize) -> T {
    distances.iter().copied().sum::<T>() / T::count(rows * rows - rows) / T::of(4.0)
}

/// Sum of the kernels of a squared distance, and its derivative; of σ 0, where all rows are equal, nothing.
fn kernels<T: Real>(distance: T, bandwidth: T) -> [T; 2] {
    if bandwidth == T::zero() {
        return [T::zero(); 2];
    }
    let widths = (0..KERNELS).map(|kernel| bandwidth * T::of(2f64.powi(kernel)));
    widths.fold([T::zero(); 2], |[sum, slope], width| {
        let value = (-distance / width).exponential();
        [sum + value, slope - value / width]
    })
}
