//! The acoustic features of a data set, which may be larger than memory: values that are held, or a file's, mapped.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::{Deref, Range};
use std::path::Path;
use std::sync::Arc;

use memmap2::Mmap;

/// `[frames · coefficients]`: features, row by row; copies share them.
#[derive(Debug, Clone)]
pub struct FeatureRows(Source);

#[derive(Debug, Clone)]
enum Source {
    Held(Arc<Vec<f32>>),
    /// These bytes of the file, which are aligned numbers of the machine's own kind.
    Mapped(Arc<Mmap>, Range<usize>),
}

impl FeatureRows {
    /// The bytes `range` of a mapped file, where they can be read in place; else `None`.
    pub(super) fn mapped(map: &Arc<Mmap>, range: Range<usize>) -> Option<Self> {
        bytemuck::try_cast_slice::<u8, f32>(&map[range.clone()]).ok()?;
        Some(Self(Source::Mapped(Arc::clone(map), range)))
    }
}

impl Deref for FeatureRows {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &self.0 {
            Source::Held(values) => values,
            Source::Mapped(map, range) => bytemuck::cast_slice(&map[range.clone()]),
        }
    }
}

impl From<Vec<f32>> for FeatureRows {
    fn from(values: Vec<f32>) -> Self {
        Self(Source::Held(Arc::new(values)))
    }
}

impl Default for FeatureRows {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl PartialEq for FeatureRows {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

/// Features on their way to a file: they lie in an unnamed file, which is gone however the program ends.
pub struct Spool {
    file: BufWriter<File>,
    values: usize,
}

impl Spool {
    /// In the folder that `path`, the file to be made, will lie in: where there is no room for one, it shows early.
    ///
    /// # Errors
    /// What the file system says.
    pub fn beside(path: &Path) -> io::Result<Self> {
        let file = tempfile::tempfile_in(super::replace::folder_of(path))?;
        Ok(Self { file: BufWriter::with_capacity(1 << 20, file), values: 0 })
    }

    /// Adds rows of features.
    ///
    /// # Errors
    /// What the file system says, a full disk above all.
    pub fn push(&mut self, values: &[f32]) -> io::Result<()> {
        self.values += values.len();
        self.file.write_all(bytemuck::cast_slice(values))
    }

    /// How many numbers there are.
    pub fn values(&self) -> usize {
        self.values
    }

    pub(super) fn into_file(self) -> io::Result<File> {
        self.file.into_inner().map_err(|error| error.into_error())
    }
}
