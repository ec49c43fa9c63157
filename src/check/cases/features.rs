//! Cases of the kernels that make features: `mfcc` and `z_score`.

use std::f32::consts::TAU;
use std::fmt;

use super::{Lengths, total};
use crate::audio::mfcc::{MfccSettings, MfccTables, SAMPLE_RATE};
use crate::backend::{self, Backend, Ragged};
use crate::check::compare::Tolerance;
use crate::check::{Recorded, Source, Subject};

/// Cepstra of two tones over noise; every fourth recording is digital silence.
#[derive(Debug, Clone)]
pub struct Mfcc {
    /// Samples of each recording.
    pub samples: Vec<u32>,
    pub settings: MfccSettings,
}

impl Mfcc {
    fn waveform(&self, source: &mut Source) -> Vec<f32> {
        let tone = |index: u32, hertz: f32| (TAU * hertz * index as f32 / SAMPLE_RATE as f32).sin();
        let silent = |recording: usize| recording % 4 == 3;
        let recordings = self.samples.iter().enumerate();
        recordings
            .flat_map(|(recording, &samples)| {
                let noise = source.uniform(samples as usize, 0.05);
                let loudness = if silent(recording) { 0.0 } else { 1.0 };
                let sound = (0..samples).zip(noise);
                sound.map(move |(index, noise)| loudness * (0.4 * tone(index, 310.0) + 0.2 * tone(index, 2750.0) + noise))
            })
            .collect()
    }
}

impl fmt::Display for Mfcc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MfccSettings { transform, mel_bands, coefficients, .. } = self.settings;
        let samples = Lengths(&self.samples);
        write!(f, "samples={samples},transform={transform},mel={mel_bands},coefficients={coefficients}")
    }
}

impl Subject for Mfcc {
    fn cases() -> Vec<Self> {
        let usual = MfccSettings::default();
        let cepstra = |samples: &[u32], settings: &MfccSettings| Self { samples: samples.to_vec(), settings: settings.clone() };
        vec![
            cepstra(&[4000, 1, 159, 1600, 160, 2561], &usual),
            cepstra(&[1], &usual),
            cepstra(&[1000, 600], &MfccSettings { mel_bands: 40, ..usual.clone() }),
            cepstra(&[700, 333], &MfccSettings { coefficients: 13, mel_bands: 26, window: 200, transform: 256, hop: 80, ..usual.clone() }),
            cepstra(&[2100], &MfccSettings { window: 1024, transform: 1024, hop: 256, top_db: 20.0, ..usual }),
        ]
    }

    fn random(source: &mut Source) -> Self {
        let batch = source.between(1, 4);
        let longest = source.between(400, 3000) as u32;
        Self {
            samples: source.lengths(batch, 1, longest),
            settings: MfccSettings { mel_bands: source.pick(&[40, 64, 128]), ..MfccSettings::default() },
        }
    }

    /// The logarithm of a weak band sees rounding of the loudest one, some 1e-4 of it in amplitude: a few thousandths of a
    /// decibel, of which the transform to cepstra takes a mean.
    fn tolerance(&self) -> Tolerance {
        Tolerance { floor: 2e-3, of_rms: 0.0, relative: 1e-5 }
    }

    fn record<B: Backend>(&self, source: &mut Source, backend: &B) -> Vec<Recorded<B>> {
        // Settings that are refused leave no output, and a case without output fails.
        let Ok(tables) = MfccTables::new(backend, &self.settings) else { return Vec::new() };
        let waveform = self.waveform(source);
        let samples = backend.upload(&waveform, [waveform.len(), 1]);
        let frames: Vec<u32> = self.samples.iter().map(|&samples| self.settings.frames(samples as usize) as u32).collect();
        let (utterances, frames) = (Ragged::new(backend, &self.samples), Ragged::new(backend, &frames));
        vec![Recorded::new("cepstra", backend.mfcc(&samples, &utterances, &frames, &tables))]
    }
}

/// Normalisation of features by group.
#[derive(Debug, Clone)]
pub struct ZScore {
    pub lengths: Vec<u32>,
    pub columns: usize,
    pub groups: usize,
}

impl fmt::Display for ZScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lengths={},columns={},groups={}", Lengths(&self.lengths), self.columns, self.groups)
    }
}

impl Subject for ZScore {
    fn cases() -> Vec<Self> {
        let score = |lengths: &[u32], columns, groups| Self { lengths: lengths.to_vec(), columns, groups };
        vec![
            score(&[120, 64, 33], 40, 1),
            score(&[1], 40, 1),
            score(&[15, 0, 16, 17], 40, 3),
            score(&[63, 64, 65, 129], 5, 4),
            score(&[7, 2], 1, 2),
        ]
    }

    fn random(source: &mut Source) -> Self {
        let batch = source.between(1, 6);
        let longest = source.between(1, 70) as u32;
        Self { lengths: source.lengths(batch, 0, longest), columns: source.between(1, 50), groups: source.between(1, 4) }
    }

    /// A difference and a product.
    fn tolerance(&self) -> Tolerance {
        Tolerance::ROUNDING
    }

    fn record<B: Backend>(&self, source: &mut Source, backend: &B) -> Vec<Recorded<B>> {
        let (rows, columns, groups) = (total(&self.lengths), self.columns, self.groups);
        let statistics_shape = [groups, columns];
        let reciprocals = source.uniform(groups * columns, 0.5).into_iter().map(|value| 1.0 + value).collect::<Vec<_>>();
        let statistics = backend::ZScore {
            groups: backend.upload_words(&source.below(self.lengths.len(), groups as u32)),
            mean: backend.upload(&source.uniform(groups * columns, 1.0), statistics_shape),
            reciprocal_deviation: backend.upload(&reciprocals, statistics_shape),
        };
        let x = backend.upload(&source.uniform(rows * columns, 3.0), [rows, columns]);
        vec![Recorded::new("output", backend.z_score(&x, &Ragged::new(backend, &self.lengths), &statistics))]
    }
}
