//! Voice activity by energy: frames that stand out from the background around them, and the stretches that they make.

use std::collections::VecDeque;

use super::super::mfcc::SAMPLE_RATE;

/// Decibels by which voice usually stands out from the background.
pub const USUAL_ABOVE: f64 = 9.0;

/// Samples of a frame: 10 ms.
const FRAME: usize = SAMPLE_RATE as usize / 100;
/// Frames before and behind one that its background is found by: 15 s.
const AROUND: usize = 1500;
/// Of ten frames, how many lie below the background's level.
const BACKGROUND: u32 = 1;
/// What has to be exceeded lies between these, in decibels of full scale.
const QUIETEST: f64 = -60.0;
const LOUDEST: f64 = -30.0;

/// Frames of a pause that belongs to a stretch.
const BRIDGED: u64 = 30;
/// Fewest frames with voice that make a stretch.
const FEWEST: u64 = 10;
/// Frames around the voice of a stretch; two of them fit into a pause that parts stretches.
const MARGIN: u64 = 10;

/// Level of silence, in decibels, and levels that are told apart: half decibels, up to the loudest sample that is sound.
const SILENCE: f64 = -100.0;
const PER_DECIBEL: f64 = 2.0;
const LEVELS: usize = 600;

/// Tells frame by frame whether a recording has voice. The level of a frame is the mean of three frames' variances.
pub(super) struct VoiceActivity {
    above: f64,
    /// Samples of a frame that is not whole.
    begun: Vec<f32>,
    /// Power of the last two frames.
    powers: VecDeque<f64>,
    /// Levels, of the frames around that which is decided next.
    levels: VecDeque<usize>,
    /// How many of them there are of each level.
    counts: Vec<u32>,
    /// Of `levels`, how many stand before the frame that is decided next.
    before: usize,
}

impl VoiceActivity {
    pub(super) fn new(above: f64) -> Self {
        Self { above, begun: Vec::new(), powers: VecDeque::new(), levels: VecDeque::new(), counts: vec![0; LEVELS], before: 0 }
    }

    /// Takes more samples; tells of the frames that it is known of now whether they have voice.
    pub(super) fn push(&mut self, samples: &[f32]) -> Vec<bool> {
        let mut decided = Vec::new();
        self.begun.extend_from_slice(samples);
        let begun = std::mem::take(&mut self.begun);
        let frames = begun.chunks_exact(FRAME);
        self.begun = frames.remainder().to_vec();
        for frame in frames {
            self.take(power(frame));
            if self.levels.len() > self.before + AROUND {
                decided.push(self.decide());
            }
        }
        decided
    }

    /// Tells of the frames that are left; samples that are no whole frame are one too.
    pub(super) fn finish(mut self) -> Vec<bool> {
        if !self.begun.is_empty() {
            self.take(power(&self.begun));
        }
        if !self.powers.is_empty() {
            let last = mean(self.powers.iter());
            self.put(last);
        }
        let mut decided = Vec::new();
        while self.before < self.levels.len() {
            decided.push(self.decide());
        }
        decided
    }

    /// Takes a frame's power, which completes the level of the frame before.
    fn take(&mut self, power: f64) {
        let is_first = self.powers.is_empty();
        self.powers.push_back(power);
        if !is_first {
            let level = mean(self.powers.iter());
            self.put(level);
        }
        if self.powers.len() == 3 {
            self.powers.pop_front();
        }
    }

    fn put(&mut self, power: f64) {
        let decibels = 10.0 * (power + 1e-10).log10();
        let level = (((decibels - SILENCE) * PER_DECIBEL).round().max(0.0) as usize).min(LEVELS - 1);
        self.counts[level] += 1;
        self.levels.push_back(level);
    }

    /// Whether the next frame has voice.
    fn decide(&mut self) -> bool {
        let all = self.levels.len() as u32;
        let mut below = 0;
        let is_background = |count: &u32| {
            below += count;
            10 * below >= BACKGROUND * all
        };
        let background = self.counts.iter().position(is_background).unwrap_or(0);
        let decibels = |level: usize| level as f64 / PER_DECIBEL + SILENCE;
        let exceeded = (decibels(background) + self.above).clamp(QUIETEST, LOUDEST);
        let has_voice = decibels(self.levels[self.before]) > exceeded;
        self.before += 1;
        if self.before > AROUND
            && let Some(level) = self.levels.pop_front()
        {
            self.counts[level] -= 1;
            self.before -= 1;
        }
        has_voice
    }
}

/// The variance of a frame's samples: their power without an offset.
fn power(frame: &[f32]) -> f64 {
    let count = frame.len() as f64;
    let (sum, squares) = frame.iter().fold((0.0, 0.0), |(sum, squares), &sample| {
        let sample = f64::from(sample);
        (sum + sample, squares + sample * sample)
    });
    let mean = sum / count;
    (squares / count - mean * mean).max(0.0)
}

fn mean<'p>(powers: impl ExactSizeIterator<Item = &'p f64>) -> f64 {
    let count = powers.len() as f64;
    powers.sum::<f64>() / count
}

/// Makes stretches of frames with voice. Places are in samples.
#[derive(Default)]
pub(super) struct Runs {
    /// Frames taken.
    frames: u64,
    run: Option<Run>,
}

/// Frames with voice, no further from each other than a pause.
struct Run {
    first: u64,
    last: u64,
    /// How many there are.
    count: u64,
}

impl Runs {
    /// Takes a frame; gives the end of a stretch that was there and of which it is known now that it has ended.
    pub(super) fn push(&mut self, has_voice: bool) -> Option<u64> {
        let frame = self.frames;
        self.frames += 1;
        if has_voice {
            let run = self.run.get_or_insert(Run { first: frame, last: frame, count: 0 });
            (run.last, run.count) = (frame, run.count + 1);
            return None;
        }
        let ended = self.run.take_if(|run| frame - run.last > BRIDGED);
        ended.and_then(|run| run.end())
    }

    /// Start of the stretch that goes on, and up to where it reaches at least.
    pub(super) fn stretch(&self) -> Option<[u64; 2]> {
        let run = self.run.as_ref().filter(|run| run.count >= FEWEST)?;
        Some([run.start(), place(run.last + 1)])
    }

    /// End of the stretch that goes on, where the recording ends.
    pub(super) fn end(&self) -> Option<u64> {
        self.run.as_ref().and_then(Run::end)
    }

    /// The earliest place where a stretch may begin that has not begun.
    pub(super) fn earliest(&self) -> u64 {
        self.run.as_ref().map_or_else(|| place(self.frames.saturating_sub(MARGIN)), Run::start)
    }
}

impl Run {
    fn start(&self) -> u64 {
        place(self.first.saturating_sub(MARGIN))
    }

    /// None of one that is too short for a stretch.
    fn end(&self) -> Option<u64> {
        (self.count >= FEWEST).then(|| place(self.last + 1 + MARGIN))
    }
}

fn place(frame: u64) -> u64 {
    frame * FRAME as u64
}
