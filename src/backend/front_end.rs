//! The constant tables that the MFCC front-end's kernels read, on a backend.

use super::Storage;
use super::ops::{DeltaFilter, Edges};
use crate::audio::mfcc::{Convention, MfccError, MfccSettings, twiddles};

/// The front-end's constants on a backend.
pub struct MfccTables<B: Storage> {
    /// What they are made from.
    pub settings: MfccSettings,
    /// `[1, transform]`: the periodic window, centred, zeros around it.
    pub window: B::Tensor,
    /// `[transform / 2, 2]`: cos and sin of -2πk / transform.
    pub twiddles: B::Tensor,
    /// `[mel_bands, bins]`: the bands' triangles.
    pub mel: B::Tensor,
    /// `[2 · mel_bands]`: first bin and end bin of each band, pairs.
    pub mel_ranges: B::Words,
    /// `[coefficients, mel_bands]`: orthonormal DCT-II, liftered.
    pub dct: B::Tensor,
    /// Makes the differences over time, where they are wanted.
    pub deltas: Option<DeltaFilter<B::Tensor>>,
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

impl<T> DeltaFilter<T> {
    /// The filter of the differences over time; `None` where none are wanted.
    pub(crate) fn of(settings: &MfccSettings, upload: impl Fn(Vec<f64>, usize) -> T) -> Option<Self> {
        let orders = (settings.deltas > 0).then_some(settings.deltas)?;
        Some(match settings.convention {
            Convention::Librosa | Convention::Htk | Convention::Spectrum => {
                let mut taps = slope_taps(FITTED_FRAMES);
                if orders > 1 {
                    taps.extend(curvature_taps(FITTED_FRAMES));
                }
                Self { orders, edges: Edges::Shifted, taps: upload(taps, FITTED_FRAMES) }
            }
            Convention::Torchaudio => {
                Self { orders, edges: Edges::Repeated, taps: upload(slope_taps(REGRESSION_FRAMES), REGRESSION_FRAMES) }
            }
        })
    }
}

impl<B: Storage> Clone for MfccTables<B> {
    fn clone(&self) -> Self {
        let Self { settings, window, twiddles, mel, mel_ranges, dct, deltas } = self;
        Self {
            settings: settings.clone(),
            window: window.clone(),
            twiddles: twiddles.clone(),
            mel: mel.clone(),
            mel_ranges: mel_ranges.clone(),
            dct: dct.clone(),
            deltas: deltas.clone(),
        }
    }
}

impl<B: Storage> MfccTables<B> {
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
        let mel = settings.mel_filters();
        let ranges: Vec<u32> = mel.chunks_exact(settings.bins()).flat_map(support).collect();
        Ok(Self {
            window: upload(settings.window(), settings.transform),
            twiddles: upload(twiddles(settings.transform), 2),
            mel: upload(mel, settings.bins()),
            mel_ranges: backend.upload_words(&ranges),
            dct: upload(settings.dct(), settings.mel_bands),
            deltas: DeltaFilter::of(settings, upload),
            settings: settings.clone(),
        })
    }
}

/// First and end bin of a filter; both 0 for a band so narrow that it holds no bin.
pub(super) fn support(filter: &[f64]) -> [u32; 2] {
    let first = filter.iter().position(|&weight| weight > 0.0);
    let last = filter.iter().rposition(|&weight| weight > 0.0);
    first.zip(last).map_or([0, 0], |(first, last)| [first as u32, last as u32 + 1])
}
