//! Batches of a given shape, the same everywhere: what profiles, checks and benches run on where no corpus is at hand.

use std::fmt;
use std::str::FromStr;

use super::{DataStream, Dataset, Frames, SHORTEST_UTTERANCE, TokenLists, UtteranceInfo, Vectors};
use crate::base::memory::{self, Bytes, NoRoom};
use crate::base::philox::Stream;
use crate::base::sizes::{Keys, SizeError};
use crate::base::streams::{AUDIO, StreamShape, TEXT};
use crate::base::utterances::Split;
use crate::base::words::WordTable;

/// Acoustic features a frame, classes, rows and width of the word vectors: IEMOCAP with GloVe.
const COEFFICIENTS: usize = 40;
const CLASSES: u32 = 7;
const WORDS: usize = 3000;
const WORD_WIDTH: usize = 300;
/// Pictures of the longest utterance: what AMH reads of one.
const PICTURES: usize = 25;

/// A batch: `batch=256,frames=1000,words=50[,ragged]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchShape {
    /// Utterances.
    pub batch: usize,
    /// Acoustic frames of the longest.
    pub frames: usize,
    /// Tokens of the longest.
    pub words: usize,
    /// Whether lengths differ as IEMOCAP's do, with a mean of 45 % of the longest; else all are as long.
    pub ragged: bool,
}

impl Default for BatchShape {
    /// A batch of the paper's at the longest utterance.
    fn default() -> Self {
        Self { batch: 256, frames: 1000, words: 50, ragged: false }
    }
}

impl FromStr for BatchShape {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let mut keys = Keys::parse(text, "a batch");
        let usual = Self::default();
        let shape = Self {
            batch: keys.number("batch", 1, usual.batch)?,
            frames: keys.number("frames", SHORTEST_UTTERANCE, usual.frames)?,
            words: keys.number("words", 1, usual.words)?,
            ragged: keys.switch("ragged")?,
        };
        keys.finish()?;
        Ok(shape)
    }
}

impl fmt::Display for BatchShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { batch, frames, words, ragged } = self;
        write!(f, "batch={batch},frames={frames},words={words}{}", if *ragged { ",ragged" } else { "" })
    }
}

