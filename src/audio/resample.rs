//! Resampling to the rate of the features, band-limited and without delay.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler as _, WindowFunction};

use super::mfcc::SAMPLE_RATE;

/// Lowest sampling rate that is taken for real, in hertz.
pub(crate) const LOWEST_RATE: u32 = 2_000;
/// Highest sampling rate that is taken for real, in hertz.
pub(crate) const HIGHEST_RATE: u32 = 768_000;

/// Shortest block of the transform on its slower side, in samples. The anti-aliasing filter is one block long: with
/// 1024 it is flat to 97 % of the Nyquist frequency.
const SHORTEST_BLOCK: usize = 1024;

/// Number of samples that `samples` at `rate` become: `round(samples · 16000 / rate)`.
pub(crate) fn resampled_length(samples: usize, rate: u32) -> usize {
    let (samples, rate, target) = (samples as u64, u64::from(rate), u64::from(SAMPLE_RATE));
    ((samples * target + rate / 2) / rate) as usize
}

/// Resamples mono samples to [`SAMPLE_RATE`] piece by piece, by fast convolution with a windowed sinc (Blackman-Harris
/// squared); images lie below -100 dB and the filter's delay is taken out again.
pub(crate) struct Resampler {
    rate: u32,
    /// `None` at the target rate, where samples pass as they are.
    filter: Option<Fft<f64>>,
    /// Samples that wait until a block is full.
    waiting: Vec<f64>,
    /// Samples taken.
    taken: usize,
    /// Samples of the filter's delay that are still to be dropped.
    delay: usize,
    /// What is ready and was not handed out.
    resampled: Vec<f32>,
    /// Samples that were handed out.
    given: usize,
}

impl Resampler {
    /// From `rate` hertz.
    ///
    /// # Errors
    /// A rate outside [`LOWEST_RATE`]`..=`[`HIGHEST_RATE`], in words.
    pub(crate) fn new(rate: u32) -> Result<Self, String> {
        if !(LOWEST_RATE..=HIGHEST_RATE).contains(&rate) {
            return Err(format!("the sampling rate is {rate} Hz, not between {LOWEST_RATE} and {HIGHEST_RATE}"));
        }
        let (from, to) = (rate as usize, SAMPLE_RATE as usize);
        let (blocks, window) = (FixedSync::Both, WindowFunction::BlackmanHarris2);
        let filter = match rate {
            SAMPLE_RATE => None,
            _ => Some(Fft::new_custom(from, to, block(from, to), 1, 1, window, blocks).map_err(|error| error.to_string())?),
        };
        let delay = filter.as_ref().map_or(0, |filter| filter.output_delay());
        Ok(Self { rate, filter, waiting: Vec::new(), taken: 0, delay, resampled: Vec::new(), given: 0 })
    }

    /// Takes more samples.
    ///
    /// # Errors
    /// What the resampler says, in words.
    pub(crate) fn push(&mut self, samples: impl Iterator<Item = f32>) -> Result<(), String> {
        let Some(filter) = &mut self.filter else {
            self.resampled.extend(samples);
            return Ok(());
        };
        let before = self.waiting.len();
        self.waiting.extend(samples.map(f64::from));
        self.taken += self.waiting.len() - before;
        let size = filter.input_frames_next();
        let whole = self.waiting.len() / size * size;
        for block in self.waiting[..whole].chunks_exact(size) {
            let input = InterleavedSlice::new(block, 1, size).map_err(|error| error.to_string())?;
            let output = filter.process(&input, None).map_err(|error| error.to_string())?.take_data();
            let late = self.delay.min(output.len());
            self.delay -= late;
            self.resampled.extend(output[late..].iter().map(|&sample| sample as f32));
        }
        self.waiting.drain(..whole);
        Ok(())
    }

    /// Hands out what is ready.
    pub(crate) fn take(&mut self) -> Vec<f32> {
        self.given += self.resampled.len();
        std::mem::take(&mut self.resampled)
    }

    /// What was not handed out yet; all samples together are [`resampled_length`], at 16 kHz those that were given, bit for bit.
    ///
    /// # Errors
    /// What the resampler says, in words.
    pub(crate) fn finish(mut self) -> Result<Vec<f32>, String> {
        let Some(size) = self.filter.as_ref().map(|filter| filter.input_frames_next()) else { return Ok(self.resampled) };
        // Whole blocks less the delay are never more than this.
        let length = resampled_length(self.taken, self.rate) - self.given;
        while self.resampled.len() < length {
            self.push(std::iter::repeat_n(0.0, size))?;
        }
        self.resampled.truncate(length);
        Ok(self.resampled)
    }
}

