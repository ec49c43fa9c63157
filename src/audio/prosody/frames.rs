//! Frames of a recording under a window.

use std::f64::consts::TAU;

use crate::audio::mfcc::SAMPLE_RATE;

/// Samples from frame to frame: 10 ms.
pub(super) const HOP: usize = 160;

/// How long frames are, in samples at 16 kHz, and what they are weighted by.
#[derive(Debug, Clone, Copy)]
pub struct Frames {
    /// Samples of a frame.
    pub(crate) length: usize,
    /// Length of the Fourier transform, a power of two; zeros follow the frame.
    pub(crate) transform: usize,
    pub(super) window: Window,
}

/// Shapes of windows; both are symmetric.
#[derive(Debug, Clone, Copy)]
pub(super) enum Window {
    /// 0.54 - 0.46 cos(2πn / (length - 1))
    Hamming,
    /// exp(-½ (n / 0.4)²), n from -1 to 1.
    Gauss,
}

const GAUSS_DEVIATION: f64 = 0.4;

impl Frames {
    /// Samples from frame to frame.
    pub(crate) const HOP: usize = HOP;

    /// How many frames lie within a recording of so many samples; of one that is shorter than a frame it is one, with zeros behind it.
    pub fn count(self, samples: usize) -> usize {
        1 + samples.saturating_sub(self.length) / HOP
    }

    /// Frequencies of the spectrum.
    pub(crate) fn bins(self) -> usize {
        self.transform / 2 + 1
    }

    /// Hertz from one to the next.
    pub(super) fn resolution(self) -> f64 {
        f64::from(SAMPLE_RATE) / self.transform as f64
    }

    /// `[transform]`: the window, and zeros behind it.
    pub(crate) fn weights(self) -> Vec<f64> {
        let last = (self.length - 1) as f64;
        let weight = |n: usize| match self.window {
            _ if n >= self.length => 0.0,
            Window::Hamming => 0.54 - 0.46 * (TAU * n as f64 / last).cos(),
            Window::Gauss => (-0.5 * ((2.0 * n as f64 / last - 1.0) / GAUSS_DEVIATION).powi(2)).exp(),
        };
        (0..self.transform).map(weight).collect()
    }
}
