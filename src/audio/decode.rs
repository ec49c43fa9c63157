//! Reads a recording as mono samples at the rate of the features.
//!
//! WAV is read by hound, what hound does not read (A-law, ADPCM, 64-bit floats) and every other format by symphonia. A
//! recording comes whole or not at all, since silent partial data harms a corpus; whether it is whole is told by what its
//! format guarantees, and never by an estimate.

use std::cell::RefCell;
use std::path::Path;

#[cfg(feature = "codecs")]
use super::compressed;
use super::content::{Content, content};
use super::mono::{LONGEST_MINUTES, Sink};
use super::{AudioError, Format, aiff, wav};
use crate::base::input;

/// Reads the recording at `path`: channels averaged, resampled to [`SAMPLE_RATE`](super::mfcc::SAMPLE_RATE), full scale
/// at ±1. Samples of a mono recording at that rate are the file's own, bit for bit.
///
/// # Errors
/// A file that is missing, empty, cut short, damaged, of an unknown format or absurdly long, or that holds no sample or
/// what is none.
pub fn decode(path: &Path) -> Result<Vec<f32>, AudioError> {
    held(|sink| read(path, sink))
}

/// All samples that a reader hands on.
pub(super) fn held(read: impl FnOnce(Sink<'_>) -> Result<(), AudioError>) -> Result<Vec<f32>, AudioError> {
    let samples = RefCell::new(Vec::new());
    let take = |more: Vec<f32>| {
        samples.borrow_mut().extend(more);
        true
    };
    read(Sink { minutes: LONGEST_MINUTES, take: &take })?;
    Ok(samples.into_inner())
}

/// Reads the recording at `path` piece by piece.
///
/// # Errors
/// Those of [`decode`], which may come after samples.
pub(super) fn read(path: &Path, sink: Sink<'_>) -> Result<(), AudioError> {
    let open = |source| AudioError::Open { path: path.to_path_buf(), source };
    let mut file = input::file(path).map_err(open)?;
    let (content, start) = content(&mut file).map_err(open)?;
    let path = path.to_path_buf();
    match content {
        Content::Nothing => Err(AudioError::Empty { path }),
        Content::PartOfHeader => Err(AudioError::HeaderCutShort { path }),
        Content::Wav => wav::read(&path, file, start, sink),
        Content::Aiff => aiff::read(&path, file, start, sink),
        Content::Other(name) => Err(AudioError::Unsupported { path, format: Format::Container(name) }),
        Content::Archive(name) => Err(AudioError::Unsupported { path, format: Format::Archive(name) }),
        Content::Foreign(what) => Err(AudioError::Foreign { path, what }),
        content => compressed::read(&path, file, content, start, sink),
    }
}

/// Stands for the decoders of every format but plain WAV.
#[cfg(not(feature = "codecs"))]
pub(super) mod compressed {
    use crate::base::files::File;
    use std::path::Path;

    use crate::audio::content::Content;
    use crate::audio::mono::Sink;
    use crate::audio::part::Part;
    use crate::audio::{AudioError, Format};

    fn lacking(path: &Path) -> Result<(), AudioError> {
        let format = Format::Coding("the program was built without 'codecs'".into());
        Err(AudioError::Unsupported { path: path.to_path_buf(), format })
    }

    pub(crate) fn read(path: &Path, _: File, content: Content, _: u64, _: Sink<'_>) -> Result<(), AudioError> {
        match content {
            Content::Unknown => Err(AudioError::Unsupported { path: path.to_path_buf(), format: Format::Unknown }),
            _ => lacking(path),
        }
    }

    pub(crate) fn read_mp3(path: &Path, _: File, _: u64, _: u64, _: Sink<'_>) -> Result<(), AudioError> {
        lacking(path)
    }

    pub(crate) fn read_part(path: &Path, _: Part, _: u64, _: Sink<'_>) -> Result<(), AudioError> {
        lacking(path)
    }
}
