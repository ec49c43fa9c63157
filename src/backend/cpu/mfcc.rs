//! MFCC (MODEL.md "Acoustic features"): pre-emphasis, window, power spectrum, mel bands, `10 log10`, floor `top_db` below
//! the utterance's own maximum, DCT-II.

use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};

use super::product::{View, product};
use super::{Cpu, CpuTensor, Real};
use crate::audio::mfcc::{MfccSettings, Padding, SMALLEST_POWER};
use crate::backend::ops::{Mfcc, Run};
use crate::base::parallel::*;

impl<T: Real> Run<Mfcc<Self, CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &Mfcc<Self, CpuTensor<T>>) -> (CpuTensor<T>, ()) {
        let Mfcc { samples, utterances, frames, tables } = of;
        let (window, mel, dct) = (tables.window.values(), tables.mel.values(), tables.dct.values());
        let settings = &tables.settings;
        let tables = Tables { settings, window: &window, mel: &mel, mel_ranges: &tables.mel_ranges, dct: &dct };
        let y = forward(&samples.values(), &utterances.offsets, &frames.offsets, tables);
        (CpuTensor::new(y, [frames.rows(), settings.coefficients]), ())
    }
}

/// The front-end's constants, see [`crate::audio::mfcc::MfccTables`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tables<'a, T> {
    pub settings: &'a MfccSettings,
    /// `[transform]`
    pub window: &'a [T],
    /// `[mel_bands, bins]`
    pub mel: &'a [T],
    /// `[mel_bands]` of (first bin, end bin)
    pub mel_ranges: &'a [u32],
    /// `[coefficients, mel_bands]`
    pub dct: &'a [T],
}

/// `samples: [total samples]`, laid out by `utterances: [batch + 1]`; `frames: [batch + 1]` lays out the result
/// `[frames, coefficients]`.
pub(crate) fn forward<T: Real>(samples: &[T], utterances: &[u32], frames: &[u32], tables: Tables<T>) -> Vec<T> {
    let transform = RealFftPlanner::new().plan_fft_forward(tables.settings.transform);
    let bands = tables.settings.mel_bands;
    let decibels = utterances.windows(2).zip(frames.windows(2)).flat_map(|(range, frames)| {
        let utterance = &emphasised(&samples[range[0] as usize..range[1] as usize], tables.settings);
        let count = (frames[1] - frames[0]) as usize;
        let frames = (0..count).into_par_iter().flat_map_iter(|frame| mel_decibels(utterance, frame, &transform, tables));
        let mut decibels: Vec<T> = frames.collect();
        let lowest = decibels.iter().copied().fold(T::neg_infinity(), T::max) - T::of_f32(tables.settings.top_db);
        decibels.iter_mut().for_each(|value| *value = value.max(lowest));
        decibels
    });
    let decibels: Vec<T> = decibels.collect();
    product(View::new(&decibels, bands), View::new(tables.dct, bands).transposed())
}

/// The pre-emphasis `x[n] - c x[n - 1]`; the first sample by its own rule.
fn emphasised<T: Real>(samples: &[T], settings: &MfccSettings) -> Vec<T> {
    let strength = T::of_f32(settings.pre_emphasis);
    let [own, next] = settings.first_emphasis().map(T::of_f32);
    // A recording of one sample has no second one to lean on.
    let first = samples.iter().take(1).map(|&x| samples.get(1).map_or(x, |&second| own * x + next * second));
    first.chain(samples.windows(2).map(|pair| pair[1] - strength * pair[0])).collect()
}

/// The sample at `place`, which may lie outside the utterance.
fn padded<T: Real>(utterance: &[T], place: isize, padding: Padding) -> T {
    let last = utterance.len() as isize - 1;
    let place = match padding {
        Padding::Reflection if last > 0 => {
            let around = place.rem_euclid(2 * last);
            around.min(2 * last - around)
        }
        Padding::Reflection => 0,
        Padding::Zeros => place,
    };
    usize::try_from(place).ok().and_then(|place| utterance.get(place)).copied().unwrap_or_else(T::zero)
}

/// One frame's mel bands in decibels; the frame is centred on its sample.
fn mel_decibels<T: Real>(utterance: &[T], frame: usize, transform: &Arc<dyn RealToComplex<T>>, tables: Tables<T>) -> Vec<T> {
    let first = (frame * tables.settings.hop) as isize - (tables.settings.transform / 2) as isize;
    let places = tables.window.iter().zip(first..);
    let windowed = places.map(|(&window, place)| padded(utterance, place, tables.settings.padding()) * window);
    let mut windowed: Vec<T> = windowed.collect();
    let mut spectrum = transform.make_output_vec();
    // The transform fails only where a buffer's length is wrong, and both lengths are its own.
    let _ = transform.process(&mut windowed, &mut spectrum);
    let power: Vec<T> = spectrum.iter().map(|bin| bin.norm_sqr()).collect();
    let bands = tables.mel.chunks_exact(power.len()).zip(tables.mel_ranges.chunks_exact(2));
    let energies = bands.map(|(weights, range)| {
        let bins = range[0] as usize..range[1] as usize;
        weights[bins.clone()].iter().zip(&power[bins]).map(|(&weight, &power)| weight * power).sum::<T>()
    });
    energies.map(|energy| T::of(10.0) * energy.max(T::of_f32(SMALLEST_POWER)).log10()).collect()
}
