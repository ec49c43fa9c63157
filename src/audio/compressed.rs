//! Everything but plain WAV, by symphonia: FLAC, MP3, Ogg (Vorbis), AAC and ALAC in MP4, bare AAC, AIFF, Matroska.
//!
//! Whether a recording is whole is told by what its format guarantees, and not by the number of frames that the demultiplexer
//! has for display: a FLAC says how many samples it holds and by which checksum they are known, an Ogg counts its pages, an MP4
//! lists where each packet lies, a Matroska says where its last one ends; durations are a writer's guess.

use std::io::{self, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use symphonia::core::codecs::audio::well_known::{CODEC_ID_AAC, CODEC_ID_OPUS};
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::well_known::{FORMAT_ID_FLAC, FORMAT_ID_OGG};
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;
use symphonia::core::units::Duration;

use super::aac::MultichannelAac;
use super::bare::{self, Frames};
use super::content::Content;
use super::extent::{Extent, extent};
use super::mono::{Mono, Sink};
use super::part::Part;
use super::{AudioError, Format};
use crate::base::files::File;
use crate::base::input;

/// Reads what lies from `start` on in a file; a FLAC's checksum of the samples is compared where it has one.
///
/// # Errors
/// [`AudioError`], naming the file.
pub(super) fn read(path: &Path, file: File, content: Content, start: u64, sink: Sink<'_>) -> Result<(), AudioError> {
    let open = |source| AudioError::Open { path: path.to_path_buf(), source };
    let end = file.metadata().map_err(open)?.len();
    let frames = match content {
        Content::Mpeg => Some(Frames::Mp3),
        Content::Adts => Some(Frames::Adts),
        // Zeros or the end of a frame may stand before the first whole one.
        Content::Unknown => bare::coding(&file, end).map_err(open)?,
        _ => None,
    };
    match (content, frames) {
        (_, Some(frames)) => whole(path, || bare::read(path, file, [start, end], frames, sink)),
        (Content::Unknown, None) => Err(AudioError::Unsupported { path: path.to_path_buf(), format: Format::Unknown }),
        _ => {
            let extent = extent(path, &file, content, start)?;
            whole(path, || read_track(path, Part::new(Vec::new(), file, start, extent.end), &extent, None, sink))
        }
    }
}

/// Reads the frames of MP3 from `start` to `end` of a file.
///
/// # Errors
/// [`AudioError`], naming the file.
pub(super) fn read_mp3(path: &Path, file: File, start: u64, end: u64, sink: Sink<'_>) -> Result<(), AudioError> {
    whole(path, || bare::read(path, file, [start, end], Frames::Mp3, sink))
}

/// Reads the first audio track of a part of a file that should hold `promised` frames.
///
/// # Errors
/// [`AudioError`], naming the file.
pub(super) fn read_part(path: &Path, part: Part, promised: u64, sink: Sink<'_>) -> Result<(), AudioError> {
    let extent = Extent { end: part.length(), is_open: false, packets: None };
    whole(path, || read_track(path, part, &extent, Some(promised), sink))
}

/// What a decoder makes of a file; one that breaks down over a damaged file must not end a program that reads thousands.
fn whole(path: &Path, read: impl FnOnce() -> Result<(), AudioError>) -> Result<(), AudioError> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        let reason = "its decoder broke down".into();
        Err(AudioError::Damaged { path: path.to_path_buf(), reason })
    })
}

fn read_track(path: &Path, part: Part, extent: &Extent, promised: Option<u64>, sink: Sink<'_>) -> Result<(), AudioError> {
    let refuse = |error| refusal(path, error);
    let damaged = |reason: &str| AudioError::Damaged { path: path.to_path_buf(), reason: reason.into() };
    let differing = || damaged("the samples differ from the file's checksum");
    let broken_off = |mono: &Option<Mono<'_>>| {
        let frames = mono.as_ref().map_or(0, Mono::frames);
        AudioError::BrokenOff { path: path.to_path_buf(), frames }
    };

    let stream = MediaSourceStream::new(Box::new(part), Default::default());
    let probe = symphonia::default::get_probe();
    let mut format = probe.probe(&Hint::new(), stream, FormatOptions::default(), MetadataOptions::default()).map_err(refuse)?;
    let (mut id, mut decoder, counted) = first_track(path, &*format)?;
    let container = format.format_info().format;
    let promised = promised.or(counted.filter(|_| container == FORMAT_ID_FLAC));

    let mut mono: Option<Mono<'_>> = None;
    let (mut samples, mut bytes, mut is_trimmed) = (Vec::new(), 0, false);
    loop {
        let packet = match format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            // Where the number of frames is known, it says what is missing.
            Err(SymphoniaError::IoError(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                match extent.is_open || promised.is_some() {
                    true => break,
                    false => return Err(broken_off(&mono)),
                }
            }
            // One recording behind another in the same file.
            Err(SymphoniaError::ResetRequired) => {
                if decoder.verifies() == Some(false) {
                    return Err(differing());
                }
                (id, decoder, _) = first_track(path, &*format)?;
                is_trimmed = false;
                continue;
            }
            Err(error) => return Err(refuse(error)),
        };
        if packet.track_id != id {
            continue;
        }
        // What an Ogg's position takes off is the padding of its last page, and of no other.
        if container == FORMAT_ID_OGG && is_trimmed && packet.trim_end == Duration::ZERO {
            return Err(damaged("a position in it takes off what is followed by more"));
        }
        is_trimmed = packet.trim_end > Duration::ZERO;
        bytes += packet.data.len() as u64;
        let (rate, channels) = decoder.decode(&packet, &mut samples).map_err(refuse)?;
        // An encoder's first packets may hold nothing that is heard.
        if channels == 0 {
            continue;
        }
        let mono = match &mut mono {
            Some(mono) => mono,
            None => mono.insert(Mono::new(path, rate, channels, sink)?),
        };
        mono.push_as(rate, channels, &samples)?;
    }
    if promised.is_none() && extent.packets.is_some_and(|packets| bytes < packets) {
        return Err(broken_off(&mono));
    }
    let mono = mono.ok_or_else(|| match promised {
        Some(promised) if promised > 0 => AudioError::CutShort { path: path.to_path_buf(), frames: 0, promised },
        _ => AudioError::NoSamples { path: path.to_path_buf() },
    })?;
    match decoder.verifies() {
        // Then they are all there, however many there should be.
        Some(true) => mono.finish(None),
        Some(false) if promised.is_none_or(|promised| mono.frames() >= promised) => Err(differing()),
        _ => mono.finish(promised),
    }
}

