//! Safetensors files: a deterministic writer and a reader whose errors name the file, the tensor and the remedy.
//!
//! The format: the header's length as u64, a JSON header (for each tensor its type, shape and byte range, and strings
//! under `__metadata__`), then the tensors without gaps. The writer of the `safetensors` crate takes its metadata from a
//! hash map, so equal content gives unequal files; this one sorts.

mod error;
mod write;

use std::path::Path;
use std::sync::Arc;

pub use error::StoreError;
pub use safetensors::Dtype;
use safetensors::tensor::{Metadata, SafeTensorError};
pub(super) use write::halves;
pub(crate) use write::write_if;
pub use write::{Content, Tensor, write};

use super::features::{FeatureRows, FeatureType};
use super::tensor_file::{FileValues, TensorFile};
use crate::base::foreign::Foreign;
use crate::base::half::half_to_single;
use crate::base::hash::fnv1a;

/// The format is little-endian, and tensors are copied to it as they lie in memory.
const _: () = assert!(cfg!(target_endian = "little"));

/// Size of the header's length, in bytes.
const LENGTH_BYTES: usize = 8;

/// No header is longer, in bytes: the limit of the `safetensors` crate.
pub(crate) const LONGEST_HEADER: u64 = 100_000_000;

/// Bytes that tell what stands in a file's place.
const HEAD: u64 = 1024;

/// A safetensors file; only what is asked for is read.
#[derive(Debug)]
pub struct Store {
    file: Arc<TensorFile>,
    data_start: u64,
    header: Metadata,
    /// Of the header's bytes.
    header_hash: u64,
}

impl Store {
    /// Opens the file and checks that its header describes all of it.
    ///
    /// # Errors
    /// [`StoreError::Read`], [`StoreError::Foreign`] or [`StoreError::NotSafetensors`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::of(TensorFile::open(path)?)
    }

    /// The same of bytes that are held; `path` is what errors name.
    ///
    /// # Errors
    /// [`StoreError::Foreign`] or [`StoreError::NotSafetensors`].
    pub fn held(bytes: Vec<u8>, path: &Path) -> Result<Self, StoreError> {
        Self::of(TensorFile::held(bytes, path))
    }

    fn of(file: TensorFile) -> Result<Self, StoreError> {
        let path = file.path().to_path_buf();
        let refused = |error: SafeTensorError| StoreError::NotSafetensors { path: path.clone(), reason: error.to_string() };
        let room = file.length().checked_sub(LENGTH_BYTES as u64).ok_or_else(|| refused(SafeTensorError::HeaderTooSmall))?;
        let mut length = [0; LENGTH_BYTES];
        file.read(0, &mut length)?;
        let length = u64::from_le_bytes(length);
        if length > LONGEST_HEADER {
            // Eight letters are such a number.
            let mut head = vec![0; file.length().min(HEAD) as usize];
            file.read(0, &mut head)?;
            if let Some(what) = Foreign::of(&head) {
                return Err(StoreError::Foreign { path, what });
            }
            return Err(refused(SafeTensorError::HeaderTooLarge));
        }
        let data = room.checked_sub(length).ok_or_else(|| refused(SafeTensorError::InvalidHeaderLength))?;
        let mut header = vec![0; length as usize];
        file.read(LENGTH_BYTES as u64, &mut header)?;
        let header_hash = fnv1a(&header);
        let header: Metadata =
            serde_json::from_slice(&header).map_err(|error| refused(SafeTensorError::InvalidHeaderDeserialization(error)))?;
        if header.data_len() as u64 != data {
            return Err(refused(SafeTensorError::MetadataIncompleteBuffer));
        }
        Ok(Self { file: Arc::new(file), data_start: LENGTH_BYTES as u64 + length, header, header_hash })
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Its size in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.file.length()
    }

    /// Of the header, bytes and all: of the metadata, and of what tensors there are.
    pub(crate) fn header_hash(&self) -> u64 {
        self.header_hash
    }

    /// The metadata string under `key`, if there is one.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.header.metadata().as_ref()?.get(key).map(String::as_str)
    }

    /// Names of all tensors, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names = self.header.offset_keys();
        names.sort();
        names
    }

    /// Whether there is a tensor of that name.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.header.info(name).is_some()
    }

    /// The tensor of that name.
    ///
    /// # Errors
    /// [`StoreError::MissingTensor`].
    pub fn tensor(&self, name: &str) -> Result<View<'_>, StoreError> {
        let info = self.header.info(name).ok_or_else(|| StoreError::MissingTensor {
            path: self.path().to_path_buf(),
            tensor: name.into(),
            found: some_of(&self.names()),
        })?;
        let (start, end) = info.data_offsets;
        let start = self.data_start + start as u64;
        Ok(View { file: &self.file, name: name.into(), dtype: info.dtype, shape: &info.shape, start, length: end - info.data_offsets.0 })
    }
}

/// Names that are shown of many.
const SHOWN_NAMES: usize = 40;

