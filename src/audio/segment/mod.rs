//! Long recordings in segments: the stretches with voice, or all of a recording, in windows that a model can read.
//!
//! A stretch that fits into a window is one segment. A longer one is divided into windows which overlap; the last two of them are equally
//! long, at least half a window, so that no sample of a stretch is left out and no rest is short. Samples come piece by piece, and what is
//! held follows the window and the 15 s that voice is found by, not the recording.
//!
//! ```
//! use mcsan::audio::segment::{Segmenter, Stretches};
//!
//! let mut segmenter = Segmenter::new(Stretches::Whole, 2.0, 0.5)?;
//! let mut segments = segmenter.push(&[0.1; 16_000 * 5]);
//! segments.extend(segmenter.finish());
//! let times: Vec<[f64; 2]> = segments.iter().map(|segment| [segment.start_seconds(), segment.end_seconds()]).collect();
//! assert_eq!(times, [[0.0, 2.0], [1.5, 3.5], [3.0, 5.0]]);
//! # Ok::<(), mcsan::audio::segment::SegmentError>(())
//! ```

mod envelope;
mod voice;

use std::error::Error;
use std::fmt::{self, Display, Formatter};

pub use envelope::Envelope;
pub use voice::USUAL_ABOVE;

use super::mfcc::SAMPLE_RATE;
use crate::base::remedy::Remedied;
use voice::{Runs, VoiceActivity};

/// Shortest window, in seconds: a frame of the usual front-end.
pub const SHORTEST_WINDOW: f64 = 0.025;
/// Most decibels that voice can have to stand out by: it is heard above -30 dB of full scale whatever the background is.
pub const MOST_ABOVE: f64 = 60.0;
/// Shortest step from window to window, in seconds.
pub const SHORTEST_STEP: f64 = 0.01;

/// Which parts of a recording are looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stretches {
    /// All of it is one stretch.
    Whole,
    /// Stretches with voice: those in which frames of 10 ms stand out from the background by so many decibels. The background is the
    /// level below which a tenth of the frames within 15 s before and behind lie; what has to be exceeded lies between -60 and -30 dB of
    /// full scale. Pauses of up to 0.3 s belong to a stretch, which begins and ends 0.1 s around its voice and has 0.1 s of it at least.
    ///
    /// Energy tells sound from its background and not speech from other sounds: music and doors are voice.
    Voice {
        /// In decibels, usually [`USUAL_ABOVE`].
        above: f64,
    },
}

/// A part of a recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// Place of its first sample in the recording, at [`SAMPLE_RATE`].
    pub start: u64,
    /// Mono, at [`SAMPLE_RATE`].
    pub samples: Vec<f32>,
}

impl Segment {
    /// When it begins.
    pub fn start_seconds(&self) -> f64 {
        seconds(self.start)
    }

    /// When it ends.
    pub fn end_seconds(&self) -> f64 {
        seconds(self.start + self.samples.len() as u64)
    }
}

/// Seconds that so many samples last.
pub(crate) fn seconds(samples: u64) -> f64 {
    samples as f64 / f64::from(SAMPLE_RATE)
}

/// Windows that cannot be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SegmentError {
    /// It is shorter than [`SHORTEST_WINDOW`], or no number.
    Window(f64),
    /// It leaves less than [`SHORTEST_STEP`] from window to window, is negative or no number.
    Overlap {
        /// In seconds.
        overlap: f64,
        /// In seconds.
        window: f64,
    },
    /// It is not from 0 to [`MOST_ABOVE`].
    Above(f64),
}

impl Display for SegmentError {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Window(window) => write!(formatter, "{window} s is no length of a window, which is {SHORTEST_WINDOW} s or more"),
            Self::Overlap { overlap, window } => {
                write!(formatter, "windows of {window} s that overlap by {overlap} s do not go on by {SHORTEST_STEP} s at least")
            }
            Self::Above(above) => write!(formatter, "voice stands out by 0 to {MOST_ABOVE} dB, not {above}"),
        }
    }
}

impl Error for SegmentError {}
impl Remedied for SegmentError {}

/// Divides a recording into segments as its samples come.
pub struct Segmenter {
    window: u64,
    step: u64,
    /// What finds voice; none where all is one stretch.
    voice: Option<(VoiceActivity, Runs)>,
    /// Samples from `first` on.
    held: Vec<f32>,
    first: u64,
    /// Where the next window begins of a stretch that has begun and not ended.
    open: Option<u64>,
    ready: Vec<Segment>,
}

