//! Loudness: mel bands under the ear's equal-loudness curve, each to the power of 0.33 (Hermansky: "Perceptual linear predictive analysis
//! of speech", JASA 87, 1990), summed.

use std::f64::consts::TAU;

use super::frames::{Frames, Shape, Window};
use crate::audio::mel::MelScale;

/// Frames: 20 ms.
const SHAPE: Shape = Shape { length: 320, transform: 512, window: Window::Hamming };
const BANDS: usize = 26;
/// Edges of the first band and of the last, in hertz.
const EDGES: [f64; 2] = [20.0, 8000.0];
/// Power of a band's energy that is its loudness.
const COMPRESSION: f64 = 0.33;

/// Measures recordings.
pub(super) struct Loudness {
    frames: Frames,
    /// First bin and weights of each band's triangle, with the curve.
    bands: Vec<(usize, Vec<f64>)>,
}

impl Default for Loudness {
    fn default() -> Self {
        Self { frames: Frames::new(SHAPE), bands: bands() }
    }
}

impl Loudness {
    /// A value a frame.
    pub(super) fn contour(&self, samples: &[f32]) -> Vec<f64> {
        let mut contour = Vec::new();
        self.frames.each(samples, |_, magnitudes| {
            let band = |(first, weights): &(usize, Vec<f64>)| {
                let energy: f64 = magnitudes[*first..].iter().zip(weights).map(|(magnitude, weight)| weight * magnitude * magnitude).sum();
                energy.powf(COMPRESSION)
            };
            contour.push(self.bands.iter().map(band).sum());
        });
        contour
    }
}

/// Triangles over mel, not over hertz, as HTK has them: no bin below the first that lies half a bin above the lower edge.
fn bands() -> Vec<(usize, Vec<f64>)> {
    let [low, high] = EDGES.map(|edge| MelScale::Htk.of_hertz(edge));
    let edge = |number: usize| low + (high - low) * number as f64 / (BANDS + 1) as f64;
    let lowest = (EDGES[0] / SHAPE.resolution()).round() as usize + 1;
    let band = |number: usize| {
        let [left, centre, right] = [number, number + 1, number + 2].map(edge);
        let curve = equal_loudness(MelScale::Htk.to_hertz(centre));
        let weight = |bin: usize| {
            let mel = MelScale::Htk.of_hertz(bin as f64 * SHAPE.resolution());
            curve * ((mel - left) / (centre - left)).min((right - mel) / (right - centre))
        };
        let mut bins = (lowest..SHAPE.bins()).filter(|&bin| weight(bin) > 0.0);
        let first = bins.next().unwrap_or(lowest);
        (first, std::iter::once(first).chain(bins).map(weight).collect())
    };
    (0..BANDS).map(band).collect()
}

/// Hermansky's approximation of the ear's sensitivity at 40 dB. Above 5 kHz it falls as openSMILE lets it fall, measured at it, by the
/// seventh power of the frequency and not by the sixth.
fn equal_loudness(hertz: f64) -> f64 {
    let angular = TAU * hertz;
    let square = angular * angular;
    let rise = (square + 56.8e6) * square * square / ((square + 6.3e6).powi(2) * (square + 0.38e9));
    rise / (0.17 + angular.powi(7) * 1e-32)
}
