//! Features of a data set that is being made: too many to hold, they wait in a file until the rest is known.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

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
    pub(crate) fn values(&self) -> usize {
        self.values
    }

    pub(super) fn into_file(self) -> io::Result<File> {
        self.file.into_inner().map_err(|error| error.into_error())
    }
}
