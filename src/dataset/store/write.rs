//! The writer, whose files are equal where their content is.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorInfo;

use super::{LENGTH_BYTES, LONGEST_HEADER, StoreError};
use crate::base::files::File;
use crate::base::half::single_to_half;
use crate::dataset::features::{FeatureRows, FeatureType};
use crate::dataset::replace::replace_file_if;

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
    /// Values of a data set, which need not either, of the type that they have in theirs.
    Rows(&'a FeatureRows),
}

impl Content<'_> {
    fn length(&self) -> io::Result<usize> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.len()),
            Self::File(file) => Ok(file.metadata()?.len() as usize),
            Self::Rows(values) => Ok(values.len() * values.kind().bytes()),
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
                let (_, piece) = piece.map_err(io::Error::other)?;
                match values.kind() {
                    FeatureType::F32 => writer.write_all(bytemuck::cast_slice(&piece)),
                    FeatureType::F16 => writer.write_all(bytemuck::cast_slice(&halves(&piece))),
                }
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

/// Values in half precision.
pub(in crate::dataset) fn halves(values: &[f32]) -> Vec<u16> {
    values.iter().map(|&value| single_to_half(value)).collect()
}

/// Writes `tensors` and `metadata` to `path`, whole or not at all; equal content gives equal bytes.
///
/// # Errors
/// [`StoreError::Write`], also where a tensor's shape and bytes disagree; [`StoreError::LongHeader`].
pub fn write(path: &Path, metadata: &BTreeMap<String, String>, tensors: &[Tensor<'_>]) -> Result<(), StoreError> {
    write_if(path, metadata, tensors, || Ok(()))
}

/// The same, where `confirm` is asked at the end, and as it refuses nothing is written.
///
/// # Errors
/// Those of [`write`]; what `confirm` says is a [`StoreError::Write`].
pub(crate) fn write_if(
    path: &Path,
    metadata: &BTreeMap<String, String>,
    tensors: &[Tensor<'_>],
    confirm: impl FnOnce() -> io::Result<()>,
) -> Result<(), StoreError> {
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
    if header.len() as u64 > LONGEST_HEADER {
        return Err(StoreError::LongHeader { path: path.into() });
    }
    let content = |writer: &mut BufWriter<&File>| {
        writer.write_all(&(header.len() as u64).to_le_bytes())?;
        writer.write_all(&header)?;
        ordered.iter().try_for_each(|tensor| tensor.content.copy_to(writer))
    };
    replace_file_if(path, content, confirm).map_err(failed)
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
