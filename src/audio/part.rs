//! A part of a file, behind a header that was made anew: what a decoder reads instead of a file whose own header may be off.

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use crate::base::files::File;

/// A header and the bytes `start..start + length` of a file, as one stream.
pub(super) struct Part {
    header: Cursor<Vec<u8>>,
    file: File,
    start: u64,
    length: u64,
    /// Place in the stream.
    at: u64,
}

impl Part {
    /// The bytes from `start` to `end` of a file behind `header`.
    pub(super) fn new(header: Vec<u8>, file: File, start: u64, end: u64) -> Self {
        Self { header: Cursor::new(header), file, start, length: end.saturating_sub(start), at: 0 }
    }

    /// Bytes of the whole stream.
    pub(super) fn length(&self) -> u64 {
        self.header.get_ref().len() as u64 + self.length
    }
}

impl Read for Part {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let header = self.header.get_ref().len() as u64;
        let read = if self.at < header {
            self.header.set_position(self.at);
            self.header.read(bytes)?
        } else {
            let place = self.at - header;
            let left = usize::try_from(self.length.saturating_sub(place)).unwrap_or(usize::MAX).min(bytes.len());
            self.file.seek(SeekFrom::Start(self.start + place))?;
            self.file.read(&mut bytes[..left])?
        };
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Part {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(offset) => self.length().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        self.at = place.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(feature = "codecs")]
impl symphonia::core::io::MediaSource for Part {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.length())
    }
}
