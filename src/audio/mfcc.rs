//! Settings of the MFCC front-end and the constant tables that its kernel reads.
//!
//! Conventions are `librosa.feature.mfcc`'s (0.10 and later), see [`MfccSettings`].

use std::f64::consts::{PI, TAU};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::backend::Backend;

/// Sampling rate of the features; other rates are resampled.
pub const SAMPLE_RATE: u32 = 16_000;

/// Every figure of the front-end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MfccSettings {
    /// Coefficients kept of the DCT.
    pub coefficients: usize,
    /// Mel bands between 0 Hz and half the sampling rate.
    pub mel_bands: usize,
    /// Length of the periodic Hann window, in samples.
    pub window: usize,
    /// Length of the transform, in samples; the window is centred in it. A power of two, at most [`MAX_TRANSFORM`].
    pub transform: usize,
    /// Step from frame to frame, in samples.
    pub hop: usize,
    /// Floor below the utterance's loudest band, in decibels.
    pub top_db: f32,
}

/// Longest supported transform: the kernel keeps it in workgroup memory.
pub const MAX_TRANSFORM: usize = 1024;
/// Most supported mel bands: the kernel keeps a frame of them in workgroup memory.
pub const MAX_MEL_BANDS: usize = 256;
/// Smallest power that the logarithm sees.
pub const SMALLEST_POWER: f32 = 1e-10;

impl Default for MfccSettings {
    fn default() -> Self {
        Self { coefficients: 40, mel_bands: 128, window: 400, transform: 512, hop: 160, top_db: 80.0 }
    }
}

impl MfccSettings {
    /// Number of frames of a recording, centred with zero padding: `1 + samples / hop`.
    pub fn frames(&self, samples: usize) -> usize {
        1 + samples / self.hop
    }

    /// Number of frequency bins of the power spectrum.
    pub fn bins(&self) -> usize {
        self.transform / 2 + 1
    }
}

/// The front-end's constants on a backend.
pub struct MfccTables<B: Backend> {
    pub settings: MfccSettings,
    /// `[1, transform]`: the periodic Hann window, centred, zeros around it.
    pub window: B::Tensor,
    /// `[transform / 2, 2]`: cos and sin of -2πk / transform.
    pub twiddles: B::Tensor,
    /// `[mel_bands, bins]`: Slaney's triangles with area normalisation.
    pub mel: B::Tensor,
    /// `[2 · mel_bands]`: first bin and end bin of each band, pairs.
    pub mel_ranges: B::Words,
    /// `[coefficients, mel_bands]`: orthonormal DCT-II.
    pub dct: B::Tensor,
}

/// Settings that no front-end can have.
#[derive(Debug, Clone, Error, PartialEq)]
pub enum MfccError {
    #[error("features: a transform of {transform} samples is no power of two between 2 and {MAX_TRANSFORM}; choose one (default 512)")]
    Transform { transform: usize },
    #[error("features: the window of {window} samples does not fit the transform of {transform}; choose 1 to {transform}")]
    Window { window: usize, transform: usize },
    #[error("features: a hop of 0 samples never ends; choose at least 1 (default 160)")]
    Hop,
    #[error("features: {mel_bands} mel bands; choose 1 to {MAX_MEL_BANDS} (default 128)")]
    MelBands { mel_bands: usize },
    #[error("features: {coefficients} coefficients of {mel_bands} mel bands; choose 1 to {mel_bands}")]
    Coefficients { coefficients: usize, mel_bands: usize },
    #[error("features: top_db is {top_db}; choose more than 0 (default 80)")]
    TopDb { top_db: f32 },
}

impl MfccSettings {
    /// Refuses settings for which there is no front-end.
    pub fn validate(&self) -> Result<(), MfccError> {
        let Self { coefficients, mel_bands, window, transform, hop, top_db } = *self;
        if !transform.is_power_of_two() || !(2..=MAX_TRANSFORM).contains(&transform) {
            Err(MfccError::Transform { transform })
        } else if !(1..=transform).contains(&window) {
            Err(MfccError::Window { window, transform })
        } else if hop == 0 {
            Err(MfccError::Hop)
        } else if !(1..=MAX_MEL_BANDS).contains(&mel_bands) {
            Err(MfccError::MelBands { mel_bands })
        } else if !(1..=mel_bands).contains(&coefficients) {
            Err(MfccError::Coefficients { coefficients, mel_bands })
        } else if top_db.is_nan() || top_db <= 0.0 {
            Err(MfccError::TopDb { top_db })
        } else {
            Ok(())
        }
    }

