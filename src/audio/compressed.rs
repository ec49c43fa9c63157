//! Everything but plain WAV, by symphonia: FLAC, MP3, Ogg (Vorbis), AAC and ALAC in MP4, bare AAC, AIFF, Matroska.

use std::io::{self, Read, Seek, SeekFrom};
use std::panic::catch_unwind;
use std::path::Path;

use symphonia::core::codecs::audio::well_known::{CODEC_ID_AAC, CODEC_ID_OPUS};
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;

use super::AudioError;
use super::aac::MultichannelAac;
use super::mono::Mono;
use crate::base::input;

/// Reads the first audio track; a FLAC's checksum of the samples is compared where it has one.
///
/// # Errors
/// [`AudioError`], naming the file; also where a decoder breaks down over a damaged file, which must not end a program
/// that reads thousands.
pub(super) fn read(path: &Path) -> Result<Vec<f32>, AudioError> {
    catch_unwind(|| read_track(path)).unwrap_or_else(|_| {
        let reason = "its decoder broke down".into();
        Err(AudioError::Damaged { path: path.to_path_buf(), reason })
    })
}

fn read_track(path: &Path) -> Result<Vec<f32>, AudioError> {
    let refuse = |error| refusal(path, error);
    let damaged = |reason: &str| AudioError::Damaged { path: path.to_path_buf(), reason: reason.into() };

    let mut format = open(path)?;
    let track = format.default_track(TrackType::Audio).ok_or_else(|| damaged("it has no audio track"))?;
    let parameters = track.codec_params.as_ref().and_then(|codec| codec.audio()).ok_or_else(|| damaged("its codec is not named"))?;
    let (id, promised) = (track.id, track.num_frames);
    let mut decoder = Decoder::new(parameters).map_err(refuse)?;

    let mut mono: Option<Mono> = None;
    let mut samples = Vec::new();
    loop {
        let packet = match format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            // The data end within a packet: `Mono::finish` says how far they reach.
            Err(SymphoniaError::IoError(error)) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(refuse(error)),
        };
        if packet.track_id != id {
            continue;
        }
        let (rate, channels) = decoder.decode(&packet, &mut samples).map_err(refuse)?;
        // An encoder's first packets may hold nothing that is heard.
        if channels == 0 {
            continue;
        }
        let mono = match &mut mono {
            Some(mono) => mono,
            None => mono.insert(Mono::new(path, rate, channels)?),
        };
        mono.push_as(rate, channels, &samples)?;
    }
    let mono = mono.ok_or_else(|| match promised {
        Some(promised) if promised > 0 => AudioError::CutShort { path: path.to_path_buf(), frames: 0, promised },
        _ => AudioError::NoSamples { path: path.to_path_buf() },
    })?;
    let complete = promised.is_none_or(|promised| mono.frames() >= promised);
    if complete && !decoder.verifies() {
        return Err(damaged("the samples differ from the file's checksum"));
    }
    mono.finish(promised)
}

fn open(path: &Path) -> Result<Box<dyn FormatReader>, AudioError> {
    let file = input::file(path).map_err(|source| AudioError::Open { path: path.to_path_buf(), source })?;
    let stream = MediaSourceStream::new(Box::new(file), Default::default());
    let probe = symphonia::default::get_probe();
    probe.probe(&Hint::new(), stream, FormatOptions::default(), MetadataOptions::default()).map_err(|error| refusal(path, error))
}

/// What turns packets into samples.
enum Decoder {
    Symphonia(Box<dyn AudioDecoder>),
    /// Symphonia's AAC decoder knows one and two channels.
    Multichannel(MultichannelAac),
}

impl Decoder {
    fn new(parameters: &AudioCodecParameters) -> Result<Self, SymphoniaError> {
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
    fn decode(&mut self, packet: &Packet, samples: &mut Vec<f32>) -> Result<(u32, usize), SymphoniaError> {
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
    fn verifies(&mut self) -> bool {
        match self {
            Self::Symphonia(decoder) => decoder.finalize().verify_ok != Some(false),
            Self::Multichannel(_) => true,
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

fn refusal(path: &Path, error: SymphoniaError) -> AudioError {
    let path = path.to_path_buf();
    match error {
        SymphoniaError::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof => AudioError::HeaderCutShort { path },
        SymphoniaError::IoError(source) => AudioError::Open { path, source },
        SymphoniaError::Unsupported(_) if lacks_index(&path) => {
            AudioError::Damaged { path, reason: "its index, the moov atom, is missing".into() }
        }
        SymphoniaError::Unsupported(what) => AudioError::Unsupported { path, format: format!("this coding ({what})") },
        other => AudioError::Damaged { path, reason: other.to_string() },
    }
}
