//! What a training tells while it goes on, and who observes it: its run folder, the terminal, whoever wants to know.

use super::checkpoint::Checkpoint;
use super::evaluate::Evaluation;
use super::metrics::Metrics;
use super::source::Taken;
use super::{Scaling, TrainError};
use crate::backend::BackendError;
use crate::base::memory::Bytes;
use crate::base::remedy::Remedy;
use crate::model::cost::ModuleCost;
use crate::svm::Machine;

/// What a run tells while it goes on.
#[derive(Clone, Copy)]
pub enum Event<'e> {
    /// The run starts from another, of which it has taken this.
    Taken {
        /// Parameters, classes and words.
        taken: &'e Taken,
    },
    /// The run begins, or goes on after `done` of its `steps` steps.
    Start {
        /// The model's parameters and work, counted for an utterance of the training split's mean length.
        modules: &'e [ModuleCost],
        /// Acoustic frames of that utterance.
        frames: usize,
        /// Tokens of that utterance.
        tokens: usize,
        /// Epochs that the run has at most.
        epochs: usize,
        /// Steps of the whole run.
        steps: u64,
        /// Steps that were done before; 0 where the run begins.
        done: u64,
        /// Utterances to train on.
        train: usize,
        /// Utterances to validate on.
        validation: usize,
    },
    /// A run that goes on was computed on another device before; its last bits may differ from those of one that did not move.
    OtherDevice {
        /// The device's name as it was then.
        before: &'e str,
        /// As it is now.
        now: &'e str,
    },
    /// The learning rate is to rise for longer than the run goes on.
    WarmupUnfinished {
        /// Steps over which it rises, `train.warmup_steps`.
        warmup_steps: u64,
        /// Steps of the whole run.
        steps: u64,
    },
    /// A step is done.
    Step {
        /// Which of the run, from 0.
        step: u64,
        /// Which it is of, from 0.
        epoch: u64,
        /// What the optimiser took.
        learning_rate: f64,
        /// Of the batch, with class weights and smoothing.
        loss: f32,
        /// Utterances a second since the epoch began or was gone on with, waiting for the device included.
        utterances_per_s: f64,
        /// How many parts the batch was computed in.
        parts: usize,
        /// The loss scale after the step, in mixed precision.
        scaling: Option<Scaling>,
        /// Whether the step was left out because a gradient overflowed.
        skipped: bool,
    },
    /// An epoch has ended after `steps` steps of the run.
    Epoch {
        /// Which, from 0.
        epoch: u64,
        /// Steps of the run until its end.
        steps: u64,
        /// Over its training batches, as they were predicted.
        train: &'e Metrics,
        /// `None` where there is no validation split.
        validation: Option<&'e Metrics>,
        /// Whether the model is the best so far.
        best: bool,
    },
    /// Where the run stands, and the best model if it is a new one: told where an observer
    /// keeps it.
    Checkpoint {
        /// `None` where it is the one before.
        best: Option<&'e Checkpoint>,
        /// The model as it is now.
        last: &'e Checkpoint,
    },
    /// The best model's result on the test split, after `steps` steps of the run.
    Test {
        /// Steps that the run did.
        steps: u64,
        /// Metrics and predictions.
        test: &'e Evaluation,
    },
    /// The device had no room for a batch; from here on each is computed in `parts` parts.
    Split {
        /// The step that there was no room for, from 0.
        step: u64,
        /// As even as can be.
        parts: usize,
        /// What the device said.
        error: &'e BackendError,
    },
    /// The device has no room for the features of all utterances beside the work; from here on each batch brings its own.
    NotKept {
        /// The step that there was no room for, from 0.
        step: u64,
        /// What the device said.
        error: &'e BackendError,
    },
    /// A gradient overflowed f16 and the step was left out; from here on the loss scale is `scale`.
    Skipped {
        /// The step that was left out, from 0.
        step: u64,
        /// The one that steps are taken with from here on.
        scale: f32,
    },
    /// The network is trained; the machine that stands on it is being fitted.
    Fitting {
        /// Those that it is fitted to.
        utterances: usize,
        /// What that takes of the host's memory.
        memory: Bytes,
    },
    /// The machine is fitted.
    Fitted {
        /// As the best model has it.
        machine: &'e Machine,
    },
    /// `epochs` epochs have brought nothing better; from here on the learning rate is `factor` of what it was (`train.schedule = plateau`).
    Plateau {
        /// How many since the best, or since the plateau before.
        epochs: u64,
        /// `train.plateau_factor`
        factor: f64,
    },
    /// `epochs` epochs have brought nothing better (`train.patience`).
    Stopped {
        /// How many since the best.
        epochs: u64,
    },
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
