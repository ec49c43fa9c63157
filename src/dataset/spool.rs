//! Features of a data set that is being made: too many to hold, they wait in a file until the rest is known.

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use super::features::{FeatureRows, FeatureType};
use super::store::{StoreError, halves};
use super::tensor_file::{FileValues, TensorFile};
use crate::base::files::File;
use crate::base::half::single_to_half;

/// Features on their way to a file: they lie in an unnamed file, which is gone however the program ends.
pub struct Spool {
    file: BufWriter<File>,
    values: usize,
    kind: FeatureType,
    too_large: Option<(usize, f32)>,
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
        let file = BufWriter::with_capacity(1 << 20, super::replace::unnamed(folder)?);
        Ok(Self { file, values: 0, kind: FeatureType::F32, too_large: None })
    }

    /// The same for values that are to be of a type in the file; those that it cannot hold are refused when the data set is written.
    #[must_use]
    pub fn of(self, kind: FeatureType) -> Self {
        Self { kind, ..self }
    }

    /// Adds rows of features.
    ///
    /// # Errors
    /// What the file system says, a full disk above all.
    pub fn push(&mut self, values: &[f32]) -> io::Result<()> {
        let first = self.values;
        self.values += values.len();
        match self.kind {
            FeatureType::F32 => self.file.write_all(bytemuck::cast_slice(values)),
            FeatureType::F16 => {
                let overflows = |value: &f32| value.is_finite() && single_to_half(*value) & 0x7FFF == 0x7C00;
                if self.too_large.is_none() {
                    self.too_large = values.iter().position(overflows).map(|place| (first + place, values[place]));
                }
                self.file.write_all(bytemuck::cast_slice(&halves(values)))
            }
        }
    }

    /// How many numbers there are.
    pub(crate) fn values(&self) -> usize {
        self.values
    }

    /// Of which type they are.
    pub(super) fn kind(&self) -> FeatureType {
        self.kind
    }

    /// Place and value of the first that the type cannot hold.
    pub(super) fn too_large(&self) -> Option<(usize, f32)> {
        self.too_large
    }

    /// The rows, read from the file as they are needed; `path` is what errors name.
    ///
    /// # Errors
    /// [`StoreError`], a full disk above all.
    pub(crate) fn into_rows(self, path: &Path) -> Result<FeatureRows, StoreError> {
        let (values, kind) = (self.values, self.kind);
        let file = self.into_file().map_err(|source| StoreError::Write { path: path.to_path_buf(), source })?;
        Ok(FileValues::new(&Arc::new(TensorFile::of(file, path)?), 0, values, kind).into())
    }

    pub(super) fn into_file(self) -> io::Result<File> {
        self.file.into_inner().map_err(|error| error.into_error())
    }
}
