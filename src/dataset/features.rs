//! The features of a data set, which may be larger than memory: values that are held, or a file's, read as they are asked for.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use super::error::DatasetError;
#[cfg(feature = "files")]
use super::tensor_file::FileValues;

/// Values of a file that are looked at together where all are, a megabyte.
const PIECE: usize = 1 << 18;

/// `[frames · coefficients]`: features, row by row; copies share them.
#[derive(Debug, Clone)]
pub struct FeatureRows(Source);

#[derive(Debug, Clone)]
enum Source {
    Held(Arc<Vec<f32>>),
    #[cfg(feature = "files")]
    InFile(FileValues),
}

impl FeatureRows {
    /// How many values there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            Source::Held(values) => values.len(),
            #[cfg(feature = "files")]
            Source::InFile(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values of a range.
    ///
    /// # Errors
    /// A file that cannot be read any more, or that was changed since it was opened.
    pub fn read(&self, range: Range<usize>) -> Result<Cow<'_, [f32]>, DatasetError> {
        match &self.0 {
            Source::Held(values) => Ok(Cow::Borrowed(&values[range])),
            #[cfg(feature = "files")]
            Source::InFile(values) => Ok(Cow::Owned(values.read(range)?)),
        }
    }

    /// All values in pieces, each with the place of its first.
    ///
    /// # Errors
    /// Those of [`FeatureRows::read`].
    pub(crate) fn pieces(&self) -> impl Iterator<Item = Result<(usize, Cow<'_, [f32]>), DatasetError>> {
        let count = self.len();
        (0..count).step_by(PIECE).map(move |start| Ok((start, self.read(start..count.min(start + PIECE))?)))
    }

    /// Place and value of the first that is NaN or infinite.
    ///
    /// # Errors
    /// Those of [`FeatureRows::read`].
    pub(super) fn first_not_finite(&self) -> Result<Option<(usize, f32)>, DatasetError> {
        for piece in self.pieces() {
            let (start, values) = piece?;
            if let Some(place) = values.iter().position(|value| !value.is_finite()) {
                return Ok(Some((start + place, values[place])));
            }
        }
        Ok(None)
    }
}

#[cfg(feature = "files")]
impl From<FileValues> for FeatureRows {
    fn from(values: FileValues) -> Self {
        Self(Source::InFile(values))
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

/// Values that cannot be read are equal to none.
impl PartialEq for FeatureRows {
    fn eq(&self, other: &Self) -> bool {
        let mut pairs = self.pieces().zip(other.pieces());
        self.len() == other.len() && pairs.all(|pair| matches!(pair, (Ok((_, a)), Ok((_, b))) if a == b))
    }
}
