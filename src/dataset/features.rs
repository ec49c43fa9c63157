//! The features of a data set, which may be larger than memory: values that are held, or those of files, read as they are asked for.

use std::borrow::Cow;
use std::ops::Range;
#[cfg(feature = "files")]
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use super::error::DatasetError;
use super::normalise::Statistics;
#[cfg(feature = "files")]
use super::tensor_file::FileValues;
use crate::base::hash::{mix, more_words};

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
    seen: Arc<Seen>,
}

/// What is known once all were looked through.
#[derive(Debug, Default)]
struct Seen {
    hash: OnceLock<u64>,
    /// Numbers of recordings, with the hash of the offsets at which they begin.
    recordings: OnceLock<(u64, Vec<Option<u64>>)>,
    /// Sums, with the same.
    sums: OnceLock<(u64, Vec<GroupSums>)>,
}

/// The sums of some utterances' rows, for their statistics.
#[derive(Debug)]
pub(super) struct GroupSums {
    /// Rising.
    utterances: Vec<usize>,
    /// Rows that count of each at most.
    most: usize,
    pub count: usize,
    /// `[columns]`
    pub sum: Vec<f64>,
    /// Once they were taken.
    pub statistics: Mutex<Option<Statistics>>,
}

#[cfg(feature = "files")]
impl GroupSums {
    pub(super) fn new(utterances: Vec<usize>, most: usize, columns: usize) -> Self {
        Self { utterances, most, count: 0, sum: vec![0.0; columns], statistics: Mutex::default() }
    }

    pub(super) fn add(&mut self, row: &[f32]) {
        self.count += 1;
        self.sum.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x));
    }
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
        Self { source, seen: Arc::default() }
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

    /// Those that they are put together of, each with the place of its first value; themselves where they are one.
    #[cfg(feature = "files")]
    pub(super) fn parts(&self) -> Vec<(usize, &Self)> {
        match &self.source {
            Source::Joined(parts) => {
                let all = parts.iter().flat_map(|(start, part)| part.parts().into_iter().map(move |(place, own)| (start + place, own)));
                all.collect()
            }
            _ => vec![(0, self)],
        }
    }

    /// The file that they lie in.
    #[cfg(feature = "files")]
    pub(super) fn path(&self) -> Option<&Path> {
        match &self.source {
            Source::InFile(values) => Some(values.path()),
            Source::Held(_) | Source::Joined(_) => None,
        }
    }

    /// All values in pieces, each with the place of its first.
    ///
    /// # Errors
    /// Those of [`FeatureRows::read`].
    pub(crate) fn pieces(&self) -> impl Iterator<Item = Result<(usize, Cow<'_, [f32]>), DatasetError>> {
        self.pieces_of(1)
    }

    /// The same in pieces of whole rows.
    pub(super) fn pieces_of(&self, columns: usize) -> impl Iterator<Item = Result<(usize, Cow<'_, [f32]>), DatasetError>> {
        let (count, columns) = (self.len(), columns.max(1));
        let size = (PIECE / columns).max(1) * columns;
        (0..count).step_by(size).map(move |start| Ok((start, self.read(start..count.min(start + size))?)))
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

    /// As [`of_words`](crate::base::hash::of_words), which takes a pass over all values where none was made yet.
    ///
    /// # Errors
    /// Those of [`FeatureRows::read`].
    pub(super) fn hash(&self) -> Result<u64, DatasetError> {
        if let Some(&hash) = self.seen.hash.get() {
            return self.still(hash);
        }
        let mut hash = self.len() as u64;
        for piece in self.pieces() {
            hash = more_words(hash, bytemuck::cast_slice(&piece?.1));
        }
        Ok(*self.seen.hash.get_or_init(|| hash))
    }

    /// What was learned of what was read: of a file that was changed since it says so.
    fn still<T>(&self, known: T) -> Result<T, DatasetError> {
        self.read(0..0).map(|_| known)
    }

    /// The numbers of their recordings, see [`Doubles`](super::Doubles), where a pass has found them.
    pub(super) fn recordings(&self, offsets: &[usize]) -> Result<Option<&[Option<u64>]>, DatasetError> {
        match self.seen.recordings.get() {
            Some((of, recordings)) if *of == of_offsets(offsets) => self.still(Some(recordings.as_slice())),
            _ => Ok(None),
        }
    }

    /// The sums of some utterances' rows, where a pass has taken them.
    pub(super) fn sums(&self, offsets: &[usize], utterances: &[usize], most: usize) -> Result<Option<&GroupSums>, DatasetError> {
        let Some((of, all)) = self.seen.sums.get() else { return Ok(None) };
        let is_own = |sums: &&GroupSums| sums.most == most && sums.utterances == utterances;
        let found = all.iter().find(is_own).filter(|_| *of == of_offsets(offsets));
        found.map(|sums| self.still(sums)).transpose()
    }

    #[cfg(feature = "files")]
    pub(super) fn learn_hash(&self, hash: u64) {
        self.seen.hash.get_or_init(|| hash);
    }

    #[cfg(feature = "files")]
    pub(super) fn learn_recordings(&self, offsets: &[usize], recordings: Vec<Option<u64>>) {
        self.seen.recordings.get_or_init(|| (of_offsets(offsets), recordings));
    }

    #[cfg(feature = "files")]
    pub(super) fn learn_sums(&self, offsets: &[usize], sums: Vec<GroupSums>) {
        self.seen.sums.get_or_init(|| (of_offsets(offsets), sums));
    }
}

fn of_offsets(offsets: &[usize]) -> u64 {
    offsets.iter().fold(0, |hash, &offset| mix(hash, offset as u64))
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
