//! Loudness: mel bands under the ear's equal-loudness curve, each to the power of 0.33 (Hermansky: "Perceptual linear predictive analysis
//! of speech", JASA 87, 1990), summed.

use std::f64::consts::TAU;

use super::frames::{Frames, Window};
use crate::audio::mel::MelScale;

/// Frames: 20 ms.
pub const LOUDNESS: Frames = Frames { length: 320, transform: 512, window: Window::Hamming };
pub(crate) const BANDS: usize = 26;
/// Edges of the first band and of the last, in hertz.
const EDGES: [f64; 2] = [20.0, 8000.0];
/// Power of a band's energy that is its loudness.
pub(crate) const COMPRESSION: f64 = 0.33;

/// `[BANDS, bins]`, with the curve. Triangles over mel, not over hertz, as HTK has them: no bin below the first that lies half a bin above
/// the lower edge.
pub(crate) fn loudness_bands() -> Vec<f64> {
    let [low, high] = EDGES.map(|edge| MelScale::Htk.of_hertz(edge));
    let edge = |number: usize| low + (high - low) * number as f64 / (BANDS + 1) as f64;
    let lowest = (EDGES[0] / LOUDNESS.resolution()).round() as usize + 1;
    let weight = |band: usize, bin: usize| {
        let [left, centre, right] = [band, band + 1, band + 2].map(edge);
        let mel = MelScale::Htk.of_hertz(bin as f64 * LOUDNESS.resolution());
        let triangle = ((mel - left) / (centre - left)).min((right - mel) / (right - centre));
        if bin < lowest { 0.0 } else { equal_loudness(MelScale::Htk.to_hertz(centre)) * triangle.max(0.0) }
    };
    (0..BANDS).flat_map(|band| (0..LOUDNESS.bins()).map(move |bin| weight(band, bin))).collect()
}

/// Hermansky's approximation of the ear's sensitivity at 40 dB. Above 5 kHz it falls as openSMILE lets it fall, measured at it, by the
/// seventh power of the frequency and not by the sixth.
fn equal_loudness(hertz: f64) -> f64 {
    let angular = TAU * hertz;
    let square = angular * angular;
    let rise = (square + 56.8e6) * square * square / ((square + 6.3e6).powi(2) * (square + 0.38e9));
    rise / (0.17 + angular.powi(7) * 1e-32)
}
