//! Why a safetensors file cannot be read or written.

use std::io;
use std::path::PathBuf;

use safetensors::Dtype;
use thiserror::Error;

use super::LONGEST_HEADER;
use crate::base::foreign::Foreign;
use crate::base::input;
use crate::base::remedy::{Remedied, Remedy};

/// Why a safetensors file cannot be read or written.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A file that cannot be opened or read.
    #[error("{}: cannot be read ({source})", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file that cannot be written, or a tensor whose shape and bytes disagree.
    #[error("{}: cannot be written ({source})", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file whose header would be longer than any that is read.
    #[error("{}: would have a header of more than {} MB, which no reader takes", path.display(), LONGEST_HEADER / 1_000_000)]
    LongHeader {
        /// The file.
        path: PathBuf,
    },
    /// A file that is not any more what it was when it was opened.
    #[error("{}: was changed or shortened while it was in use", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// What stands in its place.
    #[error("{}: {what}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: Foreign,
    },
    /// A file of another format, or one that was cut off.
    #[error("{}: is not a whole safetensors file ({reason})", path.display())]
    NotSafetensors {
        /// The file.
        path: PathBuf,
        /// What is wrong with its header.
        reason: String,
    },
    /// A tensor that is asked for and not there.
    #[error("{}: has no tensor '{tensor}' (found: {found})", path.display())]
    MissingTensor {
        /// The file.
        path: PathBuf,
        /// Its name.
        tensor: String,
        /// The names of those that are there.
        found: String,
    },
    /// A tensor of elements that cannot be taken for what is asked for.
    #[error("{}: tensor '{tensor}' is of type {found}, not {expected}", path.display())]
    WrongType {
        /// The file.
        path: PathBuf,
        /// Its name.
        tensor: String,
        /// Its elements' type.
        found: Dtype,
        /// The types that would do, in words.
        expected: &'static str,
    },
    /// A tensor with a number that nothing can be computed with.
    #[error("{}: tensor '{tensor}' holds {value} (element {element})", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// Its name.
        tensor: String,
        /// The first such element, row by row from 0.
        element: usize,
        /// NaN or infinite.
        value: f32,
    },
    /// A tensor of another shape than is asked for.
    #[error("{}: tensor '{tensor}' has the shape {found:?}, not {expected}", path.display())]
    WrongShape {
        /// The file.
        path: PathBuf,
        /// Its name.
        tensor: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape asked for, or its number of dimensions, in words.
        expected: String,
    },
}

impl Remedied for StoreError {
    fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::Read { source, .. } => vec![input::remedy(source)],
            Self::Changed { .. } => vec![Remedy::Restore, Remedy::StartAgain],
            Self::Write { .. } => vec![Remedy::CheckFolder],
            Self::LongHeader { .. } => vec![Remedy::MoreShards],
            Self::Foreign { what, .. } => vec![Remedy::advice(what.mend())],
            Self::NotSafetensors { .. } => vec![Remedy::advice("make it again")],
            Self::MissingTensor { .. } | Self::WrongShape { .. } => vec![Remedy::advice("check that this is the file that was meant")],
            Self::NotFinite { .. } => vec![Remedy::Restore, Remedy::TrainAgain],
            Self::WrongType { .. } => vec![Remedy::advice("convert it before it is saved")],
        }
    }
}
