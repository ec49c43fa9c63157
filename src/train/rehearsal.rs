//! What a training asks of a device, gone through once before it begins: steps and evaluations of all sizes that there are.

use std::collections::{BTreeMap, BTreeSet};

use super::batches::{epoch_batches, unlabelled, unlabelled_batch};
use super::session::{Session, Weights};
use super::{TrainError, evaluate};
use crate::backend::Backend;
use crate::base::utterances::Split;
use crate::config::Settings;
use crate::dataset::Dataset;

/// Does steps of an epoch and evaluates batches of the other splits, with weights that are thrown away: for a device that
/// watches (see [`Gpu::rehearse`](crate::backend::gpu::Gpu::rehearse)). Of batches of like sizes only the extreme ones are taken.
///
/// # Errors
/// [`TrainError`]; the training itself fails of the same.
pub(crate) async fn rehearse<B: Backend>(backend: &B, settings: &Settings, data: &Dataset) -> Result<(), TrainError> {
    let train = data.training();
    let session = Session::new(backend, settings, data, &train, Weights::Drawn)?;
    let (batches, max_frames) = (&session.batches, settings.data.max_frames);
    let mut trainer = session.trainer();
    let rows = |utterances: &[usize]| {
        let lengths = utterances.iter().map(|&utterance| data.lengths(utterance, max_frames));
        lengths.reduce(|sums, lengths| sums.iter().zip(lengths).map(|(sum, length)| sum + length).collect()).unwrap_or_default()
    };
    let unlabelled = unlabelled(data, settings);
    let steps = unlabelled.len().div_ceil(settings.train.batch_size) as u64;
    let besides = (0..steps).map(|step| unlabelled_batch(data, &unlabelled, &settings.train, step)).collect();
    let labelled = extremes(epoch_batches(data, &train, settings, 0), rows);
    for utterances in labelled.into_iter().chain(extremes(besides, rows)) {
        let pending = trainer.train_in_parts(batches, &utterances, settings.train.accumulate).await?;
        trainer.outcome(pending).await?;
    }
    for split in [Split::Validation, Split::Test] {
        let evaluated = data.split(split).chunks(evaluate::BATCH).map(<[usize]>::to_vec).collect();
        for utterances in extremes(evaluated, rows) {
            backend.finish_read(trainer.network().infer(&batches.batch(&utterances)?)).await?;
        }
    }
    Ok(())
}

/// Of all batches whose rows in a stream count up to the same power of two, the one that has the fewest and the one that has
/// the most: whatever a model makes of its streams' rows, divided by a constant, passes at most one power of two between them.
fn extremes<S: AsRef<[usize]>>(batches: Vec<Vec<usize>>, rows: impl Fn(&[usize]) -> S) -> Vec<Vec<usize>> {
    let sizes: Vec<S> = batches.iter().map(|utterances| rows(utterances)).collect();
    let mut taken = BTreeSet::<usize>::new();
    for stream in 0..sizes.first().map_or(0, |size| size.as_ref().len()) {
        let mut classes: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (batch, size) in sizes.iter().enumerate() {
            classes.entry(size.as_ref()[stream].next_power_of_two()).or_default().push(batch);
        }
        let rows = |&&batch: &&usize| sizes[batch].as_ref()[stream];
        taken.extend(classes.values().flat_map(|class| [class.iter().min_by_key(rows), class.iter().max_by_key(rows)]).flatten());
    }
    batches.into_iter().enumerate().filter(|(batch, _)| taken.contains(batch)).map(|(_, utterances)| utterances).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_and_the_largest_batch_of_every_class_of_rows_are_taken() {
        // A batch stands for its rows in both streams.
        let batches = [[5, 100], [6, 100], [8, 70], [7, 65], [9, 100], [16, 100], [12, 100]].map(Vec::from).to_vec();
        let taken = extremes(batches, |batch| [batch[0], batch[1]]);
        assert_eq!(taken, [[5, 100], [8, 70], [7, 65], [9, 100], [16, 100], [12, 100]].map(Vec::from));
        assert!(extremes(Vec::new(), |_| [0, 0]).is_empty());
    }
}
