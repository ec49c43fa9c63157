//! Settings of the MFCC front-end, and what its constant tables hold.
//!
//! Conventions are those of a library that others compute features with, see [`Convention`].

use std::f64::consts::{PI, TAU};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::mel::MelScale;
use crate::base::remedy::{Remedied, Remedy};

/// Sampling rate of the features; other rates are resampled.
pub const SAMPLE_RATE: u32 = 16_000;

/// Whose MFCC these are. All three take centred frames, power spectra, decibels with a floor below the utterance's
/// maximum and an orthonormal DCT-II.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
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

/// Settings that no front-end can have.
#[derive(Debug, Clone, Error, PartialEq)]
pub enum MfccError {
    #[error("features: a transform of {transform} samples is no power of two between 2 and {MAX_TRANSFORM}")]
    Transform { transform: usize },
    #[error("features: the window of {window} samples does not fit the transform of {transform}")]
    Window { window: usize, transform: usize },
    #[error("features: a hop of 0 samples never ends")]
    Hop,
    #[error("features: {mel_bands} mel bands")]
    MelBands { mel_bands: usize },
    #[error("features: {coefficients} coefficients of {mel_bands} mel bands")]
    Coefficients { coefficients: usize, mel_bands: usize },
    #[error("features: top_db is {top_db}")]
    TopDb { top_db: f32 },
    #[error("features: a pre-emphasis of {pre_emphasis}")]
    PreEmphasis { pre_emphasis: f32 },
    #[error("features: {deltas} orders of deltas")]
    Deltas { deltas: usize },
}

impl Remedied for MfccError {
    fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::Transform { .. } => vec![Remedy::advice("choose one (default 512)")],
            Self::Window { transform, .. } => vec![Remedy::advice(format!("choose 1 to {transform}"))],
            Self::Hop => vec![Remedy::advice("choose at least 1 (default 160)")],
            Self::MelBands { .. } => vec![Remedy::advice(format!("choose 1 to {MAX_MEL_BANDS} (default 128)"))],
            Self::Coefficients { mel_bands, .. } => vec![Remedy::advice(format!("choose 1 to {mel_bands}"))],
            Self::TopDb { .. } => vec![Remedy::advice("choose more than 0 (default 80)")],
            Self::PreEmphasis { .. } => vec![Remedy::advice("choose 0 (none) to below 1, usually 0.97")],
            Self::Deltas { .. } => vec![Remedy::advice(format!("choose 0, 1 or {MAX_DELTAS}"))],
        }
    }
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
    pub(crate) fn window(&self) -> Vec<f64> {
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

    /// `[mel_bands, bins]`: the bands' triangles.
    pub(crate) fn mel_filters(&self) -> Vec<f64> {
        self.mel_scale().filters(self.mel_bands, self.transform)
    }

    /// cos and sin of -2πk / transform.
    pub(crate) fn twiddles(&self) -> Vec<f64> {
        let angles = (0..self.transform / 2).map(|k| -TAU * k as f64 / self.transform as f64);
        angles.flat_map(|angle| [angle.cos(), angle.sin()]).collect()
    }

    /// `√(2/M) cos(πk (2m + 1) / 2M)`, the first row divided by √2.
    pub(crate) fn dct(&self) -> Vec<f64> {
        let bands = self.mel_bands as f64;
        let places = (0..self.coefficients).flat_map(|k| (0..self.mel_bands).map(move |m| (k, m)));
        let values = places.map(|(k, m)| {
            let norm = if k == 0 { 1.0 / bands } else { 2.0 / bands };
            norm.sqrt() * (PI * k as f64 * (2 * m + 1) as f64 / (2.0 * bands)).cos()
        });
        values.collect()
    }
}
