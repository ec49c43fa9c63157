//! The way of every recording, whatever it was coded in: channels averaged, resampled, checked, and handed on as it is decoded.

use std::path::{Path, PathBuf};

use super::AudioError;
use super::resample::Resampler;

/// Longest recording that is read whole, 64 kB a second: utterances last seconds, and memory must not follow a stray file.
pub(super) const LONGEST_MINUTES: u64 = 20;
/// Longest recording that is read piece by piece, a day: few bytes of some formats last for longer than anyone waits.
pub(super) const LONGEST_STREAM_MINUTES: u64 = 24 * 60;

/// Largest sample that is sound, in whatever scale it was written: 32-bit integers without a divisor reach half of it, and the
/// powers of 512 such samples are far from overflowing.
const LOUDEST: f32 = (1u64 << 32) as f32;

/// Where the samples go that come out of a recording.
#[derive(Clone, Copy)]
pub(super) struct Sink<'s> {
    /// Longest recording that is taken, in minutes.
    pub(super) minutes: u64,
    /// Takes the next samples at [`SAMPLE_RATE`](super::mfcc::SAMPLE_RATE); `false` where no more are wanted.
    pub(super) take: &'s dyn Fn(Vec<f32>) -> bool,
}

impl Sink<'_> {
    /// Refuses a recording of so many frames at `rate` hertz that is longer than is taken.
    ///
    /// # Errors
    /// [`AudioError::TooLong`]
    pub(super) fn check_length(&self, path: &Path, frames: u64, rate: u32) -> Result<(), AudioError> {
        match self.minutes * 60 * u64::from(rate) {
            most if frames > most => Err(AudioError::TooLong { path: path.to_path_buf(), minutes: self.minutes }),
            _ => Ok(()),
        }
    }

    /// Hands samples on.
    ///
    /// # Errors
    /// One that ends the decoding where no more are wanted; nobody is left whom it could be told.
    fn give(&self, path: &Path, samples: Vec<f32>) -> Result<(), AudioError> {
        match samples.is_empty() || (self.take)(samples) {
            true => Ok(()),
            false => Err(AudioError::Damaged { path: path.to_path_buf(), reason: "no more of it is wanted".into() }),
        }
    }
}

/// Takes interleaved frames and gives mono samples at [`SAMPLE_RATE`](super::mfcc::SAMPLE_RATE).
pub(super) struct Mono<'s> {
    path: PathBuf,
    sink: Sink<'s>,
    rate: u32,
    channels: usize,
    /// Frames taken.
    frames: u64,
    resampler: Resampler,
}

impl<'s> Mono<'s> {
    /// For a recording at `path` of `channels` channels at `rate` hertz, whose samples go to `sink`.
    ///
    /// # Errors
    /// [`AudioError::Damaged`]: no channels, or a rate that is not one.
    pub(crate) fn new(path: &Path, rate: u32, channels: usize, sink: Sink<'s>) -> Result<Self, AudioError> {
        let damaged = |reason: String| AudioError::Damaged { path: path.to_path_buf(), reason };
        if channels == 0 {
            return Err(damaged("it has no channels".into()));
        }
        Ok(Self { path: path.to_path_buf(), sink, rate, channels, frames: 0, resampler: Resampler::new(rate).map_err(damaged)? })
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
        self.sink.check_length(&self.path, self.frames, self.rate)?;
        let mono = interleaved.chunks_exact(channels).map(|frame| match frame {
            [sample] => *sample,
            frame => frame.iter().sum::<f32>() / channels as f32,
        });
        self.resampler.push(mono).map_err(|reason| AudioError::Damaged { path: self.path.clone(), reason })?;
        self.sink.give(&self.path, self.resampler.take())
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

    /// Hands the last samples on; `promised` is the number of frames that the header speaks of.
    ///
    /// # Errors
    /// [`AudioError::CutShort`] where there were fewer, [`AudioError::NoSamples`] where there were none.
    pub(crate) fn finish(self, promised: Option<u64>) -> Result<(), AudioError> {
        let (path, frames, sink) = (self.path, self.frames, self.sink);
        match promised {
            Some(promised) if frames < promised => Err(AudioError::CutShort { path, frames, promised }),
            _ if frames == 0 => Err(AudioError::NoSamples { path }),
            _ => {
                let rest = self.resampler.finish().map_err(|reason| AudioError::Damaged { path: path.clone(), reason })?;
                sink.give(&path, rest)
            }
        }
    }
}
