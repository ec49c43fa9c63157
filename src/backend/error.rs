//! What can go wrong on a device, said in one line with its remedy.

use thiserror::Error;

/// Mend of a limit that a smaller batch keeps.
pub(super) const SMALLER_BATCH: &str = "lower train.batch_size or data.max_frames";

/// Failure of a backend. Recording never fails: the first failure is kept and returned by the next read.
#[derive(Debug, Clone, Error, PartialEq)]
pub enum BackendError {
    #[error("no adapter matches '{wanted}' (found: {found}); run 'mcsan devices', or use --device cpu")]
    NoAdapter { wanted: String, found: String },
    #[error("{adapter}: no device could be opened ({reason}); choose another with --device, or use --device cpu")]
    NoDevice { adapter: String, reason: String },
    #[error("kernel {kernel}: {what} needs {needed}, the device allows {limit}; {remedy}")]
    Limit { kernel: &'static str, what: &'static str, needed: u64, limit: u64, remedy: &'static str },
    #[error("kernel {kernel}: variant {variant} needs {feature}, which the device lacks; use another --device, or --device cpu")]
    Feature { kernel: &'static str, variant: &'static str, feature: String },
    #[error("no optional feature is called '{name}' (there are: {known})")]
    UnknownFeature { name: String, known: String },
    #[error("the device has too little memory ({detail}); lower train.batch_size or data.max_frames, or use --device cpu")]
    OutOfMemory { detail: String },
    #[error("the device was lost ({detail}); start again, and if it recurs lower train.batch_size or choose another --device")]
    DeviceLost { detail: String },
    #[error("the device refused the work ({detail}); please report this, and use --device cpu until it is mended")]
    Refused { detail: String },
    #[error("a kernel wrote past the end of a buffer of {words} words (guard word {word} changed); please report this")]
    GuardOverwritten { words: usize, word: usize },
}

impl BackendError {
    /// Whether the same work may succeed on fewer utterances at a time.
    pub fn smaller_batch_helps(&self) -> bool {
        match self {
            Self::OutOfMemory { .. } => true,
            Self::Limit { remedy, .. } => *remedy == SMALLER_BATCH,
            _ => false,
        }
    }
}

/// Shorthand for results of a backend.
pub type Result<T, E = BackendError> = std::result::Result<T, E>;
