//! The streams of a data set: ragged frames, ragged tokens, a vector an utterance, each under its name.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use super::error::DatasetError;
use super::features::FeatureRows;
use crate::base::streams::{AUDIO, StreamShape, TEXT};
use crate::base::words::WordTable;

/// Frames, ragged: utterance u has the rows `offsets[u]..offsets[u + 1]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Frames {
    /// Values of a frame.
    pub columns: usize,
    /// `[frames, columns]`: before normalisation, all of every utterance.
    pub values: FeatureRows,
    /// `[utterances + 1]`
    pub offsets: Vec<usize>,
}

impl Frames {
    /// Frames of all utterances together.
    pub fn count(&self) -> usize {
        self.offsets.last().copied().unwrap_or(0)
    }

    /// The frames of an utterance, at most `most`.
    pub fn of(&self, utterance: usize, most: usize) -> Range<usize> {
        let start = self.offsets[utterance];
        start..self.offsets[utterance + 1].min(start.saturating_add(most))
    }

    /// `[frames, columns]`: the values of those rows.
    ///
    /// # Errors
    /// Those of [`FeatureRows::read`].
    pub fn rows(&self, frames: Range<usize>) -> Result<Cow<'_, [f32]>, DatasetError> {
        self.values.read(frames.start * self.columns..frames.end * self.columns)
    }
}

/// Tokens, ragged: utterance u has those at `offsets[u]..offsets[u + 1]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TokenLists {
    /// `[tokens]`: row of the word table, -1 for a word that is not in it.
    pub tokens: Vec<i32>,
    /// `[utterances + 1]`
    pub offsets: Vec<usize>,
    /// The words' vectors; `None` where they are to be learned.
    pub vectors: Option<WordTable>,
    /// The words of the table's rows; empty where the file does not name them.
    pub vocabulary: Vec<String>,
}

impl TokenLists {
    /// The tokens of an utterance.
    pub fn of(&self, utterance: usize) -> &[i32] {
        &self.tokens[self.offsets[utterance]..self.offsets[utterance + 1]]
    }

    /// Rows of the word table, given or to be learned.
    pub fn words(&self) -> usize {
        match &self.vectors {
            Some(table) => table.values.len() / table.width.max(1),
            None if self.vocabulary.is_empty() => {
                self.tokens.iter().max().and_then(|&last| Some(usize::try_from(last).ok()? + 1)).unwrap_or(0)
            }
            None => self.vocabulary.len(),
        }
    }
}

/// A vector an utterance.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Vectors {
    /// Values of a vector.
    pub columns: usize,
    /// `[utterances, columns]`, before normalisation.
    pub values: FeatureRows,
}

impl Vectors {
    /// The vector of an utterance.
    ///
    /// # Errors
    /// Those of [`FeatureRows::read`].
    pub fn of(&self, utterance: usize) -> Result<Cow<'_, [f32]>, DatasetError> {
        self.values.read(utterance * self.columns..(utterance + 1) * self.columns)
    }
}

/// What a data set holds under one name.
#[derive(Debug, Clone, PartialEq)]
pub enum DataStream {
    /// Ragged frames, such as the MFCC of the audio.
    Frames(Frames),
    /// Ragged tokens, such as the words of the transcript.
    Tokens(TokenLists),
    /// One vector an utterance.
    Vector(Vectors),
}

impl DataStream {
    /// Kind and width; `width` is that of a word table that is trained.
    pub fn shape(&self, width: usize) -> StreamShape {
        match self {
            Self::Frames(frames) => StreamShape::Frames { columns: frames.columns },
            Self::Tokens(tokens) => StreamShape::Tokens {
                width: tokens.vectors.as_ref().map_or(width, |vectors| vectors.width),
                learned: tokens.vectors.is_none().then(|| tokens.words()),
            },
            Self::Vector(vectors) => StreamShape::Vector { columns: vectors.columns },
        }
    }

    /// How many utterances it is of.
    pub fn utterances(&self) -> usize {
        match self {
            Self::Frames(_) | Self::Tokens(_) => self.offsets().len().saturating_sub(1),
            Self::Vector(vectors) => vectors.values.len() / vectors.columns.max(1),
        }
    }

    /// Rows of an utterance, at most `most` where they are frames.
    pub fn length(&self, utterance: usize, most: usize) -> usize {
        match self {
            Self::Frames(frames) => frames.of(utterance, most).len(),
            Self::Tokens(tokens) => tokens.of(utterance).len(),
            Self::Vector(_) => 1,
        }
    }

