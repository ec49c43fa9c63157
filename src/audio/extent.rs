//! How far the data of a container reach, by what its format guarantees.

use std::io;
use std::path::Path;

use super::content::Content;
use super::window::Window;
use super::{AudioError, Format};
use crate::base::files::File;

/// How far the data of a container reach.
pub(super) struct Extent {
    /// Place behind the last byte of the container; tags and other things may follow.
    pub(super) end: u64,
    /// Whether its last packet may end where the container does without a word: its length is in none of its headers, or every
    /// packet was counted before.
    pub(super) is_open: bool,
    /// Bytes of all packets together, where nothing else stands between them.
    pub(super) packets: Option<u64>,
}

/// Looks over the container at `start` of a file.
///
/// # Errors
/// [`AudioError`], naming the file: what its own headers speak of is not there, or its coding is known and not read.
pub(super) fn extent(path: &Path, file: &File, content: Content, start: u64) -> Result<Extent, AudioError> {
    let open = |source| AudioError::Open { path: path.to_path_buf(), source };
    let end = file.metadata().map_err(open)?.len();
    let mut window = Window::new(file.try_clone().map_err(open)?, end);
    let whole = Extent { end, is_open: false, packets: None };
    match content {
        Content::Flac => flac(&mut window, start).map_err(open),
        Content::Matroska => match matroska(&mut window, start).map_err(open)? {
            Some(Some(size)) if size > end => {
                let reason = format!("its segment ends at byte {size}, the file at byte {end}");
                Err(AudioError::Damaged { path: path.to_path_buf(), reason })
            }
            Some(Some(size)) => Ok(Extent { end: size, ..whole }),
            Some(None) => Ok(Extent { is_open: true, ..whole }),
            None => Ok(whole),
        },
        Content::Ogg => ogg(path, &mut window, start),
        _ => Ok(whole),
    }
}

/// FLAC (RFC 9639): frames, which do not say how long they are, behind blocks of metadata, which do. ID3v1 and APEv2 tags may
/// follow the last frame.
fn flac(window: &mut Window, start: u64) -> io::Result<Extent> {
    let mut at = start + 4;
    while let [kind, a, b, c] = *window.get(at, 4)? {
        at += 4 + u64::from(u32::from_be_bytes([0, a, b, c]));
        if kind & 0x80 != 0 {
            break;
        }
    }
    let mut end = window.end;
    loop {
        let id3 = end.saturating_sub(128).max(start);
        let ape = end.saturating_sub(32).max(start);
        if window.get(id3, 3)? == b"TAG" && end - id3 == 128 {
            end = id3;
        } else if let [b'A', b'P', b'E', b'T', b'A', b'G', b'E', b'X', _, _, _, _, a, b, c, d, ..] = *window.get(ape, 32)? {
            // The size covers the items and this footer; a header, which a flag tells of, is as long as the footer.
            let has_header = window.get(ape + 23, 1)?.first().is_some_and(|flags| flags & 0x80 != 0);
            let size = u64::from(u32::from_le_bytes([a, b, c, d])) + if has_header { 32 } else { 0 };
            end = end.saturating_sub(size.max(32)).max(at);
        } else {
            return Ok(Extent { end, is_open: true, packets: Some(end.saturating_sub(at)) });
        }
    }
}

/// Where the segment of a Matroska ends (RFC 8794): behind the header, an element each; `Some(None)` where a stream's writer
/// did not know, `None` where there is no segment.
fn matroska(window: &mut Window, start: u64) -> io::Result<Option<Option<u64>>> {
    let header = variable(window, start + 4)?;
    let Some((Some(size), length)) = header else { return Ok(None) };
    let segment = start + 4 + length + size;
    if window.get(segment, 4)? != [0x18, 0x53, 0x80, 0x67] {
        return Ok(None);
    }
    Ok(variable(window, segment + 4)?.map(|(size, length)| size.map(|size| segment + 4 + length + size)))
}

