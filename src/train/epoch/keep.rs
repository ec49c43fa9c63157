//! What a training keeps: the best model, checkpoints on its way, and what is left of it in the end.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Run;
use crate::backend::Backend;
use crate::base::numbers::Precision;
use crate::base::utterances::Split;
use crate::config::Selection;
use crate::model::Network;
use crate::model::parameters::Parameter;
use crate::train::checkpoint::{Checkpoint, MOMENTS, Progress};
use crate::train::metrics::Metrics;
use crate::train::observe::Event;
use crate::train::run::Finished;
use crate::train::{TrainError, fit};

impl<B: Backend> Run<'_, B> {
    /// Keeps the model if this epoch is the best so far; without a validation split, the last one is.
    pub(super) async fn select_best(&mut self, validation: Option<&Metrics>) -> Result<bool, TrainError> {
        let figure = validation.map(|metrics| match self.settings.train.selection {
            Selection::Ua => metrics.ua,
            Selection::Wa => metrics.wa,
            Selection::MacroF1 => metrics.macro_f1,
            Selection::WeightedF1 => metrics.weighted_f1,
            Selection::Loss => -metrics.loss,
        });
        let better = match (figure, self.best_figure) {
            (Some(figure), Some(before)) => figure > before,
            _ => true,
        };
        if better {
            (self.best_figure, self.best_epoch) = (figure, self.epochs);
            self.best = Some(self.checkpoint(self.trainer.result()).await?);
        }
        Ok(better)
    }

    /// The model as it is now, with the weights of a network.
    async fn checkpoint(&self, network: &Network<'_, B>) -> Result<Checkpoint, TrainError> {
        let parameters = network.read_weights().await?;
        self.check_finite(&parameters, "")?;
        Ok(Checkpoint {
            settings: self.settings.clone(),
            device: self.device.into(),
            dimensions: self.session.dimensions.clone(),
            classes: self.data.classes.clone(),
            normalisation: self.session.normalisation.clone(),
            parameters,
            machine: None,
            moments: None,
            average: None,
            step: self.trainer.steps(),
            epoch: self.epochs,
            best: self.best_figure,
            progress: None,
        })
    }

    /// Refuses a buffer of the weights' layout with a number that is none.
    fn check_finite(&self, values: &[f32], prefix: &str) -> Result<(), TrainError> {
        let is_finite = |parameter: &&Parameter| values[parameter.offset..][..parameter.len()].iter().all(|value| value.is_finite());
        match self.trainer.network().model().parameters().iter().find(|parameter| !is_finite(parameter)) {
            Some(Parameter { name, .. }) => {
                let (step, tensor) = (self.trainer.steps(), format!("{prefix}{name}"));
                Err(TrainError::WeightNotFinite { step, tensor, kept: self.observers.kept() })
            }
            None => Ok(()),
        }
    }

    /// Tells those who keep it where the run stands, and the best model where that is `new`.
    pub(super) async fn keep(&mut self, new: bool) -> Result<(), TrainError> {
        if !self.observers.keep() {
            return Ok(());
        }
        let last = self.snapshot().await?;
        let best = self.best.as_ref().filter(|_| new);
        self.observers.tell(Event::Checkpoint { best, last: &last })
    }

    /// The model with all that is needed to go on.
    async fn snapshot(&self) -> Result<Checkpoint, TrainError> {
        let mut last = self.checkpoint(self.trainer.network()).await?;
        if let Some(averaged) = self.trainer.averaged() {
            last.average = Some(averaged.read_weights().await?);
        }
        let moments = self.trainer.read_moments().await?;
        moments.iter().zip(MOMENTS).try_for_each(|(values, prefix)| self.check_finite(values, prefix))?;
        last.moments = Some(moments);
        let is_mixed = self.settings.train.precision == Precision::Mixed;
        last.progress = Some(Progress {
            best_epoch: self.best_epoch,
            plateaus: self.plateaus,
            parts: self.parts,
            tally: self.tally.clone(),
            scaling: if is_mixed { Some(self.trainer.read_scaling().await?) } else { None },
            data: self.fingerprint.clone(),
        });
        Ok(last)
    }

    /// Fits the machine on the best model's network where the system has one, and keeps it; one that is there was fitted to the same.
    async fn fit(&mut self, best: Checkpoint) -> Result<Checkpoint, TrainError> {
        if best.machine.is_some() || !self.settings.model.system.has_machine() {
            return Ok(best);
        }
        let utterances = self.train.len();
        let memory = fit::check_room(self.settings, &self.session.dimensions, utterances)?;
        self.observers.tell(Event::Fitting { utterances, memory })?;
        let fitted = fit::machine(self.backend, &best, self.data, [&self.train, &self.validation], &|| {
            !self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
        })
        .await?;
        let stopped = || TrainError::Stopped { step: self.trainer.steps(), kept: self.observers.kept() };
        let machine = Arc::new(fitted.ok_or_else(stopped)?);
        self.observers.tell(Event::Fitted { machine: &machine })?;
        let best = Checkpoint { machine: Some(machine), ..best };
        self.best = Some(best.clone());
        self.keep(true).await?;
        Ok(best)
    }

    /// Evaluates the best model on the test split.
    pub(crate) async fn finish(mut self) -> Result<Finished, TrainError> {
        let best = match self.best.take() {
            Some(best) => best,
            None => self.checkpoint(self.trainer.result()).await?,
        };
        let utterances = self.data.split(Split::Test);
        // A machine is the first rank's alone: what it stands on is the host's work.
        let has_machine = self.settings.model.system.has_machine();
        if has_machine && !self.is_first() {
            return Ok(Finished { best, test: None, losses: self.losses });
        }
        let best = self.fit(best).await?;
        let together = self.together.as_ref().filter(|_| !has_machine);
        let test = match utterances.is_empty() {
            true => None,
            false => Some(best.evaluate_together(self.backend, self.data, &utterances, together).await?),
        };
        if let Some(test) = &test {
            self.observers.tell(Event::Test { steps: self.trainer.steps(), test })?;
        }
        Ok(Finished { best, test, losses: self.losses })
    }
}
