//! Features of one utterance that another program computed: a matrix `[frames, columns]` as NumPy's `.npy` (float16, float32 or float64)
//! or as a safetensors file (F16 or F32), whose only tensor it is, or the one called `features`.
//!
//! The format of NumPy: `\x93NUMPY`, a version, the header's length, a header that is a Python dictionary of type, order and shape, then
//! the elements. Read here, since its libraries bring a parser of Python's literals for these three.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::store::{Store, StoreError};
use crate::base::foreign::Foreign;
use crate::base::half::half_to_single;
use crate::base::input;
use crate::base::remedy::{Remedied, Remedy};

/// A matrix `[rows, columns]` of finite numbers, with at least one.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureMatrix {
    /// Features of a frame.
    pub columns: usize,
    /// Row by row.
    pub values: Vec<f32>,
}

/// Why a file holds no features.
#[derive(Debug, Error)]
pub enum MatrixFileError {
    /// A file that cannot be opened or read.
    #[error("{}: cannot be read ({source})", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A safetensors file without the matrix.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A safetensors file of several tensors, none of them `features`.
    #[error("{}: holds {tensors} tensors, and none is called 'features'", path.display())]
    WhichTensor {
        /// The file.
        path: PathBuf,
        /// How many.
        tensors: usize,
    },
    /// A NumPy file that was cut off, or whose header is none of NumPy's.
    #[error("{}: is not a whole NumPy file ({reason})", path.display())]
    NotNumpy {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Elements that are no floating-point numbers of this machine's order.
    #[error("{}: holds elements of type '{found}', not little-endian float16, float32 or float64", path.display())]
    Elements {
        /// The file.
        path: PathBuf,
        /// As NumPy names it.
        found: String,
    },
    /// A matrix column by column.
    #[error("{}: holds its matrix column by column (Fortran's order)", path.display())]
    ByColumns {
        /// The file.
        path: PathBuf,
    },
    /// An array that is no matrix, or one without an element.
    #[error("{}: has the shape ({shape}), not (frames, columns) with one of each or more", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// Its dimensions between commas.
        shape: String,
    },
    /// An array that is not one row, or one without an element.
    #[error("{}: has the shape ({shape}), not (columns) or (1, columns) with one or more", path.display())]
    NoVector {
        /// The file.
        path: PathBuf,
        /// Its dimensions between commas.
        shape: String,
    },
    /// A number that nothing can be computed with.
    #[error("{}: row {row}, column {column} is {value}", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// Counted from 0.
        row: usize,
        /// Counted from 0.
        column: usize,
        /// NaN or infinite.
        value: f32,
    },
    /// Features of another kind than those before.
    #[error("{}: has {found} columns, not {expected}", path.display())]
    Columns {
        /// The file.
        path: PathBuf,
        /// Its own.
        found: usize,
        /// Those that are asked for.
        expected: usize,
    },
}

impl Remedied for MatrixFileError {
    fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::Read { source, .. } => vec![input::remedy(source)],
            Self::Store(error) => error.remedies(),
            Self::WhichTensor { .. } => vec![Remedy::advice("call the matrix 'features'")],
            Self::NotNumpy { .. } => vec![Remedy::advice("write it again with numpy.save")],
            Self::Elements { .. } => vec![Remedy::advice("save it as x.astype('<f4')")],
            Self::ByColumns { .. } => vec![Remedy::advice("save it as numpy.ascontiguousarray(x)")],
            // Of more than two dimensions, one at least may be of one.
            Self::Shape { shape, .. } if shape.matches(", ").count() > 1 => {
                vec![Remedy::advice("save one matrix an utterance, a row a frame (numpy.squeeze)")]
            }
            Self::Shape { .. } => vec![Remedy::advice("save one matrix an utterance, a row a frame")],
            Self::NoVector { .. } => vec![Remedy::advice("save one vector an utterance")],
            Self::NotFinite { .. } => vec![Remedy::advice("compute the features again")],
            Self::Columns { .. } => vec![Remedy::advice("give all utterances features of one kind")],
        }
    }
}

impl FeatureMatrix {
    /// Reads a file, whose format its first bytes tell.
    ///
    /// # Errors
    /// [`MatrixFileError`].
    pub fn read(path: &Path) -> Result<Self, MatrixFileError> {
        Self::read_in(path, Form::Frames)
    }

    fn read_in(path: &Path, form: Form) -> Result<Self, MatrixFileError> {
        let bytes = input::bytes(path).map_err(|source| MatrixFileError::Read { path: path.into(), source })?;
        let matrix = match bytes.strip_prefix(MAGIC) {
            Some(rest) => numpy(path, rest, form)?,
            None => match not_safetensors(&bytes) {
                Some(found) => return Err(MatrixFileError::NotNumpy { path: path.into(), reason: found }),
                None => safetensors(path, form)?,
            },
        };
        match matrix.values.iter().position(|value| !value.is_finite()) {
            None => Ok(matrix),
            Some(place) => Err(MatrixFileError::NotFinite {
                path: path.into(),
                row: place / matrix.columns,
                column: place % matrix.columns,
                value: matrix.values[place],
            }),
        }
    }

    /// As [`FeatureMatrix::read`] of one row, which may be an array of one dimension as well.
    ///
    /// # Errors
    /// [`MatrixFileError`].
    pub fn read_vector(path: &Path) -> Result<Self, MatrixFileError> {
        Self::read_in(path, Form::Vector)
    }

    /// As [`FeatureMatrix::read_vector`], of so many columns.
    ///
    /// # Errors
    /// [`MatrixFileError`].
    pub fn read_vector_of(path: &Path, columns: usize) -> Result<Self, MatrixFileError> {
        Self::read_vector(path)?.of_columns(path, columns)
    }

