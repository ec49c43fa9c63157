//! Why a corpus cannot be prepared.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::audio::mfcc::MfccError;
use crate::backend::BackendError;
use crate::base::remedy::{Remedied, Remedy};
use crate::corpus::CorpusError;
use crate::dataset::{MatrixFileError, VectorTableError};

/// What can stop a preparation.
#[derive(Debug, Error)]
pub enum PrepareError {
    /// Settings of the features that cannot be.
    #[error(transparent)]
    FrontEnd(#[from] MfccError),
    /// A fault of the device.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// More utterances without a recording that can be read, or otherwise unusable, than are allowed.
    #[error("{first} ({missing} of {listed} utterances cannot be used, at most {most} may be)")]
    TooManyMissing {
        /// Why the first of them cannot be used.
        first: String,
        /// How many cannot be used, as far as was looked.
        missing: usize,
        /// Utterances that the corpus lists.
        listed: usize,
        /// How many of them may be left out.
        most: usize,
    },
    /// A corpus that is empty, or none of whose recordings can be used.
    #[error("no utterance is left to prepare; {}", first.as_deref().unwrap_or("the corpus is empty"))]
    NothingLeft {
        /// Why the first of them cannot be used; `None` of an empty corpus.
        first: Option<String>,
    },
    /// A corpus of which neither what is heard nor what is said is known.
    #[error("none of the {utterances} utterances has a recording, and none a word")]
    NothingToLearn {
        /// How many there are.
        utterances: usize,
    },
    /// Features that are NaN or infinite: decoded samples are finite.
    #[error("{}: its features are not finite, which is a fault of the device", path.display())]
    NotFinite {
        /// The recording.
        path: PathBuf,
    },
    /// A recording that is too long for the device.
    #[error(
        "{}: its features do not fit the device ({what} needs {needed}, {limit} are allowed)", path.display()
    )]
    TooLarge {
        /// The recording, the longest of those that were sent together.
        path: PathBuf,
        /// What the device limits.
        what: &'static str,
        /// How much of it the features need.
        needed: u64,
        /// How much of it the device allows.
        limit: u64,
    },
    /// A file of features beside recording and words.
    #[error(transparent)]
    Features(#[from] MatrixFileError),
    /// A file that says when words are said.
    #[error(transparent)]
    Alignment(#[from] CorpusError),
    /// A table of those.
    #[error(transparent)]
    Table(#[from] VectorTableError),
    /// A file where a folder is wanted.
    #[error("{}: is no folder", path.display())]
    NoFolder {
        /// What it is.
        path: PathBuf,
    },
    /// Features that no utterance has.
    #[error("none of the {utterances} utterances has features '{stream}'")]
    NoFeatures {
        /// Of what.
        stream: &'static str,
        /// How many there are.
        utterances: usize,
    },
    /// Vectors of recordings where there are none, or features of them stand in their place.
    #[error("'{stream}' is computed from recordings, of which none is read")]
    NoRecordings {
        /// Which vectors.
        stream: &'static str,
    },
    /// Features that cannot go where they are to be kept.
    #[error("the features cannot be written ({0})")]
    Write(#[source] io::Error),
}

impl Remedied for PrepareError {
    fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::FrontEnd(error) => error.remedies(),
            Self::Backend(error) => error.remedies(),
            Self::TooManyMissing { .. } => vec![Remedy::AllowMissing],
            Self::NothingLeft { .. } => Vec::new(),
            Self::NothingToLearn { .. } => vec![Remedy::Data("a corpus with recordings or words")],
            Self::NotFinite { .. } => vec![Remedy::UseCpu],
            Self::TooLarge { .. } => vec![Remedy::FewerFrames, Remedy::UseCpu],
            Self::Features(error) => error.remedies(),
            Self::Alignment(error) => error.remedies(),
            Self::Table(error) => error.remedies(),
            Self::NoFolder { .. } => vec![Remedy::Data("a folder that holds a file of each utterance")],
            Self::NoFeatures { .. } => vec![Remedy::Data("files, or lines of a table, that are named by ids or recordings")],
            Self::NoRecordings { .. } => vec![Remedy::Data("files of it")],
            Self::Write(_) => vec![Remedy::CheckFolder],
        }
    }
}

impl PrepareError {
    /// What a fault of the device means for the recording at `path`: that it is too long for it, where it is a limit.
    pub(crate) fn of_recording(error: BackendError, path: &Path) -> Self {
        match error {
            BackendError::Limit { what, needed, limit, .. } => Self::TooLarge { path: path.to_path_buf(), what, needed, limit },
            error => error.into(),
        }
    }
}
