//! MP3 and AAC without a container: frames one behind the other, each with a header that says how long it is.
//!
//! Nothing says how many there are: what lies before, between and behind them is told by reading to the end. Tags and zeros
//! are passed over, and whatever follows the last frame; anything else between two frames is damage. MP3's first frame may be
//! a table of contents with the number of frames; a number is a hint, but one that agrees with the number of bytes is a
//! witness that some are missing.

use std::io;
use std::path::Path;

use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_AAC, CODEC_ID_MP3};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration, Timestamp};

use super::AudioError;
use super::aac::MultichannelAac;
use super::compressed::{Decoder, refusal};
use super::content::id3_length;
use super::mono::{Mono, Sink};
use super::window::{BLOCK, Window};
use crate::base::files::File;

/// Which frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frames {
    /// MPEG-1, -2 or -2.5 audio (ISO/IEC 11172-3, 2.4.2.3), of layer III.
    Mp3,
    /// AAC in ADTS (ISO/IEC 13818-7, 6.2).
    Adts,
}

/// What a frame's header says.
#[derive(Debug, Clone, Copy)]
struct Header {
    /// Bytes of the frame, its header included.
    length: u64,
    /// Bytes before what the decoder takes.
    skipped: usize,
    /// Sampling rate in hertz.
    rate: u32,
    /// Frames, each a sample a channel, that come out of it.
    samples: u64,
    /// The bits that are the same in all headers of a stream.
    fixed: u32,
}

/// Bit rates of layer III in kbit/s, by index from 1: of MPEG-1, and of the others.
const KILOBITS: [[u32; 14]; 2] =
    [[32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320], [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160]];
/// Sampling rates of MPEG-1 in hertz; MPEG-2 has half, MPEG-2.5 a quarter of them.
const MPEG_RATES: [u32; 3] = [44_100, 48_000, 32_000];
const ADTS_RATES: [u32; 13] = [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];
/// Bytes of the longest header, of ADTS with its checksum.
const HEADER: usize = 9;

impl Frames {
    /// Reads a header; `None` where there is none.
    fn header(self, bytes: &[u8]) -> Option<Header> {
        let word = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?);
        let field = |shift: u32, bits: u32| (word >> shift & ((1 << bits) - 1)) as usize;
        match self {
            Self::Mp3 => {
                let (version, rate) = (field(19, 2), *MPEG_RATES.get(field(10, 2))?);
                let rate = match version {
                    0 => rate / 4,
                    2 => rate / 2,
                    3 => rate,
                    _ => return None,
                };
                let is_first = version == 3;
                let kilobits = KILOBITS[usize::from(!is_first)].get(field(12, 4).checked_sub(1)?)?;
                // 144 = 1152 samples of a frame / 8 bits.
                let length = if is_first { 144_000 } else { 72_000 } * kilobits / rate + field(9, 1) as u32;
                let is_frame = field(21, 11) == 0x7FF && field(17, 2) == 0b01;
                // Sync, version, layer and rate, and whether there is one channel.
                let fixed = word & 0xFFFE_0C00 | u32::from(field(6, 2) == 3);
                let samples = if is_first { 1152 } else { 576 };
                is_frame.then_some(Header { length: length.into(), skipped: 0, rate, samples, fixed })
            }
            Self::Adts => {
                let rate = *ADTS_RATES.get(field(10, 4))?;
                let length = u64::from(bytes.get(3)? & 3) << 11 | u64::from(*bytes.get(4)?) << 3 | u64::from(*bytes.get(5)?) >> 5;
                let skipped = if field(16, 1) == 1 { 7 } else { 9 };
                let is_frame = field(20, 12) == 0xFFF && field(17, 2) == 0 && length > skipped as u64;
                let blocks = u64::from(*bytes.get(6)? & 3) + 1;
                // Sync, version, protection, profile, rate and channels.
                let fixed = word & 0xFFFF_FDC0;
                is_frame.then_some(Header { length, skipped, rate, samples: 1024 * blocks, fixed })
            }
        }
    }
}

