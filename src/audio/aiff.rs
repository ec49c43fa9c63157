//! AIFF and AIFF-C: where the samples lie is found here, by the rules of WAV; what they are is read by symphonia, behind a
//! header that is made anew.

use std::path::Path;

use super::AudioError;
use super::chunks::{Chunks, Flaw, Order, Samples};
#[cfg(feature = "codecs")]
use super::compressed;
#[cfg(not(feature = "codecs"))]
use super::decode::compressed;
use super::mono::Sink;
use super::part::Part;
use crate::base::files::File;

/// Most bytes of a common chunk that are read: the name of a coding has 255 at most.
const LONGEST_COMMON: u64 = 512;
/// Bytes of a sound chunk before its samples: offset and block size.
const SOUND: u32 = 8;

/// Reads the AIFF that begins at `start` of a file.
///
/// # Errors
/// [`AudioError`], naming the file.
pub(super) fn read(path: &Path, mut file: File, start: u64, sink: Sink<'_>) -> Result<(), AudioError> {
    let (part, frames) = {
        let found = find(&mut file, start).map_err(|flaw| flaw.of(path))?;
        let length = found.samples.length / found.block * found.block;
        let header = found.header(length).map_err(|flaw| flaw.of(path))?;
        (Part::new(header, file, found.samples.start, found.samples.start + length), found.samples.promised / found.block)
    };
    compressed::read_part(path, part, frames, sink)
}

/// What counts of an AIFF.
struct Found {
    /// `AIFF` or `AIFC`.
    form: Vec<u8>,
    /// The common chunk as it is.
    common: Vec<u8>,
    /// Bytes of a frame.
    block: u64,
    samples: Samples,
}

fn find(file: &mut File, start: u64) -> Result<Found, Flaw> {
    let mut chunks = Chunks::new(file, Order::Big, start)?;
    let (mut common, mut sound) = (None, None);
    while let Some(chunk) = chunks.next()? {
        match &chunk.name {
            b"COMM" if common.is_none() => common = Some(chunks.read(chunk.start, LONGEST_COMMON.min(chunk.size.into()))?),
            b"SSND" if sound.is_none() => sound = Some((chunk, chunks.read(chunk.start, SOUND.into())?)),
            b"SSND" => return Err(Flaw::Damaged("it has more than one SSND chunk".into())),
            _ => {}
        }
    }
    let (common, (chunk, head)) = (common.ok_or_else(|| chunks.lack("COMM"))?, sound.ok_or_else(|| chunks.lack("SSND"))?);
    let Ok([a, b, c, d, ..]) = <[u8; 8]>::try_from(head) else { return Err(Flaw::HeaderCutShort) };
    let before = SOUND.saturating_add(u32::from_be_bytes([a, b, c, d]));
    // A size of 0 stands for one that was never filled in, the eight bytes before the samples included.
    let claimed = u64::from(chunk.size.saturating_sub(before));
    let samples = chunks.samples(chunk.start + u64::from(before), claimed, chunk.is_placeholder());

    let form = chunks.read(start + 8, 4)?;
    let [channels @ .., _, _, _, _, high, low] = common.get(..8).ok_or_else(|| chunks.lack("whole COMM"))? else {
        return Err(chunks.lack("whole COMM"));
    };
    let channels = channels.iter().fold(0, |channels, byte| channels << 8 | u64::from(*byte));
    if channels == 0 {
        return Err(Flaw::Damaged("it has no channels".into()));
    }
    let bits = u16::from_be_bytes([*high, *low]);
    let width = match common.get(18..22).filter(|_| form == b"AIFC") {
        None => bits.div_ceil(8),
        Some(coding) => width(coding, bits)?,
    };
    if !(1..=8).contains(&width) {
        return Err(Flaw::Damaged(format!("its samples have {bits} bits")));
    }
    Ok(Found { form, common, block: u64::from(width) * channels, samples })
}

/// Bytes of a sample of AIFF-C, by the four letters of its coding.
fn width(coding: &[u8], bits: u16) -> Result<u16, Flaw> {
    match coding.to_ascii_lowercase().as_slice() {
        b"none" | b"twos" | b"sowt" => Ok(bits.div_ceil(8)),
        b"raw " | b"alaw" | b"ulaw" => Ok(1),
        b"in24" => Ok(3),
        b"in32" | b"23ni" | b"fl32" => Ok(4),
        b"fl64" => Ok(8),
        _ => Err(Flaw::Unsupported(format!("{} in AIFF-C", coding.escape_ascii()))),
    }
}

impl Found {
    /// The header of an AIFF whose `length` bytes of samples are these and nothing else.
    fn header(&self, length: u64) -> Result<Vec<u8>, Flaw> {
        let too_large = || Flaw::Unsupported(format!("AIFF of {length} bytes"));
        let size = |bytes: u64| u32::try_from(bytes).map(u32::to_be_bytes).map_err(|_| too_large());
        let mut common = self.common.clone();
        common.resize(common.len().next_multiple_of(2), 0);
        let sound = u64::from(SOUND) + length;
        let whole = size(4 + 8 + common.len() as u64 + 8 + sound)?;
        let parts: [&[u8]; 9] =
            [b"FORM", &whole, &self.form, b"COMM", &size(common.len() as u64)?, &common, b"SSND", &size(sound)?, &[0; SOUND as usize]];
        Ok(parts.concat())
    }
}
