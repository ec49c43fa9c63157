//! Recordings as they might have been as well: faster, slower, noisier, louder; to be trained on besides.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use super::mfcc::SAMPLE_RATE;
use super::resample::Resampler;
use crate::base::hash::fnv1a;
use crate::base::philox::Stream;

/// What is changed of a recording, in whole hundredths or tenths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Played at so many hundredths of its speed, which shifts its pitch as well (Ko et al., "Audio augmentation for speech recognition",
    /// Interspeech 2015).
    Speed(u32),
    /// White noise added, so many tenths of a decibel below the mean power of the whole recording.
    Noise(i32),
    /// So many tenths of a decibel louder.
    Gain(i32),
}

/// Hundredths of a speed that can be had.
const SPEEDS: std::ops::RangeInclusive<i64> = 50..=200;
/// Tenths of decibels that can be had.
const DECIBELS: std::ops::RangeInclusive<i64> = -600..=600;

impl Change {
    /// What becomes of samples at [`SAMPLE_RATE`]. `name` says which noise is drawn: the same for the same.
    pub(crate) fn of(self, samples: &[f32], name: &str) -> Vec<f32> {
        let times = |factor: f64| samples.iter().map(|&sample| (f64::from(sample) * factor) as f32).collect();
        match self {
            Self::Speed(hundredths) => resampled(samples, SAMPLE_RATE / 100 * hundredths).unwrap_or_else(|_| samples.to_vec()),
            Self::Gain(tenths) => times(amplitude(tenths)),
            Self::Noise(tenths) => {
                let power: f64 = samples.iter().map(|&sample| f64::from(sample).powi(2)).sum::<f64>() / samples.len().max(1) as f64;
                let deviation = power.sqrt() * amplitude(-tenths);
                let noise = Stream { seed: 0, stream: fnv1a(name.as_bytes()) };
                let with_noise =
                    |(place, &sample): (usize, &f32)| (f64::from(sample) + deviation * f64::from(noise.normal(place as u64))) as f32;
                samples.iter().enumerate().map(with_noise).collect()
            }
        }
    }

    /// How many times as fast what is said is said.
    pub(crate) fn speed(self) -> f64 {
        match self {
            Self::Speed(hundredths) => f64::from(hundredths) / 100.0,
            Self::Noise(_) | Self::Gain(_) => 1.0,
        }
    }
}

/// Decibels as a factor of amplitudes.
fn amplitude(tenths: i32) -> f64 {
    libm::pow(10.0, f64::from(tenths) / 200.0)
}

/// Samples at so many hertz, at [`SAMPLE_RATE`].
fn resampled(samples: &[f32], rate: u32) -> Result<Vec<f32>, String> {
    let mut resampler = Resampler::new(rate)?;
    resampler.push(samples.iter().copied())?;
    resampler.finish()
}

/// As it is typed, `speed=0.9`, with a unit and without the equals sign: a part of what a copy is called.
impl Display for Change {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Speed(hundredths) => write!(formatter, "speed{}", f64::from(hundredths) / 100.0),
            Self::Noise(tenths) => write!(formatter, "noise{}dB", f64::from(tenths) / 10.0),
            Self::Gain(tenths) => write!(formatter, "gain{}dB", f64::from(tenths) / 10.0),
        }
    }
}

/// Changes, each of which makes a copy of its own: `speed=0.9,1.1,noise=20dB`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes(pub Vec<Change>);

impl FromStr for Changes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut changes = Vec::new();
        let mut kind = "";
        for part in text.split(',') {
            let value = match part.split_once('=') {
                Some((word, value)) => {
                    kind = word.trim();
                    value
                }
                None => part,
            };
            let change = change(kind, value.trim())?;
            if changes.contains(&change) {
                return Err(format!("'{change}' is there twice"));
            }
            changes.push(change);
        }
        Ok(Self(changes))
    }
}

