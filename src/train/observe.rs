//! What a training tells while it goes on, and who observes it: its run folder, the terminal, whoever wants to know.

use super::checkpoint::Checkpoint;
use super::evaluate::Evaluation;
use super::metrics::Metrics;
use super::{Scaling, TrainError};
use crate::backend::BackendError;
use crate::base::remedy::Remedy;
use crate::model::cost::ModuleCost;

/// What a run tells while it goes on.
#[derive(Clone, Copy)]
pub enum Event<'e> {
    /// The run begins, or goes on after `done` of its `steps` steps.
    /// `modules` are counted for an utterance of the training split's mean length, `frames` and `tokens`.
    Start { modules: &'e [ModuleCost], frames: usize, tokens: usize, epochs: usize, steps: u64, done: u64, train: usize, validation: usize },
    Step {
        step: u64,
        epoch: u64,
        learning_rate: f64,
        loss: f32,
        utterances_per_s: f64,
        /// How many parts the batch was computed in.
        parts: usize,
        /// The loss scale after the step, in mixed precision.
        scaling: Option<Scaling>,
        /// Whether the step was left out because a gradient overflowed.
        skipped: bool,
    },
    /// An epoch has ended after `steps` steps of the run.
    Epoch { epoch: u64, steps: u64, train: &'e Metrics, validation: Option<&'e Metrics>, best: bool },
    /// Where the run stands, and the best model if it is a new one: told where an observer
    /// keeps it.
    Checkpoint { best: Option<&'e Checkpoint>, last: &'e Checkpoint },
    /// The best model's result on the test split, after `steps` steps of the run.
    Test { steps: u64, test: &'e Evaluation },
    /// The device had no room for a batch; from here on each is computed in `parts` parts.
    Split { step: u64, parts: usize, error: &'e BackendError },
    /// A gradient overflowed f16 and the step was left out; from here on the loss scale is `scale`.
    Skipped { step: u64, scale: f32 },
    /// `epochs` epochs have brought nothing better (`train.patience`).
    Stopped { epochs: u64 },
}

/// Who observes a training.
pub(crate) trait Observer {
    /// Takes note of an event.
    ///
    /// # Errors
    /// What shall stop the run, a full disk above all.
    fn observe(&mut self, event: Event<'_>) -> Result<(), TrainError>;

    /// Whether checkpoints are kept; else they need not be made.
    fn keeps(&self) -> bool {
        false
    }

    /// What there is to go on from.
    fn kept(&self) -> Option<Remedy> {
        None
    }
}

/// A function that is told of everything.
pub(crate) struct Listener<'o>(pub &'o mut dyn FnMut(Event<'_>));

impl Observer for Listener<'_> {
    fn observe(&mut self, event: Event<'_>) -> Result<(), TrainError> {
        (self.0)(event);
        Ok(())
    }
}

/// The observers of a run, in the order in which they are told.
#[derive(Default)]
pub(super) struct Observers<'o>(Vec<Box<dyn Observer + 'o>>);

impl<'o> Observers<'o> {
    pub(crate) fn add(&mut self, observer: impl Observer + 'o) {
        self.0.push(Box::new(observer));
    }

    pub(crate) fn tell(&mut self, event: Event<'_>) -> Result<(), TrainError> {
        self.0.iter_mut().try_for_each(|observer| observer.observe(event))
    }

    /// Whether anyone keeps checkpoints.
    pub(crate) fn keep(&self) -> bool {
        self.0.iter().any(|observer| observer.keeps())
    }

    /// What there is to go on from.
    pub(crate) fn kept(&self) -> Option<Remedy> {
        self.0.iter().find_map(|observer| observer.kept())
    }
}
