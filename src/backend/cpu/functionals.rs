//! Functionals of each column over an utterance's rows: moments, extremes, quartiles, slope.

use std::cmp::Ordering;

use super::wide::sum_of;
use super::{Cpu, CpuTensor, Real};
use crate::audio::vectors::FUNCTIONALS;
use crate::backend::Matrix;
use crate::backend::ops::{Functionals, Run};
use crate::base::parallel::*;

/// How little of its largest value a column varies by that counts as constant.
const CONSTANT: f64 = 1e-6;

impl<T: Real> Run<Functionals<Self, CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &Functionals<Self, CpuTensor<T>>) -> (CpuTensor<T>, ()) {
        let columns = of.x.columns();
        let y = forward(&of.x.values(), &of.rows.offsets, columns);
        (CpuTensor::new(y, [of.rows.batch(), FUNCTIONALS.len() * columns]), ())
    }
}

/// `x: [rows, columns]`, `offsets: [batch + 1]` → `[batch, 9 · columns]`.
pub(crate) fn forward<T: Real>(x: &[T], offsets: &[u32], columns: usize) -> Vec<T> {
    let utterances = offsets.windows(2).flat_map(|rows| {
        let rows = &x[rows[0] as usize * columns..rows[1] as usize * columns];
        let column = |column: usize| of_column(rows.iter().skip(column).step_by(columns).copied().collect());
        let each: Vec<[T; FUNCTIONALS.len()]> = (0..columns).into_par_iter().map(column).collect();
        (0..FUNCTIONALS.len()).flat_map(move |functional| each.iter().map(|column| column[functional]).collect::<Vec<T>>())
    });
    utterances.collect()
}

/// [`FUNCTIONALS`] of one column, zeros where it has no row.
fn of_column<T: Real>(mut x: Vec<T>) -> [T; FUNCTIONALS.len()] {
    let zero = T::zero();
    let Some(&origin) = x.first() else { return [zero; FUNCTIONALS.len()] };
    let count = T::of(x.len() as f64);
    let (least, greatest) = x.iter().fold((origin, origin), |(least, greatest), &x| (least.min(x), greatest.max(x)));
    // From the first value on, so that all of a constant column is exact.
    let differences: Vec<T> = x.iter().map(|&x| x - origin).collect();
    let offset = sum_of(&differences, |difference| difference) / count;
    let span = greatest - least;
    let is_constant = span <= T::of(CONSTANT) * least.abs().max(greatest.abs());
    let [deviation, skewness, kurtosis, slope] = if is_constant {
        [zero; 4]
    } else {
        // In spans, so that no power leaves the range of numbers.
        let parts: Vec<T> = differences.iter().map(|&difference| (difference - offset) / span).collect();
        let square = |x: T| x * x;
        let variance = sum_of(&parts, square) / count;
        let third = sum_of(&parts, |x| square(x) * x) / count;
        let fourth = sum_of(&parts, |x| square(square(x))) / count;
        let middle = (x.len() - 1) as f64 / 2.0;
        let along: Vec<T> = differences.iter().enumerate().map(|(row, &difference)| T::of(row as f64 - middle) * difference).collect();
        let squares = count * (count * count - T::one()) / T::of(12.0);
        [span * variance.sqrt(), third / (variance * variance.sqrt()), fourth / square(variance), sum_of(&along, |x| x) / squares]
    };
    x.sort_unstable_by(|a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal));
    let [lower, median, upper] = [1, 2, 3].map(|quarter| quartile(&x, quarter));
    [origin + offset, deviation, skewness, kurtosis, least, greatest, median, upper - lower, slope]
}

/// What lies so many quarters of the way from the first to the last of sorted values.
fn quartile<T: Real>(sorted: &[T], quarters: usize) -> T {
    let steps = quarters * (sorted.len() - 1);
    let lower = sorted[steps / 4];
    let upper = sorted[(steps / 4 + 1).min(sorted.len() - 1)];
    lower + T::of((steps % 4) as f64 / 4.0) * (upper - lower)
}
