//! Prosody of recordings on a backend, see [`crate::audio::prosody`].

use crate::audio::prosody::{Frames, LOUDNESS, PITCH};
use crate::backend::ops::{Concat, ContourFunctionals, Loudness, PitchCandidates, PitchTrack};
use crate::backend::{Backend, LoudnessTables, PitchTables, Ragged};

/// What contours are computed by.
pub struct ProsodyTables<B: Backend> {
    pitch: PitchTables<B>,
    loudness: LoudnessTables<B>,
}

impl<B: Backend> ProsodyTables<B> {
    /// Computes the tables in float64 and uploads them.
    pub fn new(backend: &B) -> Self {
        Self { pitch: PitchTables::new(backend), loudness: LoudnessTables::new(backend) }
    }
}

/// Contours of recordings, before they are smoothed.
pub struct Contours<B: Backend> {
    /// `[frames, 4]`: F0, log F0, voicing, log HNR.
    pub pitch: B::Tensor,
    /// The rows of `pitch`.
    pub pitch_rows: Ragged<B>,
    /// `[frames, 1]`
    pub loudness: B::Tensor,
    /// The rows of `loudness`, whose frames are shorter.
    pub loudness_rows: Ragged<B>,
}

impl<B: Backend> Contours<B> {
    /// Of recordings, mono at 16 kHz.
    pub fn of(backend: &B, tables: &ProsodyTables<B>, clips: &[Vec<f32>]) -> Self {
        let rows = |length: &dyn Fn(usize) -> usize| {
            let lengths: Vec<u32> = clips.iter().map(|clip| length(clip.len()) as u32).collect();
            Ragged::new(backend, &lengths)
        };
        let frames_of = |frames: Frames| rows(&|samples| frames.count(samples));
        let (utterances, pitch_rows, loudness_rows) = (rows(&|samples| samples), frames_of(PITCH), frames_of(LOUDNESS));
        let samples = clips.concat();
        let samples = backend.upload(&samples, [samples.len(), 1]);
        let candidates = backend.run(&PitchCandidates {
            samples: samples.clone(),
            utterances: utterances.clone(),
            frames: pitch_rows.clone(),
            tables: tables.pitch.clone(),
        });
        let pitch = backend.run(&PitchTrack { candidates, frames: pitch_rows.clone() });
        let loudness = Loudness { samples, utterances, frames: loudness_rows.clone(), tables: tables.loudness.clone() };
        Self { pitch, pitch_rows, loudness: backend.run(&loudness), loudness_rows }
    }

    /// `[clips, 35]`: the functionals of each contour in turn. What is zero takes no part in those of the pitch.
    pub fn functionals(self, backend: &B) -> B::Tensor {
        let Self { pitch, pitch_rows, loudness, loudness_rows } = self;
        let pitch = backend.run(&ContourFunctionals { x: pitch, rows: pitch_rows, skips_zeros: true });
        let loudness = backend.run(&ContourFunctionals { x: loudness, rows: loudness_rows, skips_zeros: false });
        backend.run(&Concat { parts: vec![pitch, loudness] })
    }
}
