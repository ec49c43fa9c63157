//! Pitch candidates of frames by sub-harmonic summation (Hermes: "Measurement of pitch by subharmonic summation", JASA 83, 1988), and the
//! harmonics-to-noise ratio at each by autocorrelation (Boersma: "Accurate short-term analysis of the fundamental frequency and the
//! harmonics-to-noise ratio of a sampled sound", IFA 17, 1993).
//!
//! Window, magnitudes |X|, of which what lies more than two bins from every peak is zeroed between the first peak and the last; laid out
//! evenly in octaves, S (`audio::prosody::octaves`); summed over 15 harmonics, `H(p) = Σ_h 0.85^(h-1) S(p + shift_h)`. The four highest
//! peaks of H, the first of equals, are candidates where the summit of the parabola through a peak and the points beside it lies between
//! 52 and 620 Hz; voicing is `1 - mean(H) / summit`. The ratio is `10 log10(r(n) / (r(0) - r(n)))`, r the autocorrelation, n the place of
//! its maximum nearest to the period, the first of two, or the period where it has none, within ±100.
//!
//! What is a peak, and which four are the highest, is decided by rounding where values are nearly the same: noise of its own is compared
//! nowhere. Takes finite samples; a frame that is nowhere above 1e-30 has no candidate.

use super::{Operation, Shape, Sizes};
use crate::audio::prosody::{BAND, HARMONICS, PITCH};
use crate::backend::{Matrix, PitchTables, Ragged, Storage, Work};

/// `[frames, 13]` of recordings: hertz of four candidates, 0 where there is none, then their voicing, then their ratios in decibels, and
/// the root of the mean square of the windowed frame. With `PITCH.count(samples)` frames an utterance.
pub struct PitchCandidates<B: Storage, T> {
    /// `[total samples, 1]`, laid out by `utterances`.
    pub samples: T,
    /// Layout of the samples.
    pub utterances: Ragged<B>,
    /// Lays out the result.
    pub frames: Ragged<B>,
    /// The constants.
    pub tables: PitchTables<B>,
}

/// Candidates of a frame.
pub const CANDIDATES: usize = 4;
/// Numbers of a frame.
pub const CANDIDATE_COLUMNS: usize = 3 * CANDIDATES + 1;

impl<B: Storage, T> Operation<B> for PitchCandidates<B, T> {
    const KERNEL: &'static str = "pitch_candidates";
    type Operand = T;
    type On<U> = PitchCandidates<B, U>;
    type Output = B::Tensor;
    type Kept = ();

    fn map<U>(&self, mut form: impl FnMut(&T) -> U) -> PitchCandidates<B, U> {
        let Self { samples, utterances, frames, tables } = self;
        PitchCandidates { samples: form(samples), utterances: utterances.clone(), frames: frames.clone(), tables: tables.clone() }
    }

    fn results(of: &PitchCandidates<B, Shape>, on: &B) -> (B::Tensor, ()) {
        (on.uninitialised([of.frames.rows(), CANDIDATE_COLUMNS]), ())
    }

    fn sizes(of: &PitchCandidates<B, Shape>) -> Sizes {
        vec![("frames", of.frames.rows())]
    }

    /// Two real transforms of N numbers take 5 N log₂ N, a point of the octaves 2 · 32 and its harmonics 2 · 15.
    fn work(of: &PitchCandidates<B, Shape>) -> Work {
        let transform = PITCH.transform as f64;
        let points = (2 * PITCH.bins() * (BAND + HARMONICS)) as f64;
        let frames = of.frames.rows();
        Work::elementwise(5.0 * transform * transform.log2() + points, frames, of.samples.len() + frames * CANDIDATE_COLUMNS)
    }
}
