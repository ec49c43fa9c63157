//! What can go wrong on a device, said in one line, and what may help.

use thiserror::Error;

use crate::base::remedy::{Remedied, Remedy};

/// Failure of a backend. Recording never fails: the first failure is kept and returned by the next read.
#[derive(Debug, Clone, Error, PartialEq)]
pub enum BackendError {
    /// The adapter that was asked for is not there.
    #[error("no adapter matches '{wanted}' (found: {found})")]
    NoAdapter {
        /// As it was asked for: a number among the adapters, or a part of a name.
        wanted: String,
        /// The names of those that there are, between commas, or `none`.
        found: String,
    },
    /// The adapter does not open a device with the features and limits that were asked for.
    #[error("{adapter}: no device could be opened ({reason})")]
    NoDevice {
        /// The adapter's name.
        adapter: String,
        /// What wgpu says, in one line.
        reason: String,
    },
    /// Something is larger than the device allows; dispatches beyond it would silently do nothing.
    #[error("kernel {kernel}: {what} needs {needed}, the device allows {limit}")]
    Limit {
        /// The kernel's shader; `memory` of a buffer.
        kernel: &'static str,
        /// What is too large, in which unit: `workgroup memory in bytes`.
        what: &'static str,
        /// How much the work takes, in that unit.
        needed: u64,
        /// How much the device allows.
        limit: u64,
        /// What may help, which depends on what is too large.
        remedy: Remedy,
    },
    /// A variant of a shader uses an optional feature that the device lacks.
    #[error("kernel {kernel}: variant {variant} needs {feature}, which the device lacks")]
    Feature {
        /// The shader's name.
        kernel: &'static str,
        /// The variant's name.
        variant: &'static str,
        /// As a [`Requirement`](super::gpu::Requirement) is displayed.
        feature: String,
    },
    /// A feature that a device is to be opened without does not exist.
    #[error("no optional feature is called '{name}' (there are: {known})")]
    UnknownFeature {
        /// As it was asked for.
        name: String,
        /// The names of those that there are, between commas.
        known: String,
    },
    /// The device's memory is used up.
    #[error("the device has too little memory ({detail})")]
    OutOfMemory {
        /// What wgpu says, in one line.
        detail: String,
    },
    /// The driver has given the device up, or a result can no longer be mapped.
    #[error("the device was lost ({detail})")]
    DeviceLost {
        /// What wgpu says, in one line.
        detail: String,
    },
    /// wgpu found fault with the work, or what is read belongs to work that was given up.
    #[error("the device refused the work ({detail})")]
    Refused {
        /// What wgpu says, in one line.
        detail: String,
    },
    /// A guard word behind a buffer is not what it was filled with: see [`Checking::Guards`](super::gpu::Checking::Guards).
    #[error("a kernel wrote past the end of a buffer of {words} words (guard word {word} changed)")]
    GuardOverwritten {
        /// Words of four bytes that kernels may write there.
        words: usize,
        /// The first guard word that changed, from 0.
        word: usize,
    },
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
