//! Reads a recording as mono samples at the rate of the features.
//!
//! WAV is read by hound; what hound refuses (odd-sized chunks, A-law, 64-bit floats, streams of unknown length) and FLAC
//! by symphonia. The format is told by the file's first bytes: corpora hold misnamed files. A recording comes whole or
//! not at all, since silent partial data harms a corpus.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavReader};
use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;
use thiserror::Error;

use super::resample::resample;

/// Why a recording cannot be used.
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
    #[error("{}: cannot be decoded ({reason}); convert it to WAV or FLAC anew", path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error("{}: the sample of frame {frame}, channel {channel} is {value}; repair the recording or leave it out", path.display())]
    NotFinite { path: PathBuf, frame: usize, channel: usize, value: f32 },
}

/// Reads the recording at `path`: channels averaged, resampled to [`SAMPLE_RATE`](super::mfcc::SAMPLE_RATE), full scale
/// at ±1. Samples of a mono recording at that rate are the file's own, bit for bit.
///
/// # Errors
/// A file that is missing, empty, cut short, damaged or of another format, or that holds no or no finite samples.
pub fn decode(path: &Path) -> Result<Vec<f32>, AudioError> {
    let open = |source| AudioError::Open { path: path.to_path_buf(), source };
    let mut head = Vec::new();
    File::open(path).and_then(|file| file.take(12).read_to_end(&mut head)).map_err(open)?;
    let recording = match container(&head) {
        Container::Nothing => return Err(AudioError::Empty { path: path.to_path_buf() }),
        Container::Wav => match read_wav(path) {
            Ok(recording) => recording,
            Err(_) => read_by_symphonia(path)?,
        },
        Container::Flac => read_by_symphonia(path)?,
        Container::Other(format) => return Err(AudioError::Unsupported { path: path.to_path_buf(), format: format.into() }),
    };
    recording.into_mono(path)
}

enum Container {
    Nothing,
    Wav,
    Flac,
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
        [b'f', b'L', b'a', b'C', ..] => Container::Flac,
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Container::Other("MP4 (AAC)"),
        [b'R', b'F', b'6', b'4', ..] | [b'B', b'W', b'6', b'4', ..] => Container::Other("64-bit WAV (RF64)"),
        [b'O', b'g', b'g', b'S', ..] => Container::Other("Ogg"),
        [b'I', b'D', b'3', ..] | [0xFF, 0xE0..=0xFF, ..] => Container::Other("MP3"),
        [0x1A, 0x45, 0xDF, 0xA3, ..] => Container::Other("Matroska or WebM"),
        [b'F', b'O', b'R', b'M', ..] => Container::Other("AIFF"),
        [b'c', b'a', b'f', b'f', ..] => Container::Other("CAF"),
        _ => Container::Other("this content (neither WAV nor FLAC)"),
    }
}

/// Samples as they lie in a file.
struct Recording {
    rate: u32,
    channels: usize,
    /// `[frames, channels]`
    samples: Vec<f32>,
    /// Frames that the header speaks of, where it does.
    promised: Option<u64>,
}

impl Recording {
    fn into_mono(self, path: &Path) -> Result<Vec<f32>, AudioError> {
        let path = || path.to_path_buf();
        let channels = self.channels.max(1);
        let frames = (self.samples.len() / channels) as u64;
        if let Some(promised) = self.promised.filter(|&promised| frames < promised) {
            return Err(AudioError::CutShort { path: path(), frames, promised });
        }
        if frames == 0 {
            return Err(AudioError::NoSamples { path: path() });
        }
        if let Some(place) = self.samples.iter().position(|sample| !sample.is_finite()) {
            let (frame, channel) = (place / channels, place % channels);
            return Err(AudioError::NotFinite { path: path(), frame, channel, value: self.samples[place] });
        }
        let mono = match channels {
            1 => self.samples,
            _ => self.samples.chunks_exact(channels).map(|frame| frame.iter().sum::<f32>() / channels as f32).collect(),
        };
        resample(mono, self.rate).map_err(|reason| AudioError::Damaged { path: path(), reason })
    }
}

/// Reads a WAV up to where its data end, be that early.
fn read_wav(path: &Path) -> hound::Result<Recording> {
    let reader = WavReader::new(BufReader::new(File::open(path)?))?;
    let (spec, promised) = (reader.spec(), u64::from(reader.duration()));
    let samples = match spec.sample_format {
        SampleFormat::Float => reader.into_samples::<f32>().map_while(Result::ok).collect(),
        SampleFormat::Int => {
            // Through f64, where 32 bits are exact.
            let full_scale = f64::from(spec.bits_per_sample - 1).exp2();
            reader.into_samples::<i32>().map_while(Result::ok).map(|sample| (f64::from(sample) / full_scale) as f32).collect()
        }
    };
    Ok(Recording { rate: spec.sample_rate, channels: spec.channels.into(), samples, promised: Some(promised) })
}

/// Reads the first audio track; a FLAC's checksum of the samples is compared where it has one.
fn read_by_symphonia(path: &Path) -> Result<Recording, AudioError> {
    let file = File::open(path).map_err(|source| AudioError::Open { path: path.to_path_buf(), source })?;
    let refuse = |error| refusal(path, error);
    let damaged = |reason: &str| AudioError::Damaged { path: path.to_path_buf(), reason: reason.into() };

    let stream = MediaSourceStream::new(Box::new(file), Default::default());
    let mut format = symphonia::default::get_probe()
        .probe(&Hint::new(), stream, FormatOptions::default(), MetadataOptions::default())
        .map_err(refuse)?;
    let track = format.default_track(TrackType::Audio).ok_or_else(|| damaged("it has no audio track"))?;
    let parameters = track.codec_params.as_ref().and_then(|codec| codec.audio()).ok_or_else(|| damaged("its codec is not named"))?;
    let mut decoder =
        symphonia::default::get_codecs().make_audio_decoder(parameters, &AudioDecoderOptions::default().verify(true)).map_err(refuse)?;
    let (id, promised) = (track.id, track.num_frames);

    let mut recording = Recording { rate: parameters.sample_rate.unwrap_or(0), channels: 0, samples: Vec::new(), promised };
    let mut packet_samples = Vec::new();
    loop {
        let packet = match format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            // The data end within a packet: `into_mono` says how far they reach.
            Err(SymphoniaError::IoError(error)) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(refuse(error)),
        };
        if packet.track_id != id {
            continue;
        }
        let decoded = decoder.decode(&packet).map_err(refuse)?;
        recording.rate = decoded.spec().rate();
        recording.channels = decoded.num_planes();
        decoded.copy_to_vec_interleaved(&mut packet_samples);
        recording.samples.append(&mut packet_samples);
    }
    let complete = promised.is_none_or(|promised| recording.samples.len() as u64 >= promised * recording.channels as u64);
    if complete && decoder.finalize().verify_ok == Some(false) {
        return Err(damaged("the samples differ from the file's checksum"));
    }
    Ok(recording)
}

fn refusal(path: &Path, error: SymphoniaError) -> AudioError {
    let path = path.to_path_buf();
    match error {
        SymphoniaError::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof => AudioError::HeaderCutShort { path },
        SymphoniaError::IoError(source) => AudioError::Open { path, source },
        SymphoniaError::Unsupported(what) => AudioError::Unsupported { path, format: format!("this coding ({what})") },
        other => AudioError::Damaged { path, reason: other.to_string() },
    }
}
