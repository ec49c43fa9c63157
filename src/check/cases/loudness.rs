//! Cases of `loudness`.

use std::f32::consts::TAU;
use std::fmt;

use super::lengths::{Lengths, batch_of_one, read_lengths};
use crate::audio::mfcc::SAMPLE_RATE;
use crate::audio::prosody::LOUDNESS;
use crate::backend::gpu::shader;
use crate::backend::{Backend, LoudnessTables, ops};
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::Tolerance;
use crate::check::{Gradient, Inputs, Prepared, Record, Recorded, Sabotage, Source, Subject, Suite};

/// Loudness of two tones over noise; every fourth recording is digital silence.
#[derive(Debug, Clone)]
pub struct Loudness {
    /// Samples of each recording.
    pub samples: Vec<u32>,
}

impl fmt::Display for Loudness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}samples={}", batch_of_one(&self.samples), Lengths(&self.samples))
    }
}

impl Subject for Loudness {
    /// A band's energy to a power that makes errors smaller, of bands that see rounding of the loudest.
    fn tolerance(&self) -> Tolerance {
        Tolerance { floor: 0.0, ..Tolerance::of_rms(1e-5) }
    }
}

impl Suite for Loudness {
    fn cases() -> Vec<Self> {
        let loudness = |samples: &[u32]| Self { samples: samples.to_vec() };
        vec![loudness(&[4000, 1, 319, 900, 320, 479, 480]), loudness(&[1]), loudness(&[2561])]
    }

    fn random(source: &mut Source) -> Self {
        let batch = source.between(1, 4);
        Self { samples: source.lengths(batch, 1, 3000) }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        Ok(Self { samples: read_lengths(keys, "samples", 1, 80_000)? })
    }

    fn largest(&self) -> u64 {
        self.samples.iter().map(|&samples| u64::from(samples)).sum::<u64>()
    }

    fn gradient() -> Gradient {
        Gradient::None("training begins behind it, with features from a file")
    }

    const SABOTAGE: &'static [Sabotage] = &[
        Sabotage::new(&shader::loudness::SHADER, "0.33", "0.331"),
        Sabotage::new(&shader::loudness::SHADER, "n >= end", "n + 1u >= end"),
        Sabotage::new(&shader::loudness::SHADER, "band = 0u; band", "band = 1u; band"),
    ];
}

impl<B: Backend> Record<B> for Loudness {
    fn prepare<'a>(&self, source: &mut Source, inputs: &Inputs<'a, B>) -> Prepared<'a, B> {
        let tone = |index: u32, hertz: f32| (TAU * hertz * index as f32 / SAMPLE_RATE as f32).sin();
        let recording = |(place, &samples): (usize, &u32)| {
            let noise = source.uniform(samples as usize, 0.05);
            let strength = if place % 4 == 3 { 0.0 } else { 1.0 };
            let sound = (0..samples).zip(noise);
            sound.map(move |(index, noise)| strength * (0.4 * tone(index, 310.0) + 0.2 * tone(index, 2750.0) + noise)).collect::<Vec<_>>()
        };
        let recordings: Vec<f32> = self.samples.iter().enumerate().flat_map(recording).collect();
        let samples = inputs.matrix("samples", [recordings.len(), 1], &recordings);
        let frames: Vec<u32> = self.samples.iter().map(|&samples| LOUDNESS.count(samples as usize) as u32).collect();
        let (utterances, frames) = (inputs.rows("sample lengths", &self.samples), inputs.rows("frame lengths", &frames));
        let backend = inputs.backend;
        let loudness = ops::Loudness { samples, utterances, frames, tables: LoudnessTables::new(backend) };
        Box::new(move || vec![Recorded::new("loudness", backend.run(&loudness))])
    }
}
