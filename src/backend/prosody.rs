//! The constant tables that the kernels of prosody read, on a backend.

use super::Storage;
use super::front_end::support;
use crate::audio::mfcc::twiddles;
use crate::audio::prosody::{BAND, Frames, LOUDNESS, PITCH, harmonics, loudness_bands, octaves};

/// A window and the turns of its Fourier transform.
struct Transform<T> {
    window: T,
    twiddles: T,
}

impl<T> Transform<T> {
    fn of(frames: Frames, upload: impl Fn(Vec<f64>, usize) -> T) -> Self {
        Self { window: upload(frames.weights(), frames.transform), twiddles: upload(twiddles(frames.transform), 2) }
    }
}

/// Rounds a table and uploads it.
fn uploader<B: Storage>(backend: &B) -> impl Fn(Vec<f64>, usize) -> B::Tensor {
    |values, columns| {
        let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
        backend.upload(&values, [values.len() / columns, columns])
    }
}

/// What pitch candidates are found by.
pub struct PitchTables<B: Storage> {
    /// `[1, transform]`: the window, zeros behind it.
    pub window: B::Tensor,
    /// `[transform / 2, 2]`: cos and sin of -2πk / transform.
    pub twiddles: B::Tensor,
    /// `[32, points]`: what a point of the octaves weights the bins by that it is made of.
    pub octaves: B::Tensor,
    /// `[points + 15]`: the first of those bins, and how many points each harmonic lies above its fundamental.
    pub places: B::Words,
}

/// What loudness is summed by.
pub struct LoudnessTables<B: Storage> {
    /// `[1, transform]`: the window, zeros behind it.
    pub window: B::Tensor,
    /// `[transform / 2, 2]`: cos and sin of -2πk / transform.
    pub twiddles: B::Tensor,
    /// `[26, bins]`: the bands' triangles under the ear's curve.
    pub bands: B::Tensor,
    /// `[2 · 26]`: first bin and end bin of each band, pairs.
    pub ranges: B::Words,
}

impl<B: Storage> Clone for PitchTables<B> {
    fn clone(&self) -> Self {
        let Self { window, twiddles, octaves, places } = self;
        Self { window: window.clone(), twiddles: twiddles.clone(), octaves: octaves.clone(), places: places.clone() }
    }
}

impl<B: Storage> Clone for LoudnessTables<B> {
    fn clone(&self) -> Self {
        let Self { window, twiddles, bands, ranges } = self;
        Self { window: window.clone(), twiddles: twiddles.clone(), bands: bands.clone(), ranges: ranges.clone() }
    }
}

impl<B: Storage> PitchTables<B> {
    /// Computes the tables in float64 and uploads them.
    pub fn new(backend: &B) -> Self {
        let upload = uploader(backend);
        let Transform { window, twiddles } = Transform::of(PITCH, &upload);
        let (mut places, weights) = octaves();
        debug_assert_eq!(weights.len(), BAND * places.len());
        let octaves = upload(weights, places.len());
        places.extend(harmonics());
        Self { window, twiddles, octaves, places: backend.upload_words(&places) }
    }
}

impl<B: Storage> LoudnessTables<B> {
    /// Computes the tables in float64 and uploads them.
    pub fn new(backend: &B) -> Self {
        let upload = uploader(backend);
        let Transform { window, twiddles } = Transform::of(LOUDNESS, &upload);
        let bands = loudness_bands();
        let ranges: Vec<u32> = bands.chunks_exact(LOUDNESS.bins()).flat_map(support).collect();
        Self { window, twiddles, bands: upload(bands, LOUDNESS.bins()), ranges: backend.upload_words(&ranges) }
    }
}
