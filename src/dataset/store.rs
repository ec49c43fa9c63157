//! Safetensors files: a deterministic writer and a reader whose errors name the file, the tensor and the remedy.
//!
//! The format: the header's length as u64, a JSON header (for each tensor its type, shape and byte range, and strings
//! under `__metadata__`), then the tensors without gaps. The writer of the `safetensors` crate takes its metadata from a
//! hash map, so equal content gives unequal files; this one sorts.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use safetensors::Dtype;
use safetensors::tensor::{Metadata, SafeTensorError, TensorInfo};
use thiserror::Error;

use super::features::FeatureRows;
use super::replace::replace_file;
use super::tensor_file::{FileValues, TensorFile};
use crate::base::input;
use crate::base::remedy::{Remedied, Remedy};

/// The format is little-endian, and tensors are copied to it as they lie in memory.
const _: () = assert!(cfg!(target_endian = "little"));

/// Size of the header's length, in bytes.
const LENGTH_BYTES: usize = 8;

/// No header is longer, in bytes: the limit of the `safetensors` crate.
const LONGEST_HEADER: u64 = 100_000_000;

/// Why a safetensors file cannot be read or written.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A file that cannot be opened or read.
    #[error("{}: cannot be read ({source})", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file that cannot be written, or a tensor whose shape and bytes disagree.
    #[error("{}: cannot be written ({source})", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file that is not any more what it was when it was opened.
    #[error("{}: was changed or shortened while it was in use", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A file of another format, or one that was cut off.
    #[error("{}: is not a whole safetensors file ({reason})", path.display())]
    NotSafetensors {
        /// The file.
        path: PathBuf,
        /// What is wrong with its header.
        reason: String,
    },
    /// A tensor that is asked for and not there.
    #[error("{}: has no tensor '{tensor}' (found: {found})", path.display())]
    MissingTensor {
        /// The file.
        path: PathBuf,
        /// Its name.
        tensor: String,
        /// The names of those that are there.
        found: String,
    },
    /// A tensor of elements that cannot be taken for what is asked for.
    #[error("{}: tensor '{tensor}' is of type {found}, not {expected}", path.display())]
    WrongType {
        /// The file.
        path: PathBuf,
        /// Its name.
        tensor: String,
        /// Its elements' type.
        found: Dtype,
        /// The types that would do, in words.
        expected: &'static str,
    },
    /// A tensor with a number that nothing can be computed with.
    #[error("{}: tensor '{tensor}' holds {value} (element {element})", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// Its name.
        tensor: String,
        /// The first such element, row by row from 0.
        element: usize,
        /// NaN or infinite.
        value: f32,
    },
    /// A tensor of another shape than is asked for.
    #[error("{}: tensor '{tensor}' has the shape {found:?}, not {expected}", path.display())]
    WrongShape {
        /// The file.
        path: PathBuf,
        /// Its name.
        tensor: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape asked for, or its number of dimensions, in words.
        expected: String,
    },
}

impl Remedied for StoreError {
    fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::Read { source, .. } => vec![input::remedy(source)],
            Self::Changed { .. } => vec![Remedy::Restore, Remedy::StartAgain],
            Self::Write { .. } => vec![Remedy::CheckFolder],
            Self::NotSafetensors { .. } => vec![Remedy::advice("make it again")],
            Self::MissingTensor { .. } | Self::WrongShape { .. } => vec![Remedy::advice("check that this is the file that was meant")],
            Self::NotFinite { .. } => vec![Remedy::Restore, Remedy::TrainAgain],
            Self::WrongType { .. } => vec![Remedy::advice("convert it before it is saved")],
        }
    }
}

/// A tensor to be written.
#[derive(Debug, Clone)]
pub struct Tensor<'a> {
    /// Unique within the file.
    pub name: String,
    /// Type of its elements.
    pub dtype: Dtype,
    /// Its dimensions, the outermost first.
    pub shape: Vec<usize>,
    /// As many elements as the shape says.
    pub content: Content<'a>,
}

/// A tensor's elements: row-major, little-endian.
#[derive(Debug, Clone)]
pub enum Content<'a> {
    /// Held in memory.
    Bytes(&'a [u8]),
    /// All of a file, which need not fit into memory.
    File(&'a File),
    /// Values of a data set, which need not either.
    Rows(&'a FeatureRows),
}

impl Content<'_> {
    fn length(&self) -> io::Result<usize> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.len()),
            Self::File(file) => Ok(file.metadata()?.len() as usize),
            Self::Rows(values) => Ok(values.len() * size_of::<f32>()),
        }
    }

    fn copy_to(&self, writer: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Bytes(bytes) => writer.write_all(bytes),
            Self::File(file) => {
                let mut file: &File = file;
                file.seek(SeekFrom::Start(0))?;
                io::copy(&mut file, writer).map(|_| ())
            }
            Self::Rows(values) => values.pieces().try_for_each(|piece| {
                let (_, values) = piece.map_err(io::Error::other)?;
                writer.write_all(bytemuck::cast_slice(&values))
            }),
        }
    }
}

impl<'a> Tensor<'a> {
    /// An F32 tensor.
    pub fn f32(name: impl Into<String>, shape: &[usize], values: &'a [f32]) -> Self {
        Self { name: name.into(), dtype: Dtype::F32, shape: shape.to_vec(), content: Content::Bytes(bytemuck::cast_slice(values)) }
    }

    /// An I32 tensor.
    pub fn i32(name: impl Into<String>, shape: &[usize], values: &'a [i32]) -> Self {
        Self { name: name.into(), dtype: Dtype::I32, shape: shape.to_vec(), content: Content::Bytes(bytemuck::cast_slice(values)) }
    }

