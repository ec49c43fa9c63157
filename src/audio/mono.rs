//! The way of every recording, whatever it was coded in: channels averaged, resampled, checked, as it is decoded. What is
//! held is the result alone, 64 kB a second.

use std::path::{Path, PathBuf};

use super::AudioError;
use super::resample::Resampler;

/// Longest recording that is read: utterances last seconds, and memory must not follow a stray file.
pub(crate) const LONGEST_MINUTES: u64 = 20;

/// Largest sample that is sound, in whatever scale it was written: 32-bit integers without a divisor reach half of it, and the
/// powers of 512 such samples are far from overflowing.
const LOUDEST: f32 = (1u64 << 32) as f32;

/// Most frames of a recording at `rate` hertz.
pub(super) fn most_frames(rate: u32) -> u64 {
    LONGEST_MINUTES * 60 * u64::from(rate)
}

/// Takes interleaved frames and gives mono samples at [`SAMPLE_RATE`](super::mfcc::SAMPLE_RATE).
pub(super) struct Mono {
    path: PathBuf,
    rate: u32,
    channels: usize,
    /// Frames taken.
    frames: u64,
    resampler: Resampler,
}

impl Mono {
    /// For a recording at `path` of `channels` channels at `rate` hertz.
    ///
    /// # Errors
    /// [`AudioError::Damaged`]: no channels, or a rate that is not one.
    pub(crate) fn new(path: &Path, rate: u32, channels: usize) -> Result<Self, AudioError> {
        let damaged = |reason: String| AudioError::Damaged { path: path.to_path_buf(), reason };
        if channels == 0 {
            return Err(damaged("it has no channels".into()));
        }
        Ok(Self { path: path.to_path_buf(), rate, channels, frames: 0, resampler: Resampler::new(rate).map_err(damaged)? })
    }

    /// Takes more frames, `[frames, channels]`.
    ///
    /// # Errors
    /// [`AudioError::NoSample`], [`AudioError::TooLong`], or what the resampler says.
    pub(crate) fn push(&mut self, interleaved: &[f32]) -> Result<(), AudioError> {
        let channels = self.channels;
        if let Some(place) = interleaved.iter().position(|sample| sample.is_nan() || sample.abs() > LOUDEST) {
            let (frame, channel) = (self.frames + (place / channels) as u64, place % channels);
            return Err(AudioError::NoSample { path: self.path.clone(), frame, channel, value: interleaved[place] });
        }
        self.frames += (interleaved.len() / channels) as u64;
        if self.frames > most_frames(self.rate) {
            return Err(AudioError::TooLong { path: self.path.clone() });
        }
        let mono = interleaved.chunks_exact(channels).map(|frame| match frame {
            [sample] => *sample,
            frame => frame.iter().sum::<f32>() / channels as f32,
        });
        self.resampler.push(mono).map_err(|reason| AudioError::Damaged { path: self.path.clone(), reason })
    }

    /// As [`Mono::push`], of frames whose rate and channels may differ from the first ones'.
    ///
    /// # Errors
    /// Those of [`Mono::push`], and [`AudioError::Damaged`] where they do differ.
    pub(crate) fn push_as(&mut self, rate: u32, channels: usize, interleaved: &[f32]) -> Result<(), AudioError> {
        if (rate, channels) != (self.rate, self.channels) {
            let reason = format!("{channels} channels at {rate} Hz follow {} at {} Hz", self.channels, self.rate);
            return Err(AudioError::Damaged { path: self.path.clone(), reason });
        }
        self.push(interleaved)
    }

    /// Frames taken so far.
    pub(crate) fn frames(&self) -> u64 {
        self.frames
    }

    /// All samples; `promised` is the number of frames that the header speaks of.
    ///
    /// # Errors
    /// [`AudioError::CutShort`] where there were fewer, [`AudioError::NoSamples`] where there were none.
    pub(crate) fn finish(self, promised: Option<u64>) -> Result<Vec<f32>, AudioError> {
        let (path, frames) = (self.path, self.frames);
        match promised {
            Some(promised) if frames < promised => Err(AudioError::CutShort { path, frames, promised }),
            _ if frames == 0 => Err(AudioError::NoSamples { path }),
            _ => self.resampler.finish().map_err(|reason| AudioError::Damaged { path, reason }),
        }
    }
}
