//! A file that is read here and there, a block at a time.

use std::io::{self, Read, Seek, SeekFrom};

use crate::base::files::File;

/// Bytes that are held of a file at a time.
pub(super) const BLOCK: usize = 1 << 16;

/// The bytes of a file around where it is read.
pub(super) struct Window {
    file: File,
    /// Place behind the last byte that is given.
    pub(super) end: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    /// Over a file up to `end`.
    pub(super) fn new(file: File, end: u64) -> Self {
        Self { file, end, start: 0, bytes: Vec::new() }
    }

    /// `count` bytes from `at` on, or those up to the end.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn get(&mut self, at: u64, count: u64) -> io::Result<&[u8]> {
        let until = (at + count).min(self.end);
        if at < self.start || until > self.start + self.bytes.len() as u64 {
            self.bytes.clear();
            self.start = at;
            self.file.seek(SeekFrom::Start(at))?;
            let most = count.max(BLOCK as u64).min(self.end.saturating_sub(at));
            self.file.by_ref().take(most).read_to_end(&mut self.bytes)?;
        }
        let from = ((at - self.start) as usize).min(self.bytes.len());
        let to = ((until.max(at) - self.start) as usize).min(self.bytes.len());
        Ok(&self.bytes[from..to])
    }
}
