//! A batch in parts: forward and backward of each, on one device one after the other or, in [`together`](super::together), each by the rank
//! that it falls to. Either way the gradients of the parts are computed by themselves and added in the order of the parts, so that the step
//! is the same to the last bit.

use std::ops::Range;

use super::{Differentiated, Trainer};
use crate::backend::ops::Accumulate;
use crate::backend::{Backend, BackendError, Matrix, Write};
use crate::dataset::Augmentation;
use crate::model::loss::Whole;
use crate::train::TrainError;
use crate::train::batches::Batches;

type Result<T, E = TrainError> = std::result::Result<T, E>;

/// Utterances that are computed at once.
pub(super) struct Part {
    /// Which of the step's.
    pub utterances: Range<usize>,
    /// The batch that it is a part of, where it is not all of it.
    pub whole: Option<Whole>,
}

impl<B: Backend> Trainer<'_, B> {
    /// The parts of utterances of which the first `labelled` have a label: these as one batch, the others as another, each in `parts`
    /// parts of about as many utterances.
    pub(super) fn divide(&self, batches: &Batches<'_, B>, utterances: &[usize], labelled: usize, parts: usize) -> Vec<Part> {
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
        Ok((self.differentiate(&batch, &gradients, part.whole, as_trained, None), gradients))
    }

    /// What has failed by now, before anything is updated.
    pub(super) fn check(&self) -> Result<(), BackendError> {
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
            let result = self.differentiate(&batch, &self.gradients, only.whole, as_trained, None);
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
}
