//! A step by several ranks: each computes the parts of the batch that fall to it, and all add the gradients of all parts.
//!
//! Gradients go in buckets, those first that the way back ends first. Each is copied to the host as soon as its work is recorded, so that
//! what is sent, added and given to all are the first buckets while the device still computes the last ones. A rank that fails while others
//! are at it gives nothing more, and says so when all give their results: then nothing was updated on any.

use std::ops::Range;

use super::addition::Addition;
use super::{Pending, Readbacks, Results, Trainer};
use crate::backend::ops::Accumulate;
use crate::backend::{Backend, BackendError, Matrix, Write, as_f32};
use crate::train::TrainError;
use crate::train::batches::Batches;
use crate::train::group::Together;

type Result<T, E = TrainError> = std::result::Result<T, E>;

/// Loss of a part, and its logits where it has labels.
type PartResults = (f32, Option<Vec<f32>>);

/// What a rank has computed of a step, or sent to its device.
pub(crate) struct Own<B: Backend> {
    /// Of each of its parts, or of their sum where the group adds as is the fastest, the gradients bucket by bucket.
    gradients: Vec<Vec<Copied<B>>>,
    /// Of each part that was waited for.
    results: Vec<PartResults>,
    /// Those of the last part.
    last: Option<Readbacks<B>>,
}

impl<B: Backend> Default for Own<B> {
    fn default() -> Self {
        Self { gradients: Vec::new(), results: Vec::new(), last: None }
    }
}

/// Numbers on the host, or on their way there.
enum Copied<B: Backend> {
    Here(Vec<f32>),
    Coming(B::Readback),
}

impl<B: Backend> Copied<B> {
    async fn wait(self, backend: &B) -> Result<Vec<f32>, BackendError> {
        match self {
            Self::Here(values) => Ok(values),
            Self::Coming(readback) => Ok(as_f32(backend.finish_read(readback).await?)),
        }
    }
}

/// Why a step was not done, on any rank.
pub(crate) struct Missed {
    /// The first rank's that had no room for its parts.
    pub error: BackendError,
    /// Whether its device kept features, without which it may have room.
    pub kept_features: bool,
}

/// What begins a rank's results.
mod status {
    pub(super) const DONE: u8 = 0;
    pub(super) const NO_ROOM: u8 = 1;
    pub(super) const NO_ROOM_BESIDE_FEATURES: u8 = 2;
}

