//! Experiments of many runs: cross-validation over folds, the ablations of the paper's Table 3, the systems of its Tables 1 and 2,
//! their statistics and tables.
//!
//! [`folds`] divides a data set (`emobox_folds` as files say), [`crossval`] trains a run for each fold into `DIR/fold-K` and [`gather`] sums up what is
//! there, `seeds` with several seeds into `DIR/seed-K/fold-K`; `rows` does so for every row of a table into `DIR/ROW`: the rows of
//! `ablate` are those of Table 3, the rows of `compare` are `systems`. Folds and seeds are counted from 1. `matrix` trains on each of some
//! data sets and tests on all of them, [`sweep`] tries settings in `DIR/trial-NNN`, [`against`] compares two runs.

pub(crate) mod ablate;
pub mod against;
mod certainty;
pub(crate) mod compare;
pub mod crossval;
mod discordant;
pub(crate) mod emobox_folds;
mod figure;
pub mod folds;
pub mod gather;
mod groups;
#[cfg(feature = "cli")]
pub(crate) mod matrix;
#[cfg(feature = "cli")]
mod matrix_table;
pub(crate) mod own_split;
mod page;
mod paired;
pub(crate) mod rows;
pub(crate) mod seeds;
pub mod spec;
pub mod statistics;
pub mod sweep;
pub(crate) mod systems;
pub(crate) mod table;

use std::path::PathBuf;

use thiserror::Error;

use crate::base::remedy::{Preparation, Remedied, Remedy};
use crate::base::utterances::Split;
use crate::config::ConfigError;
use crate::corpus::CorpusError;
use crate::dataset::DatasetError;
use crate::report::ReportError;
use crate::train::TrainError;
use folds::By;

