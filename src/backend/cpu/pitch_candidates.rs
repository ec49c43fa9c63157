//! Pitch candidates: spectrum in octaves, its sums over harmonics, their highest peaks, and the autocorrelation at each.

use std::sync::Arc;

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use super::loudness::{frames_of, windowed};
use super::{Cpu, CpuTensor, Real};
use crate::audio::mfcc::SAMPLE_RATE;
use crate::audio::prosody::{HARMONICS, LOWEST, PITCH, span};
use crate::backend::ops::{CANDIDATE_COLUMNS, CANDIDATES, PitchCandidates, Run};
use crate::base::parallel::*;

/// A harmonic's weight by that of the one below.
const COMPRESSION: f64 = 0.85;
/// Bins on both sides of a peak that belong to it.
const BESIDE_PEAK: usize = 2;
/// Where pitch is sought, in hertz.
const RANGE: [f64; 2] = [52.0, 620.0];
/// Greatest and, negative, smallest ratio in decibels.
const LIMIT: f64 = 100.0;
/// Largest sample of a frame that counts as silent.
const SILENT: f64 = 1e-30;

impl<T: Real> Run<PitchCandidates<Self, CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &PitchCandidates<Self, CpuTensor<T>>) -> (CpuTensor<T>, ()) {
        let PitchCandidates { samples, utterances, frames, tables } = of;
        let (window, octaves) = (tables.window.values(), tables.octaves.values());
        let y = forward(&samples.values(), &utterances.offsets, &frames.offsets, [&window, &octaves], &tables.places);
        (CpuTensor::new(y, [frames.rows(), CANDIDATE_COLUMNS]), ())
    }
}

/// `samples: [total samples]`, `utterances` and `frames: [batch + 1]`, the window, `octaves: [32, points]`, `places: [points + 15]` →
/// `[frames, 13]`.
pub(crate) fn forward<T: Real>(samples: &[T], utterances: &[u32], frames: &[u32], [window, octaves]: [&[T]; 2], places: &[u32]) -> Vec<T> {
    let mut planner = RealFftPlanner::new();
    let (firsts, shifts) = places.split_at(PITCH.bins());
    let analysis = Analysis {
        transform: planner.plan_fft_forward(PITCH.transform),
        inverse: planner.plan_fft_inverse(PITCH.transform),
        window,
        octaves,
        firsts,
        shifts,
    };
    frames_of(samples, utterances, frames).par_iter().flat_map_iter(|frame| analysis.row(frame)).collect()
}

struct Analysis<'a, T: Real> {
    transform: Arc<dyn RealToComplex<T>>,
    inverse: Arc<dyn ComplexToReal<T>>,
    window: &'a [T],
    octaves: &'a [T],
    firsts: &'a [u32],
    shifts: &'a [u32],
}

