//! Ranks that train one model together: threads of one process, a device each, or processes that an MPI launcher has started.
//!
//! Every rank has the whole model and the whole data, and computes its share of the parts of each batch. All that ranks tell each other
//! goes through [`Group::exchange`], by which each also learns whether another has failed, so that all end at the same place: a rank that
//! cannot go on says why at its next exchange, in place of its message.

#[cfg(feature = "mpi")]
pub mod mpi;
mod preconditions;
#[cfg(feature = "files")]
pub mod threads;
mod together;

use std::fmt::Debug;

use thiserror::Error;

use crate::base::remedy::Remedy;
pub use preconditions::Preconditions;
pub(crate) use preconditions::compare;
pub(crate) use together::Together;

/// Values of a bucket of gradients, see [`Group::bucket`]: 1 MB, which the host takes half a millisecond to copy and add, and which travels in
/// a tenth of one, against some tens of microseconds for a bucket more. The paper's network has four of them: the classifier with the last
/// self module, the other layers of attention, and each encoder.
const BUCKET: usize = 1 << 18;

/// What one rank gives the others.
#[derive(Debug, Clone)]
pub enum Message {
    /// The same to all.
    ToAll(Vec<u8>),
    /// To each its own, in the order of ranks.
    ToEach(Vec<Vec<u8>>),
}

/// Ranks that compute together, as one of them sees them.
pub trait Group: Debug {
    /// Which it is, from 0.
    fn rank(&self) -> usize;

    /// How many there are.
    fn size(&self) -> usize;

    /// Gives every rank its message, or the reason why this one cannot go on, and waits for what all ranks give this one, in their order.
    /// All ranks call it equally often, with messages of the same kind.
    ///
    /// # Errors
    /// [`GroupError::Failed`] on all ranks, where one or several failed: of the first of them.
    fn exchange(&self, own: Result<Message, String>) -> Result<Vec<Vec<u8>>, GroupError>;

    /// Gives each rank its stretch of `own`, of as many values as `lengths` says in the order of ranks, and returns what all give this one, in
    /// their order.
    ///
    /// # Errors
    /// Those of [`Group::exchange`].
    ///
    /// # Panics
    /// Where `own` has fewer values than `lengths` say.
    fn exchange_values(&self, own: &[f32], lengths: &[usize]) -> Result<Vec<f32>, GroupError> {
        let starts = lengths.iter().scan(0, |start, length| Some(std::mem::replace(start, *start + length)));
        let each = starts.zip(lengths).map(|(start, length)| bytemuck::cast_slice(&own[start..start + length]).to_vec());
        let all = self.exchange(Ok(Message::ToEach(each.collect())))?;
        Ok(all.iter().flat_map(|bytes| values(bytes)).collect())
    }

    /// What all ranks give to all, in their order.
    ///
    /// # Errors
    /// Those of [`Group::exchange`].
    fn gather_values(&self, own: &[f32]) -> Result<Vec<f32>, GroupError> {
        let all = self.exchange(Ok(Message::ToAll(bytemuck::cast_slice(own).to_vec())))?;
        Ok(all.iter().flat_map(|bytes| values(bytes)).collect())
    }

    /// Adds the values of all ranks in whatever order is the fastest, the same bits on each, where the group has such a way: that it has
    /// one says [`Group::adds_fast`].
    ///
    /// # Errors
    /// Those of [`Group::exchange`].
    fn add_fast(&self, values: &[f32]) -> Result<Option<Vec<f32>>, GroupError> {
        let _ = values;
        Ok(None)
    }

    /// Whether [`Group::add_fast`] adds.
    fn adds_fast(&self) -> bool {
        false
    }

    /// How many gradients at least are added together: the way back ends them bucket by bucket, and each is added as soon as it is ended.
    /// The same on all ranks; where [`Group::add_fast`] does not add, no bit depends on it.
    fn bucket(&self) -> usize {
        BUCKET
    }
}

