//! Loudness of frames (Hermansky: "Perceptual linear predictive analysis of speech", JASA 87, 1990): power spectrum under a Hamming window,
//! 26 mel bands under the ear's equal-loudness curve, each to the power of 0.33, summed. Takes finite samples.

use super::{Operation, Shape, Sizes};
use crate::audio::prosody::{BANDS, LOUDNESS};
use crate::backend::{LoudnessTables, Matrix, Ragged, Storage, Work};

/// `[frames, 1]` of recordings, with `LOUDNESS.count(samples)` frames an utterance.
pub struct Loudness<B: Storage, T> {
    /// `[total samples, 1]`, laid out by `utterances`.
    pub samples: T,
    /// Layout of the samples.
    pub utterances: Ragged<B>,
    /// Lays out the result.
    pub frames: Ragged<B>,
    /// The constants.
    pub tables: LoudnessTables<B>,
}

impl<B: Storage, T> Operation<B> for Loudness<B, T> {
    const KERNEL: &'static str = "loudness";
    type Operand = T;
    type On<U> = Loudness<B, U>;
    type Output = B::Tensor;
    type Kept = ();

    fn map<U>(&self, mut form: impl FnMut(&T) -> U) -> Loudness<B, U> {
        let Self { samples, utterances, frames, tables } = self;
        Loudness { samples: form(samples), utterances: utterances.clone(), frames: frames.clone(), tables: tables.clone() }
    }

    fn results(of: &Loudness<B, Shape>, on: &B) -> (B::Tensor, ()) {
        (on.uninitialised([of.frames.rows(), 1]), ())
    }

    fn sizes(of: &Loudness<B, Shape>) -> Sizes {
        vec![("frames", of.frames.rows())]
    }

    /// A real transform of N numbers takes 5/2 N log₂ N; most bins are in two bands.
    fn work(of: &Loudness<B, Shape>) -> Work {
        let transform = LOUDNESS.transform as f64;
        let bands = (4 * LOUDNESS.bins() + BANDS) as f64;
        let frames = of.frames.rows();
        Work::elementwise(2.5 * transform * transform.log2() + bands, frames, of.samples.len() + frames)
    }
}
