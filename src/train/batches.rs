//! Batches of a prepared data set on a backend.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use crate::backend::{Backend, BackendError, Storage};
use crate::base::philox::Stream;
use crate::base::streams::Readings;
use crate::base::utterances::Split;
use crate::config::{Balance, Order, Settings, TrainSettings};
use crate::dataset::{self, Augmentation, Batcher, Dataset, DatasetError, Normalisation};
use crate::model::Batch;

/// Random streams of the epochs' orders of utterances and of batches start here.
const ORDER_STREAMS: [u64; 2] = [1 << 61, 1 << 58];
/// Those of the orders in which the utterances of a corpus are gone through that is smaller than another.
const BALANCE_STREAMS: u64 = 1 << 54;
/// Those of the orders in which utterances without label are gone through.
const UNLABELLED_STREAMS: u64 = 1 << 57;
/// Among them, those of the orders of their shards.
const UNLABELLED_SHARDS: u64 = 1 << 53;

/// The utterances of each batch of an epoch.
pub(crate) fn epoch_batches(data: &Dataset, utterances: &[usize], settings: &Settings, epoch: u64) -> Vec<Vec<usize>> {
    let TrainSettings { seed, order, batch_size, .. } = settings.train;
    let streams = ORDER_STREAMS.map(|streams| Stream { seed, stream: streams | epoch });
    let length = |utterance| data.lengths(utterance, settings.data.max_frames);
    let utterances = balanced(data, utterances, &settings.train, epoch);
    let count = settings.train.steps_an_epoch(utterances.len()) as usize;
    if order == Order::Shards {
        let utterances = dataset::by_shards(&utterances, &data.shards, streams);
        return dataset::epoch_batches(&utterances, Order::Given, [count, batch_size], streams, length, |_| 0);
    }
    dataset::epoch_batches(&utterances, order, [count, batch_size], streams, length, |utterance| data.labels[utterance])
}

/// How many utterances an epoch over some has.
pub(crate) fn epoch_length(data: &Dataset, utterances: &[usize], settings: &TrainSettings) -> usize {
    let parts = if settings.balance == Balance::Corpus { data.by_part(utterances) } else { Vec::new() };
    parts.iter().map(|(_, own)| own.len()).max().map_or(utterances.len(), |largest| largest * parts.len())
}

/// Those that an epoch takes: all of them, or of each corpus as many as the largest has. One pass over a smaller corpus follows on the other,
/// from epoch to epoch, each in an order of its own, so that all its utterances come equally often and the number of the epoch says which.
fn balanced<'u>(data: &Dataset, utterances: &'u [usize], settings: &TrainSettings, epoch: u64) -> Cow<'u, [usize]> {
    let parts = if settings.balance == Balance::Corpus { data.by_part(utterances) } else { Vec::new() };
    let Some(largest) = parts.iter().map(|(_, own)| own.len()).max() else { return utterances.into() };
    let mut all = Vec::with_capacity(largest * parts.len());
    for (number, (_, own)) in parts.iter().enumerate() {
        let first = epoch * largest as u64;
        let mut order: Option<(u64, Vec<usize>)> = None;
        for place in first..first + largest as u64 {
            let (pass, place) = (place / own.len() as u64, (place % own.len() as u64) as usize);
            if order.as_ref().is_none_or(|(of, _)| *of != pass) {
                let stream = Stream { seed: settings.seed, stream: BALANCE_STREAMS | (number as u64) << 40 | pass };
                let given = settings.order == Order::Given;
                order = Some((pass, if given { (0..own.len()).collect() } else { stream.permutation(own.len()) }));
            }
            all.extend(order.as_ref().map(|(_, order)| own[order[place]]));
        }
    }
    all.into()
}

/// The utterances without label that a training of these settings learns from.
pub(crate) fn unlabelled(data: &Dataset, settings: &Settings) -> Vec<usize> {
    settings.unlabelled_from().map_or_else(Vec::new, |_| data.split(Split::Unlabelled))
}

/// Those of the `step`th step that takes some: a batch, or all of them where they are fewer. One pass over them follows on the other,
/// each in an order of its own, so that the number of the step says where a run stands.
pub(crate) fn unlabelled_batch(data: &Dataset, utterances: &[usize], settings: &TrainSettings, step: u64) -> Vec<usize> {
    let count = utterances.len() as u64;
    let size = (settings.batch_size as u64).min(count);
    let mut orders: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    let mut at = |place: u64| {
        let (pass, place) = (place / count, (place % count) as usize);
        if settings.order == Order::Given {
            return utterances[place];
        }
        let streams = [UNLABELLED_STREAMS, UNLABELLED_STREAMS | UNLABELLED_SHARDS];
        let streams @ [stream, _] = streams.map(|streams| Stream { seed: settings.seed, stream: streams | pass });
        let order = || match settings.order {
            Order::Shards => dataset::by_shards(utterances, &data.shards, streams),
            _ => stream.permutation(utterances.len()).into_iter().map(|place| utterances[place]).collect(),
        };
        orders.entry(pass).or_insert_with(order)[place]
    };
    (step * size..(step + 1) * size).map(&mut at).collect()
}

