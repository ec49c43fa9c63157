//! Why a prepared data set cannot be used.

use std::path::PathBuf;

use thiserror::Error;

#[cfg(feature = "files")]
use super::shards::ShardFault;
#[cfg(feature = "files")]
use super::store::StoreError;
#[cfg(feature = "files")]
use crate::base::foreign::Foreign;
use crate::base::format::Newer;
use crate::base::remedy::{Preparation, Remedied, Remedy};

/// Failure of a prepared data set; each names the file, the tensor and utterance.
#[derive(Debug, Error)]
pub enum DatasetError {
    /// A fault of the file as a file of tensors.
    #[cfg(feature = "files")]
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another file in place of a prepared one.
    #[cfg(feature = "files")]
    #[error("{}: {what}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: Foreign,
    },
    /// A text, such as the table that data are prepared from.
    #[cfg(feature = "files")]
    #[error("{}: is a text, perhaps a manifest, and no prepared file", path.display())]
    Text {
        /// The file.
        path: PathBuf,
    },
    /// A file whose metadata names another format, or none.
    #[error("{}: is of format '{found}', not '{expected}'", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The format that it names; `none` where it names none.
        found: String,
        /// The format that is read.
        expected: String,
    },
    /// An index of shards that is none.
    #[cfg(feature = "files")]
    #[error("{}: {problem}", path.display())]
    Index {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, to follow its name.
        problem: String,
    },
    /// A data set that is in shards, named without the end of its index' name.
    #[cfg(feature = "files")]
    #[error("{}: is in shards", path.display())]
    InShards {
        /// The name, of which there is no file.
        path: PathBuf,
        /// The index, which there is.
        index: PathBuf,
    },
    /// A shard that is not the one that an index lists.
    #[cfg(feature = "files")]
    #[error("{}: {fault} ({} lists it)", path.display(), index.display())]
    Shard {
        /// The shard.
        path: PathBuf,
        /// The index.
        index: PathBuf,
        /// What it is instead.
        fault: ShardFault,
    },
    /// A file of a version that only a newer program reads.
    #[error("{}: {newer}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        newer: Newer,
    },
    /// Metadata that are missing, not what they should be, or that cannot be written.
    #[error("{}: metadata '{key}' {problem}", path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// Under which name they are.
        key: String,
        /// What is wrong with them, to follow the name.
        problem: String,
    },
    /// A tensor whose values cannot be.
    #[error("{}: {tensor}{}: {problem}", path.display(), at(utterance))]
    Invalid {
        /// The file, or the word `streams` where they come from memory.
        path: PathBuf,
        /// Its name.
        tensor: String,
        /// The id of the utterance that the value is of, where it is one's.
        utterance: Option<String>,
        /// What is wrong with it.
        problem: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// Data that cannot be joined with others.
    #[error("{}: does not go with {}: {difference}", path.display(), first.display())]
    NotAlike {
        /// The file.
        path: PathBuf,
        /// The first of those that it is joined with.
        first: PathBuf,
        /// What is otherwise in it.
        difference: String,
        /// What to do about it.
        remedy: Preparation,
    },
    /// A normalisation by speaker of an utterance that names none.
    #[error("utterance {utterance} names no speaker")]
    NoSpeaker {
        /// Its id.
        utterance: String,
    },
    /// A normalisation by corpus where there is no utterance to learn from.
    #[error("no utterance to take statistics of")]
    NoTraining,
    /// A stream of another width than the one that the normalisation was learnt from.
    #[error("the normalisation is for {expected} columns of '{stream}', the data set has {found}")]
    Columns {
        /// Its name.
        stream: String,
        /// Columns of the data set.
        found: usize,
        /// Columns of the normalisation; 0 where it has no such stream.
        expected: usize,
    },
    /// A stream that the model reads is missing, or is of another kind.
    #[error("the data set has no stream '{stream}' of {kind}, which the model reads")]
    NoStream {
        /// Its name.
        stream: String,
        /// What it must be: frames, tokens or a vector.
        kind: &'static str,
        /// The setting with which the model does without it.
        avoided_by: Option<&'static str>,
    },
}

impl Remedied for DatasetError {
    fn remedies(&self) -> Vec<Remedy> {
        match self {
            #[cfg(feature = "files")]
            Self::Store(error) => error.remedies(),
            #[cfg(feature = "files")]
            Self::Foreign { what, .. } => vec![Remedy::advice(what.mend())],
            #[cfg(feature = "files")]
            Self::Text { .. } => vec![Remedy::PrepareManifest],
            Self::Format { .. } => vec![Remedy::Prepare],
            #[cfg(feature = "files")]
            Self::InShards { index, .. } => vec![Remedy::GiveInstead(index.clone())],
            #[cfg(feature = "files")]
            Self::Index { .. } => vec![Remedy::advice("correct it"), Remedy::Prepare],
            #[cfg(feature = "files")]
            Self::Shard { fault: ShardFault::Missing, .. } => {
                vec![Remedy::advice("put it back"), Remedy::advice("prepare the data again as they were, which makes what is missing")]
            }
            #[cfg(feature = "files")]
            Self::Shard { .. } => {
                vec![Remedy::advice("put the right one in its place"), Remedy::advice("remove it and prepare the data again as they were")]
            }
            Self::Newer { .. } => vec![Remedy::NewerProgram, Remedy::Prepare],
            Self::Metadata { .. } => vec![Remedy::advice("correct it"), Remedy::Prepare],
            Self::Invalid { remedy, .. } => vec![Remedy::advice(*remedy)],
            Self::NotAlike { remedy: Preparation::Labels, .. } => vec![Remedy::MapClasses, Remedy::PrepareWith(Preparation::Labels)],
            Self::NotAlike { remedy, .. } => vec![Remedy::PrepareWith(*remedy)],
            Self::NoSpeaker { .. } => {
                vec![Remedy::Set("data.normalise=corpus"), Remedy::PrepareWith(Preparation::Speakers)]
            }
            Self::NoTraining => vec![Remedy::Set("data.normalise=utterance"), Remedy::PrepareWith(Preparation::TrainingSplit)],
            Self::Columns { .. } => vec![Remedy::PrepareWith(Preparation::FeatureSettings)],
            Self::NoStream { stream, avoided_by, .. } => {
                std::iter::once(Remedy::PrepareWith(Preparation::of_stream(stream))).chain(avoided_by.map(Remedy::Set)).collect()
            }
        }
    }
}

fn at(utterance: &Option<String>) -> String {
    utterance.as_ref().map(|id| format!(", utterance {id}")).unwrap_or_default()
}
