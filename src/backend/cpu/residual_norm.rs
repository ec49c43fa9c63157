//! Residual and LayerNorm (9, 11): `y = x̂ · scale + shift`, `x̂ = r (s - mean s)`, `s = x + residual`,
//! `r = 1 / √(var s + ε)` with the biased variance, in two passes.
//!
//! The way back, with `a = dy · scale`: `ds = r (a - mean a - x̂ mean(a x̂))`, which x and the residual both get;
//! `dscale = Σ_rows dy x̂`, `dshift = Σ_rows dy`.

use rayon::prelude::*;

use super::Real;
use super::product::column_sums;

/// PyTorch's default.
const EPSILON: f64 = 1e-5;

/// Results of the way forward; the last two are kept for the way back.
pub struct Forward<T> {
    /// `[rows, d]`
    pub y: Vec<T>,
    /// `[rows, d]`: x̂.
    pub normalised: Vec<T>,
    /// `[rows]`: r.
    pub reciprocal_deviation: Vec<T>,
}

/// Gradients of a LayerNorm.
pub struct Gradients<T> {
    /// `[rows, d]`: of x and of the residual.
    pub sum: Vec<T>,
    /// `[d]`
    pub scale: Vec<T>,
    /// `[d]`
    pub shift: Vec<T>,
}

/// `x, residual: [rows, d]`, `scale, shift: [d]`.
pub fn forward<T: Real>(x: &[T], residual: &[T], scale: &[T], shift: &[T]) -> Forward<T> {
    let width = scale.len();
    let mut normalised: Vec<T> = x.iter().zip(residual).map(|(&x, &residual)| x + residual).collect();
    let reciprocals = normalised.par_chunks_exact_mut(width).map(|row| {
        let mean = mean(row.iter().copied(), width);
        row.iter_mut().for_each(|value| *value -= mean);
        let variance = self::mean(row.iter().map(|&centred| centred * centred), width);
        let reciprocal = (variance + T::of(EPSILON)).sqrt().recip();
        row.iter_mut().for_each(|value| *value *= reciprocal);
        reciprocal
    });
    let reciprocal_deviation = reciprocals.collect();
    let y = normalised.iter().zip(scale.iter().zip(shift).cycle()).map(|(&value, (&scale, &shift))| value * scale + shift);
    Forward { y: y.collect(), normalised, reciprocal_deviation }
}

/// `dy, normalised: [rows, d]`, `scale: [d]`, `reciprocal_deviation: [rows]`.
pub fn backward<T: Real>(dy: &[T], scale: &[T], normalised: &[T], reciprocal_deviation: &[T]) -> Gradients<T> {
    let width = scale.len();
    let mut sum: Vec<T> = dy.iter().zip(scale.iter().cycle()).map(|(&dy, &scale)| dy * scale).collect();
    let rows = normalised.par_chunks_exact(width).zip(reciprocal_deviation);
    sum.par_chunks_exact_mut(width).zip(rows).for_each(|(row, (normalised, &reciprocal))| {
        let mean = mean(row.iter().copied(), width);
        let along = self::mean(row.iter().zip(normalised).map(|(&a, &normalised)| a * normalised), width);
        for (value, &normalised) in row.iter_mut().zip(normalised) {
            *value = reciprocal * (*value - mean - normalised * along);
        }
    });
    let products: Vec<T> = dy.iter().zip(normalised).map(|(&dy, &normalised)| dy * normalised).collect();
    Gradients { sum, scale: column_sums(&products, width), shift: column_sums(dy, width) }
}

fn mean<T: Real>(values: impl Iterator<Item = T>, count: usize) -> T {
    values.sum::<T>() / T::count(count)
}
