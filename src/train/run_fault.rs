//! What can be wrong with a run's files, as values.

use std::path::PathBuf;

use thiserror::Error;

use crate::base::format::Newer;
use crate::base::remedy::{Preparation, Remedy};
use crate::base::setting::Key;

/// What is wrong with a file of a run, or with its folder.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RunFault {
    /// A folder that holds a run already.
    #[error("holds a run already")]
    Exists,
    /// A folder that holds what no run wrote.
    #[error("holds '{name}', which is none of a run's files")]
    Foreign {
        /// The first name in it.
        name: String,
    },
    /// A folder in which another process trains.
    #[error("is being trained by {holder}")]
    Busy {
        /// Another process, in words.
        holder: String,
    },
    /// A folder that another process took over while this one was suspended, or cut off from it.
    #[error("was taken over by another process, since this one gave no sign for two minutes")]
    Lost,
    /// A folder that was removed or moved away while the run went on.
    #[error("no longer exists")]
    Gone,
    /// A folder that cannot be written to.
    #[error("cannot be written ({reason})")]
    Denied {
        /// What the system says.
        reason: String,
    },
    /// A file for which there is no room while the run goes on.
    #[error("cannot be written ({reason})")]
    Full {
        /// What the system says.
        reason: String,
        /// What there is to go on from.
        kept: Option<Remedy>,
    },
    /// A checkpoint of a model that cannot be trained on.
    #[error("does not say where the run stood")]
    NoProgress,
    /// A length that the run's learning rates were not laid out for.
    #[error("{} = {now}: the run's cosine schedule was laid out for {then}", key.name)]
    Schedule {
        /// The setting.
        key: &'static Key,
        /// What it is to be.
        now: String,
        /// What the run was started with.
        then: String,
    },
    /// A setting that would change the run.
    #[error("{} = {now}: the run was started with {then}, and another value would change it", key.name)]
    Setting {
        /// The setting.
        key: &'static Key,
        /// What it is to be.
        now: String,
        /// What the run was started with.
        then: String,
    },
    /// A setting that would change the run, and that stands so in its own settings, which somebody has edited since.
    #[error("{} = {now}: the run was started with {then}, and another value would change it", key.name)]
    Edited {
        /// The setting.
        key: &'static Key,
        /// What stands there.
        now: String,
        /// What the run was started with.
        then: String,
    },
    /// A best model that is not of the run in whose folder it lies.
    #[error("is of another run than last.safetensors beside it: {difference}")]
    OtherRun {
        /// The first of what differs, with both values.
        difference: String,
    },
    /// A folder that holds several runs, where one was to be named.
    #[error("holds the runs of several folds or seeds")]
    Several {
        /// The folder of the first.
        first: PathBuf,
    },
    /// A best model that is not there, of a run that had one.
    #[error("is missing")]
    NoBest,
    /// A best model whose system has a machine on its network, in a run that ended before it was fitted.
    #[error("is of a run that was stopped before its SVM was fitted")]
    Unfitted,
    /// A model that another run is to start from, and whose network is another.
    #[error("{}", other_network(parameter, found.as_deref(), expected))]
    OtherNetwork {
        /// The first parameter that differs.
        parameter: String,
        /// Its shape there; none where there is no such parameter.
        found: Option<Vec<usize>>,
        /// Its shape in the network that is to be trained.
        expected: Vec<usize>,
    },
    /// Weights whose classifier tells other classes than the data's, or in another order.
    #[error("is of the classes {}, and the data of {}", found.join(", "), expected.join(", "))]
    OtherClasses {
        /// The weights', in the order of the logits.
        found: Vec<String>,
        /// The data's.
        expected: Vec<String>,
    },
    /// A file that is no checkpoint.
    #[error("is no checkpoint of {} (no '{missing}')", env!("CARGO_PKG_NAME"))]
    NoCheckpoint {
        /// What it lacks.
        missing: String,
    },
    /// A file in place of a run's folder that is no packed run.
    #[error("is neither a run's folder nor a file that a run was exported to")]
    NoPackedRun,
    /// A checkpoint of another program or version.
    #[error("is a checkpoint of another kind ('{found}', expected '{expected}')")]
    OtherKind {
        /// Its format.
        found: String,
        /// The format that is read.
        expected: String,
    },
    /// A file of a version that only a newer program reads.
    #[error(transparent)]
    Newer(#[from] Newer),
    /// What a file says of itself cannot be read.
    #[error("{reason}")]
    Unreadable {
        /// What its reader says.
        reason: String,
    },
    /// Words are numbers, and of which words is not known.
    #[error("the data that the run was trained on do not name their words")]
    NoWords,
    /// A temperature that is to be used and that the run does not have.
    #[error("{reason}")]
    NotCalibrated {
        /// Whether there is none, or what is wrong with it.
        reason: String,
    },
    /// A temperature that is to be used and that the model in one file does not have.
    #[error("has no temperature")]
    PackedUncalibrated,
    /// How the features were made is not known.
    #[error("the data that the run was trained on do not say how their features were made")]
    NoFrontEnd,
}

impl RunFault {
    pub(super) fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::Exists => vec![Remedy::OtherFolder, Remedy::Resume, Remedy::RemoveFolder],
            Self::Foreign { .. } => vec![Remedy::OtherFolder],
            Self::Busy { .. } | Self::Lost => vec![Remedy::Wait, Remedy::OtherFolder],
            Self::Gone => vec![Remedy::PutBack, Remedy::TrainAnew],
            Self::Denied { .. } => vec![Remedy::OtherFolder, Remedy::FreeSpace],
            Self::Full { kept, .. } => std::iter::once(Remedy::FreeSpace).chain(kept.clone()).collect(),
            Self::NoProgress => vec![Remedy::TrainAnew],
            Self::Edited { then, .. } => vec![Remedy::WriteBack(then.clone()), Remedy::RemoveSettings],
            Self::Several { first } => vec![Remedy::GiveInstead(first.clone())],
            Self::OtherRun { .. } | Self::NoBest => vec![Remedy::Restore, Remedy::TrainAnew],
            Self::Unfitted => vec![Remedy::Resume],
            Self::Schedule { key, .. } | Self::Setting { key, .. } => vec![Remedy::LeaveOut(key.name), Remedy::TrainAnew],
            Self::OtherNetwork { .. } => vec![Remedy::SourceNetwork],
            Self::OtherClasses { .. } => vec![Remedy::SourceRun, Remedy::PrepareWith(Preparation::Labels)],
            Self::NoCheckpoint { .. } | Self::OtherKind { .. } => Vec::new(),
            Self::Newer(_) => vec![Remedy::NewerProgram],
            Self::NoPackedRun => vec![Remedy::ExportModel],
            Self::Unreadable { .. } => vec![Remedy::Restore, Remedy::TrainAgain],
            Self::NotCalibrated { .. } => vec![Remedy::Calibrate],
            Self::PackedUncalibrated => vec![Remedy::CalibrateAndExport],
            Self::NoWords | Self::NoFrontEnd => vec![Remedy::Prepare],
        }
    }
}

fn other_network(parameter: &str, found: Option<&[usize]>, expected: &[usize]) -> String {
    match found {
        Some(found) => format!("'{parameter}' has the shape {found:?}, in the network to be trained {expected:?}"),
        None => format!("has no '{parameter}', which the network to be trained has in the shape {expected:?}"),
    }
}
