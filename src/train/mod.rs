//! Training: batches, steps, epochs, results, checkpoints.

pub mod batches;
pub mod checkpoint;
mod epoch;
pub mod evaluate;
pub mod metrics;
pub mod overfit;
pub mod predict;
pub mod run;
mod run_folder;
pub mod session;
mod tensorboard;
mod trainer;
pub mod vocabulary;

pub use checkpoint::Checkpoint;
pub use evaluate::Evaluation;
pub use metrics::Metrics;
pub use predict::{CrossAttention, Inference, Predictor, Spoken};
pub use session::{Session, Weights};
pub use trainer::{GradientReport, Outcome, Pending, Scaling, Trainer};

use thiserror::Error;

use crate::audio::mfcc::MfccError;
use crate::backend::BackendError;
use crate::config::ConfigError;
use crate::dataset::DatasetError;
use crate::dataset::store::StoreError;

/// What can stop a training or an evaluation.
#[derive(Debug, Error)]
pub enum TrainError {
    #[error(transparent)]
    Backend(#[from] BackendError),
    #[error(transparent)]
    FrontEnd(#[from] MfccError),
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("step {step}: the loss is {loss} (utterances {utterances}); lower train.lr or set train.clip_norm; {kept}")]
    NotFinite { step: u64, loss: f32, utterances: String, kept: String },
    #[error("step {step}: the gradients overflow float16 even unscaled; lower train.lr or train with --precision f32; {kept}")]
    GradientNotFinite { step: u64, kept: String },
    #[error("step {step}: a weight is no longer a finite number; lower train.lr or set train.clip_norm; {kept}")]
    WeightNotFinite { step: u64, kept: String },
    #[error(
        "one batch of {utterances} utterances is not learned: after {steps} steps its loss is {loss}, not below {}; look for equal utterances with unequal labels, change train.lr, or allow more --steps",
        overfit::LEARNED
    )]
    NotLearned { utterances: usize, steps: u64, loss: f32 },
    #[error("the run cannot go on: {reason}")]
    Resume { reason: String },
    #[error("the data have no utterance in the {split} split; choose another, or prepare data that have it")]
    EmptySplit { split: crate::corpus::Split },
    #[error("model and data do not belong together: {reason}")]
    Misfit { reason: String },
    #[error("the model needs {what} of every utterance; give it")]
    Missing { what: &'static str },
    #[error("the model has no cross-attention (model.variant); there are no weights to show")]
    NoCross,
    #[error("{path}: {reason}")]
    Run { path: std::path::PathBuf, reason: String },
}
