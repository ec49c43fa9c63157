//! One pass over all features of a data set, in the order in which they lie: whether they are numbers, and what is to be known of them before
//! a model learns from them. Later questions are answered by what the pass has left with them.

use std::path::{Path, PathBuf};

use super::error::DatasetError;
use super::features::GroupSums;
use super::normalise::fitted_groups;
use super::prepared::Dataset;
use super::shards::{Place, Promised};
use super::streams::DataStream;
use super::validate::Checks;
use crate::base::hash::{more_words, of_words};
use crate::base::streams::{AUDIO, Readings};
use crate::config::Normalise;

/// What a pass finds out besides.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// Which data these are, [`Dataset::fingerprint`], and which recordings there are twice, [`Doubles`](super::Doubles).
    pub identity: bool,
    /// The means that a z-score needs; only deviations take a pass more.
    pub means: Option<(Normalise, Readings)>,
}

/// A data set whose features were not looked at yet.
pub(crate) struct Unseen {
    pub data: Dataset,
    /// What errors name where values lie in no file.
    pub path: PathBuf,
    /// Shards that are to be those of their index.
    pub shards: Vec<Promised>,
    /// Of a shard that is read without its index, which it is.
    pub place: Option<Place>,
}

impl Unseen {
    /// Looks at all features.
    ///
    /// # Errors
    /// [`DatasetError::Invalid`] of a number that is none; a shard that is not the one of its index; those of [`FeatureRows::read`](super::FeatureRows::read).
    pub(crate) fn look(self, wanted: &Wanted) -> Result<Dataset, DatasetError> {
        let Self { data, path, shards, .. } = self;
        if let Err(error) = data.streams.iter().try_for_each(|(name, stream)| look_through(&data, &path, (name, stream), wanted)) {
            // A shard with a number that is none was changed since the index was written.
            if let DatasetError::Invalid { path, .. } = &error
                && let Some(shard) = shards.iter().find(|shard| shard.path() == path)
            {
                shard.check()?;
            }
            return Err(error);
        }
        shards.iter().try_for_each(Promised::check)?;
        Ok(data)
    }
}

/// Looks at all features of a stream.
fn look_through(data: &Dataset, path: &Path, (name, stream): (&str, &DataStream), wanted: &Wanted) -> Result<(), DatasetError> {
    let (Some(values), Some(columns)) = (stream.values(), stream.columns()) else { return Ok(()) };
    let mut recordings = (wanted.identity && name == AUDIO && !stream.offsets().is_empty()).then(|| Recordings::new(data, columns));
    let mut sums = wanted.means.as_ref().map(|(by, readings)| Sums::new(fitted_groups(*by, data, stream), readings.most(name), stream));
    let whole_offsets: Vec<usize>;
    let offsets = match stream.offsets() {
        [] => {
            whole_offsets = (0..=data.len()).collect();
            &whole_offsets
        }
        offsets => offsets,
    };
    let mut rows = Rows { offsets, columns, utterance: 0, next: 0 };
    let mut whole = wanted.identity.then(|| values.len() as u64);
    for (start, part) in values.parts() {
        let mut own = part.len() as u64;
        for piece in part.pieces_of(columns) {
            let (place, values) = piece?;
            if let Some(at) = values.iter().position(|value| !value.is_finite()) {
                let check = Checks { path: part.path().unwrap_or(path), utterances: &data.utterances };
                return Err(data.as_of_part(check.not_finite(name, stream, start + place + at, values[at])));
            }
            let words = bytemuck::cast_slice(&values);
            own = more_words(own, words);
            whole = whole.map(|hash| more_words(hash, words));
            rows.each(&values, |utterance, row, rows| {
                recordings.iter_mut().for_each(|recordings| recordings.add(utterance, row, rows, offsets));
                sums.iter_mut().for_each(|sums| sums.add(utterance, row, rows));
            });
        }
        part.learn_hash(own);
    }
    whole.into_iter().for_each(|hash| values.learn_hash(hash));
    recordings.into_iter().for_each(|recordings| values.learn_recordings(stream.offsets(), recordings.hashes));
    sums.into_iter().for_each(|sums| values.learn_sums(stream.offsets(), sums.groups));
    Ok(())
}

