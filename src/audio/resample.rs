//! Resampling to the rate of the features, band-limited and without delay.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};

use super::mfcc::SAMPLE_RATE;

/// Lowest sampling rate that is taken for real, in hertz.
pub const LOWEST_RATE: u32 = 2_000;
/// Highest sampling rate that is taken for real, in hertz.
pub const HIGHEST_RATE: u32 = 768_000;

/// Shortest block of the transform on its slower side, in samples. The anti-aliasing filter is one block long: with
/// 1024 it is flat to 97 % of the Nyquist frequency.
const SHORTEST_BLOCK: usize = 1024;

/// Number of samples that `samples` at `rate` become: `round(samples · 16000 / rate)`.
pub fn resampled_length(samples: usize, rate: u32) -> usize {
    let (samples, rate, target) = (samples as u64, u64::from(rate), u64::from(SAMPLE_RATE));
    ((samples * target + rate / 2) / rate) as usize
}

/// Resamples mono `samples` from `rate` to [`SAMPLE_RATE`] by fast convolution with a windowed sinc (Blackman-Harris
/// squared); images lie below -100 dB and the filter's delay is taken out again.
///
/// Returns [`resampled_length`] samples; at 16 kHz they are those given, bit for bit.
///
/// # Errors
/// What the resampler says of a rate outside [`LOWEST_RATE`]`..=`[`HIGHEST_RATE`].
pub fn resample(samples: Vec<f32>, rate: u32) -> Result<Vec<f32>, String> {
    if rate == SAMPLE_RATE || samples.is_empty() {
        return Ok(samples);
    }
    if !(LOWEST_RATE..=HIGHEST_RATE).contains(&rate) {
        return Err(format!("the sampling rate is {rate} Hz, not between {LOWEST_RATE} and {HIGHEST_RATE}"));
    }
    let (from, to) = (rate as usize, SAMPLE_RATE as usize);
    let (blocks, window) = (FixedSync::Both, WindowFunction::BlackmanHarris2);
    let mut resampler = Fft::<f64>::new_custom(from, to, block(from, to), 1, 1, window, blocks).map_err(|error| error.to_string())?;
    let wide: Vec<f64> = samples.iter().map(|&sample| f64::from(sample)).collect();
    let input = InterleavedSlice::new(&wide, 1, wide.len()).map_err(|error| error.to_string())?;
    let output = resampler.process_all(&input, wide.len(), None).map_err(|error| error.to_string())?.take_data();
    Ok(output.into_iter().take(resampled_length(samples.len(), rate)).map(|sample| sample as f32).collect())
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
                let resampled = resample(tone(hertz, rate, 1.0), rate).unwrap();
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
                let alias = largest(middle(&resample(tone(hertz, rate, 1.0), rate).unwrap()).iter().copied());
                let decibels = 20.0 * (alias / 0.5).log10();
                assert!(decibels < -80.0, "{rate} Hz: a tone of {hertz} Hz leaves {decibels} dB");
            }
        }
    }

    #[test]
    fn the_length_is_rounded_and_short_recordings_keep_theirs() {
        for rate in RATES {
            for samples in [1, 2, 3, 100, 441, 1001] {
                assert_eq!(resample(vec![0.1; samples], rate).unwrap().len(), resampled_length(samples, rate), "{samples} at {rate} Hz");
            }
        }
        assert_eq!(resampled_length(44_100, 44_100), 16_000);
        assert_eq!(resampled_length(4, 48_000), 1);
        assert_eq!(resampled_length(5, 48_000), 2);
    }

    #[test]
    fn samples_at_the_target_rate_are_left_alone() {
        let samples = vec![0.1, -0.3, 1.0, f32::MIN_POSITIVE];
        assert_eq!(resample(samples.clone(), SAMPLE_RATE).unwrap(), samples);
    }

    #[test]
    fn an_absurd_rate_is_refused() {
        assert!(resample(vec![0.0; 8], 0).is_err());
        assert!(resample(vec![0.0; 8], u32::MAX).is_err());
    }
}
