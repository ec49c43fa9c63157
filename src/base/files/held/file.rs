//! Open files.

use std::fs::TryLockError;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::tree::{Content, Entry, Metadata, at, check_folder_of, entries, exists, named};

/// An open file.
#[derive(Debug)]
pub struct File {
    content: Content,
    /// Place in it, which copies of the handle share.
    place: Arc<AtomicU64>,
    appends: bool,
}

impl File {
    fn new(content: Content, appends: bool) -> Self {
        Self { content, place: Arc::default(), appends }
    }

    /// A file without a name, for as long as it is open.
    pub fn unnamed() -> Self {
        Self::new(Content::default(), false)
    }

    /// Opens a file to be read.
    ///
    /// # Errors
    /// There is none, or it is a folder.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        OpenOptions::new().read(true).open(path)
    }

    /// Makes a file where there is nothing.
    ///
    /// # Errors
    /// There is something, or no folder for it.
    pub fn create_new(path: impl AsRef<Path>) -> io::Result<Self> {
        if exists(path.as_ref()) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        OpenOptions::new().write(true).create(true).open(path)
    }

    /// How a file is to be opened.
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// The file's length.
    ///
    /// # Errors
    /// None here.
    pub fn metadata(&self) -> io::Result<Metadata> {
        Ok(Metadata::of_file(&self.content))
    }

    /// The same file, and place in it.
    ///
    /// # Errors
    /// None here.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { content: self.content.clone(), place: Arc::clone(&self.place), appends: self.appends })
    }

    /// All is where it will stay.
    ///
    /// # Errors
    /// None here.
    pub fn sync_all(&self) -> io::Result<()> {
        Ok(())
    }

    /// There is no other process that could have locked it.
    ///
    /// # Errors
    /// None here.
    pub fn try_lock(&self) -> Result<(), TryLockError> {
        Ok(())
    }

    /// As [`File::try_lock`].
    ///
    /// # Errors
    /// None here.
    pub fn lock(&self) -> io::Result<()> {
        Ok(())
    }

    /// Fills `buffer` with the bytes from `start` on.
    ///
    /// # Errors
    /// [`ErrorKind::UnexpectedEof`] where there are fewer.
    pub fn read_exact_at(&self, buffer: &mut [u8], start: u64) -> io::Result<()> {
        let bytes = self.content.bytes();
        let from = usize::try_from(start).ok().and_then(|start| bytes.get(start..)).unwrap_or_default();
        buffer.copy_from_slice(from.get(..buffer.len()).ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    /// Gives the file a name, in place of a file that has it.
    ///
    /// # Errors
    /// No folder for it, or a folder in its place.
    pub fn name(&self, path: &Path) -> io::Result<()> {
        check_folder_of(path)?;
        if let Ok(Entry::Folder) = at(path) {
            return Err(ErrorKind::IsADirectory.into());
        }
        entries().insert(named(path), Entry::File(self.content.clone()));
        Ok(())
    }
}

impl Read for &File {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.content.bytes();
        let place = self.place.load(Ordering::Relaxed);
        let left = usize::try_from(place).ok().and_then(|place| bytes.get(place..)).unwrap_or_default();
        let count = left.len().min(buffer.len());
        buffer[..count].copy_from_slice(&left[..count]);
        self.place.store(place + count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

impl Write for &File {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        let mut bytes = self.content.bytes();
        let place = if self.appends { bytes.len() as u64 } else { self.place.load(Ordering::Relaxed) };
        let start = usize::try_from(place).map_err(|_| ErrorKind::FileTooLarge)?;
        let end = start.checked_add(more.len()).ok_or(ErrorKind::FileTooLarge)?;
        if bytes.len() < end {
            let longer = end - bytes.len();
            bytes.try_reserve(longer).map_err(|_| ErrorKind::StorageFull)?;
            bytes.resize(end, 0);
        }
        bytes[start..end].copy_from_slice(more);
        self.place.store(end as u64, Ordering::Relaxed);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for &File {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(offset) => (self.content.bytes().len() as u64).checked_add_signed(offset),
            SeekFrom::Current(offset) => self.place.load(Ordering::Relaxed).checked_add_signed(offset),
        };
        let place = place.ok_or(ErrorKind::InvalidInput)?;
        self.place.store(place, Ordering::Relaxed);
        Ok(place)
    }
}

impl Read for File {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }
}

impl Write for File {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        (&*self).write(more)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for File {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        (&*self).seek(to)
    }
}

/// How a file is to be opened.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    appends: bool,
    creates: bool,
    truncates: bool,
}

impl OpenOptions {
    /// To be read, and to be written where it lies.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every file may be read.
    pub fn read(&mut self, _: bool) -> &mut Self {
        self
    }

    /// Every file may be written.
    pub fn write(&mut self, _: bool) -> &mut Self {
        self
    }

    /// What is written goes to its end.
    pub fn append(&mut self, appends: bool) -> &mut Self {
        self.appends = appends;
        self
    }

    /// A file that is missing is made.
    pub fn create(&mut self, creates: bool) -> &mut Self {
        self.creates = creates;
        self
    }

    /// What it held before is forgotten.
    pub fn truncate(&mut self, truncates: bool) -> &mut Self {
        self.truncates = truncates;
        self
    }

    /// Opens the file.
    ///
    /// # Errors
    /// There is none, or it is a folder.
    pub fn open(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let path = path.as_ref();
        let content = match at(path) {
            Ok(Entry::File(content)) => content,
            Ok(Entry::Folder) => return Err(ErrorKind::IsADirectory.into()),
            Err(_) if self.creates => {
                let file = File::unnamed();
                file.name(path)?;
                file.content
            }
            Err(error) => return Err(error),
        };
        if self.truncates {
            content.bytes().clear();
        }
        Ok(File::new(content, self.appends))
    }
}