/// Where in its utterances a pass over rows is.
struct Rows<'o> {
    /// `[utterances + 1]`
    offsets: &'o [usize],
    columns: usize,
    utterance: usize,
    /// The next row.
    next: usize,
}

impl Rows<'_> {
    /// Goes over rows that follow: tells of each utterance which it is, at which of its rows it goes on, and with which.
    fn each(&mut self, mut rows: &[f32], mut tell: impl FnMut(usize, usize, &[f32])) {
        let columns = self.columns.max(1);
        while !rows.is_empty() && self.utterance + 1 < self.offsets.len() {
            let (start, end) = (self.offsets[self.utterance], self.offsets[self.utterance + 1]);
            let count = (end - self.next).min(rows.len().div_ceil(columns));
            let (own, rest) = rows.split_at((count * columns).min(rows.len()));
            if count > 0 {
                tell(self.utterance, self.next - start, own);
            }
            (self.next, rows) = (self.next + count, rest);
            self.utterance += usize::from(self.next == end);
        }
    }
}

/// A number of each utterance's recording, as [`Doubles`](super::Doubles) takes them.
struct Recordings {
    columns: usize,
    /// `[utterances]`: `None` of silence, all of whose frames are the same.
    hashes: Vec<Option<u64>>,
    /// Of the utterance under way its first frame, its hash so far, and whether a frame is another than the first.
    first: Vec<f32>,
    hash: u64,
    sounds: bool,
}

impl Recordings {
    fn new(data: &Dataset, columns: usize) -> Self {
        Self { columns: columns.max(1), hashes: vec![None; data.len()], first: Vec::new(), hash: of_words(&[]), sounds: false }
    }

    fn add(&mut self, utterance: usize, row: usize, rows: &[f32], offsets: &[usize]) {
        if row == 0 {
            self.first = rows[..self.columns.min(rows.len())].to_vec();
            self.hash = ((offsets[utterance + 1] - offsets[utterance]) * self.columns) as u64;
            self.sounds = false;
        }
        self.sounds = self.sounds || rows.chunks(self.columns).any(|frame| frame != &self.first[..frame.len()]);
        self.hash = more_words(self.hash, bytemuck::cast_slice(rows));
        // That of all its rows in the end.
        self.hashes[utterance] = self.sounds.then_some(self.hash);
    }
}

/// Sums of rows by groups of utterances.
struct Sums {
    most: usize,
    /// Whether rows of zeros are none.
    skips_zeros: bool,
    /// `[utterances]`: each one's group.
    members: Vec<Option<u32>>,
    groups: Vec<GroupSums>,
}

impl Sums {
    fn new(groups: Vec<Vec<usize>>, most: usize, stream: &DataStream) -> Self {
        let mut members = vec![None; stream.utterances()];
        // They are added in the order of their rows.
        let in_order = groups.into_iter().filter(|group| group.is_sorted());
        let group = |(number, utterances): (usize, Vec<usize>)| {
            utterances.iter().for_each(|&utterance| members[utterance] = Some(number as u32));
            GroupSums::new(utterances, most, stream.columns().unwrap_or(0))
        };
        let groups = in_order.enumerate().map(group).collect();
        Self { most, skips_zeros: matches!(stream, DataStream::Vector(_)), members, groups }
    }

    fn add(&mut self, utterance: usize, row: usize, rows: &[f32]) {
        let Some(group) = self.members[utterance].and_then(|group| self.groups.get_mut(group as usize)) else { return };
        let left = self.most.saturating_sub(row);
        if !(self.skips_zeros && rows.iter().all(|&value| value == 0.0)) {
            rows.chunks_exact(group.sum.len().max(1)).take(left).for_each(|row| group.add(row));
        }
    }
}

impl Dataset {
    /// An error of an utterance of the whole as of the part that it is in, whose own utterances are called otherwise.
    fn as_of_part(&self, mut error: DatasetError) -> DatasetError {
        if let DatasetError::Invalid { utterance: Some(id), .. } = &mut error
            && let Some(own) = self.parts.iter().find_map(|part| id.strip_prefix(&part.name)?.strip_prefix('/'))
        {
            *id = own.to_owned();
        }
        error
    }
}
