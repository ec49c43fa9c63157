//! Batches of a prepared data set on a backend.

use std::ops::Range;

use crate::backend::ops::{GroupStatistics, Tokens};
use crate::backend::{Backend, Preceding, Ragged};
use crate::base::numbers::POOL;
use crate::base::philox::Stream;
use crate::base::words::WordTable;
use crate::config::{Settings, TrainSettings};
use crate::dataset::{self, Batcher, Dataset, DatasetError, HostBatch, Normalisation};
use crate::model::batch::{Batch, acoustic_rows};

/// Random streams of the epochs' orders of utterances and of batches start here.
const ORDER_STREAMS: [u64; 2] = [1 << 61, 1 << 58];

/// The utterances of each batch of an epoch.
pub fn epoch_batches(data: &Dataset, utterances: &[usize], settings: &Settings, epoch: u64) -> Vec<Vec<usize>> {
    let TrainSettings { seed, order, batch_size, .. } = settings.train;
    let streams = ORDER_STREAMS.map(|streams| Stream { seed, stream: streams | epoch });
    let length = |utterance| (data.frames(utterance, settings.data.max_frames).len(), data.tokens_of(utterance).len());
    dataset::epoch_batches(utterances, order, batch_size, streams, length)
}

/// The frozen word vectors `[words, width]`, without a row where the table is trained.
pub fn upload_vectors<B: Backend>(backend: &B, data: &Dataset) -> B::Tensor {
    match &data.vectors {
        Some(WordTable { width, values }) => backend.upload(values, [data.words(), *width]),
        None => backend.upload(&[], [0, 0]),
    }
}

/// Makes batches of a data set on a backend.
pub struct Batches<'a, B: Backend> {
    backend: &'a B,
    batcher: Batcher<'a>,
    /// The frozen word vectors, uploaded once.
    vectors: B::Tensor,
}

impl<'a, B: Backend> Batches<'a, B> {
    /// Uploads what all batches share.
    ///
    /// # Errors
    /// Those of [`Batcher::new`].
    pub fn new(backend: &'a B, data: &'a Dataset, normalisation: &Normalisation, max_frames: usize) -> Result<Self, DatasetError> {
        Self::with_vectors(backend, data, normalisation, max_frames, upload_vectors(backend, data))
    }

    /// As [`Batches::new`], of a data set whose vectors are on the device already.
    ///
    /// # Errors
    /// Those of [`Batcher::new`].
    pub fn with_vectors(
        backend: &'a B,
        data: &'a Dataset,
        normalisation: &Normalisation,
        max_frames: usize,
        vectors: B::Tensor,
    ) -> Result<Self, DatasetError> {
        Ok(Self { backend, batcher: Batcher::new(data, normalisation, max_frames)?, vectors })
    }

    /// Uploads the utterances `part` of a batch; they draw the random numbers that they would in the whole batch.
    pub fn part(&self, utterances: &[usize], part: Range<usize>) -> Batch<B> {
        let mut batch = self.batch(&utterances[part.clone()]);
        let sequences = part.start;
        let before = utterances[..sequences].iter().map(|&utterance| self.batcher.lengths(utterance));
        let (frames, tokens): (Vec<usize>, Vec<usize>) = before.unzip();
        let pools = (POOL * POOL) as usize;
        batch.frames[2].preceding = Preceding { rows: frames.iter().map(|frames| frames / pools).sum(), sequences };
        batch.words.preceding = Preceding { rows: tokens.iter().sum(), sequences };
        batch
    }

    /// Uploads some utterances.
    pub fn batch(&self, utterances: &[usize]) -> Batch<B> {
        let backend = self.backend;
        let HostBatch { coefficients, features, frame_lengths, tokens, token_lengths, labels, statistics, .. } =
            self.batcher.batch(utterances);
        let groups = statistics.mean.len() / coefficients;
        Batch {
            features: backend.upload(&features, [features.len() / coefficients, coefficients]),
            frames: acoustic_rows(backend, &frame_lengths),
            normalisation: GroupStatistics {
                groups: backend.upload_words(&statistics.groups),
                mean: backend.upload(&statistics.mean, [groups, coefficients]),
                reciprocal_deviation: backend.upload(&statistics.reciprocal_deviation, [groups, coefficients]),
            },
            tokens: Tokens::new(backend, &tokens, self.batcher.dataset().words()),
            words: Ragged::new(backend, &token_lengths),
            vectors: self.vectors.clone(),
            labels: backend.upload_words(&labels),
        }
    }

    /// Mean frames and tokens of some utterances, rounded.
    pub fn mean_lengths(&self, utterances: &[usize]) -> [usize; 2] {
        let lengths = utterances.iter().map(|&utterance| self.batcher.lengths(utterance));
        let (frames, tokens) = lengths.fold((0, 0), |sums, lengths| (sums.0 + lengths.0, sums.1 + lengths.1));
        [frames, tokens].map(|sum| (sum as f64 / utterances.len().max(1) as f64).round() as usize)
    }

    /// Labels of some utterances.
    pub fn labels(&self, utterances: &[usize]) -> Vec<u32> {
        utterances.iter().map(|&utterance| self.batcher.dataset().labels[utterance]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Order;
    use crate::dataset::BatchShape;

    #[test]
    fn an_epoch_visits_every_utterance_once_in_an_order_of_its_own() {
        let data = BatchShape { batch: 30, frames: 40, words: 5, ragged: true }.dataset();
        let utterances: Vec<usize> = (10..30).collect();
        let mut settings = Settings::default();
        (settings.train.batch_size, settings.train.seed) = (8, 1);
        let batches = |settings: &Settings, epoch| epoch_batches(&data, &utterances, settings, epoch);
        let first = batches(&settings, 0);
        assert_eq!(first.iter().map(Vec::len).collect::<Vec<_>>(), [8, 8, 4]);
        let mut seen = first.concat();
        seen.sort_unstable();
        assert_eq!(seen, utterances);
        assert_eq!(first, batches(&settings, 0));
        assert_ne!(first, batches(&settings, 1));
        settings.train.order = Order::Given;
        assert_eq!(batches(&settings, 5).concat(), utterances);
        settings.train.order = Order::Grouped;
        assert_ne!(batches(&settings, 0), batches(&settings, 1));
        assert!(batches(&settings, 0).iter().all(|batch| batch.is_sorted_by_key(|&utterance| data.frames(utterance, 1000).len())));
    }
}
