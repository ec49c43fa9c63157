//! WAV: where the samples lie is found here; what they are is read by hound and symphonia.
//!
//! Both libraries hold every field of a header against the others, and writers fill in some of them: they are given a header
//! that is made anew of what counts. A sample is as wide as its container, with the valid bits at the top, so that their
//! number says how fine it is and not how large. How many there are is a promise only where it can be true, see [`Samples`].

use std::io::BufReader;
use std::path::Path;

use hound::{SampleFormat, WavReader};

use super::AudioError;
use super::chunks::{Chunk, Chunks, Flaw, Order, Samples};
#[cfg(feature = "codecs")]
use super::compressed;
#[cfg(not(feature = "codecs"))]
use super::decode::compressed;
use super::mono::{Mono, Sink};
use super::part::Part;
use crate::base::files::File;

/// Most bytes of a format chunk that are read; the longest known, of Microsoft's ADPCM, has 50.
const LONGEST_FORMAT: u64 = 64;

/// Reads the WAV that begins at `start` of a file.
///
/// # Errors
/// [`AudioError`], naming the file.
pub(super) fn read(path: &Path, mut file: File, start: u64, sink: Sink<'_>) -> Result<(), AudioError> {
    let (layout, samples) = find(&mut file, start).map_err(|flaw| flaw.of(path))?;
    let coding = layout.coding().map_err(|flaw| flaw.of(path))?;
    if coding == Coding::Mpeg {
        return compressed::read_mp3(path, file, samples.start, samples.start + samples.length, sink);
    }
    let (block, frames) = layout.block(coding).map_err(|flaw| flaw.of(path))?;
    let there = samples.length / block;
    // A rate that is none is told before a length that it makes of the samples.
    Mono::new(path, layout.rate, layout.channels.into(), sink)?;
    // A frame that is not whole was never one; a packed block that is not whole held frames.
    let promised = if frames > 1 { samples.promised.div_ceil(block) * frames } else { samples.promised / block };
    sink.check_length(path, there * frames, layout.rate)?;
    let length = there * block;
    let header = layout.header(coding, length).map_err(|flaw| flaw.of(path))?;
    let part = Part::new(header, file, samples.start, samples.start + length);
    match coding {
        Coding::Integer(_) | Coding::Float => read_plain(path, part, promised, sink),
        _ => compressed::read_part(path, part, promised, sink),
    }
}

/// Samples that are converted at a time.
const CHUNK: usize = 1 << 15;

/// Reads integers and 32-bit floats.
fn read_plain(path: &Path, part: Part, promised: u64, sink: Sink<'_>) -> Result<(), AudioError> {
    let flaw = |error: hound::Error| Flaw::from(error).of(path);
    let mut reader = WavReader::new(BufReader::new(part)).map_err(flaw)?;
    let spec = reader.spec();
    let mut mono = Mono::new(path, spec.sample_rate, spec.channels.into(), sink)?;
    // Whole frames, so that a chunk's first sample is the first channel's.
    let size = CHUNK.next_multiple_of(usize::from(spec.channels));
    let mut push = |samples: &mut dyn Iterator<Item = Result<f32, hound::Error>>| -> Result<(), AudioError> {
        loop {
            let chunk = samples.take(size).collect::<Result<Vec<_>, _>>().map_err(flaw)?;
            if chunk.is_empty() {
                return Ok(());
            }
            mono.push(&chunk)?;
        }
    };
    match spec.sample_format {
        SampleFormat::Float => push(&mut reader.samples::<f32>())?,
        SampleFormat::Int => {
            // Through f64, where 32 bits are exact.
            let full_scale = f64::from(spec.bits_per_sample - 1).exp2();
            push(&mut reader.samples::<i32>().map(|sample| sample.map(|sample| (f64::from(sample) / full_scale) as f32)))?;
        }
    }
    mono.finish(Some(promised))
}

