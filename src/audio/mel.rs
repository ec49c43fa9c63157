//! Mel filters: how frequencies are spaced as they are heard, and the triangles over the spectrum.

use super::mfcc::SAMPLE_RATE;

/// How hertz become mel, and how high a band's triangle is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MelScale {
    /// Slaney's scale, linear to 1 kHz in steps of 200/3 Hz, then logarithmic, 27 steps for a factor of 6.4; triangles of
    /// area 1 over hertz.
    Slaney,
    /// HTK's scale, 2595 log10(1 + f / 700); triangles of height 1.
    Htk,
}

const HERTZ_PER_MEL: f64 = 200.0 / 3.0;
const BREAK_HERTZ: f64 = 1000.0;
const BREAK_MEL: f64 = BREAK_HERTZ / HERTZ_PER_MEL;

/// Natural logarithm of the factor of one of Slaney's steps above the break.
fn log_step() -> f64 {
    6.4f64.ln() / 27.0
}

impl MelScale {
    pub(super) fn of_hertz(self, hertz: f64) -> f64 {
        match self {
            Self::Slaney if hertz < BREAK_HERTZ => hertz / HERTZ_PER_MEL,
            Self::Slaney => BREAK_MEL + (hertz / BREAK_HERTZ).ln() / log_step(),
            Self::Htk => 2595.0 * (1.0 + hertz / 700.0).log10(),
        }
    }

    pub(super) fn to_hertz(self, mel: f64) -> f64 {
        match self {
            Self::Slaney if mel < BREAK_MEL => mel * HERTZ_PER_MEL,
            Self::Slaney => BREAK_HERTZ * ((mel - BREAK_MEL) * log_step()).exp(),
            Self::Htk => 700.0 * (10f64.powf(mel / 2595.0) - 1.0),
        }
    }

    /// `[bands, transform / 2 + 1]`: triangles between neighbours of `bands + 2` points that are even in mel from 0 Hz to
    /// half the sampling rate.
    pub(crate) fn filters(self, bands: usize, transform: usize) -> Vec<f64> {
        let highest = self.of_hertz(f64::from(SAMPLE_RATE) / 2.0);
        let points: Vec<f64> = (0..bands + 2).map(|point| self.to_hertz(highest * point as f64 / (bands + 1) as f64)).collect();
        let triangles = points.windows(3).flat_map(|points| {
            let &[low, centre, high] = points else { return Vec::new() };
            let scale = match self {
                Self::Slaney => 2.0 / (high - low),
                Self::Htk => 1.0,
            };
            let frequencies = (0..=transform / 2).map(|bin| bin as f64 * f64::from(SAMPLE_RATE) / transform as f64);
            frequencies.map(|f| scale * ((f - low) / (centre - low)).min((high - f) / (high - centre)).max(0.0)).collect()
        });
        triangles.collect()
    }
}
