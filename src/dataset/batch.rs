//! The host's side of a batch: chosen utterances, cut and laid out one after another.

use super::error::DatasetError;
use super::normalise::{Groups, Normalisation};
use super::prepared::Dataset;
use crate::base::numbers::POOL;
use crate::base::words::OUT_OF_VOCABULARY;

/// Fewest frames of an utterance in a batch: two pools must leave one row.
pub const SHORTEST_UTTERANCE: usize = (POOL * POOL) as usize;

/// Utterances laid out for the device; their order is that of `utterances`.
#[derive(Debug, Clone, PartialEq)]
pub struct HostBatch {
    /// `[batch]`: which utterances of the data set these are.
    pub utterances: Vec<usize>,
    /// Columns of `features`.
    pub coefficients: usize,
    /// `[Σ frame_lengths, coefficients]`: before the z-score, cut at `max_frames`. An utterance of fewer than
    /// [`SHORTEST_UTTERANCE`] frames is padded with its group's mean, which the z-score turns into exact zeros.
    pub features: Vec<f32>,
    /// `[batch]`, each at least [`SHORTEST_UTTERANCE`].
    pub frame_lengths: Vec<u32>,
    /// `[Σ token_lengths]`: rows of the word table or [`OUT_OF_VOCABULARY`], whose vector is zero.
    pub tokens: Vec<u32>,
    /// `[batch]`, each at least 1: an utterance without words gets one [`OUT_OF_VOCABULARY`].
    pub token_lengths: Vec<u32>,
    /// `[batch]`
    pub labels: Vec<u32>,
    pub statistics: BatchStatistics,
}

/// The z-score of a batch: the groups that occur in it, in order of appearance.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BatchStatistics {
    /// `[batch]`: row of the statistics.
    pub groups: Vec<u32>,
    /// `[groups, coefficients]`
    pub mean: Vec<f32>,
    /// `[groups, coefficients]`
    pub reciprocal_deviation: Vec<f32>,
}

/// Makes batches of a data set.
#[derive(Debug, Clone)]
pub struct Batcher<'a> {
    dataset: &'a Dataset,
    groups: Groups,
    max_frames: usize,
}

impl<'a> Batcher<'a> {
    /// Batches of `dataset`, utterances cut at `max_frames`.
    ///
    /// # Errors
    /// Those of [`Normalisation::groups`].
    pub fn new(dataset: &'a Dataset, normalisation: &Normalisation, max_frames: usize) -> Result<Self, DatasetError> {
        Ok(Self { dataset, groups: normalisation.groups(dataset, max_frames)?, max_frames })
    }

    /// The data set that batches are made of.
    pub fn dataset(&self) -> &'a Dataset {
        self.dataset
    }

    /// Lays out `utterances`, indices into the data set, in their order.
    pub fn batch(&self, utterances: &[usize]) -> HostBatch {
        let mut batch = HostBatch {
            utterances: utterances.to_vec(),
            coefficients: self.dataset.coefficients,
            features: Vec::new(),
            frame_lengths: Vec::with_capacity(utterances.len()),
            tokens: Vec::new(),
            token_lengths: Vec::with_capacity(utterances.len()),
            labels: utterances.iter().map(|&utterance| self.dataset.labels[utterance]).collect(),
            statistics: self.statistics(utterances),
        };
        for &utterance in utterances {
            self.append_frames(utterance, &mut batch);
            self.append_tokens(utterance, &mut batch);
        }
        batch
    }

    /// Frames and tokens of an utterance as they are laid out, padding included.
    pub fn lengths(&self, utterance: usize) -> (usize, usize) {
        let frames = self.dataset.frames(utterance, self.max_frames).len().max(SHORTEST_UTTERANCE);
        (frames, self.dataset.tokens_of(utterance).len().max(1))
    }

    fn append_frames(&self, utterance: usize, batch: &mut HostBatch) {
        let frames = self.dataset.frames(utterance, self.max_frames);
        let length = frames.len().max(SHORTEST_UTTERANCE);
        let padding = length - frames.len();
        batch.features.extend_from_slice(self.dataset.rows(frames));
        let (mean, _) = self.groups.statistics(self.groups.members[utterance]);
        for _ in 0..padding {
            batch.features.extend_from_slice(mean);
        }
        batch.frame_lengths.push(length as u32);
    }

    fn append_tokens(&self, utterance: usize, batch: &mut HostBatch) {
        let tokens = self.dataset.tokens_of(utterance);
        if tokens.is_empty() {
            batch.tokens.push(OUT_OF_VOCABULARY);
        }
        batch.tokens.extend(tokens.iter().map(|&token| u32::try_from(token).unwrap_or(OUT_OF_VOCABULARY)));
        batch.token_lengths.push(tokens.len().max(1) as u32);
    }

    fn statistics(&self, utterances: &[usize]) -> BatchStatistics {
        let mut present: Vec<usize> = Vec::new();
        let mut statistics = BatchStatistics::default();
        for &utterance in utterances {
            let group = self.groups.members[utterance];
            let row = present.iter().position(|&other| other == group).unwrap_or_else(|| {
                let (mean, reciprocal_deviation) = self.groups.statistics(group);
                statistics.mean.extend_from_slice(mean);
                statistics.reciprocal_deviation.extend_from_slice(reciprocal_deviation);
                present.push(group);
                present.len() - 1
            });
            statistics.groups.push(row as u32);
        }
        statistics
    }
}