impl<B: Backend> Trainer<'_, B> {
    /// Learns how the device adds, for the host to do the same while it computes.
    ///
    /// # Errors
    /// Whatever went wrong on the device.
    pub(crate) async fn learn_addition(&mut self) -> Result<(), BackendError> {
        self.addition = Addition::of(self.backend).await?;
        Ok(())
    }

    /// The buckets that gradients go in.
    fn buckets(&self, together: &Together<'_>) -> Vec<Range<usize>> {
        self.network.model().parameters().buckets(together.bucket())
    }

    /// Forward and backward of the parts of a step that fall to this rank; waits for the device but for the last of them.
    ///
    /// # Errors
    /// What went wrong on the device, which after [`crate::backend::Storage::recover`] may be tried again. Features that cannot be read.
    pub(crate) async fn differentiate_own(
        &self,
        batches: &Batches<'_, B>,
        utterances: &[usize],
        parts: usize,
        together: &Together<'_>,
    ) -> Result<Own<B>> {
        let (utterances, labelled) = batches.in_order(utterances);
        let plan = self.divide(batches, &utterances, labelled, parts);
        let (augmentation, buckets) = (self.augmentation(), self.buckets(together));
        let (mut own, mut sum): (Own<B>, Option<B::Tensor>) = (Own::default(), None);
        let mine = &plan[together.own(plan.len())];
        for (place, part) in mine.iter().enumerate() {
            let is_last = place + 1 == mine.len();
            let is_read = is_last || !together.adds_fast();
            let gradients = self.backend.zeros(self.gradients.shape());
            let batch = batches.part(&utterances, part.utterances.clone(), augmentation.as_ref())?;
            let mut copies = Vec::new();
            let mut whole = |bucket: &Range<usize>| {
                let of = |all: &B::Tensor| all.slice(bucket.start, [1, bucket.len()]);
                let mut values = of(&gradients);
                if let Some(sum) = &sum {
                    self.backend.run(&Accumulate { x: values, sum: of(sum), write: Write::Add });
                    values = of(sum);
                }
                if is_read {
                    copies.push(Copied::Coming(self.backend.start_read(&values)));
                }
                if is_last {
                    // The device begins with it, and the host goes on to record what comes after.
                    self.backend.submit();
                }
            };
            let result = self.differentiate(&batch, &gradients, part.whole, true, Some((&buckets, &mut whole)));
            let results = self.read_results(&result);
            self.backend.submit();
            self.check()?;
            // While the device is at this part the one before is taken, whose memory serves the next.
            self.settle(&mut own).await?;
            own.last = Some(results);
            if is_read {
                own.gradients.push(copies);
            }
            if together.adds_fast() {
                sum = sum.or(Some(gradients));
            }
        }
        Ok(own)
    }

    /// Waits for the last part.
    async fn settle(&self, own: &mut Own<B>) -> Result<(), BackendError> {
        for copied in own.gradients.last_mut().into_iter().flatten() {
            let copy = std::mem::replace(copied, Copied::Here(Vec::new()));
            *copied = Copied::Here(copy.wait(self.backend).await?);
        }
        if let Some((loss, logits)) = own.last.take() {
            let loss = as_f32(self.backend.finish_read(loss).await?)[0];
            let logits = match logits {
                Some(logits) => Some(as_f32(self.backend.finish_read(logits).await?)),
                None => None,
            };
            own.results.push((loss, logits));
        }
        Ok(())
    }

    /// As [`Trainer::train_in_parts`], by all ranks of a group, of which each has its `own` parts or had no room for them. Where
    /// one had none, nothing was updated on any, and the step may be tried again; that is the inner error. `keeps_features` says whether this
    /// one's device keeps some that it could give up.
    ///
    /// # Errors
    /// What is a reason to end.
    pub(crate) async fn train_together(
        &mut self,
        mut own: Result<Own<B>, BackendError>,
        keeps_features: bool,
        together: &Together<'_>,
    ) -> Result<Result<Pending<B>, Missed>> {
        let mut sum = vec![0.0; self.gradients.len()];
        for (number, bucket) in self.buckets(together).into_iter().enumerate() {
            let parts = match &mut own {
                Ok(own) => self.bucket_of(own, number).await,
                Err(_) => Ok(Vec::new()),
            };
            let parts = match parts {
                Ok(parts) => parts,
                Err(error) => {
                    own = Err(self.without_room(error).await?);
                    Vec::new()
                }
            };
            sum[bucket.clone()].copy_from_slice(&self.add(&parts, bucket.len(), together).await?);
        }
        let results = match own {
            Ok(mut own) => match self.settle(&mut own).await {
                Ok(()) => Ok(own.results),
                Err(error) => Err(self.without_room(error).await?),
            },
            Err(error) => Err(error),
        };
        let message = match &results {
            Ok(results) => [&[status::DONE][..], &to_bytes(results)].concat(),
            Err(error) if keeps_features => [&[status::NO_ROOM_BESIDE_FEATURES][..], error.to_string().as_bytes()].concat(),
            Err(error) => [&[status::NO_ROOM][..], error.to_string().as_bytes()].concat(),
        };
        let all = together.gather(message)?;
        let failed = |(rank, message): (usize, &Vec<u8>)| match message.split_first() {
            Some((&status::DONE, _)) | None => None,
            Some((status, text)) => Some((rank, *status, String::from_utf8_lossy(text).into_owned())),
        };
        if let Some((rank, status, text)) = all.iter().enumerate().find_map(failed) {
            let error = BackendError::OutOfMemory { detail: format!("rank {rank}: {text}") };
            return Ok(Err(Missed { error, kept_features: status == status::NO_ROOM_BESIDE_FEATURES }));
        }
        let results: Vec<PartResults> = all.iter().flat_map(|bytes| results_of(&bytes[1..])).collect();
        self.gradients = self.backend.upload(&sum, self.gradients.shape());
        Ok(Ok(self.update(Results::Known(results)).await?))
    }

    /// The gradients of a bucket of each part, which are waited for.
    async fn bucket_of(&self, own: &mut Own<B>, number: usize) -> Result<Vec<Vec<f32>>, BackendError> {
        let mut parts = Vec::new();
        for copies in &mut own.gradients {
            parts.push(std::mem::replace(&mut copies[number], Copied::Here(Vec::new())).wait(self.backend).await?);
        }
        Ok(parts)
    }

    /// A failure of a device that has no room, which it has again; any other is returned.
    async fn without_room(&self, error: BackendError) -> Result<BackendError, BackendError> {
        if !error.smaller_batch_helps() {
            return Err(error);
        }
        self.backend.recover().await;
        Ok(error)
    }

    /// The sum of a bucket's gradients over all parts.
    async fn add(&self, parts: &[Vec<f32>], len: usize, together: &Together<'_>) -> Result<Vec<f32>> {
        if together.adds_fast() {
            let zeros;
            let own = match parts.first() {
                Some(own) => own,
                None => {
                    zeros = vec![0.0; len];
                    &zeros
                }
            };
            if let Some(sum) = together.add_fast(own)? {
                return Ok(sum);
            }
        }
        self.add_in_order(parts, len, together).await
    }

    /// The same in the order of the parts: every rank adds a share of the bucket, which it gets of all parts, and gives it to all.
    async fn add_in_order(&self, parts: &[Vec<f32>], len: usize, together: &Together<'_>) -> Result<Vec<f32>> {
        let shares: Vec<Range<usize>> = (0..together.size()).map(|rank| together.share(rank, len)).collect();
        let lengths: Vec<usize> = shares.iter().map(|share| parts.len() * share.len()).collect();
        let arranged;
        let own = match parts {
            // Its shares lie as they are to be given.
            [only] => only,
            several => {
                arranged = shares.iter().flat_map(|share| several.iter().map(|part| &part[share.clone()])).collect::<Vec<_>>().concat();
                &arranged
            }
        };
        let all = together.exchange_values(own, &lengths)?;
        let share = together.own(len).len();
        let parts: Vec<&[f32]> = all.chunks_exact(share.max(1)).collect();
        let own = match (&parts[..], self.addition) {
            // Who fails gives no part; what is added then is of no step.
            ([], _) => vec![0.0; share],
            ([first, others @ ..], Some(addition)) => {
                let mut sum = first.to_vec();
                others.iter().for_each(|part| addition.add_to(&mut sum, part));
                sum
            }
            (parts, None) => self.add_on_device(parts).await?,
        };
        Ok(together.gather_values(&own)?)
    }

    /// Adds parts where it is not known how the device adds, when it has come to that.
    async fn add_on_device(&self, parts: &[&[f32]]) -> Result<Vec<f32>, BackendError> {
        let shape = [1, parts.first().map_or(0, |part| part.len())];
        let sum = self.backend.uninitialised(shape);
        for (place, part) in parts.iter().enumerate() {
            let x = self.backend.upload(part, shape);
            self.backend.run(&Accumulate { x, sum: sum.clone(), write: if place == 0 { Write::Set } else { Write::Add } });
        }
        Ok(as_f32(self.backend.read(&sum).await?))
    }
}

