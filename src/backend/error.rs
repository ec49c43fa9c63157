//! What can go wrong on a device, said in one line, and what may help.

use thiserror::Error;

use crate::base::remedy::{Remedied, Remedy};

/// Failure of a backend. Recording never fails: the first failure is kept and returned by the next read.
#[derive(Debug, Clone, Error, PartialEq)]
pub enum BackendError {
    #[error("no adapter matches '{wanted}' (found: {found})")]
    NoAdapter { wanted: String, found: String },
    #[error("{adapter}: no device could be opened ({reason})")]
    NoDevice { adapter: String, reason: String },
    #[error("kernel {kernel}: {what} needs {needed}, the device allows {limit}")]
    Limit { kernel: &'static str, what: &'static str, needed: u64, limit: u64, remedy: Remedy },
    #[error("kernel {kernel}: variant {variant} needs {feature}, which the device lacks")]
    Feature { kernel: &'static str, variant: &'static str, feature: String },
    #[error("no optional feature is called '{name}' (there are: {known})")]
    UnknownFeature { name: String, known: String },
    #[error("the device has too little memory ({detail})")]
    OutOfMemory { detail: String },
    #[error("the device was lost ({detail})")]
    DeviceLost { detail: String },
    #[error("the device refused the work ({detail})")]
    Refused { detail: String },
    #[error("a kernel wrote past the end of a buffer of {words} words (guard word {word} changed)")]
    GuardOverwritten { words: usize, word: usize },
}

impl Remedied for BackendError {
    fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::NoAdapter { .. } => vec![Remedy::ListDevices, Remedy::UseCpu],
            Self::NoDevice { .. } | Self::Feature { .. } => vec![Remedy::OtherDevice, Remedy::UseCpu],
            Self::Limit { remedy: Remedy::OtherDevice, .. } => vec![Remedy::OtherDevice, Remedy::UseCpu],
            Self::Limit { remedy, .. } => vec![remedy.clone()],
            Self::UnknownFeature { .. } => Vec::new(),
            Self::OutOfMemory { .. } => vec![Remedy::SmallerBatch, Remedy::UseCpu],
            Self::DeviceLost { .. } => vec![Remedy::StartAgain, Remedy::SmallerBatch, Remedy::OtherDevice],
            Self::Refused { .. } => vec![Remedy::Report, Remedy::UseCpu],
            Self::GuardOverwritten { .. } => vec![Remedy::Report],
        }
    }
}

impl BackendError {
    /// Whether the same work may succeed on fewer utterances at a time.
    pub(crate) fn smaller_batch_helps(&self) -> bool {
        matches!(self, Self::OutOfMemory { .. } | Self::Limit { remedy: Remedy::SmallerBatch, .. })
    }
}

/// Shorthand for results of a backend.
pub(crate) type Result<T, E = BackendError> = std::result::Result<T, E>;
