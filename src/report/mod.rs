//! `report.html`: one self-contained file that shows a run, a cross-validation, an ablation or a comparison of systems.
//!
//! [`write_run`] reads a run folder and writes its report; [`experiment()`] makes a page of plain tables, confusion matrices
//! and means. The same input gives the same bytes: no time, no path and no measured speed stands in a report. The plots
//! (`Plot`, [`Intervals`], `confusion`) are inline SVG whose colours follow the reader's light or dark through the
//! style sheet.

pub mod card;
pub(crate) mod confusion;
pub mod curves;
mod drawing;
pub mod experiment;
mod folds;
pub mod intervals;
mod length;
mod page;
mod palette;
mod read;
mod run;
pub(crate) mod scale;
mod tested;

pub use experiment::{Confusion, Experiment, experiment};
pub use folds::curves;
pub use intervals::{Interval, Intervals, intervals};
pub use page::Table;
pub use read::{Prediction, Test};
pub(crate) use read::{Scores, speeds, tested, validations};
pub use scale::Unit;

use std::io::Write;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::base::format::Newer;
use crate::base::remedy::{Remedied, Remedy};
use crate::dataset::store::StoreError;
use crate::dataset::{Dataset, replace_file};

/// The file's name in a run folder.
pub(crate) const FILE: &str = "report.html";

/// Why there is no report.
#[derive(Debug, Error)]
pub enum ReportError {
    /// A file that is missing or cannot be read.
    #[error("{}: cannot be read ({reason})", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// A file whose content is not what a run writes.
    #[error("{}: {reason}; it is not as it was written", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// The first thing that is wrong with it.
        reason: String,
    },
    /// A file of a version that only a newer program reads.
    #[error("{}: {newer}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        newer: Newer,
    },
    /// A fault of the checkpoint as a file of tensors.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Predictions of other data than are shown beside them.
    #[error("the tested utterance '{id}' ({label}) is not in the data")]
    Misfit {
        /// Of the utterance that the data do not have.
        id: String,
        /// Its true class, as the predictions have it.
        label: String,
    },
    /// A report that cannot be written.
    #[error("{}: cannot be written ({reason})", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
}

impl Remedied for ReportError {
    fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::Unreadable { .. } => vec![Remedy::Data("a folder that a training wrote")],
            Self::Broken { .. } => vec![Remedy::Restore, Remedy::TrainAgain],
            Self::Newer { .. } => vec![Remedy::NewerProgram],
            Self::Store(error) => error.remedies(),
            Self::Misfit { .. } => vec![Remedy::Data("the data that the run was trained on"), Remedy::NoData],
            Self::Write { .. } => vec![Remedy::CheckFolder],
        }
    }
}

/// Writes `report.html` into a run folder; with the data set also texts, speakers and lengths.
///
/// # Errors
/// [`ReportError`]; a report that was there stays whole.
pub fn write_run(folder: &Path, data: Option<&Dataset>) -> Result<(), ReportError> {
    write(&folder.join(FILE), &run_html(folder, data)?)
}

/// The report of a run folder as HTML.
///
/// # Errors
/// [`ReportError`], naming the file that is missing or broken, or [`ReportError::Misfit`] for data of another run.
pub fn run_html(folder: &Path, data: Option<&Dataset>) -> Result<String, ReportError> {
    run::html(&read::Run::read(folder)?, data)
}

/// Writes a page, whole or not at all.
///
/// # Errors
/// [`ReportError::Write`].
pub(crate) fn write(path: &Path, html: &str) -> Result<(), ReportError> {
    replace_file(path, |file| file.write_all(html.as_bytes()))
        .map_err(|error| ReportError::Write { path: path.into(), reason: error.to_string() })
}
