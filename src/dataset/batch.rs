//! The host's side of a batch: chosen utterances, cut and laid out one after another, stream by stream.

use std::collections::BTreeMap;

use super::alignment::{Aligned, covered};
use super::error::DatasetError;
use super::mixup::HostMixup;
use super::normalise::{Groups, Normalisation};
use super::prepared::{Dataset, hop_seconds};
use super::streams::DataStream;
use crate::base::numbers::POOL;
use crate::base::streams::{Reading, Readings};
use crate::base::words::OUT_OF_VOCABULARY;

/// Fewest acoustic frames of an utterance in a batch of MCSAN's: two pools must leave one row.
pub(crate) const SHORTEST_UTTERANCE: usize = (POOL * POOL) as usize;

/// Utterances laid out for the device; their order is that of `utterances`.
#[derive(Debug, Clone, PartialEq)]
pub struct HostBatch {
    /// `[batch]`: which utterances of the data set these are.
    pub utterances: Vec<usize>,
    /// `[batch]`, as [`Dataset::labels`] has them.
    pub labels: Vec<u32>,
    /// Those that the model reads.
    pub streams: BTreeMap<&'static str, HostStream>,
    /// Of those that are aligned with another, `[rows]`: which rows of that each of theirs covers, first and end.
    pub covered: BTreeMap<&'static str, Vec<[u32; 2]>>,
    /// How they are mixed, where they are.
    pub mixup: Option<HostMixup>,
}

/// A stream of a batch.
#[derive(Debug, Clone, PartialEq)]
pub enum HostStream {
    /// Ragged frames.
    Frames(HostFrames),
    /// Ragged tokens.
    Tokens(HostTokens),
    /// A vector an utterance.
    Vector(HostVectors),
}

/// Frames of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct HostFrames {
    /// Values of a frame.
    pub columns: usize,
    /// Before the z-score.
    pub rows: HostRows,
    /// `[batch]`
    pub lengths: Vec<u32>,
    /// For the z-score of the rows.
    pub statistics: BatchStatistics,
    /// How often the model pools the rows.
    pub pools: u32,
    /// What is covered of them, where something is.
    pub masks: Option<HostMasks>,
}

/// Masks of a batch's frames.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HostMasks {
    /// `[batch, frames + columns]`: the first that a mask covers and the one after the last, of the utterance's frames and then of the
    /// columns.
    pub bounds: Vec<[u32; 2]>,
    /// Masks of frames and of columns that each utterance has.
    pub counts: [usize; 2],
}

/// Rows of a batch's frames, cut. An utterance of fewer rows than the model needs is padded with its group's mean, which the z-score
/// turns into exact zeros.
#[derive(Debug, Clone, PartialEq)]
pub enum HostRows {
    /// `[Σ lengths, columns]`
    Values(Vec<f32>),
    /// `[batch]`: the first of an utterance's among those of all utterances of the data set, which the device keeps.
    Kept(Vec<u32>),
}

/// Tokens of a batch.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HostTokens {
    /// `[Σ lengths]`: rows of the word table or [`OUT_OF_VOCABULARY`], whose vector is zero.
    pub tokens: Vec<u32>,
    /// `[batch]`, each at least 1: an utterance without words gets one [`OUT_OF_VOCABULARY`].
    pub lengths: Vec<u32>,
    /// Rows of the table.
    pub words: usize,
}

/// A vector of each utterance of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct HostVectors {
    /// Values of a vector.
    pub columns: usize,
    /// `[batch, columns]`: before the z-score.
    pub values: Vec<f32>,
    /// For the z-score of `values`.
    pub statistics: BatchStatistics,
}

/// The z-score of a batch: the groups that occur in it, in order of appearance.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BatchStatistics {
    /// `[batch]`: row of the statistics.
    pub groups: Vec<u32>,
    /// `[groups, columns]`
    pub mean: Vec<f32>,
    /// `[groups, columns]`
    pub reciprocal_deviation: Vec<f32>,
}

/// Makes batches of a data set.
#[derive(Debug, Clone)]
pub struct Batcher<'a> {
    dataset: &'a Dataset,
    readings: Readings,
    /// Of each stream that is read and normalised.
    groups: BTreeMap<&'static str, Groups>,
    /// Of the streams whose rows a device keeps, `[utterances]`: see [`HostRows::Kept`].
    kept: BTreeMap<&'static str, Vec<u32>>,
}

impl<'a> Batcher<'a> {
    /// Batches of `dataset` for a model that reads `readings` of it.
    ///
    /// # Errors
    /// [`DatasetError::NoStream`] where the data set lacks one; those of [`Normalisation::groups`].
    pub fn new(dataset: &'a Dataset, normalisation: &Normalisation, readings: Readings) -> Result<Self, DatasetError> {
        let mut groups = BTreeMap::new();
        for reading in readings.iter() {
            let stream = dataset.stream(reading)?;
            if stream.columns().is_some() {
                groups.insert(reading.stream, normalisation.groups(dataset, reading.stream, &readings)?);
            }
        }
        Ok(Self { dataset, readings, groups, kept: BTreeMap::new() })
    }