impl<T: Real> Analysis<'_, T> {
    /// The numbers of a frame.
    fn row(&self, frame: &[T]) -> [T; CANDIDATE_COLUMNS] {
        let mut row = [T::zero(); CANDIDATE_COLUMNS];
        let mut windowed: Vec<T> = windowed(frame, self.window).collect();
        let squares: T = windowed.iter().map(|&x| x * x).sum();
        row[3 * CANDIDATES] = (squares / T::count(PITCH.length)).sqrt();
        let loudest = windowed.iter().fold(T::zero(), |loudest, x| loudest.max(x.abs()));
        if loudest < T::of(SILENT) {
            return row;
        }
        let mut spectrum = self.transform.make_output_vec();
        // Transforms fail only where a buffer's length is wrong, and all lengths are their own.
        let _ = self.transform.process(&mut windowed, &mut spectrum);
        // Of a frame whose largest sample is 1: squares of squares stay within the range of numbers.
        let magnitudes: Vec<T> = spectrum.iter().map(|bin| (bin / loudest).norm_sqr().sqrt()).collect();
        let sums = self.sums(&magnitudes);
        let mean = sums.iter().copied().sum::<T>() / T::count(sums.len());
        let correlation = self.autocorrelation(&magnitudes);
        for (place, peak) in highest_peaks(&sums).into_iter().enumerate() {
            let (at, height) = summit(peak, &sums);
            let hertz = T::of(LOWEST) * (at * T::of(span() / (sums.len() - 1) as f64)).exp2();
            if hertz >= T::of(RANGE[0]) && hertz <= T::of(RANGE[1]) {
                row[place] = hertz;
                row[CANDIDATES + place] = T::one() - mean / height;
                row[2 * CANDIDATES + place] = decibels(&correlation, hertz);
            }
        }
        row
    }

    /// Of every point the sum over its harmonics; what lies beyond the last adds nothing.
    fn sums(&self, magnitudes: &[T]) -> Vec<T> {
        let peaks = around_peaks(magnitudes);
        let mut points = vec![T::zero(); self.firsts.len()];
        for (behind, weights) in self.octaves.chunks_exact(points.len()).enumerate() {
            for ((point, &first), &weight) in points.iter_mut().zip(self.firsts).zip(weights) {
                *point += weight * peaks[first as usize + behind];
            }
        }
        points.iter_mut().for_each(|point| *point = point.max(T::zero()));
        let mut sums = vec![T::zero(); points.len()];
        let mut weight = T::one();
        for &shift in &self.shifts[..HARMONICS] {
            sums.iter_mut().zip(&points[shift as usize..]).for_each(|(sum, &point)| *sum += weight * point);
            weight *= T::of(COMPRESSION);
        }
        sums
    }

    fn autocorrelation(&self, magnitudes: &[T]) -> Vec<T> {
        let mut powers = self.inverse.make_input_vec();
        powers.iter_mut().zip(magnitudes).for_each(|(power, &magnitude)| power.re = magnitude * magnitude);
        let mut correlation = self.inverse.make_output_vec();
        let _ = self.inverse.process(&mut powers, &mut correlation);
        correlation.truncate(magnitudes.len());
        correlation
    }
}

/// Zeros between the first peak and the last but for [`BESIDE_PEAK`] bins beside each. The first bin is a peak where it falls behind it;
/// the last is none.
fn around_peaks<T: Real>(magnitudes: &[T]) -> Vec<T> {
    let last = magnitudes.len() - 1;
    let rises_to = |bin: usize| bin == 0 || magnitudes[bin - 1] < magnitudes[bin];
    let peaks: Vec<usize> = (0..last).filter(|&bin| rises_to(bin) && magnitudes[bin] > magnitudes[bin + 1]).collect();
    let mut kept = magnitudes.to_vec();
    for pair in peaks.windows(2) {
        let between = pair[0] + BESIDE_PEAK + 1..pair[1].saturating_sub(BESIDE_PEAK);
        if !between.is_empty() {
            kept[between].fill(T::zero());
        }
    }
    kept
}

/// Places of the [`CANDIDATES`] highest peaks, the first of equals before the others.
fn highest_peaks<T: Real>(values: &[T]) -> Vec<usize> {
    let mut peaks: Vec<usize> = maxima(values).collect();
    peaks.sort_by(|&a, &b| values[b].partial_cmp(&values[a]).unwrap_or(std::cmp::Ordering::Equal));
    peaks.truncate(CANDIDATES);
    peaks
}

/// Places of what is greater than both of its neighbours.
fn maxima<T: Real>(values: &[T]) -> impl Iterator<Item = usize> {
    (1..values.len() - 1).filter(|&at| values[at - 1] < values[at] && values[at] > values[at + 1])
}

/// Place and height of the parabola through a peak and the points beside it.
fn summit<T: Real>(point: usize, values: &[T]) -> (T, T) {
    let [left, middle, right] = [point - 1, point, point + 1].map(|point| values[point]);
    let aside = T::of(0.5) * (left - right) / ((left - middle) + (right - middle));
    (T::count(point) + aside, middle - T::of(0.25) * (left - right) * aside)
}

/// What repeats after a period, over what does not.
fn decibels<T: Real>(correlation: &[T], hertz: T) -> T {
    let period = (T::of_f32(SAMPLE_RATE as f32) / hertz).to_usize().unwrap_or(0);
    let at = maxima(correlation).min_by_key(|at| at.abs_diff(period)).unwrap_or(period);
    let (periodic, rest) = (correlation[at], correlation[0] - correlation[at]);
    let limit = T::of(LIMIT);
    match (periodic > T::zero(), rest > T::zero()) {
        (false, _) => -limit,
        (true, false) => limit,
        (true, true) => (T::of(10.0) * (periodic / rest).log10()).max(-limit).min(limit),
    }
}