/// The first audio track, its decoder and the number of frames that is told of it.
fn first_track(path: &Path, format: &dyn FormatReader) -> Result<(u32, Decoder, Option<u64>), AudioError> {
    let damaged = |reason: &str| AudioError::Damaged { path: path.to_path_buf(), reason: reason.into() };
    let track = format.default_track(TrackType::Audio).ok_or_else(|| damaged("it has no audio track"))?;
    let parameters = track.codec_params.as_ref().and_then(|codec| codec.audio()).ok_or_else(|| damaged("its codec is not named"))?;
    Ok((track.id, Decoder::new(parameters).map_err(|error| refusal(path, error))?, track.num_frames))
}

/// What turns packets into samples.
pub(super) enum Decoder {
    Symphonia(Box<dyn AudioDecoder>),
    /// Symphonia's AAC decoder knows one and two channels.
    Multichannel(MultichannelAac),
}

impl Decoder {
    pub(super) fn new(parameters: &AudioCodecParameters) -> Result<Self, SymphoniaError> {
        let channels = parameters.channels.as_ref().map_or(0, |channels| channels.count());
        match parameters.codec {
            CODEC_ID_AAC if channels > 2 => Ok(Self::Multichannel(MultichannelAac::new(parameters)?)),
            CODEC_ID_OPUS => Err(SymphoniaError::Unsupported("Opus")),
            _ => {
                let options = AudioDecoderOptions::default().verify(true);
                symphonia::default::get_codecs().make_audio_decoder(parameters, &options).map(Self::Symphonia)
            }
        }
    }

    /// Decodes a packet into `samples`, `[frames, channels]`; returns rate and channels.
    pub(super) fn decode(&mut self, packet: &Packet, samples: &mut Vec<f32>) -> Result<(u32, usize), SymphoniaError> {
        match self {
            Self::Symphonia(decoder) => {
                let decoded = decoder.decode(packet)?;
                decoded.copy_to_vec_interleaved(samples);
                Ok((decoded.spec().rate(), decoded.num_planes()))
            }
            Self::Multichannel(decoder) => decoder.decode(packet, samples),
        }
    }

    /// Whether all that was decoded agrees with the file's checksum, where there is one.
    fn verifies(&mut self) -> Option<bool> {
        match self {
            Self::Symphonia(decoder) => decoder.finalize().verify_ok,
            Self::Multichannel(_) => None,
        }
    }
}

/// Whether a file is MP4 by its boxes (ISO/IEC 14496-12, 4.2) and none of them is `moov`, the index, which encoders write last.
fn lacks_index(path: &Path) -> bool {
    let Ok(mut file) = input::file(path) else { return false };
    let (mut at, mut kinds) = (0, Vec::new());
    let mut head = [[0_u8; 4]; 2];
    while file.seek(SeekFrom::Start(at)).is_ok() && file.read_exact(head.as_flattened_mut()).is_ok() {
        let [size, kind] = head;
        kinds.push(kind);
        let size = match u32::from_be_bytes(size) {
            1 => {
                let mut wide = [0; 8];
                file.read_exact(&mut wide).map_or(0, |()| u64::from_be_bytes(wide))
            }
            size => size.into(),
        };
        // 0: the last box, to the end of the file.
        match at.checked_add(size) {
            Some(next) if size >= 8 => at = next,
            _ => break,
        }
    }
    kinds.first() == Some(b"ftyp") && !kinds.contains(b"moov")
}

pub(super) fn refusal(path: &Path, error: SymphoniaError) -> AudioError {
    let path = path.to_path_buf();
    match error {
        SymphoniaError::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof => AudioError::HeaderCutShort { path },
        SymphoniaError::IoError(source) => AudioError::Open { path, source },
        SymphoniaError::Unsupported(_) if lacks_index(&path) => {
            AudioError::Damaged { path, reason: "its index, the moov atom, is missing".into() }
        }
        SymphoniaError::Unsupported(what) => AudioError::Unsupported { path, format: Format::Coding(what.into()) },
        other => AudioError::Damaged { path, reason: other.to_string() },
    }
}
