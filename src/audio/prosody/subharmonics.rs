//! Pitch candidates of a frame by sub-harmonic summation (Hermes 1988): a frequency has the pitch of which its spectrum shows the most
//! harmonics.

use super::frames::Shape;
use super::octaves::{Octaves, hertz, points_an_octave};

/// Harmonics that are summed, the fundamental among them, each weighted by [`COMPRESSION`] more often.
const HARMONICS: usize = 15;
const COMPRESSION: f64 = 0.85;
/// Most candidates of a frame.
pub(super) const CANDIDATES: usize = 4;
/// Where pitch is sought, in hertz.
const RANGE: std::ops::RangeInclusive<f64> = 52.0..=620.0;

/// A pitch that a frame may have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    pub hertz: f64,
    /// One less the mean of the sums over this one's.
    pub voicing: f64,
}

/// Sums harmonics over spectra in octaves.
pub(super) struct Subharmonics {
    octaves: Octaves,
    /// `[HARMONICS]`: points from the fundamental, and the weight.
    harmonics: Vec<(usize, f64)>,
}

impl Subharmonics {
    pub(super) fn new(shape: Shape) -> Self {
        let harmonic = |number: usize| {
            let octaves = (number as f64).log2();
            let weight = COMPRESSION.powi(number as i32 - 1) / HARMONICS as f64;
            ((octaves * points_an_octave(shape.bins())) as usize, weight)
        };
        Self { octaves: Octaves::new(shape), harmonics: (1..=HARMONICS).map(harmonic).collect() }
    }

    /// At most [`CANDIDATES`] of a frame's magnitudes: those of its highest peaks that lie within the range.
    pub(super) fn candidates(&self, magnitudes: &[f64]) -> Vec<Candidate> {
        let sums = self.sums(magnitudes);
        let mean = sums.iter().sum::<f64>() / sums.len() as f64;
        let is_peak = |&point: &usize| sums[point - 1] < sums[point] && sums[point] > sums[point + 1];
        let mut peaks: Vec<usize> = (1..sums.len() - 1).filter(is_peak).collect();
        peaks.sort_by(|&a, &b| sums[b].total_cmp(&sums[a]));
        peaks.truncate(CANDIDATES);
        let candidate = |point: usize| {
            let (place, height) = summit(point, &sums);
            Candidate { hertz: hertz(place, sums.len()), voicing: 1.0 - mean / height }
        };
        peaks.into_iter().map(candidate).filter(|candidate| RANGE.contains(&candidate.hertz)).collect()
    }

    /// Σ of the spectrum at the multiples of every point; what lies beyond its end adds nothing.
    fn sums(&self, magnitudes: &[f64]) -> Vec<f64> {
        let spectrum = self.octaves.of(magnitudes);
        let mut sums = vec![0.0; spectrum.len()];
        for &(shift, weight) in &self.harmonics {
            sums.iter_mut().zip(&spectrum[shift..]).for_each(|(sum, value)| *sum += weight * value);
        }
        sums
    }
}

/// Place and height of the parabola through a peak and the points beside it.
fn summit(point: usize, values: &[f64]) -> (f64, f64) {
    let [left, middle, right] = [point - 1, point, point + 1].map(|point| values[point]);
    let aside = 0.5 * (left - right) / (left - 2.0 * middle + right);
    (point as f64 + aside, middle - 0.25 * (left - right) * aside)
}
