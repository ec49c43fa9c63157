//! A whole training and its options: epochs of steps, validation, the best epoch kept, everything written to a run folder;
//! and taken up again where it was stopped.

use std::path::Path;

use super::TrainError;
use super::checkpoint::Checkpoint;
use super::epoch::Run;
use super::evaluate::Evaluation;
use super::metrics::Metrics;
use super::run_folder::{Kept, RunFolder};
use crate::backend::{Backend, BackendError};
use crate::config::{Config, Execution, Settings};
use crate::dataset::Dataset;
use crate::model::cost::{self, ModuleCost};

/// What a run tells while it goes on.
pub enum Event<'e> {
    /// The run begins, or goes on after `done` of its `steps` steps.
    /// `modules` are counted for an utterance of the training split's mean length, `frames` and `tokens`.
    Start {
        modules: &'e [ModuleCost],
        frames: usize,
        tokens: usize,
        epochs: usize,
        steps: u64,
        done: u64,
        train: usize,
        validation: usize,
    },
    Step {
        step: u64,
        epoch: u64,
        loss: f32,
        utterances_per_s: f64,
    },
    Epoch {
        epoch: u64,
        train: &'e Metrics,
        validation: Option<&'e Metrics>,
        best: bool,
    },
    /// The device had no room for a batch; from here on each is computed in `parts` parts.
    Split {
        step: u64,
        parts: usize,
        error: &'e BackendError,
    },
    /// A gradient overflowed f16 and the step was left out; from here on the loss scale is `scale`.
    Skipped {
        step: u64,
        scale: f32,
    },
    /// `epochs` epochs have brought nothing better (`train.patience`).
    Stopped {
        epochs: u64,
    },
}

/// What a finished run says.
pub struct Finished {
    /// The best epoch's model.
    pub best: Checkpoint,
    /// Its result on the test split, where there is one.
    pub test: Option<Evaluation>,
    /// Loss of every step.
    pub losses: Vec<f32>,
}

/// A run's files.
pub mod files {
    pub const CONFIG: &str = "config.toml";
    pub const METRICS: &str = "metrics.jsonl";
    pub const BEST: &str = "best.safetensors";
    pub const LAST: &str = "last.safetensors";
    pub const TEST: &str = "test.json";
    pub const TENSORBOARD: &str = "tensorboard";
}

/// What a run does about one that is in its folder already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Start {
    /// Nothing is written over: it is an error.
    #[default]
    New,
    /// It goes on from its last checkpoint; where there is none, the run begins.
    Resume,
}

/// How a run is made, besides its settings and data.
#[derive(Debug, Clone, Default)]
pub struct Options<'o> {
    /// Where its files go; nowhere if not given.
    pub folder: Option<&'o Path>,
    /// Starting values in PyTorch's layout, over those of `run.weights`; without either they follow from the seed.
    pub weights: Option<&'o Path>,
    pub start: Start,
    /// What the run folder says of where and how fast the run computes; the backend is what does.
    pub execution: Execution,
}

/// Trains on `data` and writes a run folder, if one is given.
///
/// `weights` are starting values in PyTorch's layout; without them they follow from the seed.
///
/// # Errors
/// [`TrainError`]; what the run folder held before stays whole.
pub async fn train<B: Backend>(
    backend: &B,
    settings: &Settings,
    data: &Dataset,
    folder: Option<&Path>,
    weights: Option<&Path>,
    observe: &mut dyn FnMut(Event<'_>),
) -> Result<Finished, TrainError> {
    train_with(backend, settings, data, &Options { folder, weights, ..Default::default() }, observe).await
}

/// As [`train`], with all that can be chosen.
///
/// # Errors
/// [`TrainError`]; what the run folder held before stays whole. On [`Start::Resume`] also settings or data that would
/// change the run.
pub async fn train_with<B: Backend>(
    backend: &B,
    settings: &Settings,
    data: &Dataset,
    options: &Options<'_>,
    observe: &mut dyn FnMut(Event<'_>),
) -> Result<Finished, TrainError> {
    let mut config = Config { settings: settings.clone(), execution: options.execution.clone() };
    if let Some(weights) = options.weights {
        config.settings.start.weights = weights.display().to_string();
    }
    let settings = &config.settings;
    let kept = match (options.start, options.folder) {
        (Start::Resume, Some(folder)) => Kept::load(folder, settings, data)?,
        _ => None,
    };
    let mut run = Run::start(backend, &config, data, kept.as_ref())?;
    let device = backend.device_name();
    let mut log = match (options.folder, &kept) {
        (None, _) => None,
        (Some(folder), None) => Some(RunFolder::create(folder, &config, &device, data)?),
        (Some(folder), Some(kept)) => {
            let (log, losses) = RunFolder::resume(folder, &config, &device, data, kept, run.closed_epochs(kept))?;
            run.losses = losses;
            Some(log)
        }
    };
    let [frames, tokens] = run.session.batches.mean_lengths(&run.train);
    observe(Event::Start {
        modules: &cost::modules(&settings.model, &run.session.dimensions, frames, tokens),
        frames,
        tokens,
        epochs: settings.train.epochs,
        steps: run.planned_steps,
        done: run.trainer.steps(),
        train: run.train.len(),
        validation: run.validation.len(),
    });
    while !run.is_over(observe) {
        run.epoch(log.as_mut(), observe).await?;
    }
    run.finish(log.as_mut()).await
}
