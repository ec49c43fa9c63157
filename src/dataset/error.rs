//! Why a prepared data set cannot be used.

use std::path::PathBuf;

use thiserror::Error;

#[cfg(feature = "files")]
use super::store::StoreError;

/// Failure of a prepared data set; each names the file, the tensor and utterance, and the remedy.
#[derive(Debug, Error)]
pub enum DatasetError {
    #[cfg(feature = "files")]
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{}: is of format '{found}', not '{expected}'; make it with 'mcsan prepare'", path.display())]
    Format { path: PathBuf, found: String, expected: &'static str },
    #[error("{}: metadata '{key}' {problem}; correct it, or make the file with 'mcsan prepare'", path.display())]
    Metadata { path: PathBuf, key: &'static str, problem: String },
    #[error("{}: {tensor}{}: {problem}; {remedy}", path.display(), at(utterance))]
    Invalid { path: PathBuf, tensor: &'static str, utterance: Option<String>, problem: String, remedy: &'static str },
    #[error("utterance {utterance} names no speaker; use data.normalise=corpus, or prepare the data set with a speaker column")]
    NoSpeaker { utterance: String },
    #[error("no utterance to take statistics of; use data.normalise=utterance, or a data set that has a training split")]
    NoTraining,
    #[error("the normalisation is for {expected} coefficients, the data set has {found}; prepare it with the run's feature settings")]
    Coefficients { found: usize, expected: usize },
}

fn at(utterance: &Option<String>) -> String {
    utterance.as_ref().map(|id| format!(", utterance {id}")).unwrap_or_default()
}