/// Reads the frames from `start` to `end` of a file; tags and zeros may precede the first.
///
/// # Errors
/// [`AudioError`], naming the file.
pub(super) fn read(path: &Path, file: File, [start, end]: [u64; 2], coding: Frames, sink: Sink<'_>) -> Result<(), AudioError> {
    let open = |source| AudioError::Open { path: path.to_path_buf(), source };
    let mut stream = Stream { window: Window::new(file, end), coding };
    let none = || AudioError::Damaged { path: path.to_path_buf(), reason: "it has no whole frames".into() };
    let first = stream.find(start).map_err(open)?.ok_or_else(none)?;
    let header = stream.header(first).map_err(open)?.ok_or_else(none)?;

    // Once to see what there is, and once more to decode it.
    let count = stream.walk(path, first, &header, |_| Ok(()))?;
    let table = stream.table(first, &header).map_err(open)?.unwrap_or_default();
    let total = count * header.samples;
    sink.check_length(path, total, header.rate)?;
    let missing = |promised: &u64| table.frames > Some(count) && table.bytes > Some(end - first) && *promised > total;
    if let Some(promised) = table.frames.map(|frames| frames * header.samples).filter(missing) {
        return Err(AudioError::CutShort { path: path.to_path_buf(), frames: total, promised });
    }
    let end = if table.frames == Some(count) { total.saturating_sub(table.padding) } else { u64::MAX };

    let mut decoder = stream.decoder(first, &header).map_err(|error| refusal(path, error))?;
    let (mut mono, mut samples, mut done) = (None::<Mono<'_>>, Vec::new(), 0);
    stream.walk(path, first, &header, |frame| {
        let packet = Packet::new(0, Timestamp::ZERO, Duration::from(header.samples), frame);
        let (rate, channels) = decoder.decode(&packet, &mut samples).map_err(|error| refusal(path, error))?;
        if channels == 0 {
            return Ok(());
        }
        let mono = match &mut mono {
            Some(mono) => mono,
            None => mono.insert(Mono::new(path, rate, channels, sink)?),
        };
        let decoded = (samples.len() / channels) as u64;
        let place = |frame: u64| frame.saturating_sub(done).min(decoded) as usize * channels;
        let heard = place(table.delay.min(end))..place(end);
        done += decoded;
        mono.push_as(rate, channels, &samples[heard])
    })?;
    mono.ok_or_else(|| AudioError::NoSamples { path: path.to_path_buf() })?.finish(None)
}

/// Whether frames begin in the first bytes of a file that nothing else is known by, and of which coding.
///
/// # Errors
/// What the system says.
pub(super) fn coding(file: &File, end: u64) -> io::Result<Option<Frames>> {
    for coding in [Frames::Mp3, Frames::Adts] {
        let window = Window::new(file.try_clone()?, end.min(BLOCK as u64));
        if (Stream { window, coding }).find(0)?.is_some() {
            return Ok(Some(coding));
        }
    }
    Ok(None)
}

/// Frames that have to follow each other where the first of them is looked for.
const RUN: usize = 3;

/// Frames, and what lies around them.
struct Stream {
    window: Window,
    coding: Frames,
}

impl Stream {
    /// Gives each frame of sound from `first` on, without what the decoder does not take, and returns their number.
    ///
    /// # Errors
    /// [`AudioError`]: a frame breaks off, or what is no frame stands between two; and those of `take`.
    fn walk(
        &mut self,
        path: &Path,
        first: u64,
        header: &Header,
        mut take: impl FnMut(&[u8]) -> Result<(), AudioError>,
    ) -> Result<u64, AudioError> {
        let path = path.to_path_buf();
        let open = |source| AudioError::Open { path: path.clone(), source };
        let (mut at, mut count) = (first, 0);
        loop {
            let next = self.header(at).map_err(open)?.filter(|next| next.fixed == header.fixed);
            let Some(next) = next else {
                let behind = self.behind_tags(at).map_err(open)?;
                match self.find(behind).map_err(open)? {
                    None => return Ok(count),
                    Some(found) if found == behind && behind > at => at = behind,
                    Some(_) => {
                        let reason = format!("its frame {count} is followed by something else and then by frames again");
                        return Err(AudioError::Damaged { path, reason });
                    }
                }
                continue;
            };
            if at + next.length > self.window.end {
                return Err(AudioError::BrokenOff { path, frames: count * header.samples });
            }
            if self.table(at, &next).map_err(open)?.is_none() {
                take(&self.window.get(at, next.length).map_err(open)?[next.skipped..])?;
                count += 1;
            }
            at += next.length;
        }
    }

    fn header(&mut self, at: u64) -> io::Result<Option<Header>> {
        Ok(self.coding.header(self.window.get(at, HEADER as u64)?))
    }

    /// The first place from `at` on where several frames of one kind follow each other, or the last of the file.
    fn find(&mut self, at: u64) -> io::Result<Option<u64>> {
        for place in at..self.window.end {
            if self.window.get(place, 1)? == [0xFF] && self.begins(place)? {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    fn begins(&mut self, place: u64) -> io::Result<bool> {
        let Some(first) = self.header(place)? else { return Ok(false) };
        let mut at = place;
        for run in 0..RUN {
            match self.header(at)?.filter(|next| next.fixed == first.fixed) {
                Some(next) => at += next.length,
                None => return Ok(self.behind_tags(at)? == self.window.end || run > 1 && at > self.window.end),
            }
        }
        Ok(true)
    }

    /// The place behind the tags and zeros at `at`: ID3v2, ID3v1 with its extension, APEv2 with its header.
    fn behind_tags(&mut self, mut at: u64) -> io::Result<u64> {
        loop {
            let head = self.window.get(at, 32)?;
            let size = |place: usize| head.get(place..place + 4).map_or(0, |size| u32::from_le_bytes([size[0], size[1], size[2], size[3]]));
            let length = match head {
                [b'T', b'A', b'G', b'+', ..] => 227,
                [b'T', b'A', b'G', ..] => 128,
                [0, ..] => head.iter().take_while(|byte| **byte == 0).count() as u64,
                _ if head.starts_with(b"APETAGEX") => 32 + u64::from(size(12)),
                _ => match id3_length(head) {
                    Some(length) => length,
                    None => return Ok(at),
                },
            };
            at = (at + length).min(self.window.end);
        }
    }

    /// The table that a frame is instead of sound, if it is one.
    fn table(&mut self, at: u64, header: &Header) -> io::Result<Option<Table>> {
        match self.coding {
            Frames::Mp3 => Ok(Table::read(self.window.get(at, header.length)?)),
            Frames::Adts => Ok(None),
        }
    }

    fn decoder(&mut self, first: u64, header: &Header) -> Result<Decoder, SymphoniaError> {
        let mut parameters = AudioCodecParameters::new();
        match self.coding {
            Frames::Mp3 => parameters.for_codec(CODEC_ID_MP3).with_sample_rate(header.rate),
            Frames::Adts => {
                let bytes = self.window.get(first, HEADER as u64)?;
                // `AudioSpecificConfig` from the header: object type less one (2 bits), rate (4), a private bit, channels (3).
                let (profile, rate, channels) = (bytes[2] >> 6, bytes[2] >> 2 & 15, (bytes[2] & 1) << 2 | bytes[3] >> 6);
                if bytes[6] & 3 > 0 {
                    return Err(SymphoniaError::Unsupported("AAC with several blocks a frame"));
                }
                let configuration = (u16::from(profile) + 1) << 11 | u16::from(rate) << 7 | u16::from(channels) << 3;
                parameters.for_codec(CODEC_ID_AAC).with_sample_rate(header.rate).with_extra_data(Box::new(configuration.to_be_bytes()));
                if channels > 2 {
                    return MultichannelAac::new(&parameters).map(Decoder::Multichannel);
                }
                &mut parameters
            }
        };
        Decoder::new(&parameters)
    }
}

/// What the first frame of an MP3 tells of the others, as Xing's and Fraunhofer's encoders write it instead of sound.
#[derive(Debug, Default)]
struct Table {
    /// Frames behind it.
    frames: Option<u64>,
    /// Bytes of all frames, its own included.
    bytes: Option<u64>,
    /// Samples before the recording's first and behind its last, the decoder's own delay of 529 included.
    delay: u64,
    padding: u64,
}

impl Table {
    /// `None` for a frame of sound.
    fn read(frame: &[u8]) -> Option<Self> {
        let head = frame.get(..4)?;
        let (is_first, is_mono, has_checksum) = (head[1] & 0x08 != 0, head[3] >> 6 == 3, head[1] & 1 == 0);
        let number = |at: usize| frame.get(at..at + 4).map(|n| u64::from(u32::from_be_bytes([n[0], n[1], n[2], n[3]])));
        // Where a frame of sound has its side information, which here is zeros.
        let start = if has_checksum { 6 } else { 4 };
        let is_empty = |end: usize| frame.get(start..end).is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0));
        let xing = 4 + match (is_first, is_mono) {
            (true, false) => 32,
            (true, true) | (false, false) => 17,
            (false, true) => 9,
        };
        const VBRI: usize = 36;
        if is_empty(VBRI) && frame.get(VBRI..VBRI + 6) == Some(b"VBRI\0\x01") {
            return Some(Self { frames: number(VBRI + 14), bytes: number(VBRI + 10), ..Self::default() });
        }
        if !is_empty(xing) || ![&b"Xing"[..], b"Info"].contains(&frame.get(xing..xing + 4)?) {
            return None;
        }
        let flags = number(xing + 4)?;
        let mut at = xing + 8;
        let mut field = |flag: u64, size: usize| {
            let place = (flags & flag != 0).then_some(at)?;
            at += size;
            number(place)
        };
        let (frames, bytes) = (field(1, 4), field(2, 4));
        // A table of places and a quality follow.
        field(4, 100);
        field(8, 4);
        let mut table = Self { frames, bytes, ..Self::default() };
        let encoder = frame.get(at..at + 4);
        if [&b"LAME"[..], b"Lavf", b"Lavc"].iter().any(|name| encoder == Some(name)) {
            const DECODER: u64 = 529;
            // Twelve bits each, behind the encoder's name, its low-pass and gains.
            let trim = number(at + 20)? & 0xFF_FFFF;
            (table.delay, table.padding) = ((trim >> 12) + DECODER, (trim & 0xFFF).saturating_sub(DECODER));
        }
        Some(table)
    }
}
