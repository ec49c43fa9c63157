//! Why a recording cannot be used.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::mono::LONGEST_MINUTES;
use crate::base::remedy::{Remedied, Remedy};

/// Failure of a recording; each names the file.
#[derive(Debug, Error)]
pub enum AudioError {
    #[error("{}: cannot be read ({source})", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("{}: the file is empty", path.display())]
    Empty { path: PathBuf },
    #[error("{}: the file ends within its header", path.display())]
    HeaderCutShort { path: PathBuf },
    #[error("{}: holds no samples", path.display())]
    NoSamples { path: PathBuf },
    #[error("{}: holds {frames} of {promised} frames, the file is cut short or damaged", path.display())]
    CutShort { path: PathBuf, frames: u64, promised: u64 },
    #[error("{}: {format} is not supported", path.display())]
    Unsupported { path: PathBuf, format: String },
    #[error("{}: cannot be decoded ({reason})", path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error("{}: is no stream of raw samples ({reason})", path.display())]
    RawDamaged { path: PathBuf, reason: String },
    #[error("{}: the sample of frame {frame}, channel {channel} is {value}", path.display())]
    NotFinite { path: PathBuf, frame: u64, channel: usize, value: f32 },
    #[error("{}: lasts longer than {LONGEST_MINUTES} minutes", path.display())]
    TooLong { path: PathBuf },
}

impl Remedied for AudioError {
    fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::Open { .. } => vec![Remedy::CheckPath],
            Self::Empty { .. } | Self::HeaderCutShort { .. } | Self::CutShort { .. } => {
                vec![Remedy::advice("fetch it again from its source")]
            }
            Self::NoSamples { .. } => vec![Remedy::advice("leave it out or record it again")],
            Self::Unsupported { .. } => vec![Remedy::advice("convert it to WAV or FLAC")],
            Self::Damaged { .. } => vec![Remedy::advice("convert it to WAV or FLAC anew, or fetch it again")],
            Self::RawDamaged { .. } => vec![Remedy::OtherSamples],
            Self::NotFinite { .. } => vec![Remedy::advice("repair the recording or leave it out")],
            Self::TooLong { .. } => vec![Remedy::advice("cut it into utterances")],
        }
    }
}