/// Finds the format and the samples of the WAV at `start`.
fn find(file: &mut File, start: u64) -> Result<(Layout, Samples), Flaw> {
    let mut chunks = Chunks::new(file, Order::Little, start)?;
    let (mut layout, mut data, mut wide) = (None, None::<Chunk>, None);
    while let Some(chunk) = chunks.next()? {
        match &chunk.name {
            b"fmt " if layout.is_none() => layout = Some(chunks.read(chunk.start, LONGEST_FORMAT.min(chunk.size.into()))?),
            // RF64 and BW64 (ITU-R BS.2088, 2.2): the sizes of the whole, of the data, and the number of frames.
            b"ds64" => wide = chunks.read(chunk.start + 8, 8)?.try_into().ok().map(u64::from_le_bytes),
            b"data" if data.is_none() => data = Some(chunk),
            b"data" => return Err(Flaw::Damaged("it has more than one data chunk".into())),
            _ => {}
        }
    }
    let (layout, data) = (layout.ok_or_else(|| chunks.lack("fmt"))?, data.ok_or_else(|| chunks.lack("data"))?);
    let layout = Layout::read(&layout).ok_or_else(|| chunks.lack("whole fmt"))?;
    let samples = match wide.filter(|_| data.size == u32::MAX) {
        None => chunks.samples(data.start, data.size.into(), data.is_placeholder()),
        Some(wide) => chunks.samples(data.start, wide, wide > i64::MAX as u64),
    };
    Ok((layout, samples))
}

impl From<hound::Error> for Flaw {
    fn from(error: hound::Error) -> Self {
        match error {
            hound::Error::IoError(error) => Self::Open(error),
            other => Self::Damaged(other.to_string()),
        }
    }
}

/// How samples are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    /// Integers of so many bytes, those of one byte without a sign.
    Integer(u16),
    /// 32-bit floats.
    Float,
    /// 64-bit floats.
    Double,
    ALaw,
    MuLaw,
    MicrosoftAdpcm,
    ImaAdpcm,
    /// Frames of MP3.
    Mpeg,
}

/// What counts of a format chunk.
struct Layout {
    tag: u16,
    channels: u16,
    rate: u32,
    /// Bytes of a block: of a frame, where samples are not packed.
    align: u16,
    bits: u16,
    /// The chunk as it is.
    bytes: Vec<u8>,
}

const PCM: u16 = 1;
const FLOAT: u16 = 3;
const A_LAW: u16 = 6;
const MU_LAW: u16 = 7;
const EXTENSIBLE: u16 = 0xFFFE;
/// How the subformats of an extensible chunk end that are a plain tag: those of Windows, and of ambisonic recordings.
const SUBFORMATS: [[u8; 14]; 2] =
    [[0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71], [0, 0, 0x21, 0x07, 0xD3, 0x11, 0x86, 0x44, 0xC8, 0xC1, 0xCA, 0, 0, 0]];