    /// The data set that batches are made of.
    pub(crate) fn dataset(&self) -> &'a Dataset {
        self.dataset
    }

    /// What the model reads of it.
    pub(crate) fn readings(&self) -> &Readings {
        &self.readings
    }

    /// The streams of frames that are read, with columns and rows of all utterances as they are laid out.
    pub(crate) fn frames(&self) -> Vec<(&'static str, [usize; 2])> {
        let shape = |reading: &Reading| {
            let Some(DataStream::Frames(_)) = self.dataset.streams.get(reading.stream) else { return None };
            let columns = self.groups.get(reading.stream)?.columns;
            let rows = (0..self.dataset.len()).map(|utterance| self.length(reading.stream, utterance)).sum();
            Some((reading.stream, [rows, columns]))
        };
        self.readings.iter().filter_map(shape).collect()
    }

    /// The rows of a stream of frames, `[rows, columns]`: all utterances of the data set as they are laid out, one after the other, an
    /// utterance at a time.
    pub(crate) fn all_rows(&self, stream: &'static str) -> impl Iterator<Item = Result<Vec<f32>, DatasetError>> {
        (0..self.dataset.len()).map(move |utterance| {
            let mut values = Vec::new();
            self.add_rows(stream, utterance, &mut values)?;
            Ok(values)
        })
    }

    /// From here on batches say where the rows of a stream of frames lie among [`Batcher::all_rows`].
    pub(crate) fn keep(&mut self, stream: &'static str) {
        let mut next = 0;
        let mut place = |utterance| {
            let first = next;
            next += self.length(stream, utterance) as u32;
            first
        };
        let first_rows = (0..self.dataset.len()).map(&mut place).collect();
        self.kept.insert(stream, first_rows);
    }

    /// From here on batches hold all values; returns whether they did not.
    pub(crate) fn give_up_kept(&mut self) -> bool {
        !std::mem::take(&mut self.kept).is_empty()
    }

    /// Lays out `utterances`, indices into the data set, in their order.
    ///
    /// # Errors
    /// Features that cannot be read.
    pub fn batch(&self, utterances: &[usize]) -> Result<HostBatch, DatasetError> {
        let lay_out = |reading: &Reading| Ok(self.lay_out(reading, utterances)?.map(|stream| (reading.stream, stream)));
        Ok(HostBatch {
            utterances: utterances.to_vec(),
            labels: utterances.iter().map(|&utterance| self.dataset.labels[utterance]).collect(),
            streams: self.readings.iter().filter_map(|reading| lay_out(reading).transpose()).collect::<Result<_, DatasetError>>()?,
            covered: self.readings.iter().filter_map(|reading| Some((reading.stream, self.covered(reading, utterances)?))).collect(),
            mixup: None,
        })
    }

    /// Which rows of the stream that it is aligned with each row covers; nothing of a stream that is aligned with none.
    fn covered(&self, reading: &Reading, utterances: &[usize]) -> Option<Vec<[u32; 2]>> {
        let (stream, other) = (reading.stream, reading.aligned_with?);
        let aligned = utterances.iter().map(|&utterance| {
            let [words, frames] = [stream, other].map(|stream| self.length(stream, utterance));
            Aligned { words, frames, times: self.dataset.streams.times_of(stream, utterance) }
        });
        Some(covered(aligned, hop_seconds(&self.dataset.feature_settings)))
    }

    /// Rows of an utterance as they are laid out, padding included.
    pub(crate) fn length(&self, stream: &str, utterance: usize) -> usize {
        let rows = self.dataset.streams.get(stream).map_or(0, |data| data.length(utterance, self.readings.most(stream)));
        rows.max(self.readings.least(stream))
    }

    /// `None` of a stream that the data set does not have.
    fn lay_out(&self, reading: &Reading, utterances: &[usize]) -> Result<Option<HostStream>, DatasetError> {
        let Some(data) = self.dataset.streams.get(reading.stream) else { return Ok(None) };
        if let DataStream::Tokens(tokens) = data {
            return Ok(Some(HostStream::Tokens(HostTokens {
                tokens: utterances.iter().flat_map(|&utterance| token_rows(tokens.of(utterance))).collect(),
                lengths: utterances.iter().map(|&utterance| self.length(reading.stream, utterance) as u32).collect(),
                words: tokens.words(),
            })));
        }
        let Some(groups) = self.groups.get(reading.stream) else { return Ok(None) };
        let (columns, statistics) = (groups.columns, groups.of_batch(utterances));
        let values = || {
            let mut values = Vec::new();
            utterances.iter().try_for_each(|&utterance| self.add_rows(reading.stream, utterance, &mut values))?;
            Ok::<_, DatasetError>(values)
        };
        Ok(Some(match data {
            DataStream::Vector(_) => HostStream::Vector(HostVectors { columns, values: values()?, statistics }),
            _ => HostStream::Frames(HostFrames {
                columns,
                rows: match self.kept.get(reading.stream) {
                    Some(first_rows) => HostRows::Kept(utterances.iter().map(|&utterance| first_rows[utterance]).collect()),
                    None => HostRows::Values(values()?),
                },
                lengths: utterances.iter().map(|&utterance| self.length(reading.stream, utterance) as u32).collect(),
                statistics,
                pools: reading.pools(),
                masks: None,
            }),
        }))
    }

    /// Adds the rows of an utterance, padding included, to `values`.
    fn add_rows(&self, stream: &'static str, utterance: usize, values: &mut Vec<f32>) -> Result<(), DatasetError> {
        let (Some(data), Some(groups)) = (self.dataset.streams.get(stream), self.groups.get(stream)) else { return Ok(()) };
        let rows = data.rows(utterance, self.readings.most(stream))?;
        values.extend_from_slice(&rows);
        let (mean, _) = groups.statistics(groups.members[utterance]);
        let missing = self.readings.least(stream).saturating_sub(rows.len() / groups.columns.max(1));
        (0..missing).for_each(|_| values.extend_from_slice(mean));
        Ok(())
    }
}

/// Tokens as the device takes them, at least one.
fn token_rows(tokens: &[i32]) -> Vec<u32> {
    if tokens.is_empty() {
        return vec![OUT_OF_VOCABULARY];
    }
    tokens.iter().map(|&token| u32::try_from(token).unwrap_or(OUT_OF_VOCABULARY)).collect()
}
