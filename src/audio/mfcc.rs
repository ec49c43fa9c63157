//! Settings of the MFCC front-end and the constant tables that its kernels read.
//!
//! Conventions are those of a library that others compute features with, see [`Convention`].

use std::f64::consts::{PI, TAU};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::mel::MelScale;
use crate::backend::{Backend, DeltaFilter, Edges};

/// Sampling rate of the features; other rates are resampled.
pub const SAMPLE_RATE: u32 = 16_000;

/// Whose MFCC these are. All three take centred frames, power spectra, decibels with a floor below the utterance's
/// maximum and an orthonormal DCT-II.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Convention {
    /// `librosa.feature.mfcc`, 0.10 and later: Slaney's mel scale, bands of equal area, zeros around the recording
    #[default]
    Librosa,
    /// librosa's with `melspectrogram(htk=True, norm=None)`: HTK's mel scale, bands of equal height, zeros around the recording
    Htk,
    /// `torchaudio.transforms.MFCC`: HTK's mel scale, bands of equal height, the recording mirrored at its ends
    Torchaudio,
}

/// Shape of the window over a frame; both are periodic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// ½ - ½ cos(2πn / window)
    #[default]
    Hann,
    /// 0.54 - 0.46 cos(2πn / window)
    Hamming,
}

/// What stands before a recording's first sample and behind its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    Zeros,
    /// The recording mirrored, its end samples not repeated; a short one is mirrored to and fro.
    Reflection,
}

/// Every figure of the front-end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MfccSettings {
    pub convention: Convention,
    /// Coefficients kept of the DCT.
    pub coefficients: usize,
    /// Orders of differences over time that follow the coefficients: 0 none, 1 deltas, 2 also deltas of deltas.
    pub deltas: usize,
    /// Mel bands between 0 Hz and half the sampling rate.
    pub mel_bands: usize,
    /// Length of the window, in samples.
    pub window: usize,
    pub window_shape: Window,
    /// Length of the transform, in samples; the window is centred in it. A power of two, at most [`MAX_TRANSFORM`].
    pub transform: usize,
    /// Step from frame to frame, in samples.
    pub hop: usize,
    /// Floor below the utterance's loudest band, in decibels.
    pub top_db: f32,
    /// c of the pre-emphasis `x[n] - c x[n - 1]`; 0 for none.
    pub pre_emphasis: f32,
}

/// Longest supported transform: the kernel keeps it in workgroup memory.
pub const MAX_TRANSFORM: usize = 1024;
/// Most supported mel bands: the kernel keeps a frame of them in workgroup memory.
pub const MAX_MEL_BANDS: usize = 256;
/// Most orders of differences over time.
pub const MAX_DELTAS: usize = 2;
/// Smallest power that the logarithm sees.
pub const SMALLEST_POWER: f32 = 1e-10;

impl Default for MfccSettings {
    fn default() -> Self {
        Self {
            convention: Convention::Librosa,
            coefficients: 40,
            deltas: 0,
            mel_bands: 128,
            window: 400,
            window_shape: Window::Hann,
            transform: 512,
            hop: 160,
            top_db: 80.0,
            pre_emphasis: 0.0,
        }
    }
}

impl MfccSettings {
    /// Number of frames of a recording, each centred on its sample: `1 + samples / hop`.
    pub fn frames(&self, samples: usize) -> usize {
        1 + samples / self.hop
    }

    /// Number of frequency bins of the power spectrum.
    pub fn bins(&self) -> usize {
        self.transform / 2 + 1
    }

    /// Columns of the features: the coefficients and their differences over time.
    pub fn columns(&self) -> usize {
        self.coefficients * (1 + self.deltas)
    }

    /// What stands around a recording.
    pub fn padding(&self) -> Padding {
        match self.convention {
            Convention::Librosa | Convention::Htk => Padding::Zeros,
            Convention::Torchaudio => Padding::Reflection,
        }
    }

    /// Factors of a recording's first two samples of which the pre-emphasis makes the first: librosa continues the line
    /// through them backwards and takes that sample whole, torchaudio leaves the first sample as it is.
    pub fn first_emphasis(&self) -> [f32; 2] {
        match self.convention {
            Convention::Librosa | Convention::Htk if self.pre_emphasis != 0.0 => [3.0, -1.0],
            _ => [1.0, 0.0],
        }
    }

    fn mel_scale(&self) -> MelScale {
        match self.convention {
            Convention::Librosa => MelScale::Slaney,
            Convention::Htk | Convention::Torchaudio => MelScale::Htk,
        }
    }
}