/// What can stop an experiment.
#[derive(Debug, Error)]
pub enum ExperimentError {
    /// A fold whose training fails.
    #[error("fold {fold}: {source} (the finished folds are kept)")]
    Train {
        /// Which, from 1.
        fold: usize,
        /// Why.
        source: TrainError,
    },
    /// A run on the data's own splits whose training fails.
    #[error("{source} (the finished runs are kept)")]
    Run {
        /// Why.
        source: TrainError,
    },
    /// A file or folder that cannot be written.
    #[error("{}: cannot be written ({source})", path.display())]
    Write {
        /// The file or the folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Settings of which so many seeds cannot be taken.
    #[error(transparent)]
    Settings(#[from] ConfigError),
    /// Data that cannot be read any more.
    #[error(transparent)]
    Data(#[from] DatasetError),
    /// A report that cannot be made.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A folder, or a file in it, that holds something else or what cannot be read.
    #[error("{}: {problem}", path.display())]
    Folder {
        /// The folder or the file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to do about it, besides taking another folder.
        remedy: Remedy,
    },
    /// What a run's folder lies beside does not say which utterances it was trained on.
    #[error("{}: {problem}", path.display())]
    FoldOfRun {
        /// The experiment's file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Folds by speaker or session of an utterance that does not say its own.
    #[error("utterance '{utterance}' names no {by}")]
    NoGroup {
        /// Its id.
        utterance: String,
        /// What it should say.
        by: By,
    },
    /// More folds than there is to divide, or fewer than three.
    #[error("{asked} folds cannot be made of {found} ({names})")]
    FoldCount {
        /// Folds that are asked for.
        asked: usize,
        /// Utterances, speakers or sessions that there are: the most folds that could be.
        found: usize,
        /// What these are: utterances of which corpus, or which speakers or sessions.
        names: String,
    },
    /// Fewer utterances, speakers or sessions than three.
    #[error("{found} ({names}) are too few for training, validation and test apart")]
    TooFew {
        /// How many there are.
        found: usize,
        /// What these are: utterances of which corpus, or which speakers or sessions.
        names: String,
    },
    /// Files of folds that cannot be taken.
    #[error(transparent)]
    Corpus(#[from] CorpusError),
    /// Folds of files that do not divide the data.
    #[error("{}: {problem}", path.display())]
    Listed {
        /// The folder of the fold, or that of all.
        path: PathBuf,
        /// Why not.
        problem: String,
    },
    /// A fold that is asked for and that the experiment does not have.
    #[error("there is no fold {fold}")]
    NoSuchFold {
        /// The one asked for.
        fold: usize,
        /// How many there are; they count from 1.
        folds: usize,
    },
    /// A fold that is asked for while another process trains it.
    #[error("{}: is being trained by {holder}", path.display())]
    Busy {
        /// The fold's folder.
        path: PathBuf,
        /// Another process, in words.
        holder: String,
    },
    /// A setting that is given to an experiment and is what its rows differ in.
    #[error("{key} is what the rows differ in")]
    RowSetting {
        /// The setting.
        key: &'static str,
        /// How rows are chosen instead.
        remedy: Remedy,
    },
    /// A setting that says something of one network, given to an experiment with several.
    #[error("{key} is of one network, and the rows are several")]
    OneNetwork {
        /// The setting.
        key: &'static str,
    },
    /// A split of the data's own that is to be trained on or tested, without utterances.
    #[error("the data have no utterance in the {split} split")]
    EmptySplit {
        /// Which split.
        split: Split,
    },
    /// A data set of several without utterances in a split that is to be trained on or tested.
    #[error("{}: the data have no utterance in the {split} split", path.display())]
    NoSuchSplit {
        /// The data set.
        path: PathBuf,
        /// Which split.
        split: Split,
    },
    /// A data set that the model of another one cannot be tested on.
    #[error("{} on the model of {}: {source}", test.display(), train.display())]
    Pair {
        /// What the model is trained on.
        train: PathBuf,
        /// What it is to be tested on.
        test: PathBuf,
        /// Why not.
        source: Box<TrainError>,
    },
    /// Runs whose predictions cannot be compared.
    #[error("{}: {problem}", path.display())]
    Predictions {
        /// The run's folder, or its file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to give instead.
        remedy: Remedy,
    },
    /// What is wrong with the settings of a sweep.
    #[error(transparent)]
    Sweep(#[from] sweep::SweepError),
    /// A stream that a system of a comparison reads and the data lack.
    #[error("{system}: the data set has no stream '{stream}' of {kind}, which it reads")]
    NoStream {
        /// The system's name.
        system: &'static str,
        /// The stream's.
        stream: &'static str,
        /// What it must be: frames, tokens or a vector.
        kind: &'static str,
    },
}

impl Remedied for ExperimentError {
    fn remedies(&self) -> Vec<Remedy> {
        match self {
            // Folds that are not done go on by themselves.
            Self::Train { source, .. } => source.remedies().into_iter().map(again).map(one_fold).collect(),
            Self::Run { source } => source.remedies().into_iter().map(again).collect(),
            Self::Write { .. } => vec![Remedy::CheckFolder],
            Self::Settings(error) => error.remedies(),
            Self::Data(error) => error.remedies(),
            Self::Report(error) => error.remedies(),
            Self::Folder { remedy: Remedy::OtherFolder, .. } => vec![Remedy::OtherFolder],
            Self::Folder { remedy, .. } => vec![remedy.clone(), Remedy::OtherFolder],
            Self::FoldOfRun { .. } => vec![Remedy::CopyRun],
            Self::NoGroup { .. } => vec![Remedy::PrepareWith(Preparation::Groups), Remedy::RandomGroups],
            Self::FoldCount { found, .. } => vec![Remedy::Folds { least: folds::FEWEST, most: *found }, Remedy::OtherGrouping],
            Self::TooFew { .. } => vec![Remedy::OtherGrouping, Remedy::Data("data with 3 at least")],
            Self::Corpus(error) => error.remedies(),
            Self::Listed { .. } => vec![Remedy::Data("the data of one corpus with its own folds")],
            Self::NoSuchFold { folds, .. } => vec![Remedy::OtherFold { folds: *folds }],
            Self::Busy { .. } => vec![Remedy::Wait, Remedy::AnotherFold],
            Self::OneNetwork { key } => vec![Remedy::LeaveOut(key)],
            Self::Sweep(error) => error.remedies(),
            Self::Predictions { remedy, .. } | Self::RowSetting { remedy, .. } => vec![remedy.clone()],
            Self::EmptySplit { .. } => vec![Remedy::PrepareWith(Preparation::Split), Remedy::DivideAnew],
            Self::NoSuchSplit { .. } => vec![Remedy::PrepareWith(Preparation::Splits)],
            Self::Pair { source, .. } => source.remedies(),
            Self::NoStream { stream, .. } => vec![Remedy::PrepareWith(Preparation::of_stream(stream)), Remedy::LeaveSystem],
        }
    }
}

/// Of folds one is trained anew, and the finished ones stay.
fn one_fold(remedy: Remedy) -> Remedy {
    if remedy == Remedy::TrainAnew { Remedy::RemoveFold } else { remedy }
}

fn again(remedy: Remedy) -> Remedy {
    match remedy {
        Remedy::ResumeFrom { path, step } => Remedy::Again { path, step },
        remedy => remedy,
    }
}
