//! Why a recording cannot be used.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::mono::LONGEST_MINUTES;
use crate::base::foreign::Foreign;
use crate::base::input;
use crate::base::remedy::{Remedied, Remedy};

/// Failure of a recording; each names the file, or what the stream is called that it came by.
#[derive(Debug, Error)]
pub enum AudioError {
    /// It is not there, or the system does not let it be read to its end.
    #[error("{}: cannot be read ({source})", path.display())]
    Open {
        /// The recording, or what the stream is called.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Not one byte is in it.
    #[error("{}: the file is empty", path.display())]
    Empty {
        /// The recording.
        path: PathBuf,
    },
    /// It ends before its first sample.
    #[error("{}: the file ends within its header", path.display())]
    HeaderCutShort {
        /// The recording.
        path: PathBuf,
    },
    /// No frame comes out of it, and its header promises none.
    #[error("{}: holds no samples", path.display())]
    NoSamples {
        /// The recording, or what the stream is called.
        path: PathBuf,
    },
    /// Fewer frames come out of it than its header promises.
    #[error("{}: holds {frames} of {promised} frames, the file is cut short or damaged", path.display())]
    CutShort {
        /// The recording.
        path: PathBuf,
        /// Frames that were decoded; a frame is a sample of each channel.
        frames: u64,
        /// Frames that the header speaks of.
        promised: u64,
    },
    /// It ends within a packet, whose coding says how long it is.
    #[error("{}: holds {frames} frames and breaks off within the next, the file is cut short or damaged", path.display())]
    BrokenOff {
        /// The recording.
        path: PathBuf,
        /// Frames of the packets that are whole.
        frames: u64,
    },
    /// What lies there stands in the recording's place.
    #[error("{}: {what}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: Foreign,
    },
    /// Its container or its coding is none that this build reads.
    #[error("{}: {format} is not supported", path.display())]
    Unsupported {
        /// The recording.
        path: PathBuf,
        /// Which it is.
        format: Format,
    },
    /// What it holds contradicts itself, cannot be decoded or cannot be resampled.
    #[error("{}: cannot be decoded ({reason})", path.display())]
    Damaged {
        /// The recording, or what the stream is called.
        path: PathBuf,
        /// What is wrong, in words.
        reason: String,
    },
    /// What a pipe brings is not the raw samples that it was said to be.
    #[error("{}: is no stream of raw samples ({reason})", path.display())]
    RawDamaged {
        /// What the stream is called.
        path: PathBuf,
        /// What is wrong, in words.
        reason: String,
    },
    /// A sample is NaN, infinite or beyond 2³², which is no sound in any scale.
    #[error("{}: the sample of frame {frame}, channel {channel} is {value:e}", path.display())]
    NoSample {
        /// The recording, or what the stream is called.
        path: PathBuf,
        /// The sample's frame, from 0, at the recording's own rate.
        frame: u64,
        /// Its channel, from 0.
        channel: usize,
        /// The sample as it was decoded.
        value: f32,
    },
    /// It lasts longer than is read: than any utterance where it is read whole, or than a day.
    #[error("{}: lasts longer than {minutes} minutes", path.display())]
    TooLong {
        /// The recording, or what the stream is called.
        path: PathBuf,
        /// The longest that is read.
        minutes: u64,
    },
}

/// What is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// A container, by its name.
    Container(&'static str),
    /// A coding in a container that is read, by its name.
    Coding(String),
    /// Something that has to be unpacked first, by its name.
    Archive(&'static str),
    /// Nothing known.
    Unknown,
}

impl Display for Format {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Container(name) | Self::Archive(name) => formatter.write_str(name),
            Self::Coding(name) => write!(formatter, "this coding ({name})"),
            Self::Unknown => formatter.write_str("this content (neither WAV, FLAC, MP3, Ogg, MP4 nor AIFF)"),
        }
    }
}

impl Remedied for AudioError {
    fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::Open { source, .. } => vec![input::remedy(source)],
            Self::Empty { .. } | Self::HeaderCutShort { .. } | Self::CutShort { .. } => {
                vec![Remedy::advice("fetch it again from its source")]
            }
            Self::NoSamples { .. } => vec![Remedy::advice("leave it out or record it again")],
            Self::BrokenOff { .. } => {
                vec![Remedy::advice("fetch it again from its source"), Remedy::advice("convert what there is to WAV or FLAC")]
            }
            Self::Foreign { what, .. } => vec![Remedy::advice(what.mend())],
            Self::Unsupported { format: Format::Archive(_), .. } => vec![Remedy::advice("unpack it")],
            Self::Unsupported { format: Format::Unknown, .. } => {
                vec![Remedy::advice("see whether it is the recording, and convert it to WAV or FLAC if so")]
            }
            Self::Unsupported { .. } => vec![Remedy::advice("convert it to WAV or FLAC")],
            Self::Damaged { .. } => vec![Remedy::advice("convert it to WAV or FLAC anew, or fetch it again")],
            Self::RawDamaged { .. } => vec![Remedy::OtherSamples],
            Self::NoSample { .. } => vec![Remedy::advice("repair the recording or leave it out")],
            Self::TooLong { minutes: LONGEST_MINUTES, .. } => vec![Remedy::CutRecording],
            Self::TooLong { .. } => vec![Remedy::advice("cut it into parts")],
        }
    }
}