/// The front-end's constants on a backend.
pub struct MfccTables<B: Backend> {
    pub settings: MfccSettings,
    /// `[1, transform]`: the periodic window, centred, zeros around it.
    pub window: B::Tensor,
    /// `[transform / 2, 2]`: cos and sin of -2πk / transform.
    pub twiddles: B::Tensor,
    /// `[mel_bands, bins]`: the bands' triangles.
    pub mel: B::Tensor,
    /// `[2 · mel_bands]`: first bin and end bin of each band, pairs.
    pub mel_ranges: B::Words,
    /// `[coefficients, mel_bands]`: orthonormal DCT-II.
    pub dct: B::Tensor,
    /// Makes the differences over time, where they are wanted.
    pub deltas: Option<DeltaFilter<B>>,
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
    #[error("features: a pre-emphasis of {pre_emphasis}; choose 0 (none) to below 1, usually 0.97")]
    PreEmphasis { pre_emphasis: f32 },
    #[error("features: {deltas} orders of deltas; choose 0, 1 or {MAX_DELTAS}")]
    Deltas { deltas: usize },
}

impl MfccSettings {
    /// Refuses settings for which there is no front-end.
    pub fn validate(&self) -> Result<(), MfccError> {
        let Self { coefficients, deltas, mel_bands, window, transform, hop, top_db, pre_emphasis, .. } = *self;
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
        } else if !(0.0..1.0).contains(&pre_emphasis) {
            Err(MfccError::PreEmphasis { pre_emphasis })
        } else if deltas > MAX_DELTAS {
            Err(MfccError::Deltas { deltas })
        } else {
            Ok(())
        }
    }

    /// The window's samples, centred in the transform.
    fn window(&self) -> Vec<f64> {
        let (mean, swing) = match self.window_shape {
            Window::Hann => (0.5, 0.5),
            Window::Hamming => (0.54, 0.46),
        };
        let mut centred = vec![0.0; self.transform];
        let left = (self.transform - self.window) / 2;
        for (n, value) in centred[left..left + self.window].iter_mut().enumerate() {
            *value = mean - swing * (TAU * n as f64 / self.window as f64).cos();
        }
        centred
    }

    /// cos and sin of -2πk / transform.
    fn twiddles(&self) -> Vec<f64> {
        let angles = (0..self.transform / 2).map(|k| -TAU * k as f64 / self.transform as f64);
        angles.flat_map(|angle| [angle.cos(), angle.sin()]).collect()
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

/// Taps of librosa's deltas: a line or a parabola is fitted to nine frames (Savitzky and Golay 1964).
const FITTED_FRAMES: usize = 9;
/// Taps of torchaudio's deltas: the regression of the HTK book, two frames to either side.
const REGRESSION_FRAMES: usize = 5;

/// `[width]`: what the slope of a line, fitted to frames in a row by least squares, is made of.
fn slope_taps(width: usize) -> Vec<f64> {
    let half = (width / 2) as f64;
    let places = (0..width).map(|tap| tap as f64 - half);
    let norm: f64 = places.clone().map(|place| place * place).sum();
    places.map(|place| place / norm).collect()
}

/// `[width]`: the same for the second derivative of a parabola.
fn curvature_taps(width: usize) -> Vec<f64> {
    let half = (width / 2) as f64;
    let squares = (0..width).map(|tap| (tap as f64 - half).powi(2));
    let mean = squares.clone().sum::<f64>() / width as f64;
    let norm: f64 = squares.clone().map(|square| (square - mean).powi(2)).sum();
    squares.map(|square| 2.0 * (square - mean) / norm).collect()
}

impl MfccSettings {
    /// The filter of the differences over time; `None` where none are wanted.
    fn delta_filter<B: Backend>(&self, upload: impl Fn(Vec<f64>, usize) -> B::Tensor) -> Option<DeltaFilter<B>> {
        let orders = (self.deltas > 0).then_some(self.deltas)?;
        Some(match self.convention {
            Convention::Librosa | Convention::Htk => {
                let mut taps = slope_taps(FITTED_FRAMES);
                if orders > 1 {
                    taps.extend(curvature_taps(FITTED_FRAMES));
                }
                DeltaFilter { orders, edges: Edges::Shifted, taps: upload(taps, FITTED_FRAMES) }
            }
            Convention::Torchaudio => {
                DeltaFilter { orders, edges: Edges::Repeated, taps: upload(slope_taps(REGRESSION_FRAMES), REGRESSION_FRAMES) }
            }
        })
    }
}

impl<B: Backend> MfccTables<B> {
    /// Computes the tables in float64 and uploads them.
    ///
    /// # Errors
    /// [`MfccError`].
    pub fn new(backend: &B, settings: &MfccSettings) -> Result<Self, MfccError> {
        settings.validate()?;
        let upload = |values: Vec<f64>, columns: usize| {
            let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
            backend.upload(&values, [values.len() / columns, columns])
        };
        let mel = settings.mel_scale().filters(settings.mel_bands, settings.transform);
        let ranges: Vec<u32> = mel.chunks_exact(settings.bins()).flat_map(support).collect();
        Ok(Self {
            window: upload(settings.window(), settings.transform),
            twiddles: upload(settings.twiddles(), 2),
            mel: upload(mel, settings.bins()),
            mel_ranges: backend.upload_words(&ranges),
            dct: upload(settings.dct(), settings.mel_bands),
            deltas: settings.delta_filter(upload),
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
