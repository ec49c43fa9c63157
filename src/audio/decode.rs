//! Reads a recording as mono samples at the rate of the features.
//!
//! WAV is read by hound; what hound refuses (odd-sized chunks, A-law, 64-bit floats, streams of unknown length) and every
//! other format by symphonia. The format is told by the file's first bytes: corpora hold misnamed files. A recording
//! comes whole or not at all, since silent partial data harms a corpus.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use hound::{SampleFormat, WavReader};

use super::AudioError;
#[cfg(feature = "codecs")]
use super::compressed;
use super::mono::Mono;
use crate::base::input;

/// Reads the recording at `path`: channels averaged, resampled to [`SAMPLE_RATE`](super::mfcc::SAMPLE_RATE), full scale
/// at ±1. Samples of a mono recording at that rate are the file's own, bit for bit.
///
/// # Errors
/// A file that is missing, empty, cut short, damaged, of an unknown format or absurdly long, or that holds no or no finite
/// samples.
pub fn decode(path: &Path) -> Result<Vec<f32>, AudioError> {
    let open = |source| AudioError::Open { path: path.to_path_buf(), source };
    let mut head = Vec::new();
    input::file(path).and_then(|file| file.take(12).read_to_end(&mut head)).map_err(open)?;
    match container(&head) {
        Container::Nothing => Err(AudioError::Empty { path: path.to_path_buf() }),
        Container::Wav => match WavReader::open(path) {
            Ok(reader) if reader.spec().channels > 0 => read_wav(path, reader),
            _ => compressed::read(path),
        },
        Container::Known => compressed::read(path),
        Container::Other(format) => Err(AudioError::Unsupported { path: path.to_path_buf(), format: format.into() }),
    }
}

/// Stands for the decoders of every format but plain WAV.
#[cfg(not(feature = "codecs"))]
mod compressed {
    use std::path::Path;

    use crate::audio::AudioError;

    pub(crate) fn read(path: &Path) -> Result<Vec<f32>, AudioError> {
        Err(AudioError::Unsupported { path: path.to_path_buf(), format: "this coding (the program was built without 'codecs')".into() })
    }
}

enum Container {
    Nothing,
    Wav,
    /// Symphonia reads it, or says what it lacks.
    Known,
    Other(&'static str),
}

/// What a file is, by its first twelve bytes.
fn container(head: &[u8]) -> Container {
    match head {
        [] => Container::Nothing,
        [b'R', b'I', b'F', b'F', _, _, _, _, form @ ..] if form.len() == 4 && form != b"WAVE" => {
            Container::Other("a RIFF file other than WAV")
        }
        [b'R', b'I', b'F', b'F', ..] => Container::Wav,
        [b'R', b'F', b'6', b'4', ..] | [b'B', b'W', b'6', b'4', ..] => Container::Other("64-bit WAV (RF64)"),
        [b'c', b'a', b'f', b'f', ..] => Container::Other("CAF"),
        // FLAC, Ogg, AIFF, MP3 with tags, Matroska or WebM.
        [b'f', b'L', b'a', b'C', ..] | [b'O', b'g', b'g', b'S', ..] | [b'F', b'O', b'R', b'M', ..] => Container::Known,
        [b'I', b'D', b'3', ..] | [0x1A, 0x45, 0xDF, 0xA3, ..] => Container::Known,
        // MP4, also one whose index is missing; bare MP3 and AAC frames.
        [_, _, _, _, b'f', b't', b'y', b'p', ..] | [0xFF, 0xE0..=0xFF, ..] => Container::Known,
        _ => Container::Other("this content (neither WAV, FLAC, MP3, Ogg, MP4 nor AIFF)"),
    }
}

/// Samples that are converted at a time.
const CHUNK: usize = 1 << 15;

/// Reads a WAV up to where its data end, be that early.
fn read_wav(path: &Path, mut reader: WavReader<BufReader<File>>) -> Result<Vec<f32>, AudioError> {
    let (spec, promised) = (reader.spec(), u64::from(reader.duration()));
    let mut mono = Mono::new(path, spec.sample_rate, spec.channels.into())?;
    // Whole frames, so that a chunk's first sample is the first channel's.
    let size = CHUNK.next_multiple_of(usize::from(spec.channels));
    let mut push = |samples: &mut dyn Iterator<Item = f32>| -> Result<(), AudioError> {
        loop {
            let chunk: Vec<f32> = samples.take(size).collect();
            if chunk.is_empty() {
                return Ok(());
            }
            mono.push(&chunk)?;
        }
    };
    match spec.sample_format {
        SampleFormat::Float => push(&mut reader.samples::<f32>().map_while(Result::ok))?,
        SampleFormat::Int => {
            // Through f64, where 32 bits are exact.
            let full_scale = f64::from(spec.bits_per_sample - 1).exp2();
            push(&mut reader.samples::<i32>().map_while(Result::ok).map(|sample| (f64::from(sample) / full_scale) as f32))?;
        }
    }
    mono.finish(Some(promised))
}