/// The first of some names, and how many more there are.
fn some_of(names: &[String]) -> String {
    let shown = names[..names.len().min(SHOWN_NAMES)].join(", ");
    match names.len().saturating_sub(SHOWN_NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// A tensor of a [`Store`].
#[derive(Debug, Clone)]
pub struct View<'a> {
    file: &'a Arc<TensorFile>,
    name: String,
    /// Type of its elements.
    pub dtype: Dtype,
    /// Its dimensions, the outermost first.
    pub shape: &'a [usize],
    /// Where in the file its elements begin, and how many bytes they are.
    start: u64,
    length: usize,
}

impl View<'_> {
    /// Its elements: row-major, little-endian.
    ///
    /// # Errors
    /// [`StoreError::Read`] or [`StoreError::Changed`].
    pub fn bytes(&self) -> Result<Vec<u8>, StoreError> {
        let mut bytes = vec![0; self.length];
        self.file.read(self.start, &mut bytes)?;
        Ok(bytes)
    }

    /// The elements of an F32 tensor.
    fn singles(&self) -> FileValues {
        FileValues::new(self.file, self.start, self.length / size_of::<f32>(), FeatureType::F32)
    }

    /// The shape, of N dimensions.
    ///
    /// # Errors
    /// [`StoreError::WrongShape`] where there are more or fewer.
    pub(crate) fn dimensions<const N: usize>(&self) -> Result<[usize; N], StoreError> {
        <[usize; N]>::try_from(self.shape).map_err(|_| self.wrong_shape(format!("{N} dimensions")))
    }

    /// The tensor itself, of exactly this shape.
    ///
    /// # Errors
    /// [`StoreError::WrongShape`].
    pub fn shaped(self, shape: &[usize]) -> Result<Self, StoreError> {
        if self.shape == shape { Ok(self) } else { Err(self.wrong_shape(format!("{shape:?}"))) }
    }

    /// The values of an F32 or F16 tensor.
    ///
    /// # Errors
    /// [`StoreError::WrongType`], and those of [`View::bytes`].
    pub fn floats(&self) -> Result<Vec<f32>, StoreError> {
        match self.dtype {
            Dtype::F32 => self.singles().read(0..self.length / size_of::<f32>()),
            Dtype::F16 => Ok(self.bytes()?.as_chunks().0.iter().map(|&bytes| half_to_single(u16::from_le_bytes(bytes))).collect()),
            _ => Err(self.wrong_type("F32 or F16")),
        }
    }

    /// The values of an F32 or F16 tensor that are to be computed with.
    ///
    /// # Errors
    /// [`StoreError::WrongType`]; [`StoreError::NotFinite`].
    pub(crate) fn finite_floats(&self) -> Result<Vec<f32>, StoreError> {
        let values = self.floats()?;
        match values.iter().position(|value| !value.is_finite()) {
            Some(element) => {
                let (path, tensor) = (self.file.path().to_path_buf(), self.name.clone());
                Err(StoreError::NotFinite { path, tensor, element, value: values[element] })
            }
            None => Ok(values),
        }
    }

    /// The values of an F32 or F16 tensor, which stay in the file.
    ///
    /// # Errors
    /// [`StoreError::WrongType`].
    pub(crate) fn into_rows(self) -> Result<FeatureRows, StoreError> {
        match self.dtype {
            Dtype::F32 => Ok(self.singles().into()),
            Dtype::F16 => Ok(FileValues::new(self.file, self.start, self.length / size_of::<u16>(), FeatureType::F16).into()),
            _ => Err(self.wrong_type("F32 or F16")),
        }
    }

    /// The values of an I32 or I64 tensor: programs differ in which they write.
    ///
    /// # Errors
    /// [`StoreError::WrongType`], and those of [`View::bytes`].
    pub fn integers(&self) -> Result<Vec<i64>, StoreError> {
        match self.dtype {
            Dtype::I32 => Ok(self.bytes()?.as_chunks().0.iter().map(|&bytes| i32::from_le_bytes(bytes).into()).collect()),
            Dtype::I64 => Ok(self.bytes()?.as_chunks().0.iter().map(|&bytes| i64::from_le_bytes(bytes)).collect()),
            _ => Err(self.wrong_type("I32 or I64")),
        }
    }

    /// Elements of F64 or F32.
    ///
    /// # Errors
    /// [`StoreError::WrongType`], and those of [`View::bytes`].
    pub fn doubles(&self) -> Result<Vec<f64>, StoreError> {
        match self.dtype {
            Dtype::F64 => Ok(self.bytes()?.as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect()),
            Dtype::F32 => Ok(self.bytes()?.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes).into()).collect()),
            _ => Err(self.wrong_type("F64 or F32")),
        }
    }

    fn wrong_type(&self, expected: &'static str) -> StoreError {
        StoreError::WrongType { path: self.file.path().to_path_buf(), tensor: self.name.clone(), found: self.dtype, expected }
    }

    fn wrong_shape(&self, expected: String) -> StoreError {
        StoreError::WrongShape { path: self.file.path().to_path_buf(), tensor: self.name.clone(), found: self.shape.to_vec(), expected }
    }
}
