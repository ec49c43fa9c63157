//! Harmonics-to-noise ratio by autocorrelation (Boersma: "Accurate short-term analysis of the fundamental frequency and the
//! harmonics-to-noise ratio of a sampled sound", IFA 17, 1993): what repeats after a period, over what does not.

use std::sync::Arc;

use realfft::{ComplexToReal, RealFftPlanner};

use super::subharmonics::Candidate;
use crate::audio::mfcc::SAMPLE_RATE;

/// Greatest and, negative, smallest ratio in decibels.
const LIMIT: f64 = 100.0;

/// Measures frames by their spectra.
pub(super) struct Harmonicity {
    inverse: Arc<dyn ComplexToReal<f64>>,
}

impl Harmonicity {
    /// Of spectra of transforms so long.
    pub(super) fn new(transform: usize) -> Self {
        Self { inverse: RealFftPlanner::new().plan_fft_inverse(transform) }
    }

    /// Decibels of a frame's magnitudes at the pitch of each candidate: `10 log10(r / (r(0) - r))`, r being the maximum of the
    /// autocorrelation that lies nearest to a period.
    pub(super) fn decibels(&self, magnitudes: &[f64], candidates: &[Candidate]) -> Vec<f64> {
        if candidates.is_empty() {
            return Vec::new();
        }
        let mut powers = self.inverse.make_input_vec();
        powers.iter_mut().zip(magnitudes).for_each(|(power, magnitude)| power.re = magnitude * magnitude);
        let mut correlation = self.inverse.make_output_vec();
        // Powers are real, and of buffers that the plan has made itself the lengths are right.
        let transformed = self.inverse.process(&mut powers, &mut correlation);
        debug_assert!(transformed.is_ok());
        let correlation = &correlation[..magnitudes.len()];
        let ratio = |candidate: &Candidate| {
            let period = (f64::from(SAMPLE_RATE) / candidate.hertz) as usize;
            let (all, periodic) = (correlation[0], correlation[nearest_maximum(correlation, period).unwrap_or(period)]);
            let ratio = 10.0 * (periodic.max(0.0) / (all - periodic)).log10();
            if ratio.is_nan() { 0.0 } else { ratio.clamp(-LIMIT, LIMIT) }
        };
        candidates.iter().map(ratio).collect()
    }
}

/// The maximum whose place is nearest to `place`, the first of two.
fn nearest_maximum(values: &[f64], place: usize) -> Option<usize> {
    let is_maximum = |&at: &usize| values[at - 1] < values[at] && values[at] > values[at + 1];
    (1..values.len() - 1).filter(is_maximum).min_by_key(|at| at.abs_diff(place))
}
