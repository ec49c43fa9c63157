//! Training: batches, steps, epochs, results, checkpoints.

pub mod batches;
#[cfg(feature = "files")]
pub mod checkpoint;
#[cfg(feature = "files")]
mod epoch;
pub mod evaluate;
pub mod metrics;
pub mod overfit;
#[cfg(feature = "files")]
pub mod predict;
#[cfg(feature = "files")]
pub mod run;
#[cfg(feature = "files")]
mod run_folder;
pub mod session;
#[cfg(feature = "files")]
mod tensorboard;
mod trainer;
#[cfg(feature = "files")]
pub mod vocabulary;

#[cfg(feature = "files")]
pub use checkpoint::Checkpoint;
pub use evaluate::Evaluation;
pub use metrics::Metrics;
#[cfg(feature = "files")]
pub use predict::{CrossAttention, Inference, Predictor, Spoken};
#[cfg(feature = "files")]
pub use run::Training;
pub use session::{Session, Weights};
pub use trainer::{GradientReport, Outcome, Pending, Scaling, Trainer};

use thiserror::Error;

use crate::audio::mfcc::MfccError;
use crate::backend::BackendError;
use crate::config::ConfigError;
use crate::dataset::DatasetError;
#[cfg(feature = "files")]
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
    #[cfg(feature = "files")]
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
    EmptySplit { split: crate::base::utterances::Split },
    #[error("model and data do not belong together: {reason}")]
    Misfit { reason: String },
    #[error("the model needs {what} of every utterance; give it")]
    Missing { what: &'static str },
    #[error("the model has no cross-attention (model.variant); there are no weights to show")]
    NoCross,
    #[error("{path}: {reason}")]
    Run { path: std::path::PathBuf, reason: String },
}
