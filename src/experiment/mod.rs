//! Experiments of many runs: cross-validation over folds, the ablations of the paper's Table 3, their statistics and tables.
//!
//! [`folds`] divides a data set, [`crossval`] trains a run for each fold into `DIR/fold-K` and [`gather`] sums up what is
//! there; [`ablate`] does so for every row of Table 3 into `DIR/ROW/fold-K`. Folds are counted from 1.

pub mod ablate;
mod claim;
pub mod crossval;
pub mod folds;
pub mod gather;
mod page;
pub mod spec;
pub mod statistics;
pub mod table;

use std::path::PathBuf;

use thiserror::Error;

use crate::report::ReportError;
use crate::train::TrainError;
use folds::By;

/// What can stop an experiment.
#[derive(Debug, Error)]
pub enum ExperimentError {
    #[error("fold {fold}: {source}; the finished folds are kept")]
    Train { fold: usize, source: TrainError },
    #[error("{}: cannot be written ({source}); check that its folder exists, may be written to and has room", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error("{}: {problem}; {remedy}", path.display())]
    Folder { path: PathBuf, problem: String, remedy: &'static str },
    #[error("utterance '{utterance}' names no {by}; prepare the data with one for each utterance, or use --by random")]
    NoGroup { utterance: String, by: By },
    #[error("{asked} folds cannot be made of {found} ({names}); give --folds a number from 3 to {found}, or another --by")]
    FoldCount { asked: usize, found: usize, names: String },
    #[error("{found} ({names}) are too few for training, validation and test apart; use another --by, or data with 3 at least")]
    TooFew { found: usize, names: String },
    #[error("there is no fold {fold}; --fold takes 1 to {folds}")]
    NoSuchFold { fold: usize, folds: usize },
    #[error("{}: is being trained by another process; wait for it, or give --fold another number", path.display())]
    Busy { path: PathBuf },
    #[error("{key} is what the rows differ in; leave it out of the settings and choose with --rows")]
    RowSetting { key: &'static str },
}