fn change(kind: &str, value: &str) -> Result<Change, String> {
    let decibels = || value.strip_suffix("dB").unwrap_or(value).trim_end();
    match kind {
        "speed" => match whole(value, 100.0).filter(|hundredths| SPEEDS.contains(hundredths)) {
            Some(100) => Err("speed=1 changes nothing".into()),
            Some(hundredths) => Ok(Change::Speed(hundredths as u32)),
            None => Err(format!("speed={value} is no number from 0.5 to 2 with at most two decimals")),
        },
        "noise" | "gain" => match (kind, whole(decibels(), 10.0).filter(|tenths| DECIBELS.contains(tenths))) {
            ("gain", Some(0)) => Err("gain=0dB changes nothing".into()),
            ("gain", Some(tenths)) => Ok(Change::Gain(tenths as i32)),
            (_, Some(tenths)) => Ok(Change::Noise(tenths as i32)),
            (_, None) => Err(format!("{kind}={value} is no number of decibels from -60 to 60 with at most one decimal")),
        },
        _ => Err(format!("'{}' is none of speed=, noise= and gain=", if kind.is_empty() { value } else { kind })),
    }
}

/// A decimal number as so many whole parts of one.
fn whole(text: &str, parts: f64) -> Option<i64> {
    let scaled = text.parse::<f64>().ok().filter(|number| number.is_finite())? * parts;
    let rounded = scaled.round();
    ((scaled - rounded).abs() < 1e-6).then_some(rounded as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hertz: f64, samples: usize) -> Vec<f32> {
        let phase = |place: usize| std::f64::consts::TAU * hertz * place as f64 / f64::from(SAMPLE_RATE);
        (0..samples).map(|place| (0.3 * phase(place).sin()) as f32).collect()
    }

    fn power(samples: &[f32]) -> f64 {
        samples.iter().map(|&sample| f64::from(sample).powi(2)).sum::<f64>() / samples.len() as f64
    }

    #[test]
    fn a_slower_tone_is_longer_and_lower() {
        let slower = Change::Speed(80).of(&tone(500.0, 16_000), "");
        assert_eq!(slower.len(), 20_000);
        // Away from its ends, where the filter sees silence.
        let expected = tone(400.0, 20_000);
        let apart = (2_000..18_000).map(|place| (slower[place] - expected[place]).abs()).fold(0.0, f32::max);
        assert!(apart < 1e-3, "{apart}");
        assert_eq!(Change::Speed(125).of(&tone(500.0, 16_000), "").len(), 12_800);
    }

    #[test]
    fn noise_and_gain_are_as_many_decibels_as_was_asked() {
        let samples = tone(300.0, 32_000);
        let noisy = Change::Noise(200).of(&samples, "a");
        let noise: Vec<f32> = noisy.iter().zip(&samples).map(|(noisy, sample)| noisy - sample).collect();
        let decibels = 10.0 * (power(&samples) / power(&noise)).log10();
        assert!((decibels - 20.0).abs() < 0.1, "{decibels}");
        assert_eq!(noisy, Change::Noise(200).of(&samples, "a"));
        assert_ne!(noisy, Change::Noise(200).of(&samples, "b"));
        let louder = 10.0 * (power(&Change::Gain(60).of(&samples, "")) / power(&samples)).log10();
        assert!((louder - 6.0).abs() < 1e-4, "{louder}");
        assert_eq!(Change::Noise(0).of(&[0.0; 9], "a"), [0.0; 9]);
    }

    #[test]
    fn changes_are_read_as_they_are_typed() {
        let read = |text: &str| text.parse::<Changes>();
        let all = read("speed=0.9,1.1,noise=20dB,gain=-6,2.5dB").unwrap().0;
        assert_eq!(all, [Change::Speed(90), Change::Speed(110), Change::Noise(200), Change::Gain(-60), Change::Gain(25)]);
        let names: Vec<String> = all.iter().map(Change::to_string).collect();
        assert_eq!(names, ["speed0.9", "speed1.1", "noise20dB", "gain-6dB", "gain2.5dB"]);
        for (text, part) in [
            ("", "none of speed="),
            ("0.9", "none of speed="),
            ("pitch=2", "'pitch' is none of"),
            ("speed=1", "changes nothing"),
            ("speed=0.901", "two decimals"),
            ("speed=3", "from 0.5 to 2"),
            ("speed=nan", "from 0.5 to 2"),
            ("gain=0", "changes nothing"),
            ("noise=loud", "decibels"),
            ("noise=99", "-60 to 60"),
            ("speed=0.9,0.90", "twice"),
            ("speed=0.9,", "speed= is no number"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