impl Layout {
    /// `None` where the chunk breaks off.
    fn read(bytes: &[u8]) -> Option<Self> {
        let short = |at: usize| bytes.get(at..at + 2).map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]));
        let rate = u32::from(short(4)?) | u32::from(short(6)?) << 16;
        // The oldest chunks have 14 bytes and leave the width to the block.
        let (channels, align, bits) = (short(2)?, short(12)?, short(14).unwrap_or(0));
        let tag = match short(0)? {
            // Behind the valid bits and the channels' places; a tag of 0 is none.
            EXTENSIBLE => bytes.get(26..40).filter(|end| SUBFORMATS.iter().any(|known| known == end)).map_or(Some(0), |_| short(24))?,
            tag => tag,
        };
        Some(Self { tag, channels, rate, align, bits, bytes: bytes.into() })
    }

    /// How the samples are coded.
    fn coding(&self) -> Result<Coding, Flaw> {
        // The bits decide, as the block is often wrong; but for 24 bits in words of four bytes, which only the block tells.
        let width = match self.align.checked_div(self.channels) {
            Some(width) if self.bits == 0 || self.bits.div_ceil(8) == 3 && width == 4 => width,
            _ => self.bits.div_ceil(8),
        };
        let known = match (self.tag, width) {
            (PCM, 1..=4) => Coding::Integer(width),
            (PCM, 8) => return Err(Flaw::Unsupported("64-bit integers".into())),
            (FLOAT, 4) => Coding::Float,
            (FLOAT, 8) => Coding::Double,
            (FLOAT, 2) => return Err(Flaw::Unsupported("16-bit floats".into())),
            (PCM | FLOAT, _) => return Err(Flaw::Damaged(format!("its samples have {} bits", self.bits))),
            (A_LAW, _) => Coding::ALaw,
            (MU_LAW, _) => Coding::MuLaw,
            (0x02, _) => Coding::MicrosoftAdpcm,
            (0x11, _) => Coding::ImaAdpcm,
            (0x50 | 0x55, _) => Coding::Mpeg,
            (tag, _) => return Err(Flaw::Unsupported(format!("{} in WAV", name(tag)))),
        };
        if self.channels == 0 {
            return Err(Flaw::Damaged("it has no channels".into()));
        }
        Ok(known)
    }

    /// Bytes of a block, and its frames.
    fn block(&self, coding: Coding) -> Result<(u64, u64), Flaw> {
        let (channels, align) = (u64::from(self.channels), u64::from(self.align));
        // A block of ADPCM begins with a state a channel and one or two whole samples, and goes on with four bits a sample.
        let packed = |state: u64, whole: u64| {
            let rest = align.checked_sub(state * channels).filter(|_| align > 0);
            let broken = || Flaw::Damaged(format!("its blocks of {align} bytes hold no {channels} channels"));
            rest.map(|rest| (align, rest * 2 / channels + whole)).ok_or_else(broken)
        };
        match coding {
            Coding::Integer(width) => Ok((u64::from(width) * channels, 1)),
            Coding::Float => Ok((4 * channels, 1)),
            Coding::Double => Ok((8 * channels, 1)),
            Coding::ALaw | Coding::MuLaw | Coding::Mpeg => Ok((channels, 1)),
            Coding::MicrosoftAdpcm => packed(7, 2),
            Coding::ImaAdpcm => packed(4, 1),
        }
    }

    /// The header of a WAV whose `length` bytes of samples are these and nothing else.
    fn header(&self, coding: Coding, length: u64) -> Result<Vec<u8>, Flaw> {
        let (tag, width) = match coding {
            Coding::Integer(width) => (PCM, width),
            Coding::Float => (FLOAT, 4),
            Coding::Double => (FLOAT, 8),
            Coding::ALaw => (A_LAW, 1),
            Coding::MuLaw => (MU_LAW, 1),
            Coding::MicrosoftAdpcm | Coding::ImaAdpcm | Coding::Mpeg => (self.tag, 0),
        };
        let too_large = || Flaw::Unsupported(format!("WAV of {} channels and {length} bytes", self.channels));
        let format = match width {
            0 => self.bytes[..self.bytes.len() & !1].to_vec(),
            width => {
                let align = width.checked_mul(self.channels).ok_or_else(too_large)?;
                let bytes_a_second = self.rate.checked_mul(align.into()).ok_or_else(too_large)?;
                let mut format = Vec::new();
                format.extend([tag, self.channels].map(u16::to_le_bytes).as_flattened());
                format.extend([self.rate, bytes_a_second].map(u32::to_le_bytes).as_flattened());
                format.extend([align, 8 * width].map(u16::to_le_bytes).as_flattened());
                // Symphonia wants the size of an extension in the laws' chunks, hound none in that of 32-bit integers.
                if matches!(coding, Coding::ALaw | Coding::MuLaw) {
                    format.extend([0; 2]);
                }
                format
            }
        };
        let size = |bytes: u64| u32::try_from(bytes).map(u32::to_le_bytes).map_err(|_| too_large());
        let whole = size(4 + 8 + format.len() as u64 + 8 + length)?;
        let parts: [&[u8]; 7] = [b"RIFF", &whole, b"WAVEfmt ", &size(format.len() as u64)?, &format, b"data", &size(length)?];
        Ok(parts.concat())
    }
}

/// What a tag that is not read stands for (mmreg.h of Windows).
fn name(tag: u16) -> String {
    let known = match tag {
        0x31 | 0x32 => "GSM 6.10",
        0x40 | 0x14 => "G.721 or G.723 ADPCM",
        0x45 | 0x64 => "G.726 ADPCM",
        0x160..=0x163 => "Windows Media",
        0xFF | 0x1600 | 0x1602 | 0x1610 | 0x706D | 0xA106 => "AAC",
        0x674F..=0x6751 | 0x676F..=0x6771 => "Vorbis",
        0xF1AC => "FLAC",
        0x2000 => "AC-3",
        0 => "a coding of no known name",
        tag => return format!("the coding of tag {tag:#06x}"),
    };
    known.into()
}