impl Segmenter {
    /// Over windows of so many seconds that overlap by so many.
    ///
    /// # Errors
    /// [`SegmentError`]
    pub fn new(stretches: Stretches, window: f64, overlap: f64) -> Result<Self, SegmentError> {
        check(window, overlap)?;
        let voice = match stretches {
            Stretches::Whole => None,
            Stretches::Voice { above } if (0.0..=MOST_ABOVE).contains(&above) => Some((VoiceActivity::new(above), Runs::default())),
            Stretches::Voice { above } => return Err(SegmentError::Above(above)),
        };
        let [window, overlap] = [window, overlap].map(|seconds| (seconds * f64::from(SAMPLE_RATE)).round() as u64);
        Ok(Self { window, step: window - overlap, voice, held: Vec::new(), first: 0, open: None, ready: Vec::new() })
    }

    /// Takes more samples; gives the segments that are whole.
    pub fn push(&mut self, samples: &[f32]) -> Vec<Segment> {
        self.held.extend_from_slice(samples);
        match self.voice.take() {
            None if samples.is_empty() => {}
            None => {
                self.open.get_or_insert(0);
                self.go_on(self.taken());
                self.forget(u64::MAX);
            }
            Some((mut activity, mut runs)) => {
                let decided = activity.push(samples);
                self.decide(&mut runs, &decided);
                self.forget(runs.earliest());
                self.voice = Some((activity, runs));
            }
        }
        std::mem::take(&mut self.ready)
    }

    /// The segments that are left.
    pub fn finish(mut self) -> Vec<Segment> {
        let end = match self.voice.take() {
            None => Some(self.taken()),
            Some((activity, mut runs)) => {
                let decided = activity.finish();
                self.decide(&mut runs, &decided);
                runs.end()
            }
        };
        if let Some(end) = end {
            self.close(end);
        }
        self.ready
    }

    /// Samples taken.
    fn taken(&self) -> u64 {
        self.first + self.held.len() as u64
    }

    /// Goes on by some frames, of each of which it is known whether it has voice.
    fn decide(&mut self, runs: &mut Runs, frames: &[bool]) {
        for &has_voice in frames {
            if let Some(end) = runs.push(has_voice) {
                self.close(end);
            }
            if let Some([start, inside]) = runs.stretch() {
                self.open.get_or_insert(start);
                self.go_on(inside.min(self.taken()));
            }
        }
    }

    /// Gives the windows of the open stretch, which reaches to `inside` at least: those behind which there is another.
    fn go_on(&mut self, inside: u64) {
        let Some(mut next) = self.open.take() else { return };
        while next + self.step + self.window <= inside {
            self.give(next, next + self.window);
            next += self.step;
        }
        self.open = Some(next);
    }

    /// Ends the open stretch, if there is one: what is left of it is one window, or two that are equally long.
    fn close(&mut self, end: u64) {
        let end = end.min(self.taken());
        self.go_on(end);
        let Some(start) = self.open.take().filter(|start| *start < end) else { return };
        let left = end - start;
        if left <= self.window {
            return self.give(start, end);
        }
        let each = (left + self.window - self.step).div_ceil(2);
        self.give(start, start + each);
        self.give(end - each, end);
    }

    fn give(&mut self, start: u64, end: u64) {
        let place = |sample: u64| (sample - self.first) as usize;
        self.ready.push(Segment { start, samples: self.held[place(start)..place(end)].to_vec() });
    }

    /// Forgets the samples that no segment begins in: those before the next window, or before `earliest` where no stretch is open.
    fn forget(&mut self, earliest: u64) {
        let kept = self.open.unwrap_or(earliest).min(self.taken());
        self.held.drain(..kept.saturating_sub(self.first) as usize);
        self.first = self.first.max(kept);
    }
}

