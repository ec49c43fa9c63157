//! Streams: what a data set holds of every utterance, each under a name, and what a model reads of it.

use serde::{Deserialize, Serialize};

use super::numbers::POOL;

/// The acoustic features of our front-end.
pub const AUDIO: &str = "audio";
/// The tokens of the transcripts, or features of them that another program made.
pub const TEXT: &str = "text";
/// Features of the speaker's pictures.
pub const VISUAL: &str = "visual";
/// Functionals of an utterance's prosodic contours: pitch, voicing, harmonics-to-noise ratio, loudness.
pub const PROSODY: &str = "audio.prosody";
/// Functionals of an utterance's acoustic features, openSMILE's for example.
pub const FUNCTIONALS: &str = "audio.functionals";

/// Whether files hold a vector of it, and not rows in time.
#[cfg(feature = "files")]
pub(crate) fn is_vector(stream: &str) -> bool {
    [PROSODY, FUNCTIONALS].contains(&stream)
}

/// Kind and width of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StreamShape {
    /// A ragged matrix of frames, `[Σ frames, columns]`.
    Frames {
        /// Features of a frame.
        columns: usize,
    },
    /// A ragged list of tokens: rows of a table of vectors, `[words, width]`.
    Tokens {
        /// Numbers of a token's vector.
        width: usize,
        /// Rows of the table that is trained; none where vectors are given and frozen.
        learned: Option<usize>,
    },
    /// A vector an utterance, `[utterances, columns]`.
    Vector {
        /// Numbers of the vector.
        columns: usize,
    },
}

/// A stream that a model reads. An utterance that lacks it has one row of zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Its name, the same in the data set and in the model.
    pub stream: &'static str,
    /// What must lie under that name.
    pub kind: StreamKind,
    /// The setting with which the model does without, where there is one: `model.variant=no_text`.
    pub avoided_by: Option<&'static str>,
    /// The stream whose rows are wanted that each of its own covers in time: a word those of its frames.
    pub aligned_with: Option<&'static str>,
}

/// What kind of stream a model reads, and how it wants it laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamKind {
    /// Rows in time, of any columns.
    Frames {
        /// Frames after these are not read; `data.max_frames` may cut before.
        most: usize,
        /// How often the model pools the rows by [`POOL`]: the layouts after each pool lie in the batch, and shorter utterances
        /// are padded so that one row is left.
        pools: u32,
    },
    /// Rows of a table of vectors, or vectors that another program made of each token.
    Tokens,
    /// One row an utterance.
    Vector,
}

impl Reading {
    /// All frames of a stream, pooled `pools` times.
    pub fn frames(stream: &'static str, pools: u32) -> Self {
        Self { stream, kind: StreamKind::Frames { most: usize::MAX, pools }, avoided_by: None, aligned_with: None }
    }

    /// The first so many frames of a stream, or all where it has fewer.
    pub fn first_frames(stream: &'static str, most: usize) -> Self {
        Self { stream, kind: StreamKind::Frames { most, pools: 0 }, avoided_by: None, aligned_with: None }
    }

    /// A stream of tokens.
    pub fn tokens(stream: &'static str) -> Self {
        Self { stream, kind: StreamKind::Tokens, avoided_by: None, aligned_with: None }
    }

    /// A vector an utterance.
    pub fn vector(stream: &'static str) -> Self {
        Self { stream, kind: StreamKind::Vector, avoided_by: None, aligned_with: None }
    }

    /// The same, which the model does not read with another setting.
    pub fn avoided_by(self, setting: &'static str) -> Self {
        Self { avoided_by: Some(setting), ..self }
    }

    /// Whether an utterance has one row of it.
    #[cfg(feature = "onnx")]
    pub(crate) fn is_vector(&self) -> bool {
        matches!(self.kind, StreamKind::Vector)
    }

    /// The same, and which rows of another stream each of its rows covers.
    pub fn aligned_with(self, stream: &'static str) -> Self {
        Self { aligned_with: Some(stream), ..self }
    }

    /// How often its rows are pooled.
    pub(crate) fn pools(&self) -> u32 {
        match self.kind {
            StreamKind::Frames { pools, .. } => pools,
            StreamKind::Tokens | StreamKind::Vector => 0,
        }
    }

    /// Fewest rows that an utterance has in a batch.
    pub(crate) fn least(&self) -> usize {
        (POOL as usize).pow(self.pools())
    }
}

impl StreamKind {
    /// What an utterance has of it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Frames { .. } => "frames",
            Self::Tokens => "tokens",
            Self::Vector => "a vector an utterance",
        }
    }

    /// Whether a stream of that shape is of this kind.
    pub(crate) fn suits(&self, shape: StreamShape) -> bool {
        matches!(
            (self, shape),
            (Self::Frames { .. }, StreamShape::Frames { .. })
                | (Self::Tokens, StreamShape::Tokens { .. } | StreamShape::Frames { .. })
                | (Self::Vector, StreamShape::Vector { .. })
        )
    }
}

/// What a model reads of a data set, and where utterances are cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readings {
    streams: Vec<Reading>,
    max_frames: usize,
}

impl Readings {
    /// These streams, cut at `data.max_frames`.
    pub fn new(streams: &[Reading], max_frames: usize) -> Self {
        Self { streams: streams.to_vec(), max_frames }
    }

    /// Each stream that is read.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Reading> {
        self.streams.iter()
    }

    /// Whether the stream of that name is read.
    pub(crate) fn has(&self, stream: &str) -> bool {
        self.iter().any(|reading| reading.stream == stream)
    }

    /// Most frames of an utterance of a stream, read or not.
    pub(crate) fn most(&self, stream: &str) -> usize {
        let own = self.iter().find(|reading| reading.stream == stream).and_then(|reading| match reading.kind {
            StreamKind::Frames { most, .. } => Some(most),
            StreamKind::Tokens | StreamKind::Vector => None,
        });
        own.map_or(self.max_frames, |most| most.min(self.max_frames))
    }

    /// Rows that the model reads of each stream of which it takes fewer than `data.max_frames`.
    #[cfg(feature = "cli")]
    pub(crate) fn own_limits(&self) -> Vec<(&'static str, usize)> {
        let all = self.iter().map(|reading| (reading.stream, self.most(reading.stream)));
        all.filter(|&(_, most)| most < self.max_frames).collect()
    }

    /// Fewest rows that an utterance of a stream has in a batch.
    pub(crate) fn least(&self, stream: &str) -> usize {
        self.iter().find(|reading| reading.stream == stream).map_or(1, Reading::least)
    }
}
