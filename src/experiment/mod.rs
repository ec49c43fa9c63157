//! Experiments of many runs: cross-validation over folds, the ablations of the paper's Table 3, their statistics and tables.
//!
//! `folds` divides a data set, `crossval` trains a run for each fold into `DIR/fold-K` and `gather` sums up what is
//! there; `ablate` does so for every row of Table 3 into `DIR/ROW/fold-K`. Folds are counted from 1.

pub(crate) mod ablate;
mod claim;
pub mod crossval;
pub mod folds;
pub mod gather;
mod page;
pub mod spec;
pub mod statistics;
pub(crate) mod table;

use std::path::PathBuf;

use thiserror::Error;

use crate::base::remedy::{Preparation, Remedied, Remedy};
use crate::report::ReportError;
use crate::train::TrainError;
use folds::By;

/// What can stop an experiment.
#[derive(Debug, Error)]
pub enum ExperimentError {
    #[error("fold {fold}: {source} (the finished folds are kept)")]
    Train { fold: usize, source: TrainError },
    #[error("{}: cannot be written ({source})", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error("{}: {problem}", path.display())]
    Folder { path: PathBuf, problem: String, remedy: Remedy },
    #[error("utterance '{utterance}' names no {by}")]
    NoGroup { utterance: String, by: By },
    #[error("{asked} folds cannot be made of {found} ({names})")]
    FoldCount { asked: usize, found: usize, names: String },
    #[error("{found} ({names}) are too few for training, validation and test apart")]
    TooFew { found: usize, names: String },
    #[error("there is no fold {fold}")]
    NoSuchFold { fold: usize, folds: usize },
    #[error("{}: is being trained by another process", path.display())]
    Busy { path: PathBuf },
    #[error("{key} is what the rows differ in")]
    RowSetting { key: &'static str },
}

impl Remedied for ExperimentError {
    fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::Train { source, .. } => source.remedies(),
            Self::Write { .. } => vec![Remedy::CheckFolder],
            Self::Report(error) => error.remedies(),
            Self::Folder { remedy: Remedy::OtherFolder, .. } => vec![Remedy::OtherFolder],
            Self::Folder { remedy, .. } => vec![remedy.clone(), Remedy::OtherFolder],
            Self::NoGroup { .. } => vec![Remedy::PrepareWith(Preparation::Groups), Remedy::RandomGroups],
            Self::FoldCount { found, .. } => vec![Remedy::Folds { least: folds::FEWEST, most: *found }, Remedy::OtherGrouping],
            Self::TooFew { .. } => vec![Remedy::OtherGrouping, Remedy::Data("data with 3 at least")],
            Self::NoSuchFold { folds, .. } => vec![Remedy::OtherFold { folds: *folds }],
            Self::Busy { .. } => vec![Remedy::Wait, Remedy::AnotherFold],
            Self::RowSetting { .. } => vec![Remedy::ChooseRows],
        }
    }
}
