//! Training: batches, steps, epochs, results, checkpoints.

pub mod batches;
pub mod bootstrap;
pub mod calibration;
#[cfg(feature = "files")]
pub mod checkpoint;
#[cfg(feature = "files")]
pub(crate) mod claim;
#[cfg(feature = "cli")]
pub(crate) mod corpora;
#[cfg(feature = "files")]
mod epoch;
mod error;
pub mod evaluate;
#[cfg(feature = "files")]
mod fit;
pub mod group;
pub mod groups;
mod inference;
#[cfg(feature = "files")]
mod machine_file;
#[cfg(feature = "cli")]
pub(crate) mod mapped;
pub mod metrics;
#[cfg(feature = "files")]
mod observe;
pub(crate) mod overfit;
#[cfg(feature = "files")]
pub mod packed;
#[cfg(feature = "files")]
pub(crate) mod predict;
mod rehearsal;
#[cfg(feature = "files")]
pub mod run;
mod run_fault;
#[cfg(feature = "files")]
pub(crate) mod run_folder;
pub(crate) mod session;
#[cfg(feature = "files")]
pub(crate) mod source;
#[cfg(feature = "files")]
pub(crate) mod speakers;
#[cfg(feature = "files")]
mod speech;
#[cfg(feature = "files")]
pub(crate) mod spoken;
#[cfg(feature = "files")]
mod tensorboard;
#[cfg(feature = "files")]
mod timeline;
mod trainer;
#[cfg(feature = "files")]
mod validate;
#[cfg(feature = "files")]
pub(crate) mod vocabulary;
#[cfg(feature = "cli")]
pub(crate) mod words;

#[cfg(feature = "files")]
pub use checkpoint::Checkpoint;
#[cfg(feature = "files")]
pub(crate) use error::some_of;
pub use error::{Misfit, Origin, Room, TrainError};
pub use evaluate::{CorpusEvaluation, Evaluation};
pub use inference::Inference;
pub use metrics::Metrics;
#[cfg(feature = "files")]
pub use observe::Event;
#[cfg(feature = "files")]
pub use predict::{Attention, Predictor};
pub(crate) use rehearsal::rehearse;
#[cfg(feature = "files")]
pub use run::Training;
pub use run_fault::RunFault;
#[cfg(feature = "files")]
pub use session::load_to_train;
pub use session::{Session, Weights};
#[cfg(feature = "files")]
pub use source::{Taken, over_source};
#[cfg(feature = "files")]
pub use speech::SpeechInference;
#[cfg(feature = "files")]
pub use spoken::{Further, Spoken};
#[cfg(feature = "files")]
pub use timeline::{TimedPrediction, Timeline};
pub use trainer::{GradientReport, Outcome, Pending, Scaling, Trainer};
