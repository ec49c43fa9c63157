//! The features of a data set, which may be larger than memory: values that are held, or those of files, read as they are asked for.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::error::DatasetError;
#[cfg(feature = "files")]
use super::tensor_file::FileValues;
use crate::base::hash::more_words;

/// Values of a file that are looked at together where all are, a megabyte.
const PIECE: usize = 1 << 18;

/// Of which type features are in a file; they are computed with in single precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum FeatureType {
    /// Single precision
    #[default]
    F32,
    /// Half precision, half the space: a value is rounded by at most 1 part in 2048, and refused beyond 65504
    F16,
}

impl FeatureType {
    /// As the format names it.
    #[cfg(feature = "files")]
    pub(super) fn dtype(self) -> safetensors::Dtype {
        match self {
            Self::F32 => safetensors::Dtype::F32,
            Self::F16 => safetensors::Dtype::F16,
        }
    }

    /// Bytes of a value.
    #[cfg(feature = "files")]
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::F32 => size_of::<f32>(),
            Self::F16 => size_of::<u16>(),
        }
    }
}

/// `[frames · coefficients]`: features, row by row; copies share them.
#[derive(Debug, Clone)]
pub struct FeatureRows {
    source: Source,
    /// Once all were looked through.
    hash: OnceLock<u64>,
}

#[derive(Debug, Clone)]
enum Source {
    Held(Arc<Vec<f32>>),
    #[cfg(feature = "files")]
    InFile(FileValues),
    /// Others, one after the other, each with the place of its first value.
    Joined(Arc<[(usize, FeatureRows)]>),
}

impl FeatureRows {
    fn of(source: Source) -> Self {
        Self { source, hash: OnceLock::new() }
    }

    /// Of which type they are where they lie in files, all of them; what is held is of single precision.
    pub fn kind(&self) -> FeatureType {
        match &self.source {
            Source::Held(_) => FeatureType::F32,
            #[cfg(feature = "files")]
            Source::InFile(values) => values.kind(),
            Source::Joined(parts) => {
                let all = parts.iter().map(|(_, part)| part).filter(|part| !part.is_empty());
                if !self.is_empty() && all.map(Self::kind).all(|kind| kind == FeatureType::F16) {
                    FeatureType::F16
                } else {
                    FeatureType::F32
                }
            }
        }
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        match &self.source {
            Source::Held(values) => values.len(),
            #[cfg(feature = "files")]
            Source::InFile(values) => values.len(),
            Source::Joined(parts) => parts.last().map_or(0, |(start, part)| start + part.len()),
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
        match &self.source {
            Source::Held(values) => Ok(Cow::Borrowed(&values[range])),
            #[cfg(feature = "files")]
            Source::InFile(values) => Ok(Cow::Owned(values.read(range)?)),
            Source::Joined(parts) => {
                let mut values: Cow<'_, [f32]> = Cow::default();
                for (start, part) in parts.iter() {
                    let [from, to] = [range.start, range.end].map(|place| place.clamp(*start, start + part.len()) - start);
                    match part.read(from..to)? {
                        own if own.is_empty() => {}
                        own if values.is_empty() => values = own,
                        own => values.to_mut().extend_from_slice(&own),
                    }
                }
                Ok(values)
            }
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
        let mut hash = self.len() as u64;
        for piece in self.pieces() {
            let (start, values) = piece?;
            if let Some(place) = values.iter().position(|value| !value.is_finite()) {
                return Ok(Some((start + place, values[place])));
            }
            hash = more_words(hash, bytemuck::cast_slice(&values));
        }
        self.hash.get_or_init(|| hash);
        Ok(None)
    }

    /// As [`of_words`](crate::base::hash::of_words), which takes a pass over all values where none was made yet.
    ///
    /// # Errors
    /// Those of [`FeatureRows::read`].
    pub(super) fn hash(&self) -> Result<u64, DatasetError> {
        if let Some(&hash) = self.hash.get() {
            // It is of what was read: a file that was changed since says so.
            return self.read(0..0).map(|_| hash);
        }
        let mut hash = self.len() as u64;
        for piece in self.pieces() {
            hash = more_words(hash, bytemuck::cast_slice(&piece?.1));
        }
        Ok(*self.hash.get_or_init(|| hash))
    }
}

#[cfg(feature = "files")]
impl From<FileValues> for FeatureRows {
    fn from(values: FileValues) -> Self {
        Self::of(Source::InFile(values))
    }
}

impl From<Vec<f32>> for FeatureRows {
    fn from(values: Vec<f32>) -> Self {
        Self::of(Source::Held(Arc::new(values)))
    }
}

impl FromIterator<FeatureRows> for FeatureRows {
    fn from_iter<I: IntoIterator<Item = FeatureRows>>(parts: I) -> Self {
        let mut first = 0;
        let place = |part: FeatureRows| {
            let start = first;
            first += part.len();
            (start, part)
        };
        Self::of(Source::Joined(parts.into_iter().map(place).collect()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_values_are_read_across_their_parts() {
        let parts = [vec![0.0, 1.0, 2.0], vec![], vec![3.0], vec![4.0, 5.0]].map(FeatureRows::from);
        let joined: FeatureRows = parts.into_iter().collect();
        let all: FeatureRows = vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0].into();
        assert_eq!((joined.len(), &joined), (6, &all));
        for (start, end) in [(0, 6), (1, 3), (2, 5), (3, 3), (3, 4), (5, 6)] {
            assert_eq!(joined.read(start..end).unwrap(), all.read(start..end).unwrap(), "{start}..{end}");
        }
    }
}
