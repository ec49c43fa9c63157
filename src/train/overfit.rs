//! The first check of any training: one batch must be learned by heart. Where it is not, gradients or labels are wrong.

use super::batches::epoch_batches;
use super::session::{Session, Weights};
use super::{Origin, TrainError};
use crate::backend::Backend;
use crate::base::utterances::Split;
use crate::config::{Schedule, Settings};
use crate::dataset::Dataset;

/// Loss below which a batch counts as learned.
pub(crate) const LEARNED: f32 = 1e-3;
/// Steps that it may take, where `train.steps` does not say.
pub(crate) const STEPS: u64 = 1000;

/// A batch that was learned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Learned {
    pub utterances: usize,
    pub steps: u64,
    /// Loss of the last step.
    pub loss: f32,
}

/// Trains on the first batch alone until its loss is below [`LEARNED`]. What keeps a loss from zero on purpose is off:
/// dropout, masks, terms of the loss besides that of the logits, label smoothing, weight decay, and a learning rate that falls. `observe` gets
/// each step and its loss.
///
/// # Errors
/// [`TrainError::NotLearned`] where the loss is not reached, or whatever went wrong on the device.
pub(crate) async fn one_batch<B: Backend>(
    backend: &B,
    settings: &Settings,
    data: &Dataset,
    observe: &mut dyn FnMut(u64, f32),
) -> Result<Learned, TrainError> {
    let mut settings = settings.clone().without_dropout().without_terms().without_augmentation();
    let train = &mut settings.train;
    (train.label_smoothing, train.weight_decay, train.schedule) = (0.0, 0.0, Schedule::Constant);
    let limit = if train.steps > 0 { train.steps } else { STEPS };
    let training = data.training();
    let Some(utterances) = epoch_batches(data, &training, &settings, 0).into_iter().next() else {
        return Err(TrainError::EmptySplit { split: Split::Train });
    };
    let session = Session::new(backend, &settings, data, &training, Weights::Drawn)?;
    session.check_batch(&utterances, utterances.len().div_ceil(settings.train.accumulate))?;
    let mut trainer = session.trainer();
    let mut loss = f32::INFINITY;
    for step in 0..limit {
        let pending = trainer.train_in_parts(&session.batches, &utterances, settings.train.accumulate).await?;
        loss = trainer.outcome(pending).await?.loss;
        observe(step, loss);
        if loss < LEARNED {
            return Ok(Learned { utterances: utterances.len(), steps: step + 1, loss });
        }
        if !loss.is_finite() {
            let origin = if step == 0 { Origin::Utterances } else { Origin::Batch };
            let utterances = utterances.iter().map(|&utterance| data.utterances[utterance].id.clone()).collect();
            return Err(TrainError::NotFinite { step, loss, origin, utterances, kept: None });
        }
    }
    Err(TrainError::NotLearned { utterances: utterances.len(), steps: trainer.steps(), loss })
}
