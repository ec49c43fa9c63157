//! A batch in parts: forward and backward of each, on one device one after the other or each by the rank that it falls to. Either way
//! the gradients of the parts are computed by themselves and added in the order of the parts, on the device, so that the step is the same
//! to the last bit.

use std::ops::Range;

use super::{Differentiated, Pending, Results, Trainer};
use crate::backend::ops::Accumulate;
use crate::backend::{Backend, BackendError, Matrix, Write, as_f32};
use crate::dataset::Augmentation;
use crate::model::loss::Whole;
use crate::train::TrainError;
use crate::train::batches::Batches;
use crate::train::group::Together;

type Result<T, E = TrainError> = std::result::Result<T, E>;

/// Utterances that are computed at once.
pub(super) struct Part {
    /// Which of the step's.
    utterances: Range<usize>,
    /// The batch that it is a part of, where it is not all of it.
    whole: Option<Whole>,
}

/// What a rank has computed of a step.
#[derive(Default)]
pub(crate) struct Own {
    /// Of each of its parts, or their sum where the group adds as is the fastest.
    gradients: Vec<Vec<f32>>,
    /// Loss of each, and the logits of those with labels.
    results: Vec<(f32, Option<Vec<f32>>)>,
}

impl Own {
    /// The results as bytes: of each part the loss, how many logits there are, and these.
    fn to_bytes(&self) -> Vec<u8> {
        let of_part = |(loss, logits): &(f32, Option<Vec<f32>>)| {
            let count = logits.as_ref().map_or(u32::MAX, |logits| logits.len() as u32);
            [bytemuck::bytes_of(loss), bytemuck::bytes_of(&count), bytemuck::cast_slice(logits.as_deref().unwrap_or_default())].concat()
        };
        self.results.iter().flat_map(of_part).collect()
    }
}

