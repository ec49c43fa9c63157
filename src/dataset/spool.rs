//! Features of a data set that is being made: too many to hold, they wait in a file until the rest is known.

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use super::features::FeatureRows;
use super::store::StoreError;
use super::tensor_file::{FileValues, TensorFile};
use crate::base::files::File;

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
        Self::within(super::replace::folder_of(path))
    }

    /// In a folder, for no longer than this program needs them.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn within(folder: &Path) -> io::Result<Self> {
        Ok(Self { file: BufWriter::with_capacity(1 << 20, super::replace::unnamed(folder)?), values: 0 })
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

    /// The rows, read from the file as they are needed; `path` is what errors name.
    ///
    /// # Errors
    /// [`StoreError`], a full disk above all.
    pub(crate) fn into_rows(self, path: &Path) -> Result<FeatureRows, StoreError> {
        let values = self.values;
        let file = self.into_file().map_err(|source| StoreError::Write { path: path.to_path_buf(), source })?;
        Ok(FileValues::new(&Arc::new(TensorFile::of(file, path)?), 0, values).into())
    }

    pub(super) fn into_file(self) -> io::Result<File> {
        self.file.into_inner().map_err(|error| error.into_error())
    }
}
