//! A file of tensors that stays open while parts of it are read. It is not mapped into memory: a program that shortens a mapped
//! file ends those that read it by a signal, here it is an error; and so is a file that was changed, whose parts would be of two
//! data sets.

use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::features::FeatureType;
use super::store::StoreError;
use crate::base::files::File;
use crate::base::half::half_to_single;
use crate::base::input;

/// An open file, and what it was like when it was opened.
#[derive(Debug)]
pub(super) struct TensorFile {
    path: PathBuf,
    source: Source,
    /// In bytes.
    length: u64,
}

/// Where its bytes are.
#[derive(Debug)]
enum Source {
    File {
        file: File,
        /// `None` where the file system does not say.
        modified: Option<SystemTime>,
    },
    Held(Vec<u8>),
}

impl TensorFile {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let file = input::file(path).map_err(|source| StoreError::Read { path: path.to_path_buf(), source })?;
        Self::of(file, path)
    }

    /// Bytes that are held; `path` is what errors name.
    pub(super) fn held(bytes: Vec<u8>, path: &Path) -> Self {
        Self { path: path.to_path_buf(), length: bytes.len() as u64, source: Source::Held(bytes) }
    }

    /// A file that is open; `path` is what errors name.
    pub(super) fn of(file: File, path: &Path) -> Result<Self, StoreError> {
        let about = file.metadata().map_err(|source| StoreError::Read { path: path.to_path_buf(), source })?;
        let modified = about.modified().ok();
        Ok(Self { path: path.to_path_buf(), length: about.len(), source: Source::File { file, modified } })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Fills `buffer` with the bytes from `start` on.
    ///
    /// # Errors
    /// [`StoreError::Changed`], or [`StoreError::Read`] with what the system says.
    pub(super) fn read(&self, start: u64, buffer: &mut [u8]) -> Result<(), StoreError> {
        let failed = |source: io::Error| match source.kind() {
            ErrorKind::UnexpectedEof => StoreError::Changed { path: self.path.clone() },
            _ => StoreError::Read { path: self.path.clone(), source },
        };
        let (file, modified) = match &self.source {
            Source::File { file, modified } => (file, modified),
            Source::Held(bytes) => {
                let from = usize::try_from(start).ok().and_then(|start| bytes.get(start..)?.get(..buffer.len()));
                buffer.copy_from_slice(from.ok_or_else(|| failed(ErrorKind::UnexpectedEof.into()))?);
                return Ok(());
            }
        };
        read_at(file, start, buffer).map_err(failed)?;
        #[cfg(test)]
        READ.set(READ.get() + buffer.len() as u64);
        // Looked at behind the reading: what is changed later is later's.
        let about = file.metadata().map_err(failed)?;
        let is_same = about.len() == self.length && (modified.is_none() || about.modified().ok() == *modified);
        if is_same { Ok(()) } else { Err(StoreError::Changed { path: self.path.clone() }) }
    }
}

#[cfg(test)]
thread_local! {
    /// Bytes that this thread has read of files of tensors.
    pub(crate) static READ: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

#[cfg(unix)]
fn read_at(file: &File, start: u64, buffer: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, start)
}

#[cfg(windows)]
fn read_at(file: &File, mut start: u64, mut buffer: &mut [u8]) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, start) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                start += count as u64;
                buffer = &mut buffer[count..];
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(target_arch = "wasm32")]
fn read_at(file: &File, start: u64, buffer: &mut [u8]) -> io::Result<()> {
    file.read_exact_at(buffer, start)
}

/// Numbers that lie in a file, little-endian.
#[derive(Debug, Clone)]
pub(super) struct FileValues {
    file: Arc<TensorFile>,
    /// Their first byte.
    start: u64,
    count: usize,
    kind: FeatureType,
}

impl FileValues {
    pub(super) fn new(file: &Arc<TensorFile>, start: u64, count: usize, kind: FeatureType) -> Self {
        Self { file: Arc::clone(file), start, count, kind }
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    pub(super) fn kind(&self) -> FeatureType {
        self.kind
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// The values of a range.
    pub(super) fn read(&self, range: Range<usize>) -> Result<Vec<f32>, StoreError> {
        assert!(range.end <= self.count, "{range:?} of {} values", self.count);
        let start = self.start + (range.start * self.kind.bytes()) as u64;
        Ok(match self.kind {
            FeatureType::F32 => {
                let mut values = vec![0.0; range.len()];
                self.file.read(start, bytemuck::cast_slice_mut(&mut values))?;
                values
            }
            FeatureType::F16 => {
                let mut halves = vec![0_u16; range.len()];
                self.file.read(start, bytemuck::cast_slice_mut(&mut halves))?;
                halves.into_iter().map(half_to_single).collect()
            }
        })
    }
}