/// Frozen word vectors on a device, `[words, width]`, by the name of their stream.
pub(crate) type FrozenVectors<B> = BTreeMap<&'static str, <B as Storage>::Tensor>;

/// Uploads the frozen word vectors of the streams that are read.
pub(crate) fn upload_vectors<B: Backend>(backend: &B, data: &Dataset, readings: &Readings) -> FrozenVectors<B> {
    let upload = |stream: &'static str| {
        let tokens = data.streams.tokens(stream)?;
        let table = tokens.vectors.as_ref()?;
        Some((stream, backend.upload(&table.values, [tokens.words(), table.width])))
    };
    readings.iter().filter_map(|reading| upload(reading.stream)).collect()
}

/// Makes batches of a data set on a backend.
pub struct Batches<'a, B: Backend> {
    backend: &'a B,
    batcher: Batcher<'a>,
    /// Uploaded once.
    vectors: FrozenVectors<B>,
    /// Rows of all utterances of the data set, `[rows, columns]`, by the name of their stream, where the device keeps them.
    kept: BTreeMap<&'static str, B::Tensor>,
}

/// Most bytes of features that a device keeps: a corpus of some twenty hours, which leaves room for a batch on cards of 4 GB.
const MOST_KEPT: u64 = 1 << 30;

impl<'a, B: Backend> Batches<'a, B> {
    /// Uploads what all batches share.
    ///
    /// # Errors
    /// Those of [`Batcher::new`].
    pub fn new(backend: &'a B, data: &'a Dataset, normalisation: &Normalisation, readings: Readings) -> Result<Self, DatasetError> {
        let vectors = upload_vectors(backend, data, &readings);
        Self::with_vectors(backend, data, normalisation, readings, vectors)
    }

    /// As [`Batches::new`], of a data set whose vectors are on the device already.
    ///
    /// # Errors
    /// Those of [`Batcher::new`].
    pub(crate) fn with_vectors(
        backend: &'a B,
        data: &'a Dataset,
        normalisation: &Normalisation,
        readings: Readings,
        vectors: FrozenVectors<B>,
    ) -> Result<Self, DatasetError> {
        Ok(Self { backend, batcher: Batcher::new(data, normalisation, readings)?, vectors, kept: BTreeMap::new() })
    }

    /// Puts the frames of all utterances on the device where it has a memory of its own and they fit: batches then upload nothing of
    /// them. Where there is no room after all, which is returned, batches bring theirs as before.
    ///
    /// # Errors
    /// Features that cannot be read.
    pub async fn keep_on_device(&mut self) -> Result<Option<BackendError>, DatasetError> {
        let Some(most) = self.backend.largest_matrix() else { return Ok(None) };
        let mut left = most.min(MOST_KEPT);
        for (stream, shape) in self.batcher.frames() {
            let bytes = (shape[0] * shape[1] * size_of::<f32>()) as u64;
            if bytes > left || shape.contains(&0) {
                continue;
            }
            left -= bytes;
            let rows = self.backend.upload_pieces(self.batcher.all_rows(stream), shape)?;
            if let Some(error) = self.backend.failure().filter(BackendError::smaller_batch_helps) {
                drop(rows);
                self.give_up_kept();
                self.backend.recover().await;
                return Ok(Some(error));
            }
            self.kept.insert(stream, rows);
            self.batcher.keep(stream);
        }
        Ok(None)
    }

    /// Whether the device keeps any.
    pub(crate) fn keeps(&self) -> bool {
        !self.kept.is_empty()
    }

    /// Has batches bring their frames from here on; returns whether the device kept any.
    pub(crate) fn give_up_kept(&mut self) -> bool {
        self.kept.clear();
        self.batcher.give_up_kept()
    }

    /// Uploads the utterances `part` of a batch, augmented; they draw the random numbers that they would in the whole batch.
    ///
    /// # Errors
    /// Those of [`Batcher::batch`].
    pub(crate) fn part(
        &self,
        utterances: &[usize],
        part: Range<usize>,
        augmentation: Option<&Augmentation>,
    ) -> Result<Batch<B>, DatasetError> {
        let mut batch = self.augmented(&utterances[part.clone()], augmentation)?;
        let before = &utterances[..part.start];
        batch.follow(before.len(), |stream| before.iter().map(|&utterance| self.batcher.length(stream, utterance)).collect());
        Ok(batch)
    }

