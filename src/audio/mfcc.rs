//! Settings of the MFCC front-end and the constant tables that its kernel reads.
//!
//! Conventions are `librosa.feature.mfcc`'s (0.10 and later), see [`MfccSettings`].

use serde::{Deserialize, Serialize};

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