/// Results as bytes: of each part the loss, how many logits there are, and these.
fn to_bytes(results: &[PartResults]) -> Vec<u8> {
    let of_part = |(loss, logits): &PartResults| {
        let count = logits.as_ref().map_or(u32::MAX, |logits| logits.len() as u32);
        [bytemuck::bytes_of(loss), bytemuck::bytes_of(&count), bytemuck::cast_slice(logits.as_deref().unwrap_or_default())].concat()
    };
    results.iter().flat_map(of_part).collect()
}

/// The results that [`to_bytes`] wrote.
fn results_of(bytes: &[u8]) -> Vec<PartResults> {
    let words: Vec<u32> = bytes.as_chunks().0.iter().map(|&four| u32::from_ne_bytes(four)).collect();
    let (mut results, mut rest) = (Vec::new(), &words[..]);
    while let [loss, count, logits @ ..] = rest {
        let logits_of_part = (*count != u32::MAX).then(|| logits.split_at(logits.len().min(*count as usize)));
        let (own, next) = logits_of_part.map_or((None, logits), |(own, next)| (Some(own), next));
        results.push((f32::from_bits(*loss), own.map(|own| own.iter().map(|&bits| f32::from_bits(bits)).collect())));
        rest = next;
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::Cpu;
    use crate::config::Config;
    use crate::dataset::BatchShape;
    use crate::train::{Session, Weights};

    /// What stands in where it is not known how a device adds.
    #[test]
    fn a_device_adds_parts_in_their_order() {
        let data = BatchShape { batch: 3, frames: 20, words: 2, ragged: true }.dataset();
        let small = ["model.hidden=4", "model.heads=2", "model.feed_forward=4"].map(String::from);
        let (settings, backend) = (Config::default().assign(&small).unwrap().settings, Cpu::<f32>::default());
        let trainer = Session::new(&backend, &settings, &data, &data.training(), Weights::Drawn).unwrap().trainer();
        let add = |parts: &[&[f32]]| pollster::block_on(trainer.add_on_device(parts)).unwrap();
        assert_eq!(add(&[&[1e8, 2.0, -0.0], &[-1e8, 0.5, 0.0], &[1.0, 4.0, 0.0]]), [1.0, 6.5, 0.0]);
        assert_eq!(add(&[&[1.0, 2.0], &[1e8, 0.0], &[-1e8, 0.0]]), [0.0, 2.0]);
        assert_eq!(add(&[&[3.0]]), [3.0]);
    }

    #[test]
    fn results_survive_as_bytes() {
        let results = vec![(1.5, Some(vec![0.25, -2.0])), (-0.0, None), (f32::INFINITY, Some(vec![]))];
        let read = results_of(&to_bytes(&results));
        assert_eq!(read, results);
        assert!(read[1].0.is_sign_negative());
        assert!(results_of(&[]).is_empty());
    }
}
