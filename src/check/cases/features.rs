//! Cases of the kernels that make features: `mfcc`, `deltas` and `z_score`.

use std::f32::consts::TAU;
use std::fmt;

use super::{Lengths, total};
use crate::audio::mfcc::{Convention, MfccSettings, SAMPLE_RATE, Window};
use crate::backend::Backend;
use crate::backend::MfccTables;
use crate::backend::ops::{self, DeltaFilter, Edges, GroupStatistics};
use crate::check::compare::Tolerance;
use crate::check::{Inputs, Recorded, Source, Subject};

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
        let MfccSettings { convention, transform, mel_bands, coefficients, pre_emphasis, .. } = self.settings;
        let samples = Lengths(&self.samples);
        write!(f, "samples={samples},transform={transform},mel={mel_bands},coefficients={coefficients}")?;
        write!(f, ",{convention:?},pre_emphasis={pre_emphasis}")
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
            cepstra(&[2100], &MfccSettings { window: 1024, transform: 1024, hop: 256, top_db: 20.0, ..usual.clone() }),
            cepstra(&[1, 2, 900, 160], &MfccSettings { pre_emphasis: 0.97, window_shape: Window::Hamming, ..usual.clone() }),
            cepstra(&[4000, 257], &MfccSettings { convention: Convention::Htk, ..usual.clone() }),
            // Reflections of recordings shorter than the transform go to and fro.
            cepstra(&[2, 1, 100, 3, 1600, 255], &MfccSettings { convention: Convention::Torchaudio, ..usual.clone() }),
            cepstra(&[1, 700, 2], &MfccSettings { convention: Convention::Torchaudio, pre_emphasis: 0.9, ..usual }),
        ]
    }

    fn random(source: &mut Source) -> Self {
        let batch = source.between(1, 4);
        let longest = source.between(400, 3000) as u32;
        Self {
            samples: source.lengths(batch, 1, longest),
            settings: MfccSettings {
                mel_bands: source.pick(&[40, 64, 128]),
                convention: source.pick(&[Convention::Librosa, Convention::Htk, Convention::Torchaudio]),
                pre_emphasis: source.pick(&[0.0, 0.97]),
                ..MfccSettings::default()
            },
        }
    }

    /// The logarithm of a weak band sees rounding of the loudest one, some 1e-4 of it in amplitude: a few thousandths of a
    /// decibel, of which the transform to cepstra takes a mean.
    fn tolerance(&self) -> Tolerance {
        Tolerance { floor: 2e-3, of_rms: 0.0, relative: 1e-5 }
    }

    fn record<B: Backend>(&self, source: &mut Source, inputs: &Inputs<'_, B>) -> Vec<Recorded<B>> {
        // Settings that are refused leave no output, and a case without output fails.
        let Ok(tables) = MfccTables::new(inputs.backend, &self.settings) else { return Vec::new() };
        let waveform = self.waveform(source);
        let samples = inputs.matrix("samples", [waveform.len(), 1], &waveform);
        let frames: Vec<u32> = self.samples.iter().map(|&samples| self.settings.frames(samples as usize) as u32).collect();
        let (utterances, frames) = (inputs.rows("sample lengths", &self.samples), inputs.rows("frame lengths", &frames));
        let mfcc = ops::Mfcc { samples, utterances, frames, tables };
        vec![Recorded::new("cepstra", inputs.backend.run(&mfcc))]
    }
}

/// Differences of features over time.
#[derive(Debug, Clone)]
pub struct Deltas {
    pub lengths: Vec<u32>,
    pub columns: usize,
    pub orders: usize,
    /// Filters given; one makes both orders.
    pub filters: usize,
    pub width: usize,
    pub edges: Edges,
}

impl fmt::Display for Deltas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { columns, orders, filters, width, edges, .. } = self;
        write!(f, "lengths={},columns={columns},orders={orders},filters={filters},width={width},{edges:?}", Lengths(&self.lengths))
    }
}

impl Subject for Deltas {
    fn cases() -> Vec<Self> {
        let deltas = |lengths: &[u32], columns, orders, filters, width, edges| Self {
            lengths: lengths.to_vec(),
            columns,
            orders,
            filters,
            width,
            edges,
        };
        vec![
            deltas(&[120, 9, 33], 40, 2, 2, 9, Edges::Shifted),
            deltas(&[8, 1, 0, 10], 40, 2, 2, 9, Edges::Shifted),
            deltas(&[65], 13, 1, 1, 9, Edges::Shifted),
            deltas(&[70, 4, 1, 5], 40, 2, 1, 5, Edges::Repeated),
            deltas(&[2], 1, 1, 1, 5, Edges::Repeated),
        ]
    }

    fn random(source: &mut Source) -> Self {
        let batch = source.between(1, 5);
        let longest = source.size(1, 130) as u32;
        let orders = source.between(1, 2);
        Self {
            lengths: source.lengths(batch, 0, longest),
            columns: source.size(1, 45),
            orders,
            filters: source.between(1, orders),
            width: source.pick(&[3, 5, 9]),
            edges: source.pick(&[Edges::Shifted, Edges::Repeated]),
        }
    }

    /// A short sum of products.
    fn tolerance(&self) -> Tolerance {
        Tolerance { floor: 1e-6, ..Tolerance::ROUNDING }
    }

    fn record<B: Backend>(&self, source: &mut Source, inputs: &Inputs<'_, B>) -> Vec<Recorded<B>> {
        let (frames, columns) = (total(&self.lengths), self.columns);
        let taps = source.uniform(self.filters * self.width, 0.5);
        let filter = DeltaFilter { orders: self.orders, edges: self.edges, taps: inputs.matrix("taps", [self.filters, self.width], &taps) };
        let x = inputs.matrix("x", [frames, columns], &source.uniform(frames * columns, 3.0));
        let deltas = ops::Deltas { x, frames: inputs.rows("lengths", &self.lengths), filter };
        vec![Recorded::new("output", inputs.backend.run(&deltas))]
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
        let longest = source.size(1, 130) as u32;
        Self { lengths: source.lengths(batch, 0, longest), columns: source.size(1, 50), groups: source.between(1, 4) }
    }

    /// A difference and a product.
    fn tolerance(&self) -> Tolerance {
        Tolerance::ROUNDING
    }

    fn record<B: Backend>(&self, source: &mut Source, inputs: &Inputs<'_, B>) -> Vec<Recorded<B>> {
        let (rows, columns, groups) = (total(&self.lengths), self.columns, self.groups);
        let statistics_shape = [groups, columns];
        let reciprocals = source.uniform(groups * columns, 0.5).into_iter().map(|value| 1.0 + value).collect::<Vec<_>>();
        let statistics = GroupStatistics {
            groups: inputs.words("groups", &source.below(self.lengths.len(), groups as u32)),
            mean: inputs.matrix("mean", statistics_shape, &source.uniform(groups * columns, 1.0)),
            reciprocal_deviation: inputs.matrix("reciprocal deviation", statistics_shape, &reciprocals),
        };
        let x = inputs.matrix("x", [rows, columns], &source.uniform(rows * columns, 3.0));
        let scores = ops::ZScore { x, rows: inputs.rows("lengths", &self.lengths), statistics };
        vec![Recorded::new("output", inputs.backend.run(&scores))]
    }
}