impl BatchShape {
    /// Refuses a batch that the host has no room for, with so many bytes for each number of its features.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub(crate) fn check_room(&self, bytes: usize) -> Result<(), NoRoom> {
        // Lengths of a ragged batch are nearly half as long together.
        let rows = |longest: usize| if self.ragged { self.batch * longest / 3 } else { self.batch * longest } as u64;
        let utterances = (self.batch * size_of::<UtteranceInfo>()) as u64;
        let features = rows(self.frames).saturating_mul((COEFFICIENTS * bytes) as u64);
        let tokens = rows(self.words).saturating_mul(size_of::<i32>() as u64);
        let needed = Bytes(features.saturating_add(tokens).saturating_add(utterances));
        memory::room_for(needed).map_err(|free| NoRoom { what: format!("{self}: the batch's content"), needed, free })
    }

    /// Frames of each utterance.
    pub fn frame_lengths(&self) -> Vec<u32> {
        lengths(self.batch, self.frames, SHORTEST_UTTERANCE, self.ragged)
    }

    /// Tokens of each utterance.
    pub fn word_lengths(&self) -> Vec<u32> {
        lengths(self.batch, self.words, 1, self.ragged)
    }

    /// The same with streams beside recording and words, each of a width.
    pub fn dataset_with(&self, further: &[(&'static str, StreamShape)]) -> Dataset {
        let mut data = self.dataset();
        for (number, &(name, shape)) in (5..).zip(further) {
            let stream = Stream { seed: 0, stream: number };
            let numbers = |count: usize| (0..count as u64).map(|index| 2.0 * stream.uniform(index) - 1.0).collect::<Vec<f32>>();
            let drawn = match shape {
                StreamShape::Frames { columns } => {
                    let offsets = offsets(&lengths(self.batch, PICTURES, 1, self.ragged));
                    let values = numbers(offsets[self.batch] * columns).into();
                    DataStream::Frames(Frames { columns, values, offsets })
                }
                StreamShape::Vector { columns } => DataStream::Vector(Vectors { columns, values: numbers(self.batch * columns).into() }),
                StreamShape::Tokens { .. } => continue,
            };
            data.streams.insert(name, drawn);
        }
        data
    }

    /// A data set of just that batch, in the training split; values follow from Philox and are the same everywhere.
    pub fn dataset(&self) -> Dataset {
        let (frame_offsets, token_offsets) = (offsets(&self.frame_lengths()), offsets(&self.word_lengths()));
        let [frames, tokens] = [&frame_offsets, &token_offsets].map(|offsets| offsets[self.batch]);
        let stream = |stream| Stream { seed: 0, stream };
        let numbers = |of, count: usize| (0..count as u64).map(|index| 2.0 * stream(of).uniform(index) - 1.0).collect::<Vec<f32>>();
        let below = |of, count: usize, bound: u32| (0..count as u64).map(move |index| stream(of).word(index) % bound);
        let audio = Frames { columns: COEFFICIENTS, values: numbers(1, frames * COEFFICIENTS).into(), offsets: frame_offsets };
        let text = TokenLists {
            tokens: below(2, tokens, WORDS as u32).map(|token| token as i32).collect(),
            offsets: token_offsets,
            vectors: Some(WordTable { width: WORD_WIDTH, values: numbers(3, WORDS * WORD_WIDTH) }),
            vocabulary: Vec::new(),
        };
        Dataset {
            classes: (0..CLASSES).map(|class| format!("class {class}")).collect(),
            streams: [(AUDIO, DataStream::Frames(audio)), (TEXT, DataStream::Tokens(text))].into(),
            labels: below(4, self.batch, CLASSES).collect(),
            utterances: vec![UtteranceInfo { split: Some(Split::Train), ..Default::default() }; self.batch],
            corpus: format!("drawn, {self}"),
            ..Default::default()
        }
    }
}

/// Where sequences of these lengths begin, and where the last one ends.
fn offsets(lengths: &[u32]) -> Vec<usize> {
    let ends = lengths.iter().scan(0, |end, &length| {
        *end += length as usize;
        Some(*end)
    });
    std::iter::once(0).chain(ends).collect()
}

/// Lengths of `batch` sequences, the longest of `longest`, each at least `least`.
///
/// Ragged ones are those of INTERFACE.md: with r = (13 i + 5) mod B (i where 13 divides B), f = 1 for the last r and else
/// 0.1 + 0.9 ((r + ½) / B)^(11/7), sequence i has f · longest rows, halves rounded to even.
pub(crate) fn lengths(batch: usize, longest: usize, least: usize, ragged: bool) -> Vec<u32> {
    let length = |sequence: usize| {
        let rank = if batch.is_multiple_of(13) { sequence } else { (13 * sequence + 5) % batch };
        let share = match ragged && rank + 1 < batch {
            true => 0.1 + 0.9 * ((rank as f64 + 0.5) / batch as f64).powf(11.0 / 7.0),
            false => 1.0,
        };
        (share * longest as f64).round_ties_even().max(least as f64) as u32
    };
    (0..batch).map(length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed by Python's `round((0.1 + 0.9 * ((r + 0.5) / B) ** (11 / 7)) * n)`.
    #[test]
    fn ragged_lengths_are_those_of_the_formula() {
        assert_eq!(lengths(8, 1000, 9, true), [599, 245, 1000, 464, 165, 749, 346, 112]);
        assert_eq!(lengths(8, 50, 1, true), [30, 12, 50, 23, 8, 37, 17, 6]);
        assert_eq!(lengths(13, 300, 9, true), [32, 39, 50, 64, 81, 100, 121, 144, 168, 195, 223, 253, 300]);
        assert_eq!(lengths(5, 20, 9, true), [9, 12, 9, 20, 9]);
        assert_eq!(lengths(1, 100, 9, true), [100]);
        assert_eq!(lengths(3, 100, 9, false), [100; 3]);
        let paper = BatchShape { ragged: true, ..BatchShape::default() };
        assert_eq!(paper.frame_lengths()[..8], [102, 114, 133, 158, 186, 219, 255, 294]);
        assert_eq!(paper.frame_lengths().iter().sum::<u32>(), 115_211);
        assert_eq!(paper.word_lengths().iter().sum::<u32>(), 5761);
    }

    #[test]
    fn a_shape_is_read_as_it_is_shown_and_what_is_wrong_is_named() {
        let shape: BatchShape = "batch=4, frames=90,words=5,ragged".parse().expect("a shape");
        assert_eq!(shape, BatchShape { batch: 4, frames: 90, words: 5, ragged: true });
        assert_eq!(shape.to_string().parse(), Ok(shape));
        assert_eq!("".parse(), Ok(BatchShape::default()));
        for (text, words) in [
            ("rows=4", "'rows' is no size of a batch, which has batch=N, frames=N, words=N, ragged"),
            ("batch=0", "batch: '0' is no number from 1"),
            ("frames=8", "frames: '8' is no number from 9"),
            ("batch", "batch: '' is no number"),
            ("ragged=1", "ragged is a switch"),
            ("batch=2,batch=3", "'batch' is given twice"),
        ] {
            let error = text.parse::<BatchShape>().expect_err(text).to_string();
            assert!(error.starts_with(words), "{text}: {error}");
        }
    }

    #[test]
    fn a_drawn_data_set_has_the_shape() {
        let shape = BatchShape { batch: 5, frames: 40, words: 6, ragged: true };
        let data = shape.dataset();
        let (audio, text) = (data.audio().unwrap(), data.text().unwrap());
        assert_eq!((0..5).map(|u| audio.of(u, usize::MAX).len() as u32).collect::<Vec<_>>(), shape.frame_lengths());
        assert_eq!((0..5).map(|u| text.of(u).len() as u32).collect::<Vec<_>>(), shape.word_lengths());
        assert_eq!(audio.values.len(), audio.count() * 40);
        assert_eq!(data.training().len(), 5);
        let values = audio.rows(0..audio.count()).unwrap();
        assert!(values.iter().all(|value| value.abs() <= 1.0) && values.iter().any(|value| value.abs() > 0.5));
        assert_eq!(data, shape.dataset());
        let further = shape.dataset_with(&[("visual", StreamShape::Frames { columns: 3 }), ("tone", StreamShape::Vector { columns: 2 })]);
        assert_eq!(further.streams.frames("visual").map(|frames| (frames.columns, frames.of(3, 99).len())), Some((3, 25)));
        assert_eq!(further.streams.get("tone").map(|vectors| vectors.utterances()), Some(5));
        assert_eq!(further.audio(), data.audio());
    }
}
