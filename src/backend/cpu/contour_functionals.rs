//! Functionals of each contour over an utterance's frames: smoothed, then deviation, mean, slope, centroid, percentiles.

use std::cmp::Ordering;

use super::wide::sum_of;
use super::{Cpu, CpuTensor, Real};
use crate::audio::prosody::FUNCTIONALS;
use crate::backend::Matrix;
use crate::backend::ops::{ContourFunctionals, Run};
use crate::base::parallel::*;

impl<T: Real> Run<ContourFunctionals<Self, CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &ContourFunctionals<Self, CpuTensor<T>>) -> (CpuTensor<T>, ()) {
        let columns = of.x.columns();
        let y = forward(&of.x.values(), &of.rows.offsets, columns, of.skips_zeros);
        (CpuTensor::new(y, [of.rows.batch(), FUNCTIONALS.len() * columns]), ())
    }
}

/// `x: [rows, columns]`, `offsets: [batch + 1]` → `[batch, 7 · columns]`.
pub(crate) fn forward<T: Real>(x: &[T], offsets: &[u32], columns: usize, skips_zeros: bool) -> Vec<T> {
    let takes_part = |&value: &T| !skips_zeros || value != T::zero();
    let of_contour = |rows: &[T], column: usize| {
        let contour: Vec<T> = rows.iter().skip(column).step_by(columns).copied().collect();
        of_values(smoothed(&contour, takes_part).into_iter().filter(takes_part).collect())
    };
    let of_utterance = |rows: &[u32]| {
        let rows = &x[rows[0] as usize * columns..rows[1] as usize * columns];
        (0..columns).flat_map(|column| of_contour(rows, column)).collect::<Vec<T>>()
    };
    offsets.par_windows(2).flat_map_iter(of_utterance).collect()
}

/// The mean of every three neighbours that take part, the ends repeated; what takes no part stays.
fn smoothed<T: Real>(contour: &[T], takes_part: impl Fn(&T) -> bool) -> Vec<T> {
    let mean = |place: usize| {
        let neighbours = [place.saturating_sub(1), place, (place + 1).min(contour.len() - 1)].map(|place| contour[place]);
        let count = neighbours.iter().filter(|value| takes_part(value)).count();
        let sum: T = neighbours.into_iter().filter(|value| takes_part(value)).sum();
        if takes_part(&contour[place]) { sum / T::count(count) } else { contour[place] }
    };
    (0..contour.len()).map(mean).collect()
}

/// [`FUNCTIONALS`] of values, zeros where there is none.
fn of_values<T: Real>(mut values: Vec<T>) -> [T; FUNCTIONALS.len()] {
    let zero = T::zero();
    if values.is_empty() {
        return [zero; FUNCTIONALS.len()];
    }
    let count = T::count(values.len());
    let (mean, middle) = (sum_of(&values, |value| value) / count, (count - T::one()) / T::of(2.0));
    let variance = sum_of(&values, |value| (value - mean) * (value - mean)) / count;
    let along: Vec<T> = values.iter().enumerate().map(|(time, &value)| (T::count(time) - middle) * (value - mean)).collect();
    let along = sum_of(&along, |value| value);
    let spread = count * (count * count - T::one()) / T::of(12.0);
    let slope = if values.len() == 1 { zero } else { along / spread };
    // Decibels may add up to nothing, and then have no centre.
    let centroid = if mean == zero { zero } else { along / mean / count / count + middle / count };
    values.sort_unstable_by(|a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal));
    let [low, high] = [1, 9].map(|tenths| percentile(&values, tenths));
    [variance.sqrt(), mean, slope, centroid, low, high, high - low]
}

/// What lies so many tenths of the way from the first to the last of sorted values, between two in proportion.
fn percentile<T: Real>(sorted: &[T], tenths: usize) -> T {
    let steps = tenths * (sorted.len() - 1);
    let lower = sorted[steps / 10];
    let upper = sorted[(steps / 10 + 1).min(sorted.len() - 1)];
    lower + T::of((steps % 10) as f64 / 10.0) * (upper - lower)
}