    /// What an utterance has of it, where `name` is its name: frames and tokens are those of our front-ends, others say whose.
    pub(crate) fn unit(&self, name: &str) -> String {
        let unit = match self {
            Self::Frames(_) => "frames",
            Self::Tokens(_) => "tokens",
            Self::Vector(_) => "vectors",
        };
        if [AUDIO, TEXT].contains(&name) { unit.into() } else { format!("{name} {unit}") }
    }

    /// Rows of all utterances together.
    pub fn rows_of_all(&self) -> usize {
        match self {
            Self::Frames(frames) => frames.count(),
            Self::Tokens(tokens) => tokens.tokens.len(),
            Self::Vector(vectors) => vectors.values.len() / vectors.columns.max(1),
        }
    }

    /// Where each utterance's rows begin, and the end of the last; empty of vectors.
    pub fn offsets(&self) -> &[usize] {
        match self {
            Self::Frames(frames) => &frames.offsets,
            Self::Tokens(tokens) => &tokens.offsets,
            Self::Vector(_) => &[],
        }
    }

    /// What is normalised: of frames and vectors.
    pub(super) fn values(&self) -> Option<&FeatureRows> {
        match self {
            Self::Frames(frames) => Some(&frames.values),
            Self::Vector(vectors) => Some(&vectors.values),
            Self::Tokens(_) => None,
        }
    }

    /// Columns of what is normalised: of frames and vectors.
    pub fn columns(&self) -> Option<usize> {
        match self {
            Self::Frames(frames) => Some(frames.columns),
            Self::Vector(vectors) => Some(vectors.columns),
            Self::Tokens(_) => None,
        }
    }

    /// The rows of an utterance that are normalised, `[rows, columns]`, at most `most` frames. A vector of zeros stands for one that
    /// the utterance lacks, and is no row: it has no part in statistics, and is zeros after the z-score too, as missing frames are.
    ///
    /// # Errors
    /// Those of [`FeatureRows::read`].
    pub fn rows(&self, utterance: usize, most: usize) -> Result<Cow<'_, [f32]>, DatasetError> {
        match self {
            Self::Frames(frames) => frames.rows(frames.of(utterance, most)),
            Self::Vector(vectors) => {
                let values = vectors.of(utterance)?;
                Ok(if values.iter().all(|&value| value == 0.0) { Cow::default() } else { values })
            }
            Self::Tokens(_) => Ok(Cow::default()),
        }
    }
}

/// The streams of a data set by name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Streams {
    streams: BTreeMap<String, DataStream>,
    /// Of those whose rows have times.
    times: BTreeMap<String, Vec<[f32; 2]>>,
}

impl Streams {
    /// The stream of that name.
    pub fn get(&self, name: &str) -> Option<&DataStream> {
        self.streams.get(name)
    }

    /// The stream of that name, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut DataStream> {
        self.streams.get_mut(name)
    }

    /// Adds a stream, or puts it in the place of another.
    pub fn insert(&mut self, name: &str, stream: DataStream) {
        self.streams.insert(name.to_owned(), stream);
    }

    /// Frames of that name.
    pub fn frames(&self, name: &str) -> Option<&Frames> {
        match self.get(name)? {
            DataStream::Frames(frames) => Some(frames),
            _ => None,
        }
    }

    /// Tokens of that name.
    pub fn tokens(&self, name: &str) -> Option<&TokenLists> {
        match self.get(name)? {
            DataStream::Tokens(tokens) => Some(tokens),
            _ => None,
        }
    }

    /// When the rows of a stream begin and end, as far as anything is known of it: `[rows]` in seconds of the recording, NaN where it is
    /// not known.
    pub fn times(&self, name: &str) -> Option<&[[f32; 2]]> {
        self.times.get(name).map(Vec::as_slice)
    }

    /// Says when the rows of a stream begin and end.
    pub fn set_times(&mut self, name: &str, times: Vec<[f32; 2]>) {
        self.times.insert(name.to_owned(), times);
    }

    /// The times of an utterance's rows of a stream.
    pub(crate) fn times_of(&self, name: &str, utterance: usize) -> Option<&[[f32; 2]]> {
        let offsets = self.get(name)?.offsets();
        self.times(name)?.get(*offsets.get(utterance)?..*offsets.get(utterance + 1)?)
    }

    /// Each stream, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &DataStream)> {
        self.streams.iter().map(|(name, stream)| (name.as_str(), stream))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }
}

impl<const N: usize> From<[(&str, DataStream); N]> for Streams {
    fn from(streams: [(&str, DataStream); N]) -> Self {
        Self { streams: streams.into_iter().map(|(name, stream)| (name.to_owned(), stream)).collect(), times: BTreeMap::new() }
    }
}
