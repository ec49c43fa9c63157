//! Frames of a recording under a window, and their magnitude spectra.

use std::f64::consts::TAU;
use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};

use crate::audio::mfcc::SAMPLE_RATE;

/// Samples from frame to frame: 10 ms.
const HOP: usize = 160;

/// How long frames are, in samples at 16 kHz, and what they are weighted by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub length: usize,
    /// Length of the Fourier transform; zeros follow the frame.
    pub transform: usize,
    pub window: Window,
}

/// Shapes of windows; both are symmetric.
#[derive(Debug, Clone, Copy)]
pub(super) enum Window {
    /// 0.54 - 0.46 cos(2πn / (length - 1))
    Hamming,
    /// exp(-½ (n / deviation)²), n from -1 to 1.
    Gauss { deviation: f64 },
}

impl Shape {
    /// Frequencies of the spectrum.
    pub(super) fn bins(&self) -> usize {
        self.transform / 2 + 1
    }

    /// Hertz from one to the next.
    pub(super) fn resolution(&self) -> f64 {
        f64::from(SAMPLE_RATE) / self.transform as f64
    }

    fn weights(&self) -> Vec<f64> {
        let last = (self.length - 1) as f64;
        let weight = |n: usize| match self.window {
            Window::Hamming => 0.54 - 0.46 * (TAU * n as f64 / last).cos(),
            Window::Gauss { deviation } => (-0.5 * ((2.0 * n as f64 / last - 1.0) / deviation).powi(2)).exp(),
        };
        (0..self.length).map(weight).collect()
    }
}

/// Cuts recordings into frames of one shape.
pub(super) struct Frames {
    weights: Vec<f64>,
    transform: Arc<dyn RealToComplex<f64>>,
}

impl Frames {
    pub(super) fn new(shape: Shape) -> Self {
        Self { weights: shape.weights(), transform: RealFftPlanner::new().plan_fft_forward(shape.transform) }
    }

    /// Gives of every frame that lies within the recording the root of its mean square under the window, and its magnitudes, `[bins]`;
    /// of a recording that is shorter than a frame one, with zeros behind it.
    pub(super) fn each(&self, samples: &[f32], mut take: impl FnMut(f64, &[f64])) {
        let length = self.weights.len();
        let count = 1 + samples.len().saturating_sub(length) / HOP;
        let mut input = self.transform.make_input_vec();
        let mut output = self.transform.make_output_vec();
        let mut scratch = self.transform.make_scratch_vec();
        let mut magnitudes = vec![0.0; output.len()];
        for frame in 0..count {
            input.fill(0.0);
            let own = samples[frame * HOP..].iter().zip(&self.weights);
            input.iter_mut().zip(own).for_each(|(value, (&sample, weight))| *value = f64::from(sample) * weight);
            let squares: f64 = input.iter().map(|value| value * value).sum();
            // Of buffers that the plan has made itself the lengths are right.
            let transformed = self.transform.process_with_scratch(&mut input, &mut output, &mut scratch);
            debug_assert!(transformed.is_ok());
            magnitudes.iter_mut().zip(&output).for_each(|(magnitude, value)| *magnitude = value.norm_sqr().sqrt());
            take((squares / length as f64).sqrt(), &magnitudes);
        }
    }
}
