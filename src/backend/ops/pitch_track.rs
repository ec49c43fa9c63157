//! Which candidate of each frame is its pitch, if any: the cheapest path through all frames of an utterance (Viterbi), to which a candidate
//! of little voicing, an unusual frequency and a jump are dear, and so is the change between speech with and without voice. The figures
//! are those of the prosody set and, where it leaves some open, of openSMILE's paths, measured at it.
//!
//! A candidate of f hertz and voicing v costs `-2 ln v`, 8 more where v < 0.7, and s(f): 0 from 100 to 350 Hz, `(100 - f) / 100` below,
//! `(f - 350) / 250` above, 1.2 from 600 Hz on. To be without voice costs 8 where some candidate has v ≥ 0.7. From a candidate to
//! another costs `20 |ln(f / f')|`, between voice and none 10, from none to none 1, to begin with a candidate 10. Of paths of the same
//! costs the one through the first candidate goes, no voice being the last. Costs count from the cheapest of each frame on, so that they
//! do not grow with the utterance.

use super::{CANDIDATE_COLUMNS, Operation, Shape, Sizes};
use crate::backend::{Ragged, Storage, Work};

/// `[frames, 13]` of [`PitchCandidates`](super::PitchCandidates) → `[frames, 4]`: F0 in hertz, log F0 in semitones above 27.5 Hz and at
/// least 1, voicing, log HNR in decibels. A frame without voice has zeros and the highest voicing of its candidates; one whose root of
/// the mean square is below 0.0008 has neither F0 nor voicing.
pub struct PitchTrack<B: Storage, T> {
    /// `[frames, 13]`
    pub candidates: T,
    /// Layout of the candidates and of the result.
    pub frames: Ragged<B>,
}

/// Contours that a track makes.
pub const TRACK_COLUMNS: usize = 4;
/// Some FLOP of a frame: 25 steps between candidates, three each.
const FRAME_FLOP: f64 = 100.0;

impl<B: Storage, T> Operation<B> for PitchTrack<B, T> {
    const KERNEL: &'static str = "pitch_track";
    type Operand = T;
    type On<U> = PitchTrack<B, U>;
    type Output = B::Tensor;
    type Kept = ();

    fn map<U>(&self, mut form: impl FnMut(&T) -> U) -> PitchTrack<B, U> {
        PitchTrack { candidates: form(&self.candidates), frames: self.frames.clone() }
    }

    fn results(of: &PitchTrack<B, Shape>, on: &B) -> (B::Tensor, ()) {
        (on.uninitialised([of.frames.rows(), TRACK_COLUMNS]), ())
    }

    fn sizes(of: &PitchTrack<B, Shape>) -> Sizes {
        vec![("frames", of.frames.rows()), ("batch", of.frames.batch())]
    }

    fn work(of: &PitchTrack<B, Shape>) -> Work {
        let frames = of.frames.rows();
        Work::elementwise(FRAME_FLOP, frames, frames * (CANDIDATE_COLUMNS + TRACK_COLUMNS))
    }
}
