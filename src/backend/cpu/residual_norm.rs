//! Residual and LayerNorm (9, 11): `y = x̂ · scale + shift`, `x̂ = r (s - mean s)`, `s = x + residual`,
//! `r = 1 / √(var s + ε)` with the biased variance, in two passes.
//!
//! The way back, with `a = dy · scale`: `ds = r (a - mean a - x̂ mean(a x̂))`, which x and the residual both get;
//! `dscale = Σ_rows dy x̂`, `dshift = Σ_rows dy`.

use super::memory::{copied, keep, unwritten};
use super::product::column_sums;
use super::wide::{ENOUGH, sum_of, wide};
use super::{Cpu, CpuTensor, Real};
use crate::backend::ops::{Differentiate, NormKept, ResidualNorm, Run};
use crate::backend::{Matrix, Sink};
use crate::base::parallel::*;

impl<T: Real> Run<ResidualNorm<CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &ResidualNorm<CpuTensor<T>>) -> (CpuTensor<T>, NormKept<CpuTensor<T>>) {
        let computed = forward(&of.x.values(), &of.residual.values(), &of.scale.values(), &of.shift.values());
        let kept = NormKept {
            normalised: CpuTensor::new(computed.normalised, of.x.shape()),
            reciprocal_deviation: CpuTensor::new(computed.reciprocal_deviation, [of.x.rows(), 1]),
        };
        (CpuTensor::new(computed.y, of.x.shape()), kept)
    }
}

impl<T: Real> Differentiate<ResidualNorm<CpuTensor<T>>> for Cpu<T> {
    fn backward(
        &self,
        of: &ResidualNorm<CpuTensor<T>>,
        kept: &NormKept<CpuTensor<T>>,
        dy: &CpuTensor<T>,
        sinks: &ResidualNorm<Option<Sink<CpuTensor<T>>>>,
    ) {
        let (normalised, reciprocal) = (kept.normalised.values(), kept.reciprocal_deviation.values());
        let gradients = backward(&dy.values(), &of.scale.values(), &normalised, &reciprocal);
        if let Some(sink) = &sinks.x {
            sink.store(copied(&gradients.sum));
        }
        Sink::store_in(&sinks.residual, gradients.sum);
        Sink::store_in(&sinks.scale, gradients.scale);
        Sink::store_in(&sinks.shift, gradients.shift);
    }
}

/// PyTorch's default.
const EPSILON: f64 = 1e-5;

/// Results of the way forward; the last two are kept for the way back.
pub(crate) struct NormForward<T> {
    /// `[rows, d]`
    pub y: Vec<T>,
    /// `[rows, d]`: x̂.
    pub normalised: Vec<T>,
    /// `[rows]`: r.
    pub reciprocal_deviation: Vec<T>,
}

/// Gradients of a LayerNorm.
pub(crate) struct NormGradients<T> {
    /// `[rows, d]`: of x and of the residual.
    pub sum: Vec<T>,
    /// `[d]`
    pub scale: Vec<T>,
    /// `[d]`
    pub shift: Vec<T>,
}

/// `x, residual: [rows, d]`, `scale, shift: [d]`.
pub(crate) fn forward<T: Real>(x: &[T], residual: &[T], scale: &[T], shift: &[T]) -> NormForward<T> {
    let width = scale.len();
    let (mut y, mut normalised) = (unwritten(x.len()), unwritten(x.len()));
    let inputs = x.par_chunks_exact(width).zip(residual.par_chunks_exact(width));
    let rows = y.par_chunks_exact_mut(width).zip(normalised.par_chunks_exact_mut(width)).zip(inputs).with_min_len(least(width, ENOUGH));
    let reciprocals = rows.map(|((y, normalised), (x, residual))| row_forward(x, residual, scale, shift, normalised, y));
    let reciprocal_deviation = reciprocals.collect();
    NormForward { y, normalised, reciprocal_deviation }
}

/// `dy, normalised: [rows, d]`, `scale: [d]`, `reciprocal_deviation: [rows]`.
pub(crate) fn backward<T: Real>(dy: &[T], scale: &[T], normalised: &[T], reciprocal_deviation: &[T]) -> NormGradients<T> {
    let width = scale.len();
    let (mut gradient, mut products) = (unwritten(dy.len()), unwritten(dy.len()));
    let inputs = dy.par_chunks_exact(width).zip(normalised.par_chunks_exact(width)).zip(reciprocal_deviation);
    let rows = gradient.par_chunks_exact_mut(width).zip(products.par_chunks_exact_mut(width)).zip(inputs);
    rows.with_min_len(least(width, ENOUGH)).for_each(|((gradient, products), ((dy, normalised), &reciprocal))| {
        row_back(dy, normalised, scale, reciprocal, gradient, products);
    });
    let dscale = column_sums(&products, width);
    keep(products);
    NormGradients { sum: gradient, scale: dscale, shift: column_sums(dy, width) }
}

wide! {
    /// One row: x̂ and y from x and the residual; returns r.
    fn row_forward<T: Real>(x: &[T], residual: &[T], scale: &[T], shift: &[T], normalised: &mut [T], y: &mut [T]) -> T {
        for ((sum, &x), &residual) in normalised.iter_mut().zip(x).zip(residual) {
            *sum = x + residual;
        }
        let count = T::count(x.len());
        let mean = sum_of(normalised, |sum| sum) / count;
        normalised.iter_mut().for_each(|value| *value -= mean);
        let variance = sum_of(normalised, |centred| centred * centred) / count;
        let reciprocal = (variance + T::of(EPSILON)).sqrt().recip();
        for (((value, y), &scale), &shift) in normalised.iter_mut().zip(y).zip(scale).zip(shift) {
            *value *= reciprocal;
            *y = *value * scale + shift;
        }
        reciprocal
    }

    /// One row: ds, and the `dy x̂` of the scale's gradient.
    fn row_back<T: Real>(dy: &[T], normalised: &[T], scale: &[T], reciprocal: T, gradient: &mut [T], products: &mut [T]) {
        for ((a, &dy), &scale) in gradient.iter_mut().zip(dy).zip(scale) {
            *a = dy * scale;
        }
        let count = T::count(dy.len());
        let mean = sum_of(gradient, |a| a) / count;
        for ((along, &a), &normalised) in products.iter_mut().zip(&*gradient).zip(normalised) {
            *along = a * normalised;
        }
        let along = sum_of(products, |along| along) / count;
        for (((value, product), &dy), &normalised) in gradient.iter_mut().zip(products).zip(dy).zip(normalised) {
            *value = reciprocal * (*value - mean - normalised * along);
            *product = dy * normalised;
        }
    }
}