/// Whether windows of so many seconds can overlap by so many.
///
/// # Errors
/// [`SegmentError`]
pub fn check(window: f64, overlap: f64) -> Result<(), SegmentError> {
    if !(window >= SHORTEST_WINDOW && window.is_finite()) {
        return Err(SegmentError::Window(window));
    }
    // Half a sample for what rounding leaves of the difference.
    let step = window - overlap + 0.5 / f64::from(SAMPLE_RATE);
    if !(overlap >= 0.0 && step >= SHORTEST_STEP) {
        return Err(SegmentError::Overlap { overlap, window });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: usize = SAMPLE_RATE as usize;

    /// Noise at -66 dB with tones at -15 dB in between, `[from, to]` in hundredths of a second.
    fn recording(hundredths: usize, tones: &[[usize; 2]]) -> Vec<f32> {
        let has_tone = |n: usize| tones.iter().any(|[from, to]| (from * RATE / 100..to * RATE / 100).contains(&n));
        (0..hundredths * RATE / 100)
            .map(|n| {
                let noise = ((n * 7919 + n / 3 * 104_729) % 2001) as f32 / 2001.0 - 0.5;
                0.0017 * noise + if has_tone(n) { 0.25 * (n as f32 * 0.2).sin() } else { 0.0 }
            })
            .collect()
    }

    fn segments(stretches: Stretches, window: f64, overlap: f64, samples: &[f32], piece: usize) -> Vec<Segment> {
        let mut segmenter = Segmenter::new(stretches, window, overlap).unwrap();
        let mut segments: Vec<Segment> = samples.chunks(piece).flat_map(|piece| segmenter.push(piece)).collect();
        segments.extend(segmenter.finish());
        segments
    }

    fn times(segments: &[Segment]) -> Vec<[f64; 2]> {
        segments.iter().map(|segment| [segment.start_seconds(), segment.end_seconds()]).collect()
    }

    const VOICE: Stretches = Stretches::Voice { above: USUAL_ABOVE };

    #[test]
    fn windows_cover_all_of_a_recording_and_overlap_alike() {
        let samples = recording(503, &[]);
        for piece in [77, 1153, samples.len()] {
            let found = segments(Stretches::Whole, 2.0, 0.5, &samples, piece);
            assert_eq!(times(&found), [[0.0, 2.0], [1.5, 3.5], [3.0, 4.265], [3.765, 5.03]]);
            for segment in &found {
                assert_eq!(segment.samples, samples[segment.start as usize..][..segment.samples.len()]);
            }
        }
        assert_eq!(times(&segments(Stretches::Whole, 2.0, 0.0, &samples[..RATE], 100)), [[0.0, 1.0]]);
        assert_eq!(times(&segments(Stretches::Whole, 2.0, 0.0, &samples[..1], 100)), [[0.0, 1.0 / 16_000.0]]);
        assert!(segments(Stretches::Whole, 2.0, 0.0, &[], 100).is_empty());
    }

    #[test]
    fn stretches_with_voice_are_found_whatever_pieces_come() {
        // A pause of 0.2 s belongs to its stretch, one of 0.6 s does not; 0.03 s are a click.
        let samples = recording(900, &[[100, 180], [200, 250], [310, 313], [400, 700]]);
        let whole = segments(VOICE, 2.0, 0.5, &samples, samples.len());
        assert_eq!(whole.len(), 3, "{:?}", times(&whole));
        for (found, expected) in times(&whole).iter().zip([[0.9, 2.6], [3.9, 5.75], [5.25, 7.1]]) {
            // Levels are of three frames.
            assert!(found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 0.025), "{:?}", times(&whole));
        }
        for piece in [77, 1153, 40_000] {
            assert_eq!(segments(VOICE, 2.0, 0.5, &samples, piece), whole);
        }
    }

    #[test]
    fn silence_and_steady_noise_have_no_voice_and_a_steady_loud_sound_has() {
        assert!(segments(VOICE, 2.0, 0.5, &vec![0.0; 3 * RATE], 999).is_empty());
        assert!(segments(VOICE, 2.0, 0.5, &recording(300, &[]), 999).is_empty());
        let louder: Vec<f32> = recording(300, &[]).iter().map(|sample| 10.0 * sample).collect();
        assert!(segments(VOICE, 2.0, 0.5, &louder, 999).is_empty());
        assert_eq!(times(&segments(VOICE, 5.0, 0.5, &recording(300, &[[0, 300]]), 999)), [[0.0, 3.0]]);
    }

    #[test]
    fn what_is_held_does_not_follow_the_recording() {
        let samples = recording(6000, &[[100, 5900]]);
        for stretches in [Stretches::Whole, VOICE] {
            let mut segmenter = Segmenter::new(stretches, 2.0, 0.5).unwrap();
            let (mut most, mut count) = (0, 0);
            for piece in samples.chunks(1153) {
                count += segmenter.push(piece).len();
                most = most.max(segmenter.held.len());
            }
            assert!(count > 25 && most < 21 * RATE, "{stretches:?}: {count} segments, {most} samples");
        }
    }

    #[test]
    fn windows_that_cannot_be_are_refused() {
        let told = |window, overlap| Segmenter::new(VOICE, window, overlap).err().unwrap().to_string();
        assert_eq!(told(0.01, 0.0), "0.01 s is no length of a window, which is 0.025 s or more");
        assert_eq!(told(f64::NAN, 0.0), "NaN s is no length of a window, which is 0.025 s or more");
        assert_eq!(told(1.0, 1.0), "windows of 1 s that overlap by 1 s do not go on by 0.01 s at least");
        assert_eq!(told(1.0, -0.5), "windows of 1 s that overlap by -0.5 s do not go on by 0.01 s at least");
        assert_eq!(check(1.0, 0.99), Ok(()));
        assert_eq!(
            Segmenter::new(Stretches::Voice { above: f64::NAN }, 1.0, 0.0).err().unwrap().to_string(),
            "voice stands out by 0 to 60 dB, not NaN"
        );
    }
}
