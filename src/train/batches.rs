//! From a prepared data set to batches: which utterances, in what order, cut and filled up as the network needs them.

use std::ops::Range;
use std::rc::Rc;

use crate::backend::philox::Stream;
use crate::backend::{Backend, OUT_OF_VOCABULARY, Ragged, Tokens, ZScore};
use crate::config::Order;
use crate::dataset::{Dataset, DatasetError, Normalisation, Statistics, Vectors};
use crate::model::batch::{Batch, FEWEST_FRAMES, acoustic_rows};

/// Random streams of the epochs' orders start here.
const ORDER_STREAMS: u64 = 1 << 61;

/// Utterances of each batch of an epoch.
pub fn epoch_batches(utterances: &[usize], batch_size: usize, order: Order, seed: u64, epoch: u64) -> Vec<Vec<usize>> {
    let ordered: Vec<usize> = match order {
        Order::Given => utterances.to_vec(),
        Order::Shuffled => {
            let stream = Stream { seed, stream: ORDER_STREAMS | epoch };
            stream.permutation(utterances.len()).into_iter().map(|place| utterances[place]).collect()
        }
    };
    ordered.chunks(batch_size).map(<[usize]>::to_vec).collect()
}

/// Makes batches of a data set on a backend.
pub struct Batches<'a, B: Backend> {
    backend: &'a B,
    data: &'a Dataset,
    statistics: Vec<Rc<Statistics>>,
    max_frames: usize,
    vectors: B::Tensor,
    table_rows: usize,
}

impl<'a, B: Backend> Batches<'a, B> {
    /// Uploads what all batches share.
    ///
    /// # Errors
    /// [`DatasetError::NoSpeaker`].
    pub fn new(backend: &'a B, data: &'a Dataset, normalisation: &Normalisation, max_frames: usize) -> Result<Self, DatasetError> {
        let (vectors, table_rows) = match &data.vectors {
            Some(Vectors { width, values }) => (backend.upload(values, [values.len() / width, *width]), values.len() / width),
            None => (backend.upload(&[], [0, 0]), data.learned_words()),
        };
        let statistics = normalisation.apply(data, max_frames)?;
        Ok(Self { backend, data, statistics, max_frames, vectors, table_rows })
    }

    /// Uploads some utterances.
    ///
    /// An utterance of fewer than [`FEWEST_FRAMES`] frames is filled up with zeros *after* normalisation: its missing rows
    /// are the mean, which the z-score turns into exactly 0. One without a token gets a single one out of vocabulary,
    /// whose vector is zero.
    pub fn batch(&self, utterances: &[usize]) -> Batch<B> {
        let columns = self.data.coefficients;
        let (mut features, mut mean, mut reciprocal) = (Vec::new(), Vec::new(), Vec::new());
        let (mut frame_counts, mut tokens, mut token_counts) = (Vec::new(), Vec::new(), Vec::new());
        for &utterance in utterances {
            let statistics = &self.statistics[utterance];
            let own = self.data.features_of(utterance, self.max_frames);
            features.extend_from_slice(own);
            let missing = FEWEST_FRAMES.saturating_sub(own.len() / columns);
            (0..missing).for_each(|_| features.extend_from_slice(&statistics.mean));
            frame_counts.push((own.len() / columns + missing) as u32);
            mean.extend_from_slice(&statistics.mean);
            reciprocal.extend_from_slice(&statistics.reciprocal_deviation);
            let words = self.data.tokens_of(utterance);
            tokens.extend(words.iter().map(|&token| u32::try_from(token).unwrap_or(OUT_OF_VOCABULARY)));
            if words.is_empty() {
                tokens.push(OUT_OF_VOCABULARY);
            }
            token_counts.push(words.len().max(1) as u32);
        }
        let backend = self.backend;
        let labels: Vec<u32> = self.labels(utterances);
        let groups: Vec<u32> = (0..utterances.len() as u32).collect();
        Batch {
            features: backend.upload(&features, [features.len() / columns, columns]),
            frames: acoustic_rows(backend, &frame_counts),
            normalisation: ZScore {
                groups: backend.upload_words(&groups),
                mean: backend.upload(&mean, [groups.len(), columns]),
                reciprocal_deviation: backend.upload(&reciprocal, [groups.len(), columns]),
            },
            tokens: Tokens::new(backend, &tokens, self.table_rows),
            words: Ragged::new(backend, &token_counts),
            vectors: self.vectors.clone(),
            labels: backend.upload_words(&labels),
        }
    }

    /// Labels of some utterances.
    pub fn labels(&self, utterances: &[usize]) -> Vec<u32> {
        utterances.iter().map(|&utterance| self.data.labels[utterance]).collect()
    }
}

/// The utterances of a range, as `--utterances 0..8` gives it.
///
/// # Errors
/// [`DatasetError::Range`] where it reaches past the data.
pub fn range_of(data: &Dataset, range: Range<usize>) -> Result<Vec<usize>, DatasetError> {
    if range.is_empty() || range.end > data.len() {
        let range = format!("{}..{}", range.start, range.end);
        return Err(DatasetError::Range { path: data.path.clone(), range, count: data.len() });
    }
    Ok(range.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_visits_every_utterance_once_in_an_order_of_its_own() {
        let utterances: Vec<usize> = (10..30).collect();
        let first = epoch_batches(&utterances, 8, Order::Shuffled, 1, 0);
        assert_eq!(first.iter().map(Vec::len).collect::<Vec<_>>(), [8, 8, 4]);
        let mut seen = first.concat();
        seen.sort_unstable();
        assert_eq!(seen, utterances);
        assert_eq!(first, epoch_batches(&utterances, 8, Order::Shuffled, 1, 0));
        assert_ne!(first, epoch_batches(&utterances, 8, Order::Shuffled, 1, 1));
        assert_eq!(epoch_batches(&utterances, 8, Order::Given, 1, 5).concat(), utterances);
    }
}
