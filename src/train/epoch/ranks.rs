//! A training by several ranks: what all of them do at the same time.

use super::{Run, StepInfo};
use crate::backend::Backend;
use crate::base::hash::of_words;
use crate::train::group::{GroupError, Together};
use crate::train::observe::Event;
use crate::train::trainer::Missed;
use crate::train::{Pending, TrainError};

impl<'r, B: Backend> Run<'r, B> {
    /// Has the run go on by all ranks of a group, which must not be more than there is work for.
    ///
    /// # Errors
    /// [`GroupError::MoreThanParts`], [`GroupError::MoreThanUtterances`]: on all ranks. What went wrong on the device.
    pub(crate) async fn join(&mut self, together: Together<'r>) -> Result<(), TrainError> {
        let (ranks, parts) = (together.size(), self.settings.train.accumulate);
        if ranks > parts {
            return Err(GroupError::MoreThanParts { ranks, parts }.into());
        }
        if ranks > self.largest_batch {
            return Err(GroupError::MoreThanUtterances { ranks, utterances: self.largest_batch }.into());
        }
        self.trainer.learn_addition().await?;
        self.together = Some(together);
        Ok(())
    }

    /// Compares the weights of all ranks.
    ///
    /// # Errors
    /// [`GroupError::Weights`] where they differ.
    pub(crate) async fn agree(&self) -> Result<(), TrainError> {
        let Some(together) = &self.together else { return Ok(()) };
        let weights = self.trainer.network().read_weights().await?;
        Ok(together.agree_on_weights(of_words(bytemuck::cast_slice(&weights)), self.trainer.steps())?)
    }

    /// Whether this process writes the run's files.
    pub(crate) fn is_first(&self) -> bool {
        self.together.as_ref().is_none_or(Together::is_first)
    }

    /// Sends a step by all ranks, in more parts where one of them has no room for its own.
    pub(super) async fn send_together(
        &mut self,
        epoch: u64,
        utterances: Vec<usize>,
        unlabelled: Vec<usize>,
    ) -> Result<(Pending<B>, StepInfo), TrainError> {
        let step = self.trainer.steps();
        let all = [utterances.as_slice(), &unlabelled].concat();
        loop {
            let Some(together) = &self.together else { return Err(GroupError::MoreThanParts { ranks: 0, parts: 0 }.into()) };
            let own = match self.trainer.differentiate_own(&self.session.batches, &all, self.parts, together).await {
                Ok(own) => Ok(own),
                Err(TrainError::Backend(error)) if error.smaller_batch_helps() => {
                    self.backend.recover().await;
                    Err(error)
                }
                Err(error) => return Err(error),
            };
            let keeps_features = self.session.batches.keeps();
            match self.trainer.train_together(own, keeps_features, together).await? {
                Ok(pending) => {
                    let (rate, parts) = (pending.learning_rate, self.parts.min(all.len()));
                    return Ok((pending, StepInfo { step, epoch, rate, parts, utterances, unlabelled }));
                }
                // Devices are of one kind: none keeps features where one has no room beside them.
                Err(Missed { error, kept_features: true }) => {
                    self.session.batches.give_up_kept();
                    self.observers.tell(Event::NotKept { step, error: &error })?;
                }
                Err(Missed { error, .. }) if self.parts < all.len() && !self.settings.compares_utterances() => {
                    self.parts = (2 * self.parts).min(all.len());
                    self.observers.tell(Event::Split { step, parts: self.parts, error: &error })?;
                }
                Err(Missed { error, .. }) => return Err(error.into()),
            }
        }
    }
}
