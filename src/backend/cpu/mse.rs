//! Mean squared error, `Σ (x - t)² / N`, and its gradient `2 (x - t) / N`.

use super::memory::unwritten;
use super::wide::{ENOUGH, sum_of, wide};
use super::{Cpu, CpuTensor, Real};
use crate::backend::Matrix;
use crate::backend::ops::{Mse, Run};
use crate::base::parallel::*;

impl<T: Real> Run<Mse<CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &Mse<CpuTensor<T>>) -> ((CpuTensor<T>, CpuTensor<T>), ()) {
        let (x, target) = (of.x.values(), of.target.values());
        let share = T::of(of.share());
        let scale = T::of(2.0) * share * of.scaling.values()[0];
        let mut gradient = unwritten(x.len());
        let inputs = x.par_chunks(CHUNK).zip(target.par_chunks(CHUNK));
        let chunks = gradient.par_chunks_mut(CHUNK).zip(inputs).with_min_len(least(CHUNK, ENOUGH));
        let squares: Vec<T> = chunks.map(|(gradient, (x, target))| errors(x, target, scale, gradient)).collect();
        let loss = share * squares.into_iter().sum();
        ((CpuTensor::new(vec![loss], [1, 1]), CpuTensor::new(gradient, of.x.shape())), ())
    }
}

/// Elements summed by one task; fixed, so that the order of the sum is.
const CHUNK: usize = 4096;

wide! {
    /// Leaves `scale` times the errors; returns the sum of their squares.
    fn errors<T: Real>(x: &[T], target: &[T], scale: T, gradient: &mut [T]) -> T {
        for ((error, &x), &target) in gradient.iter_mut().zip(x).zip(target) {
            *error = x - target;
        }
        let squares = sum_of(gradient, |error| error * error);
        gradient.iter_mut().for_each(|error| *error *= scale);
        squares
    }
}
