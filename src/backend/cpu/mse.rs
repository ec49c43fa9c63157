//! Mean squared error, `Σ (x - t)² / N`, and its gradient `2 (x - t) / N`.

use super::{Cpu, CpuTensor, Real};
use crate::backend::Matrix;
use crate::backend::ops::{Mse, Run};
use crate::base::parallel::*;

impl<T: Real> Run<Mse<CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &Mse<CpuTensor<T>>) -> ((CpuTensor<T>, CpuTensor<T>), ()) {
        let (x, target) = (of.x.values(), of.target.values());
        let share = T::of(of.share());
        let scale = T::of(2.0) * share * of.scaling.values()[0];
        let gradient = x.iter().zip(&*target).map(|(&x, &target)| scale * (x - target)).collect();
        let loss = share * sum_of_squares(&x, &target);
        ((CpuTensor::new(vec![loss], [1, 1]), CpuTensor::new(gradient, of.x.shape())), ())
    }
}

/// Elements summed by one task; fixed, so that the order of the sum is.
const CHUNK: usize = 4096;

fn sum_of_squares<T: Real>(x: &[T], target: &[T]) -> T {
    let squares = |(x, target): (&[T], &[T])| x.iter().zip(target).map(|(&x, &target)| (x - target) * (x - target)).sum::<T>();
    x.par_chunks(CHUNK).zip(target.par_chunks(CHUNK)).map(squares).collect::<Vec<_>>().into_iter().sum()
}