/// The results that [`Own::to_bytes`] wrote.
fn results_of(bytes: &[u8]) -> Vec<(f32, Option<Vec<f32>>)> {
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

impl<B: Backend> Trainer<'_, B> {
    /// The parts of utterances of which the first `labelled` have a label: these as one batch, the others as another, each in `parts`
    /// parts of about as many utterances.
    fn divide(&self, batches: &Batches<'_, B>, utterances: &[usize], labelled: usize, parts: usize) -> Vec<Part> {
        let of_batch = |batch: Range<usize>| {
            let size = batch.len().div_ceil(parts.max(1)).max(1);
            let weight_of = |label: u32| self.weights_of_classes.get(label as usize).map_or(0.0, |&weight| f64::from(weight));
            let whole = (size < batch.len()).then(|| Whole {
                utterances: batch.len(),
                weight: batches.labels(&utterances[batch.clone()]).into_iter().map(weight_of).sum::<f64>() as f32,
            });
            let end = batch.end;
            batch.step_by(size).map(move |start| Part { utterances: start..(start + size).min(end), whole })
        };
        [0..labelled, labelled..utterances.len()].into_iter().flat_map(of_batch).collect()
    }

    /// Forward and backward of one part of some utterances, its gradients in a buffer of their own, in which those that nothing reaches
    /// are zero.
    fn differentiate_part(
        &self,
        batches: &Batches<'_, B>,
        utterances: &[usize],
        part: &Part,
        augmentation: Option<&Augmentation>,
        as_trained: bool,
    ) -> Result<(Differentiated<B>, B::Tensor)> {
        let gradients = self.backend.zeros(self.gradients.shape());
        let batch = batches.part(utterances, part.utterances.clone(), augmentation)?;
        Ok((self.differentiate(&batch, &gradients, part.whole, as_trained), gradients))
    }

    /// What has failed by now, before anything is updated.
    fn check(&self) -> Result<(), BackendError> {
        self.backend.failure().map_or(Ok(()), Err)
    }

    /// Forward and backward of utterances of which the first `labelled` have a label, in parts. The sum of the gradients is in its buffer.
    pub(super) fn differentiate_all(
        &self,
        batches: &Batches<'_, B>,
        utterances: &[usize],
        labelled: usize,
        parts: usize,
        augmentation: Option<&Augmentation>,
        as_trained: bool,
    ) -> Result<Vec<Differentiated<B>>> {
        let plan = self.divide(batches, utterances, labelled, parts);
        if let ([only], true) = (&plan[..], labelled > 0) {
            let batch = batches.part(utterances, only.utterances.clone(), augmentation)?;
            let result = self.differentiate(&batch, &self.gradients, only.whole, as_trained);
            self.check()?;
            return Ok(vec![result]);
        }
        let mut results = Vec::new();
        for part in &plan {
            let (result, x) = self.differentiate_part(batches, utterances, part, augmentation, as_trained)?;
            let write = if results.is_empty() { Write::Set } else { Write::Add };
            self.backend.run(&Accumulate { x, sum: self.gradients.clone(), write });
            results.push(result);
            // What one part took in memory serves the next.
            self.backend.submit();
            self.check()?;
        }
        Ok(results)
    }

    /// Forward and backward of the parts of a step that fall to this rank; waits for the device.
    ///
    /// # Errors
    /// What went wrong on the device, which after [`crate::backend::Storage::recover`] may be tried again. Features that cannot be read.
    pub(crate) async fn differentiate_own(
        &self,
        batches: &Batches<'_, B>,
        utterances: &[usize],
        parts: usize,
        together: &Together<'_>,
    ) -> Result<Own> {
        let (utterances, labelled) = batches.in_order(utterances);
        let plan = self.divide(batches, &utterances, labelled, parts);
        let augmentation = self.augmentation();
        let (mut own, mut sum) = (Own::default(), None);
        for part in &plan[together.own(plan.len())] {
            let (result, gradients) = self.differentiate_part(batches, &utterances, part, augmentation.as_ref(), true)?;
            let gradients = match (together.adds_fast(), &sum) {
                (false, _) => Some(self.backend.start_read(&gradients)),
                (true, None) => {
                    sum = Some(gradients);
                    None
                }
                (true, Some(sum)) => {
                    self.backend.run(&Accumulate { x: gradients, sum: sum.clone(), write: Write::Add });
                    None
                }
            };
            let (loss, logits) = self.read_results(&result);
            self.check()?;
            if let Some(gradients) = gradients {
                own.gradients.push(as_f32(self.backend.finish_read(gradients).await?));
            }
            let loss = as_f32(self.backend.finish_read(loss).await?)[0];
            let logits = match logits {
                Some(logits) => Some(as_f32(self.backend.finish_read(logits).await?)),
                None => None,
            };
            own.results.push((loss, logits));
        }
        if let Some(sum) = sum {
            own.gradients.push(as_f32(self.backend.read(&sum).await?));
        }
        Ok(own)
    }

    /// As [`Trainer::train_in_parts`], by all ranks of a group, of which each has computed its `own` parts or had no room for them. Where
    /// one had none, nothing was updated on any, and the step may be tried again, in more parts; that is the inner error.
    ///
    /// # Errors
    /// What is a reason to end.
    pub(crate) async fn train_together(
        &mut self,
        batches: &Batches<'_, B>,
        utterances: &[usize],
        parts: usize,
        own: Result<Own, BackendError>,
        together: &Together<'_>,
    ) -> Result<Result<Pending<B>, BackendError>> {
        let (utterances, labelled) = batches.in_order(utterances);
        let count = self.divide(batches, &utterances, labelled, parts).len();
        let message = match &own {
            Ok(own) => [&[0][..], &own.to_bytes()].concat(),
            Err(error) => [&[1][..], error.to_string().as_bytes()].concat(),
        };
        let all = together.gather(message)?;
        if let Some((rank, text)) = all.iter().enumerate().find_map(|(rank, bytes)| Some((rank, bytes.strip_prefix(&[1])?))) {
            let detail = format!("rank {rank}: {}", String::from_utf8_lossy(text));
            return Ok(Err(BackendError::OutOfMemory { detail }));
        }
        let results: Vec<_> = all.iter().flat_map(|bytes| results_of(&bytes[1..])).collect();
        let gradients = own.map(|own| own.gradients)?;
        let zeros;
        let first = match gradients.first() {
            Some(first) => first,
            None => {
                zeros = vec![0.0; self.gradients.len()];
                &zeros
            }
        };
        let sum = match together.add_fast(first)? {
            Some(sum) => sum,
            None => self.add_in_order(&gradients, count, together).await?,
        };
        self.gradients = self.backend.upload(&sum, self.gradients.shape());
        Ok(Ok(self.update(Results::Known(results)).await?))
    }

    /// The sum of all parts' gradients in their order: every rank adds a stretch of them, which it gets of all parts, and gives it to all.
    async fn add_in_order(&self, gradients: &[Vec<f32>], count: usize, together: &Together<'_>) -> Result<Vec<f32>> {
        let len = self.gradients.len();
        let shares: Vec<Range<usize>> = (0..together.size()).map(|rank| together.share(rank, len)).collect();
        let lengths: Vec<usize> = shares.iter().map(|share| gradients.len() * share.len()).collect();
        let arranged;
        let own = match gradients {
            // Its stretches lie as they are to be given.
            [only] => only,
            several => {
                arranged = shares.iter().flat_map(|share| several.iter().map(|part| &part[share.clone()])).collect::<Vec<_>>().concat();
                &arranged
            }
        };
        let all = together.exchange_values(own, &lengths)?;
        let stretch = together.own(len).len();
        let parts: Vec<&[f32]> = all.chunks_exact(stretch.max(1)).collect();
        let own = match (stretch, &parts[..]) {
            (0, _) => Vec::new(),
            (_, [only]) => only.to_vec(),
            (_, parts) => {
                debug_assert_eq!(parts.len(), count);
                let sum = self.backend.uninitialised([1, stretch]);
                for (place, part) in parts.iter().enumerate() {
                    let x = self.backend.upload(part, [1, stretch]);
                    self.backend.run(&Accumulate { x, sum: sum.clone(), write: if place == 0 { Write::Set } else { Write::Add } });
                }
                as_f32(self.backend.read(&sum).await?)
            }
        };
        Ok(together.gather_values(&own)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_survive_as_bytes() {
        let own = Own { gradients: Vec::new(), results: vec![(1.5, Some(vec![0.25, -2.0])), (-0.0, None), (f32::INFINITY, Some(vec![]))] };
        let read = results_of(&own.to_bytes());
        assert_eq!(read, own.results);
        assert!(read[1].0.is_sign_negative());
        assert!(results_of(&[]).is_empty());
    }
}
