//! The chunks of RIFF (WAV) and IFF (AIFF): a name of four letters, a size, bytes, and a byte of padding behind an odd number of them.
//!
//! Only what leads to the samples is asked of a file. A chunk whose size is off by a few bytes, or whose padding was
//! forgotten, is followed by one of a known name close by, and the walk goes on there.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::{AudioError, Format};
use crate::base::files::File;

/// In which order the bytes of a size stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// RIFF.
    Little,
    /// IFF.
    Big,
}

impl Order {
    fn size(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }
}

/// A chunk as its header describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) name: [u8; 4],
    /// Place of its first byte behind the header.
    pub(super) start: u64,
    /// Bytes that the header speaks of; the file may end before them.
    pub(super) size: u32,
}

impl Chunk {
    /// Whether its size stands for one that its writer did not know.
    pub(super) fn is_placeholder(&self) -> bool {
        self.size >= PLACEHOLDER
    }

    /// Place behind its last byte, by its size.
    fn end(&self) -> u64 {
        self.start + u64::from(self.size)
    }
}

/// From here on a size stands for a length that its writer did not know yet, unless the file is as long: SoX leaves 0x7FFFF000,
/// arecord 0x80000000, ffmpeg 0xFFFFFFFF, others these less what stands before the samples.
const PLACEHOLDER: u32 = 0x7FFF_0000;
/// Bytes by which the size of the whole may be off: some count the header that it stands in, some do not count padding.
const SLACK: u64 = 8;
/// Names that decide where a walk goes on.
const KNOWN: [[u8; 4]; 6] = [*b"fmt ", *b"fact", *b"data", *b"LIST", *b"COMM", *b"SSND"];
/// Bytes of a chunk's header.
const HEADER: u64 = 8;
/// Bytes of the header of the chunk around all others, its form (`WAVE`, `AIFF`) included.
const OUTER: u64 = 12;
/// Bytes around the place of the next chunk that are searched for it.
const AROUND: u64 = 8;

/// Where the samples lie.
pub(super) struct Samples {
    /// Place of their first byte in the file.
    pub(super) start: u64,
    /// Bytes that are there.
    pub(super) length: u64,
    /// Bytes that there should be: what the data chunk says, but for three cases in which its writer could not know. Its size is
    /// a placeholder that the file does not reach; it is 0, and what follows are no chunks; or it reaches out of the RIFF chunk
    /// around it, whose size is the file's. Then they are those that are there.
    pub(super) promised: u64,
}

/// Why a file of chunks cannot be read.
pub(super) enum Flaw {
    Open(io::Error),
    /// It ends before its samples.
    HeaderCutShort,
    Damaged(String),
    Unsupported(String),
}

impl From<io::Error> for Flaw {
    fn from(error: io::Error) -> Self {
        Self::Open(error)
    }
}

impl Flaw {
    /// The error that names the file.
    pub(super) fn of(self, path: &Path) -> AudioError {
        let path = path.to_path_buf();
        match self {
            Self::Open(source) => AudioError::Open { path, source },
            Self::HeaderCutShort => AudioError::HeaderCutShort { path },
            Self::Damaged(reason) => AudioError::Damaged { path, reason },
            Self::Unsupported(coding) => AudioError::Unsupported { path, format: Format::Coding(coding) },
        }
    }
}

/// Walks over chunks, whose bytes are left to the caller.
pub(super) struct Chunks<'a> {
    file: &'a mut File,
    order: Order,
    /// Bytes of the file.
    length: u64,
    /// Where the chunk around all others ends, by its size.
    end: u64,
    next: u64,
}

impl<'a> Chunks<'a> {
    /// Over those in the chunk at `start` of a file.
    ///
    /// # Errors
    /// [`Flaw::HeaderCutShort`], or what the system says.
    pub(super) fn new(file: &'a mut File, order: Order, start: u64) -> Result<Self, Flaw> {
        let length = file.metadata()?.len();
        let mut chunks = Self { file, order, length, end: 0, next: start + OUTER };
        let Ok(size) = <[u8; 4]>::try_from(chunks.read(start + 4, 4)?) else { return Err(Flaw::HeaderCutShort) };
        chunks.end = start + HEADER + u64::from(order.size(size));
        Ok(chunks)
    }

    /// The next chunk; `None` where no more follow.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn next(&mut self) -> io::Result<Option<Chunk>> {
        let chunk = self.at(self.next)?;
        if let Some(chunk) = &chunk {
            self.next = self.behind(chunk)?;
        }
        Ok(chunk)
    }

    /// What it means that a chunk was not found.
    pub(super) fn lack(&self, what: &str) -> Flaw {
        if self.end > self.length { Flaw::HeaderCutShort } else { Flaw::Damaged(format!("it has no {what} chunk")) }
    }

    /// The samples from `start` on, of which there are `claimed` bytes by their chunk; the walk is over.
    pub(super) fn samples(&self, start: u64, claimed: u64, is_placeholder: bool) -> Samples {
        let there = self.length.saturating_sub(start);
        // The padding of the last chunk is forgotten more often than not.
        let is_complete = (self.length..=self.length + 1).contains(&self.next);
        let is_unknown = match claimed {
            0 => !is_complete,
            claimed if claimed <= there => false,
            claimed => is_placeholder || self.end.abs_diff(self.length) <= SLACK && start.saturating_add(claimed) > self.end,
        };
        let promised = if is_unknown { there } else { claimed };
        Samples { start, length: there.min(promised), promised }
    }

    /// The chunk at a place, if one can be there.
    fn at(&mut self, place: u64) -> io::Result<Option<Chunk>> {
        let header = self.read(place, HEADER)?;
        let Ok([name @ .., a, b, c, d]) = <[u8; 8]>::try_from(header) else { return Ok(None) };
        let chunk = Chunk { name, start: place + HEADER, size: self.order.size([a, b, c, d]) };
        let is_named = name.iter().all(|letter| (b' '..=b'~').contains(letter));
        Ok((KNOWN.contains(&name) || is_named && chunk.end() <= self.length).then_some(chunk))
    }

    /// Where the chunk behind one begins.
    fn behind(&mut self, chunk: &Chunk) -> io::Result<u64> {
        let end = chunk.end();
        let padded = end + u64::from(chunk.size % 2);
        let is_known = |chunk: &Option<Chunk>| chunk.is_some_and(|chunk| KNOWN.contains(&chunk.name));
        if end >= self.length || padded != end && is_known(&self.at(end)?) {
            return Ok(end);
        }
        if self.at(padded)?.is_some() {
            return Ok(padded);
        }
        for place in end.saturating_sub(AROUND).max(chunk.start)..=end + AROUND {
            if is_known(&self.at(place)?) {
                return Ok(place);
            }
        }
        Ok(padded)
    }

    /// The bytes from a place on, `most` or those up to the file's end.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn read(&mut self, place: u64, most: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if place < self.length {
            self.file.seek(SeekFrom::Start(place))?;
            self.file.by_ref().take(most.min(self.length - place)).read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    }
}
