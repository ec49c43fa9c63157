//! Why a prepared data set cannot be used.

use std::path::PathBuf;

use thiserror::Error;

#[cfg(feature = "files")]
use super::store::StoreError;
use crate::base::remedy::{Preparation, Remedied, Remedy};

/// Failure of a prepared data set; each names the file, the tensor and utterance.
#[derive(Debug, Error)]
pub enum DatasetError {
    #[cfg(feature = "files")]
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{}: is of format '{found}', not '{expected}'", path.display())]
    Format { path: PathBuf, found: String, expected: &'static str },
    #[error("{}: metadata '{key}' {problem}", path.display())]
    Metadata { path: PathBuf, key: String, problem: String },
    #[error("{}: {tensor}{}: {problem}", path.display(), at(utterance))]
    Invalid { path: PathBuf, tensor: String, utterance: Option<String>, problem: String, remedy: &'static str },
    #[error("utterance {utterance} names no speaker")]
    NoSpeaker { utterance: String },
    #[error("no utterance to take statistics of")]
    NoTraining,
    #[error("the normalisation is for {expected} columns of '{stream}', the data set has {found}")]
    Columns { stream: String, found: usize, expected: usize },
    #[error("the data set has no stream '{stream}' of {kind}, which the model reads")]
    NoStream { stream: String, kind: &'static str },
}

impl Remedied for DatasetError {
    fn remedies(&self) -> Vec<Remedy> {
        match self {
            #[cfg(feature = "files")]
            Self::Store(error) => error.remedies(),
            Self::Format { .. } => vec![Remedy::Prepare],
            Self::Metadata { .. } => vec![Remedy::advice("correct it"), Remedy::Prepare],
            Self::Invalid { remedy, .. } => vec![Remedy::advice(*remedy)],
            Self::NoSpeaker { .. } => {
                vec![Remedy::Set("data.normalise=corpus"), Remedy::PrepareWith(Preparation::Speakers)]
            }
            Self::NoTraining => vec![Remedy::Set("data.normalise=utterance"), Remedy::PrepareWith(Preparation::TrainingSplit)],
            Self::Columns { .. } => vec![Remedy::PrepareWith(Preparation::FeatureSettings)],
            Self::NoStream { .. } => vec![Remedy::PrepareWith(Preparation::Stream)],
        }
    }
}

fn at(utterance: &Option<String>) -> String {
    utterance.as_ref().map(|id| format!(", utterance {id}")).unwrap_or_default()
}
