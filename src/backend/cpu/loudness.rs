//! Loudness: power spectrum, bands under the ear's curve, each to the power of 0.33, summed.

use realfft::RealFftPlanner;

use super::{Cpu, CpuTensor, Real};
use crate::audio::prosody::{Frames, LOUDNESS, LOUDNESS_COMPRESSION};
use crate::backend::ops::{Loudness, Run};
use crate::base::parallel::*;

impl<T: Real> Run<Loudness<Self, CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &Loudness<Self, CpuTensor<T>>) -> (CpuTensor<T>, ()) {
        let Loudness { samples, utterances, frames, tables } = of;
        let (window, bands) = (tables.window.values(), tables.bands.values());
        let y = forward(&samples.values(), &utterances.offsets, &frames.offsets, [&window, &bands], &tables.ranges);
        (CpuTensor::new(y, [frames.rows(), 1]), ())
    }
}

/// `samples: [total samples]`, `utterances` and `frames: [batch + 1]`, the window and `bands: [26, bins]` with (first bin, end bin) of
/// each → `[frames]`.
pub(crate) fn forward<T: Real>(samples: &[T], utterances: &[u32], frames: &[u32], [window, bands]: [&[T]; 2], ranges: &[u32]) -> Vec<T> {
    let transform = RealFftPlanner::new().plan_fft_forward(LOUDNESS.transform);
    let loudness = |frame: &[T]| {
        let mut windowed: Vec<T> = windowed(frame, window).collect();
        let mut spectrum = transform.make_output_vec();
        // The transform fails only where a buffer's length is wrong, and both lengths are its own.
        let _ = transform.process(&mut windowed, &mut spectrum);
        let power: Vec<T> = spectrum.iter().map(|bin| bin.norm_sqr()).collect();
        let each = bands.chunks_exact(power.len()).zip(ranges.chunks_exact(2));
        let energy = |(weights, range): (&[T], &[u32])| {
            let bins = range[0] as usize..range[1] as usize;
            weights[bins.clone()].iter().zip(&power[bins]).map(|(&weight, &power)| weight * power).sum::<T>()
        };
        each.map(energy).map(|energy| energy.powf(T::of(LOUDNESS_COMPRESSION))).sum::<T>()
    };
    frames_of(samples, utterances, frames).par_iter().map(|frame| loudness(frame)).collect()
}

/// What of its recording is left from each frame's first sample on.
pub(super) fn frames_of<'s, T>(samples: &'s [T], utterances: &[u32], frames: &[u32]) -> Vec<&'s [T]> {
    let recordings = utterances.windows(2).map(|range| &samples[range[0] as usize..range[1] as usize]);
    let counts = frames.windows(2).map(|range| (range[1] - range[0]) as usize);
    recordings.zip(counts).flat_map(|(recording, count)| (0..count).map(move |frame| &recording[frame * Frames::HOP..])).collect()
}

/// A frame under the window, zeros behind it.
pub(super) fn windowed<T: Real>(frame: &[T], window: &[T]) -> impl Iterator<Item = T> {
    let samples = frame.iter().copied().chain(std::iter::repeat(T::zero()));
    samples.zip(window.iter()).map(|(sample, &weight)| sample * weight)
}