/// Why ranks do not go on together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GroupError {
    /// A rank cannot go on.
    #[error("rank {rank}: {reason}")]
    Failed {
        /// Which, from 0.
        rank: usize,
        /// What it says.
        reason: String,
    },
    /// A rank was given something else than the first.
    #[error("rank {rank}: {what}: {found}, on rank 0 {expected}")]
    Differs {
        /// Which, from 0.
        rank: usize,
        /// The data, say.
        what: &'static str,
        /// What it is there.
        found: String,
        /// What it is on rank 0.
        expected: String,
    },
    /// A rank's weights are others than those of the first, though it did the same.
    #[error("rank {rank}: after step {step} its weights are no longer those of rank 0")]
    Weights {
        /// Which, from 0.
        rank: usize,
        /// Steps of the run by then.
        step: u64,
    },
    /// More ranks than parts of a batch.
    #[error("{ranks} ranks, and train.accumulate divides a batch into {parts} parts: a rank would have none")]
    MoreThanParts {
        /// How many ranks there are.
        ranks: usize,
        /// Parts of a batch.
        parts: usize,
    },
    /// More ranks than utterances in the largest batch.
    #[error("{ranks} ranks, and the largest batch has {utterances} utterances: a rank would have none")]
    MoreThanUtterances {
        /// How many ranks there are.
        ranks: usize,
        /// Utterances of the largest batch.
        utterances: usize,
    },
}

impl GroupError {
    pub(super) fn remedies(&self) -> Vec<Remedy> {
        match self {
            // It says what may help by itself.
            Self::Failed { .. } => Vec::new(),
            Self::Differs { what, .. } => vec![Remedy::SameOnRanks(what)],
            Self::Weights { .. } => vec![Remedy::OtherDevice, Remedy::Report],
            Self::MoreThanParts { .. } => vec![Remedy::FewerRanks, Remedy::Raise("train.accumulate")],
            Self::MoreThanUtterances { .. } => vec![Remedy::FewerRanks, Remedy::Raise("train.batch_size")],
        }
    }
}

/// Waits for the other ranks.
///
/// # Errors
/// Those of [`Group::exchange`].
pub(crate) fn wait(group: &dyn Group) -> Result<(), GroupError> {
    group.exchange(Ok(Message::ToAll(Vec::new()))).map(drop)
}

/// The numbers of a message.
fn values(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|&four| f32::from_ne_bytes(four)).collect()
}

#[cfg(all(test, feature = "files"))]
mod tests {
    use std::cell::Cell;

    use super::threads::{Meeting, Member};
    use super::*;
    use crate::backend::cpu::Cpu;
    use crate::base::streams::{FUNCTIONALS, PROSODY, StreamShape};
    use crate::config::{Config, Execution, Settings};
    use crate::dataset::{BatchShape, Dataset};
    use crate::train::{TrainError, Training};

    fn data() -> Dataset {
        let further = [(PROSODY, StreamShape::Vector { columns: 3 }), (FUNCTIONALS, StreamShape::Vector { columns: 5 })];
        BatchShape { batch: 13, frames: 40, words: 4, ragged: true }.dataset_with(&further)
    }

    fn settings(system: &str, more: &[&str]) -> Settings {
        let small = ["model.hidden=4", "model.heads=2", "model.feed_forward=4", "model.word_width=4", "mdre.hidden=4", "mha.hidden=4"];
        let further = ["can.hidden=4", "amh.hidden=4", "liang.hidden=16", "liang.mmd=0", "train.epochs=1", "train.batch_size=5"];
        let all = small.iter().chain(&further).chain(more).map(|text| text.to_string()).chain([format!("model.system={system}")]);
        Config::default().assign(&all.collect::<Vec<_>>()).unwrap().settings
    }

