//! Why a recording cannot be used.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::mono::LONGEST_MINUTES;

/// Failure of a recording; each names the file and the remedy.
#[derive(Debug, Error)]
pub enum AudioError {
    #[error("{}: cannot be read ({source}); check the path and its permissions", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("{}: the file is empty; fetch it again from its source", path.display())]
    Empty { path: PathBuf },
    #[error("{}: the file ends within its header; fetch it again from its source", path.display())]
    HeaderCutShort { path: PathBuf },
    #[error("{}: holds no samples; leave it out or record it again", path.display())]
    NoSamples { path: PathBuf },
    #[error("{}: holds {frames} of {promised} frames, the file is cut short or damaged; fetch it again from its source", path.display())]
    CutShort { path: PathBuf, frames: u64, promised: u64 },
    #[error("{}: {format} is not supported; convert it to WAV or FLAC", path.display())]
    Unsupported { path: PathBuf, format: String },
    #[error("{}: cannot be decoded ({reason}); convert it to WAV or FLAC anew, or fetch it again", path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error("{}: is no stream of raw samples ({reason}); see --pcm-format, or give a file to --audio", path.display())]
    RawDamaged { path: PathBuf, reason: String },
    #[error("{}: the sample of frame {frame}, channel {channel} is {value}; repair the recording or leave it out", path.display())]
    NotFinite { path: PathBuf, frame: u64, channel: usize, value: f32 },
    #[error("{}: lasts longer than {LONGEST_MINUTES} minutes; cut it into utterances", path.display())]
    TooLong { path: PathBuf },
}