    /// An I64 tensor.
    pub fn i64(name: impl Into<String>, shape: &[usize], values: &'a [i64]) -> Self {
        Self { name: name.into(), dtype: Dtype::I64, shape: shape.to_vec(), content: Content::Bytes(bytemuck::cast_slice(values)) }
    }

    /// Size in bytes, by shape and type.
    fn size(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.bitsize() / 8
    }
}

/// Writes `tensors` and `metadata` to `path`, whole or not at all; equal content gives equal bytes.
///
/// # Errors
/// [`StoreError::Write`], also where a tensor's shape and bytes disagree.
pub fn write(path: &Path, metadata: &BTreeMap<String, String>, tensors: &[Tensor<'_>]) -> Result<(), StoreError> {
    let failed = |source| StoreError::Write { path: path.to_path_buf(), source };
    for tensor in tensors {
        let length = tensor.content.length().map_err(failed)?;
        if length != tensor.size() {
            let reason = format!("tensor '{}' has {length} bytes, which is not {:?} of {}", tensor.name, tensor.shape, tensor.dtype);
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, reason)));
        }
    }
    // Widest type first: without gaps, each then starts at a multiple of its element's size.
    let mut ordered: Vec<&Tensor<'_>> = tensors.iter().collect();
    ordered.sort_by(|a, b| b.dtype.cmp(&a.dtype).then_with(|| a.name.cmp(&b.name)));
    let header = header(metadata, &ordered).map_err(|error| failed(error.into()))?;
    replace_file(path, |writer| {
        writer.write_all(&(header.len() as u64).to_le_bytes())?;
        writer.write_all(&header)?;
        ordered.iter().try_for_each(|tensor| tensor.content.copy_to(writer))
    })
    .map_err(failed)
}

fn header(metadata: &BTreeMap<String, String>, ordered: &[&Tensor<'_>]) -> serde_json::Result<Vec<u8>> {
    let mut entries: BTreeMap<&str, serde_json::Value> = BTreeMap::new();
    if !metadata.is_empty() {
        entries.insert("__metadata__", serde_json::to_value(metadata)?);
    }
    let mut start = 0;
    for tensor in ordered {
        let end = start + tensor.size();
        let info = TensorInfo { dtype: tensor.dtype, shape: tensor.shape.clone(), data_offsets: (start, end) };
        entries.insert(&tensor.name, serde_json::to_value(info)?);
        start = end;
    }
    let mut header = serde_json::to_vec(&entries)?;
    header.resize(header.len().next_multiple_of(LENGTH_BYTES), b' ');
    Ok(header)
}

/// A safetensors file; only what is asked for is read.
#[derive(Debug)]
pub struct Store {
    file: Arc<TensorFile>,
    data_start: u64,
    header: Metadata,
}

impl Store {
    /// Opens the file and checks that its header describes all of it.
    ///
    /// # Errors
    /// [`StoreError::Read`] or [`StoreError::NotSafetensors`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let file = TensorFile::open(path)?;
        let refused = |error: SafeTensorError| StoreError::NotSafetensors { path: path.to_path_buf(), reason: error.to_string() };
        let room = file.length().checked_sub(LENGTH_BYTES as u64).ok_or_else(|| refused(SafeTensorError::HeaderTooSmall))?;
        let mut length = [0; LENGTH_BYTES];
        file.read(0, &mut length)?;
        let length = u64::from_le_bytes(length);
        if length > LONGEST_HEADER {
            return Err(refused(SafeTensorError::HeaderTooLarge));
        }
        let data = room.checked_sub(length).ok_or_else(|| refused(SafeTensorError::InvalidHeaderLength))?;
        let mut header = vec![0; length as usize];
        file.read(LENGTH_BYTES as u64, &mut header)?;
        let header: Metadata =
            serde_json::from_slice(&header).map_err(|error| refused(SafeTensorError::InvalidHeaderDeserialization(error)))?;
        if header.data_len() as u64 != data {
            return Err(refused(SafeTensorError::MetadataIncompleteBuffer));
        }
        Ok(Self { file: Arc::new(file), data_start: LENGTH_BYTES as u64 + length, header })
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        self.file.path()
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
        FileValues::new(self.file, self.start, self.length / size_of::<f32>())
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

    /// The values of an F32 or F16 tensor; those of an F32 tensor stay in the file.
    ///
    /// # Errors
    /// [`StoreError::WrongType`], and those of [`View::bytes`].
    pub(crate) fn into_rows(self) -> Result<FeatureRows, StoreError> {
        match self.dtype {
            Dtype::F32 => Ok(self.singles().into()),
            _ => Ok(self.floats()?.into()),
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

/// A half-precision number, exactly. Shifted into place, its exponent is short of single precision's by 112.
fn half_to_single(half: u16) -> f32 {
    let sign = u32::from(half & 0x8000) << 16;
    let magnitude = u32::from(half & 0x7FFF) << 13;
    let is_finite = half & 0x7C00 != 0x7C00;
    let value = if is_finite { f32::from_bits(magnitude) * 112f32.exp2() } else { f32::from_bits(magnitude | 0x7F80_0000) };
    f32::from_bits(value.to_bits() | sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_is_widened_exactly() {
        let cases = [(0x0000, 0.0), (0x3C00, 1.0), (0xC000, -2.0), (0x7BFF, 65504.0), (0x0001, 2f32.powi(-24)), (0x83FF, -6.097_555e-5)];
        for (half, single) in cases {
            assert_eq!(half_to_single(half), single, "{half:#06x}");
        }
        assert_eq!(half_to_single(0xFC00), f32::NEG_INFINITY);
        assert!(half_to_single(0x7E00).is_nan());
        assert!(half_to_single(0x8000).is_sign_negative());
    }
}