    /// A member whose gradients go in small buckets, and which counts those that it gives; one of them it cannot give.
    #[derive(Debug)]
    struct Counting<'m> {
        member: Member<'m>,
        bucket: usize,
        given: Cell<usize>,
        fails_at: Option<usize>,
    }

    impl Group for Counting<'_> {
        fn rank(&self) -> usize {
            self.member.rank()
        }

        fn size(&self) -> usize {
            self.member.size()
        }

        fn exchange(&self, own: Result<Message, String>) -> Result<Vec<Vec<u8>>, GroupError> {
            self.member.exchange(own)
        }

        fn exchange_values(&self, own: &[f32], lengths: &[usize]) -> Result<Vec<f32>, GroupError> {
            if self.fails_at == Some(self.given.replace(self.given.get() + 1)) {
                return Err(self.exchange(Err("its cable was pulled".into())).unwrap_err());
            }
            self.member.exchange_values(own, lengths)
        }

        fn bucket(&self) -> usize {
            self.bucket
        }
    }

    /// Weights and losses.
    type Trained = (Vec<f32>, Vec<f32>);

    /// Those of each rank; the last one can be made to fail at a bucket.
    fn by_ranks(settings: &Settings, data: &Dataset, ranks: usize, fails_at: Option<usize>) -> Vec<Result<Trained, TrainError>> {
        let meeting = Meeting::new(ranks);
        std::thread::scope(|scope| {
            let meeting = &meeting;
            let train = move |rank| {
                let (member, given, fails_at) = (meeting.member(rank), Cell::new(0), fails_at.filter(|_| rank + 1 == ranks));
                let member = Counting { member, bucket: 100, given, fails_at };
                let (group, execution): (Option<&dyn Group>, _) = (Some(&member), Execution::default());
                let run = Training { settings: settings.clone(), execution, group, ..Training::of(data) };
                let finished = pollster::block_on(run.run_on(&Cpu::<f32>::default(), &mut |_| ()))?;
                // Three steps, each of several buckets.
                assert!(member.given.get() >= 6 && member.given.get().is_multiple_of(3), "{}", member.given.get());
                Ok((finished.best.parameters, finished.losses))
            };
            let threads: Vec<_> = (0..ranks).map(|rank| scope.spawn(move || train(rank))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    }

    #[test]
    fn ranks_end_in_the_bits_of_one_device_whatever_the_system() {
        let data = data();
        for (system, more) in [
            ("mcsan", &["model.dropout=0.3", "train.class_weights=[1,2,3,1,1,2,1]", "train.precision=mixed"][..]),
            ("mdre", &["train.clip_norm=0.1", "train.average=0.9"]),
            ("mha", &["train.freeze=classifier"]),
            ("can", &["train.time_masks=1", "train.word_dropout=0.2"]),
            ("xu", &[]),
            ("liang", &["train.label_smoothing=0.1"]),
        ] {
            let settings = settings(system, &[more, &["train.accumulate=3"]].concat());
            let run = Training { settings: settings.clone(), ..Training::of(&data) };
            let alone = pollster::block_on(run.run_on(&Cpu::<f32>::default(), &mut |_| ())).unwrap();
            assert!(alone.losses.len() == 3 && alone.losses.iter().all(|loss| loss.is_finite()));
            for ranks in if system == "mcsan" { vec![2, 3] } else { vec![2] } {
                for result in by_ranks(&settings, &data, ranks, None) {
                    let (weights, losses) = result.unwrap();
                    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                    assert!(bits(&weights) == bits(&alone.best.parameters), "{system}: weights of {ranks} ranks");
                    assert_eq!(bits(&losses), bits(&alone.losses), "{system}: losses of {ranks} ranks");
                }
            }
        }
    }

    #[test]
    fn all_ranks_end_where_one_fails_between_two_buckets() {
        for (fails_at, ranks) in [(0, 2), (1, 3), (8, 2)] {
            for (rank, result) in
                by_ranks(&settings("mcsan", &["train.accumulate=3"]), &data(), ranks, Some(fails_at)).into_iter().enumerate()
            {
                let error = result.map(drop).unwrap_err();
                assert_eq!(error.to_string(), format!("rank {}: its cable was pulled", ranks - 1), "rank {rank}");
            }
        }
    }

    #[test]
    fn more_ranks_than_there_is_work_for_are_refused_by_all() {
        let data = data();
        for (more, said) in [
            (&["train.accumulate=2"][..], "3 ranks, and train.accumulate divides a batch into 2 parts"),
            (&["train.accumulate=9", "train.batch_size=2"], "3 ranks, and the largest batch has 2 utterances"),
        ] {
            for result in by_ranks(&settings("mcsan", more), &data, 3, None) {
                let line = result.map(drop).unwrap_err().to_string();
                assert!(line.starts_with(said), "{line}");
            }
        }
    }
}
