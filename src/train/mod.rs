//! Training: batches, steps, epochs, results, checkpoints.

pub mod batches;
#[cfg(feature = "files")]
pub mod checkpoint;
#[cfg(feature = "files")]
mod epoch;
pub mod evaluate;
pub mod metrics;
#[cfg(feature = "files")]
mod observe;
pub mod overfit;
#[cfg(feature = "files")]
pub mod predict;
mod rehearsal;
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
pub use observe::{Event, Listener, Observer};
#[cfg(feature = "files")]
pub use predict::{CrossAttention, Inference, Predictor, Spoken};
pub use rehearsal::rehearse;
#[cfg(feature = "files")]
pub use run::Training;
pub use session::{Session, Weights};
pub use trainer::{GradientReport, Outcome, Pending, Scaling, Trainer};

use thiserror::Error;

use crate::audio::mfcc::MfccError;
use crate::backend::BackendError;
use crate::base::remedy::{Remedied, Remedy};
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
    #[error("step {step}: the loss is {loss} (utterances {utterances})")]
    NotFinite { step: u64, loss: f32, utterances: String, kept: Option<Remedy> },
    #[error("step {step}: the gradients overflow float16 even unscaled")]
    GradientNotFinite { step: u64, kept: Option<Remedy> },
    #[error("step {step}: a weight is no longer a finite number")]
    WeightNotFinite { step: u64, kept: Option<Remedy> },
    #[error("one batch of {utterances} utterances is not learned: after {steps} steps its loss is {loss}, not below {}", overfit::LEARNED)]
    NotLearned { utterances: usize, steps: u64, loss: f32 },
    #[error("the run cannot go on: {reason}")]
    Resume { reason: String },
    #[error("the data have no utterance in the {split} split")]
    EmptySplit { split: crate::base::utterances::Split },
    #[error("model and data do not belong together: {reason}")]
    Misfit { reason: String, remedies: Vec<Remedy> },
    #[error("the model needs {what} of every utterance")]
    Missing { what: &'static str },
    #[error("the model has no cross-attention (model.variant); there are no weights to show")]
    NoCross,
    /// A file of a run, or its folder.
    #[error("{path}: {reason}")]
    Run { path: std::path::PathBuf, reason: String, remedies: Vec<Remedy> },
}

impl Remedied for TrainError {
    fn remedies(&self) -> Vec<Remedy> {
        let or_go_on = |first: [Remedy; 2], kept: &Option<Remedy>| first.into_iter().chain(kept.clone()).collect();
        match self {
            Self::Backend(error) => error.remedies(),
            Self::FrontEnd(error) => error.remedies(),
            Self::Dataset(error) => error.remedies(),
            #[cfg(feature = "files")]
            Self::Store(error) => error.remedies(),
            Self::Config(error) => error.remedies(),
            Self::NotFinite { kept, .. } | Self::WeightNotFinite { kept, .. } => {
                or_go_on([Remedy::Lower("train.lr"), Remedy::Set("train.clip_norm")], kept)
            }
            Self::GradientNotFinite { kept, .. } => or_go_on([Remedy::Lower("train.lr"), Remedy::Set("train.precision=f32")], kept),
            Self::NotLearned { .. } => {
                vec![Remedy::advice("look for equal utterances with unequal labels"), Remedy::Set("train.lr"), Remedy::Raise("train.steps")]
            }
            Self::Resume { .. } => vec![Remedy::GoOnLonger],
            Self::EmptySplit { .. } => vec![Remedy::advice("choose another"), Remedy::advice("prepare data that have it")],
            Self::Misfit { remedies, .. } | Self::Run { remedies, .. } => remedies.clone(),
            Self::Missing { what } => vec![Remedy::Data(what)],
            Self::NoCross => Vec::new(),
        }
    }
}