    /// Uploads some utterances.
    ///
    /// # Errors
    /// Those of [`Batcher::batch`].
    pub fn batch(&self, utterances: &[usize]) -> Result<Batch<B>, DatasetError> {
        self.augmented(utterances, None)
    }

    /// Uploads some utterances, changed by chance where that is wished.
    ///
    /// # Errors
    /// Those of [`Batcher::batch`].
    pub fn augmented(&self, utterances: &[usize], augmentation: Option<&Augmentation>) -> Result<Batch<B>, DatasetError> {
        let mut batch = self.batcher.batch(utterances)?;
        if let Some(augmentation) = augmentation {
            augmentation.change(&mut batch);
        }
        Ok(Batch::upload(self.backend, &batch, &self.vectors, &self.kept))
    }

    /// Mean rows of some utterances of a stream, rounded; 0 where there is none.
    pub(crate) fn mean_length(&self, stream: &str, utterances: &[usize]) -> usize {
        self.batcher.dataset().mean_length(stream, utterances, self.batcher.readings())
    }

    /// What an utterance is called.
    pub(crate) fn id(&self, utterance: usize) -> &str {
        &self.batcher.dataset().utterances[utterance].id
    }

    /// The places of some utterances, those with a label first, and how many these are.
    pub(crate) fn labelled_first(&self, utterances: &[usize]) -> (Vec<usize>, usize) {
        let is_labelled = |&place: &usize| self.batcher.dataset().is_labelled(utterances[place]);
        let (labelled, unlabelled): (Vec<usize>, Vec<usize>) = (0..utterances.len()).partition(is_labelled);
        let count = labelled.len();
        (labelled.into_iter().chain(unlabelled).collect(), count)
    }

    /// Some utterances, those with a label first, and how many these are.
    pub(crate) fn in_order(&self, utterances: &[usize]) -> (Vec<usize>, usize) {
        let (places, labelled) = self.labelled_first(utterances);
        (places.into_iter().map(|place| utterances[place]).collect(), labelled)
    }

    /// Labels of some utterances.
    pub(crate) fn labels(&self, utterances: &[usize]) -> Vec<u32> {
        utterances.iter().map(|&utterance| self.batcher.dataset().labels[utterance]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Order;
    use crate::dataset::{BatchShape, Part};

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
        assert!(batches(&settings, 0).iter().all(|batch| batch.is_sorted_by_key(|&utterance| data.lengths(utterance, 1000)[0])));
    }

    #[test]
    fn a_balanced_epoch_has_as_many_of_each_corpus_and_all_come_equally_often() {
        let mut data = BatchShape { batch: 30, frames: 20, words: 3, ragged: true }.dataset();
        let part = |name: &str, utterances| Part { name: name.into(), utterances, ..Part::default() };
        data.parts = vec![part("small", 0..5), part("large", 5..22), part("middle", 22..30)];
        let utterances: Vec<usize> = (0..30).collect();
        let mut settings = Settings::default();
        (settings.train.batch_size, settings.train.balance) = (8, Balance::Corpus);
        let epoch = |settings: &Settings, epoch| epoch_batches(&data, &utterances, settings, epoch);
        let mut times = [0; 30];
        for number in 0..10 {
            let taken = epoch(&settings, number).concat();
            assert_eq!(taken.len(), epoch_length(&data, &utterances, &settings.train));
            for (part, own) in data.by_part(&taken) {
                assert_eq!(own.len(), 17, "{}", part.name);
            }
            taken.iter().for_each(|&utterance| times[utterance] += 1);
        }
        for part in &data.parts {
            let of = &times[part.utterances.clone()];
            assert!(of.iter().max().unwrap() - of.iter().min().unwrap() <= 1, "{}: {of:?}", part.name);
        }
        assert_eq!(epoch(&settings, 3), epoch(&settings, 3));
        assert_ne!(epoch(&settings, 3), epoch(&settings, 4));
        settings.train.order = Order::Replacement;
        assert_eq!(epoch(&settings, 0).len(), 51usize.div_ceil(8));
        settings.train.balance = Balance::None;
        settings.train.order = Order::Shuffled;
        assert_eq!(epoch(&settings, 0).concat().len(), 30);
    }

    #[test]
    fn utterances_without_label_are_gone_through_pass_after_pass() {
        let utterances: Vec<usize> = (50..57).collect();
        let data = Dataset::default();
        let of = |batch_size: usize, step| unlabelled_batch(&data, &utterances, &TrainSettings { batch_size, ..Default::default() }, step);
        // Three passes in seven steps, two of which end within a batch.
        let taken: Vec<usize> = (0..7).flat_map(|step| of(3, step)).collect();
        for pass in taken.chunks(7) {
            let mut sorted = pass.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, utterances);
        }
        assert_ne!(taken[..7], taken[7..14]);
        assert_eq!([of(3, 4), of(90, 1)].map(|batch| batch.len()), [3, 7]);
    }
}