    /// As [`FeatureMatrix::read`], of so many columns.
    ///
    /// # Errors
    /// [`MatrixFileError`].
    pub fn read_of(path: &Path, columns: usize) -> Result<Self, MatrixFileError> {
        Self::read(path)?.of_columns(path, columns)
    }

    fn of_columns(self, path: &Path, expected: usize) -> Result<Self, MatrixFileError> {
        let found = self.columns;
        if found == expected { Ok(self) } else { Err(MatrixFileError::Columns { path: path.into(), found, expected }) }
    }

    /// How many frames it has.
    pub fn rows(&self) -> usize {
        self.values.len() / self.columns
    }
}

/// What a file is to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A row a frame.
    Frames,
    /// One row.
    Vector,
}

/// What a NumPy file begins with.
const MAGIC: &[u8] = b"\x93NUMPY";
/// The tensor that is read of several.
const TENSOR: &str = "features";

/// What a file is that no safetensors file begins like; `None` where [`Store`] says it, or reads it.
fn not_safetensors(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [b'P', b'K', 3, 4, ..] => Some("it is an archive, as numpy.savez makes it, not one array"),
        // Behind eight bytes of length the header opens.
        [_, _, _, _, _, _, _, _, b'{', ..] => None,
        _ if bytes.len() <= 8 || Foreign::of(bytes).is_some() => None,
        _ => Some("nor a safetensors file"),
    }
}

fn safetensors(path: &Path, form: Form) -> Result<FeatureMatrix, MatrixFileError> {
    let store = Store::open(path)?;
    let names = store.names();
    let name = match &names[..] {
        [only] => only.as_str(),
        _ if store.contains(TENSOR) => TENSOR,
        _ => return Err(MatrixFileError::WhichTensor { path: path.into(), tensors: names.len() }),
    };
    let tensor = store.tensor(name)?;
    let columns = columns_of(path, tensor.shape, form)?;
    Ok(FeatureMatrix { columns, values: tensor.floats()? })
}

/// Columns of what has the form and an element.
fn columns_of(path: &Path, shape: &[usize], form: Form) -> Result<usize, MatrixFileError> {
    match (form, shape) {
        (Form::Frames, &[rows, columns]) if rows > 0 && columns > 0 => Ok(columns),
        (Form::Vector, &[columns] | &[1, columns]) if columns > 0 => Ok(columns),
        _ => {
            let shape = shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
            let path = path.into();
            Err(if form == Form::Frames { MatrixFileError::Shape { path, shape } } else { MatrixFileError::NoVector { path, shape } })
        }
    }
}

/// What follows the magic bytes.
fn numpy(path: &Path, rest: &[u8], form: Form) -> Result<FeatureMatrix, MatrixFileError> {
    let refused = |reason| MatrixFileError::NotNumpy { path: path.into(), reason };
    let (length, rest) = match rest {
        [1, _, low, high, rest @ ..] => (usize::from(u16::from_le_bytes([*low, *high])), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
        _ => return Err(refused("its version is unknown")),
    };
    let (header, elements) = rest.split_at_checked(length).ok_or_else(|| refused("its header is cut off"))?;
    let header = std::str::from_utf8(header).map_err(|_| refused("its header is no text"))?;
    let entry = |key| entry(header, key).ok_or_else(|| refused("its header lacks type, order or shape"));
    let descr = entry("descr")?;
    let kind = descr.strip_prefix('\'').and_then(|rest| rest.split_once('\'')).map_or(descr, |(kind, _)| kind);
    let shape = entry("shape")?.strip_prefix('(').and_then(|rest| rest.split_once(')')).map(|(shape, _)| shape);
    let dimensions = shape.and_then(|shape| {
        shape.split(',').map(str::trim).filter(|size| !size.is_empty()).map(|size| size.parse().ok()).collect::<Option<Vec<usize>>>()
    });
    let dimensions = dimensions.ok_or_else(|| refused("its header has no shape"))?;
    let columns = columns_of(path, &dimensions, form)?;
    if !entry("fortran_order")?.starts_with("False") {
        return Err(MatrixFileError::ByColumns { path: path.into() });
    }
    let values: Vec<f32> = match kind {
        "<f2" => whole(elements).map(|all| all.iter().map(|&bytes| half_to_single(u16::from_le_bytes(bytes))).collect()),
        "<f4" => whole(elements).map(|all| all.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()),
        "<f8" => whole(elements).map(|all| all.iter().map(|&bytes| f64::from_le_bytes(bytes) as f32).collect()),
        other => return Err(MatrixFileError::Elements { path: path.into(), found: other.chars().take(40).collect() }),
    }
    .ok_or_else(|| refused("an element is cut off"))?;
    if dimensions.iter().try_fold(1, |all: usize, &size| all.checked_mul(size)) != Some(values.len()) {
        return Err(refused("it has more or fewer elements than its shape says"));
    }
    Ok(FeatureMatrix { columns, values })
}

/// Elements of N bytes, if there are no others.
fn whole<const N: usize>(bytes: &[u8]) -> Option<&[[u8; N]]> {
    let (all, rest) = bytes.as_chunks();
    rest.is_empty().then_some(all)
}

/// What stands behind a key of a dictionary.
fn entry<'h>(header: &'h str, key: &str) -> Option<&'h str> {
    let (_, rest) = header.split_once(&format!("'{key}'"))?;
    Some(rest.trim_start().strip_prefix(':')?.trim_start())
}
