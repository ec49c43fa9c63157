//! The prepared files of a command, one data set where they are several.

use std::path::PathBuf;

use clap::Args;

use super::Failure;
use super::arguments::Common;
use super::notes::Note;
use crate::dataset::Dataset;
use crate::train::corpora;

/// Prepared files.
#[derive(Args)]
pub(crate) struct Data {
    /// Prepared file; given several times, the files are one data set: classes and words of the same name are the same, while ids, speakers,
    /// sessions and dialogues are each corpus' own
    #[arg(id = "data", long = "data", value_name = "DATA", required = true)]
    paths: Vec<PathBuf>,
}

impl Data {
    /// These files.
    pub(crate) fn of(paths: &[PathBuf]) -> Self {
        Self { paths: paths.to_vec() }
    }

    /// Reads them, and joins them where they are several.
    pub(crate) fn load(&self, common: &Common) -> Result<Dataset, Failure> {
        let (data, lacked) = corpora::load(&self.paths)?;
        lacked.into_iter().for_each(|lacked| common.note(Note::LackedStream { stream: lacked.stream, path: lacked.path }));
        Ok(data)
    }

    /// What lines call them.
    pub(crate) fn name(&self) -> PathBuf {
        let names: Vec<String> = self.paths.iter().map(|path| path.display().to_string()).collect();
        names.join(" + ").into()
    }
}