    /// Periodic Hann window `½ - ½ cos(2πn / window)`, centred in the transform.
    fn hann(&self) -> Vec<f64> {
        let mut centred = vec![0.0; self.transform];
        let left = (self.transform - self.window) / 2;
        for (n, value) in centred[left..left + self.window].iter_mut().enumerate() {
            *value = 0.5 - 0.5 * (TAU * n as f64 / self.window as f64).cos();
        }
        centred
    }

    /// cos and sin of -2πk / transform.
    fn twiddles(&self) -> Vec<f64> {
        let angles = (0..self.transform / 2).map(|k| -TAU * k as f64 / self.transform as f64);
        angles.flat_map(|angle| [angle.cos(), angle.sin()]).collect()
    }

    /// Triangles between neighbours of `mel_bands + 2` points that are even in mel, each of area 1 over hertz.
    fn mel_filters(&self) -> Vec<f64> {
        let highest = f64::from(SAMPLE_RATE) / 2.0;
        let steps = (self.mel_bands + 1) as f64;
        let points: Vec<f64> = (0..self.mel_bands + 2).map(|i| mel_to_hertz(hertz_to_mel(highest) * i as f64 / steps)).collect();
        let triangles = points.windows(3).flat_map(|points| {
            let &[low, centre, high] = points else { return Vec::new() };
            let frequencies = (0..self.bins()).map(|bin| bin as f64 * f64::from(SAMPLE_RATE) / self.transform as f64);
            let heights = frequencies.map(|f| ((f - low) / (centre - low)).min((high - f) / (high - centre)).max(0.0));
            heights.map(|height| height * 2.0 / (high - low)).collect()
        });
        triangles.collect()
    }

    /// `√(2/M) cos(πk (2m + 1) / 2M)`, the first row divided by √2.
    fn dct(&self) -> Vec<f64> {
        let bands = self.mel_bands as f64;
        let places = (0..self.coefficients).flat_map(|k| (0..self.mel_bands).map(move |m| (k, m)));
        let values = places.map(|(k, m)| {
            let norm = if k == 0 { 1.0 / bands } else { 2.0 / bands };
            norm.sqrt() * (PI * k as f64 * (2 * m + 1) as f64 / (2.0 * bands)).cos()
        });
        values.collect()
    }
}

impl<B: Backend> MfccTables<B> {
    /// Computes the tables in float64 and uploads them.
    pub fn new(backend: &B, settings: &MfccSettings) -> Result<Self, MfccError> {
        settings.validate()?;
        let upload = |values: Vec<f64>, columns: usize| {
            let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
            backend.upload(&values, [values.len() / columns, columns])
        };
        let mel = settings.mel_filters();
        let ranges: Vec<u32> = mel.chunks_exact(settings.bins()).flat_map(support).collect();
        Ok(Self {
            window: upload(settings.hann(), settings.transform),
            twiddles: upload(settings.twiddles(), 2),
            mel: upload(mel, settings.bins()),
            mel_ranges: backend.upload_words(&ranges),
            dct: upload(settings.dct(), settings.mel_bands),
            settings: settings.clone(),
        })
    }
}

/// First and end bin of a filter; both 0 for a band so narrow that it holds no bin.
fn support(filter: &[f64]) -> [u32; 2] {
    let first = filter.iter().position(|&weight| weight > 0.0);
    let last = filter.iter().rposition(|&weight| weight > 0.0);
    first.zip(last).map_or([0, 0], |(first, last)| [first as u32, last as u32 + 1])
}

/// Slaney's scale: linear to 1 kHz in steps of 200/3 Hz, then logarithmic, 27 steps for a factor of 6.4.
const HERTZ_PER_MEL: f64 = 200.0 / 3.0;
const BREAK_HERTZ: f64 = 1000.0;
const BREAK_MEL: f64 = BREAK_HERTZ / HERTZ_PER_MEL;

/// Natural logarithm of the factor of one step above the break.
fn log_step() -> f64 {
    6.4f64.ln() / 27.0
}

fn hertz_to_mel(hertz: f64) -> f64 {
    if hertz < BREAK_HERTZ { hertz / HERTZ_PER_MEL } else { BREAK_MEL + (hertz / BREAK_HERTZ).ln() / log_step() }
}

fn mel_to_hertz(mel: f64) -> f64 {
    if mel < BREAK_MEL { mel * HERTZ_PER_MEL } else { BREAK_HERTZ * ((mel - BREAK_MEL) * log_step()).exp() }
}