/// Length of a block on the input's side: a whole number of samples on both sides, at least [`SHORTEST_BLOCK`] on the
/// slower one. Even, because the delay is half of it: an odd block leaves the result half a sample late.
fn block(from: usize, to: usize) -> usize {
    let step = from / greatest_common_divisor(from, to);
    let shortest = SHORTEST_BLOCK * from.div_ceil(to);
    step * shortest.div_ceil(step).next_multiple_of(2)
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    const RATES: [u32; 9] = [8_000, 11_025, 22_050, 24_000, 32_000, 44_100, 44_101, 48_000, 96_000];

    fn resample(samples: &[f32], rate: u32) -> Vec<f32> {
        let mut resampler = Resampler::new(rate).unwrap();
        // Pieces of uneven length, as decoders give them.
        for piece in samples.chunks(1153) {
            resampler.push(piece.iter().copied()).unwrap();
        }
        resampler.finish().unwrap()
    }

    fn tone(hertz: f64, rate: u32, seconds: f64) -> Vec<f32> {
        let samples = (seconds * f64::from(rate)) as usize;
        (0..samples).map(|n| (0.5 * (TAU * hertz * n as f64 / f64::from(rate)).sin()) as f32).collect()
    }

    /// The middle half: the tone's abrupt ends hold every frequency.
    fn middle(samples: &[f32]) -> &[f32] {
        &samples[samples.len() / 4..samples.len() * 3 / 4]
    }

    fn largest(values: impl Iterator<Item = f32>) -> f32 {
        values.fold(0.0, |largest, value| largest.max(value.abs()))
    }

    #[test]
    fn a_tone_keeps_its_phase_and_amplitude() {
        for rate in RATES {
            for hertz in [50.0, 440.0, 3000.0] {
                let expected = tone(hertz, SAMPLE_RATE, 1.0);
                let resampled = resample(&tone(hertz, rate, 1.0), rate);
                assert_eq!(resampled.len(), SAMPLE_RATE as usize, "{rate} Hz");
                let error = largest(middle(&resampled).iter().zip(middle(&expected)).map(|(a, b)| a - b));
                assert!(error < 1e-5, "{rate} Hz, tone of {hertz} Hz: differs by {error}");
            }
        }
    }

    #[test]
    fn what_the_features_cannot_hold_is_gone() {
        for rate in RATES.into_iter().filter(|&rate| rate > 20_000) {
            for hertz in [8_400.0, 10_000.0].into_iter().filter(|hertz| 2.0 * hertz < f64::from(rate)) {
                let alias = largest(middle(&resample(&tone(hertz, rate, 1.0), rate)).iter().copied());
                let decibels = 20.0 * (alias / 0.5).log10();
                assert!(decibels < -80.0, "{rate} Hz: a tone of {hertz} Hz leaves {decibels} dB");
            }
        }
    }

    /// A sweep from 250 Hz above what the features hold to the top of the recording: every frequency that could fold down.
    #[test]
    fn a_sweep_of_all_that_could_fold_down_leaves_nothing() {
        for rate in RATES.into_iter().filter(|&rate| rate > 20_000) {
            let (low, high, seconds) = (8_250.0, 0.499 * f64::from(rate), 4.0);
            let samples = (seconds * f64::from(rate)) as usize;
            let sweep = (0..samples).map(|n| {
                let t = n as f64 / f64::from(rate);
                let phase = TAU * (low * t + (high - low) * t * t / (2.0 * seconds));
                // The sweep swells and fades: abrupt ends hold every frequency.
                let swell = (std::f64::consts::PI * t / seconds).sin().powi(2);
                (0.5 * swell * phase.sin()) as f32
            });
            let alias = largest(resample(&sweep.collect::<Vec<_>>(), rate).into_iter());
            let decibels = 20.0 * (alias / 0.5).log10();
            assert!(decibels < -80.0, "{rate} Hz: a sweep from {low} to {high} Hz leaves {decibels} dB");
        }
    }

    #[test]
    fn the_length_is_rounded_and_short_recordings_keep_theirs() {
        for rate in RATES {
            for samples in [1, 2, 3, 100, 441, 1001] {
                assert_eq!(resample(&vec![0.1; samples], rate).len(), resampled_length(samples, rate), "{samples} at {rate} Hz");
            }
        }
        assert_eq!(resampled_length(44_100, 44_100), 16_000);
        assert_eq!(resampled_length(4, 48_000), 1);
        assert_eq!(resampled_length(5, 48_000), 2);
    }

    #[test]
    fn samples_at_the_target_rate_are_left_alone() {
        let samples = vec![0.1, -0.3, 1.0, f32::MIN_POSITIVE];
        assert_eq!(resample(&samples, SAMPLE_RATE), samples);
    }

    #[test]
    fn an_absurd_rate_is_refused() {
        assert!(Resampler::new(0).is_err());
        assert!(Resampler::new(u32::MAX).is_err());
    }
}