/// An element's size and the bytes that it takes: as many zeros as bytes follow, a one, and the number; all ones are unknown.
fn variable(window: &mut Window, at: u64) -> io::Result<Option<(Option<u64>, u64)>> {
    let bytes = window.get(at, 8)?;
    let Some(length) = bytes.first().map(|first| first.leading_zeros() as usize + 1).filter(|length| *length <= bytes.len()) else {
        return Ok(None);
    };
    let all = bytes[..length].iter().fold(0, |all, byte| all << 8 | u64::from(*byte));
    let ones = (1 << (7 * length)) - 1;
    let size = all & ones;
    Ok(Some(((size != ones).then_some(size), length as u64)))
}

/// What the first packet of an Ogg's stream begins with that is not read.
const OTHERS: [(&[u8], &str); 6] = [
    (b"Speex   ", "Speex"),
    (b"OpusHead", "Opus"),
    (b"CELT    ", "CELT"),
    (b"PCM     ", "PCM in Ogg"),
    (b"\x80theora", "Theora, without sound"),
    (b"fishead\0", "Skeleton, without sound"),
];
/// What it begins with where it is read.
const READ: [&[u8]; 2] = [b"\x01vorbis", b"\x7FFLAC"];

/// Ogg (RFC 3533): pages that say how long they are and count themselves, in one stream or several.
fn ogg(path: &Path, window: &mut Window, start: u64) -> Result<Extent, AudioError> {
    let open = |source| AudioError::Open { path: path.to_path_buf(), source };
    let damaged = |reason: &str| AudioError::Damaged { path: path.to_path_buf(), reason: reason.into() };
    let (mut at, mut counts) = (start, Vec::new());
    let (mut is_read, mut other) = (false, None);
    while let Some(page) = page(window, at).map_err(open)? {
        if page.end > window.end {
            return Err(damaged("it is cut short within a page"));
        }
        let place = counts.iter().position(|(serial, _)| *serial == page.serial);
        if page.is_first {
            let first = window.get(page.start, 8).map_err(open)?;
            is_read |= READ.iter().any(|magic| first.starts_with(magic));
            other = other.or(OTHERS.iter().find(|(magic, _)| first.starts_with(magic)).map(|(_, name)| *name));
        }
        match place {
            Some(place) if page.is_first => counts[place].1 = page.number,
            Some(place) if counts[place].1.wrapping_add(1) == page.number => counts[place].1 = page.number,
            Some(place) => return Err(damaged(&format!("page {} of a stream follows page {}", page.number, counts[place].1))),
            // A file may hold streams without end, but not many at a time.
            None if counts.len() < MOST_STREAMS => counts.push((page.serial, page.number)),
            None => return Err(damaged("it has too many streams")),
        }
        at = page.end;
    }
    if let (false, Some(name)) = (is_read, other) {
        return Err(AudioError::Unsupported { path: path.to_path_buf(), format: Format::Coding(name.into()) });
    }
    for place in at + 1..window.end {
        if window.get(place, 4).map_err(open)? == b"OggS" {
            return Err(damaged("something else stands between its pages"));
        }
    }
    Ok(Extent { end: at, is_open: true, packets: None })
}

/// Most streams in an Ogg, one behind the other or side by side.
const MOST_STREAMS: usize = 1024;

/// What a page's header says.
struct Page {
    is_first: bool,
    serial: u32,
    number: u32,
    /// Place of its first packet.
    start: u64,
    end: u64,
}

fn page(window: &mut Window, at: u64) -> io::Result<Option<Page>> {
    let header = window.get(at, 27)?;
    let number = |place: usize| header.get(place..place + 4).map(|n| u32::from_le_bytes([n[0], n[1], n[2], n[3]]));
    let (true, Some(serial), Some(count), [.., segments]) = (header.starts_with(b"OggS"), number(14), number(18), header) else {
        return Ok(None);
    };
    let (is_first, segments) = (header[5] & 2 != 0, u64::from(*segments));
    if header.len() < 27 {
        return Ok(None);
    }
    let start = at + 27 + segments;
    let table = window.get(at + 27, segments)?;
    let missing = segments - table.len() as u64;
    let length = table.iter().map(|length| u64::from(*length)).sum::<u64>() + missing;
    Ok(Some(Page { is_first, serial, number: count, start, end: start + length }))
}
