//! What a file holds, told by its bytes: corpora hold misnamed files.

use std::io::{self, Read, Seek, SeekFrom};

use crate::base::files::File;
use crate::base::foreign::Foreign;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Nothing,
    /// Less than a header of it.
    PartOfHeader,
    /// RIFF WAVE, or RF64 and BW64, whose sizes may be of 64 bits.
    Wav,
    /// AIFF and AIFF-C.
    Aiff,
    Flac,
    Ogg,
    Mp4,
    Matroska,
    /// Frames of MPEG-1, -2 or -2.5 audio without a container.
    Mpeg,
    /// Frames of AAC without a container.
    Adts,
    /// A recording that is not read, by its name.
    Other(&'static str),
    /// What has to be unpacked first, by its name.
    Archive(&'static str),
    /// What stands in a recording's place.
    Foreign(Foreign),
    Unknown,
}

/// What is not read, by what it begins with.
const OTHERS: [(&[u8], &str); 20] = [
    (b"RIFX", "big-endian WAV (RIFX)"),
    (b"riff\x2E\x91\xCF\x11", "Sony Wave64"),
    (b"RIFF", "a RIFF file other than WAV"),
    (b"caff", "CAF"),
    (b".snd", "Sun AU"),
    (b"NIST_1A", "NIST SPHERE"),
    (b"#!AMR", "AMR"),
    (b"\x30\x26\xB2\x75\x8E\x66\xCF\x11", "Windows Media (ASF)"),
    (b"wvpk", "WavPack"),
    (b"MAC ", "Monkey's Audio"),
    (b"TTA1", "True Audio"),
    (b"ajkg", "Shorten"),
    (b"MPCK", "Musepack"),
    (b"MP+", "Musepack"),
    (b".ra\xFD", "RealAudio"),
    (b".RMF", "RealMedia"),
    (b"MThd", "MIDI"),
    (b"FLV\x01", "Flash video"),
    (b"\0\0\x01\xBA", "an MPEG program stream"),
    (b"\x0B\x77", "AC-3"),
];

const ARCHIVES: [(&[u8], &str); 6] = [
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1F\x8B", "a gzip file"),
    (b"7z\xBC\xAF\x27\x1C", "a 7z archive"),
    (b"\xFD7zXZ\0", "an xz file"),
    (b"BZh", "a bzip2 file"),
    (b"Rar!", "a RAR archive"),
];

/// Bytes of a beginning that are looked at: pages have white space before their first word.
const HEAD: u64 = 256;
/// Bytes that formats are told by.
const MAGIC: usize = 12;

/// What a file holds, and from which byte on: ID3 tags may stand before anything.
///
/// # Errors
/// What the system says.
pub(super) fn content(file: &mut File) -> io::Result<(Content, u64)> {
    let mut start = 0;
    loop {
        let mut head = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        file.by_ref().take(HEAD).read_to_end(&mut head)?;
        match id3_length(&head) {
            Some(length) => start += length,
            None if start > 0 && head.is_empty() => return Ok((Content::PartOfHeader, start)),
            None => return Ok((of(&head), start)),
        }
    }
}

/// Bytes of the ID3v2 tag that these are the beginning of (id3v2.4.0, 3.1): ten of header, its size in four times seven bits, and ten of
/// footer where a flag says so.
pub(super) fn id3_length(head: &[u8]) -> Option<u64> {
    let [b'I', b'D', b'3', _, _, flags, size @ ..] = head.get(..10)? else { return None };
    let size = size.iter().fold(0, |size, byte| size << 7 | u64::from(byte & 0x7F));
    Some(10 + size + if flags & 0x10 != 0 { 10 } else { 0 })
}

fn of(head: &[u8]) -> Content {
    if let Some(what) = Foreign::of(head) {
        return Content::Foreign(what);
    }
    let begins = |magic: &[u8]| head.starts_with(magic);
    match &head[..head.len().min(MAGIC)] {
        [] => Content::Nothing,
        [b'R', b'I', b'F', b'F', rest @ ..] if rest.len() < 8 || rest.ends_with(b"WAVE") => Content::Wav,
        [b'R', b'F', b'6', b'4', ..] | [b'B', b'W', b'6', b'4', ..] => Content::Wav,
        [b'F', b'O', b'R', b'M', rest @ ..] if rest.len() < 8 || rest.ends_with(b"AIFF") || rest.ends_with(b"AIFC") => Content::Aiff,
        [b'F', b'O', b'R', b'M', ..] => Content::Other("an IFF file other than AIFF"),
        [b'f', b'L', b'a', b'C', ..] => Content::Flac,
        [b'O', b'g', b'g', b'S', ..] => Content::Ogg,
        // A page's library has no reader of it.
        [0x1A, 0x45, 0xDF, 0xA3, ..] if cfg!(target_arch = "wasm32") => Content::Other("Matroska"),
        [0x1A, 0x45, 0xDF, 0xA3, ..] => Content::Matroska,
        // Also one whose index is missing.
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Content::Mp4,
        // The layer's two bits are 0 in AAC alone.
        [0xFF, second, ..] if second & 0xF6 == 0xF0 => Content::Adts,
        [0xFF, 0xE0..=0xFF, ..] => Content::Mpeg,
        [b'I', b'D', b'3', ..] => Content::PartOfHeader,
        _ => match (OTHERS.iter().find(|(magic, _)| begins(magic)), ARCHIVES.iter().find(|(magic, _)| begins(magic))) {
            (Some((_, name)), _) => Content::Other(name),
            (_, Some((_, name))) => Content::Archive(name),
            _ => Content::Unknown,
        },
    }
}
