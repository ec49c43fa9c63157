//! MFCC (MODEL.md "Acoustic features"): pre-emphasis, window, power spectrum, mel bands, `10 log10`, floor `top_db` below
//! the utterance's own maximum, DCT-II with the lifter in it; log energies in place of c0. Or the power spectrum alone.

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
        (CpuTensor::new(y, [frames.rows(), settings.static_columns()]), ())
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
    /// `[coefficients, mel_bands]`, liftered
    pub dct: &'a [T],
}

/// `samples: [total samples]`, laid out by `utterances: [batch + 1]`; `frames: [batch + 1]` lays out the result
/// `[frames, coefficients]`, of spectra `[frames, bins]`.
pub(crate) fn forward<T: Real>(samples: &[T], utterances: &[u32], frames: &[u32], tables: Tables<T>) -> Vec<T> {
    let settings = tables.settings;
    let transform = RealFftPlanner::new().plan_fft_forward(settings.transform);
    let bands = settings.mel_bands;
    let each = || {
        let recordings = utterances.windows(2).map(|range| &samples[range[0] as usize..range[1] as usize]);
        recordings.zip(frames.windows(2).map(|frames| (frames[1] - frames[0]) as usize))
    };
    let rows = each().flat_map(|(recording, count)| {
        let utterance = &emphasised(recording, settings);
        let spectra = (0..count).into_par_iter().map(|frame| power_spectrum(utterance, frame, &transform, tables));
        if settings.is_spectrum() {
            return spectra.flat_map_iter(|power| power).collect();
        }
        let mut decibels: Vec<T> = spectra.flat_map_iter(|power| mel_decibels(&power, tables)).collect();
        let lowest = decibels.iter().copied().fold(T::neg_infinity(), T::max) - T::of_f32(settings.top_db);
        decibels.iter_mut().for_each(|value| *value = value.max(lowest));
        decibels
    });
    let rows: Vec<T> = rows.collect();
    if settings.is_spectrum() {
        return rows;
    }
    let mut cepstra = product(View::new(&rows, bands), View::new(tables.dct, bands).transposed());
    if settings.energy {
        let energies = each().flat_map(|(recording, count)| (0..count).map(|frame| log_energy(recording, frame, settings)));
        cepstra.chunks_exact_mut(settings.coefficients).zip(energies).for_each(|(row, energy)| row[0] = energy);
    }
    cepstra
}

/// ln of the sum of squares of a frame's samples as they were recorded: those that the window covers.
fn log_energy<T: Real>(recording: &[T], frame: usize, settings: &MfccSettings) -> T {
    let first = first_place(frame, settings) + settings.window_begin() as isize;
    let places = first..first + settings.window as isize;
    let energy = places.map(|place| padded(recording, place, settings.padding())).map(|x| x * x).sum::<T>();
    energy.max(T::of_f32(SMALLEST_POWER)).ln()
}

/// Where the transform of a frame, centred on its sample, begins in the recording.
fn first_place(frame: usize, settings: &MfccSettings) -> isize {
    (frame * settings.hop) as isize - (settings.transform / 2) as isize
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

/// One frame's power spectrum.
fn power_spectrum<T: Real>(utterance: &[T], frame: usize, transform: &Arc<dyn RealToComplex<T>>, tables: Tables<T>) -> Vec<T> {
    let places = tables.window.iter().zip(first_place(frame, tables.settings)..);
    let windowed = places.map(|(&window, place)| padded(utterance, place, tables.settings.padding()) * window);
    let mut windowed: Vec<T> = windowed.collect();
    let mut spectrum = transform.make_output_vec();
    // The transform fails only where a buffer's length is wrong, and both lengths are its own.
    let _ = transform.process(&mut windowed, &mut spectrum);
    spectrum.iter().map(|bin| bin.norm_sqr()).collect()
}

/// The mel bands of a power spectrum in decibels.
fn mel_decibels<T: Real>(power: &[T], tables: Tables<T>) -> Vec<T> {
    let bands = tables.mel.chunks_exact(power.len()).zip(tables.mel_ranges.chunks_exact(2));
    let energies = bands.map(|(weights, range)| {
        let bins = range[0] as usize..range[1] as usize;
        weights[bins.clone()].iter().zip(&power[bins]).map(|(&weight, &power)| weight * power).sum::<T>()
    });
    energies.map(|energy| T::of(10.0) * energy.max(T::of_f32(SMALLEST_POWER)).log10()).collect()
}
