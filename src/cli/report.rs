//! `mcsan report`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::arguments::Common;
use super::data::Data;
use super::notes::Note;
use super::output::{self, Kind};
use super::{Done, Failure, crossval};
use crate::corpus::label_map::MapSource;
use crate::experiment::{ExperimentError, against};
use crate::report::{self, ReportError};

/// What can be typed after `mcsan report`.
#[derive(Args)]
#[command(after_help = "Example: mcsan report --run runs/first --data corpus.safetensors\n\
                        Example: mcsan report --compare runs/first runs/second --data corpus.safetensors")]
pub(crate) struct Report {
    #[arg(long, value_name = "RUN", required_unless_present = "compare")]
    pub run: Option<PathBuf>,
    /// Compare two runs, the second with the first, by what they predict of the same test utterances; either may be a folder of
    /// folds or seeds
    #[arg(long, value_name = "RUN", num_args = 2, conflicts_with = "run")]
    pub compare: Vec<PathBuf>,
    /// The data that the runs were trained on, for texts, speakers and lengths; of several files as they were given there
    #[arg(long, value_name = "DATA")]
    pub data: Vec<PathBuf>,
    /// Which class is which of several files, as 'mcsan train' was told
    #[arg(long, value_name = "auto|merged|FILE.toml")]
    pub map: Option<MapSource>,
    /// The page to write, report.html in the run's folder where not given; of a comparison none
    #[arg(long, value_name = "FILE.html")]
    pub out: Option<PathBuf>,
}

impl Report {
    /// # Errors
    /// Wrong usage: classes of one file.
    pub(crate) fn check_usage(&self) -> Result<(), clap::Error> {
        self.files().check_usage()
    }

    fn files(&self) -> Data {
        Data::of(&self.data, self.map.clone())
    }
}

pub(crate) fn run(common: &Common, arguments: &Report) -> Done {
    output::check_all([(arguments.out.as_ref(), Kind::Page)])?;
    let files = (!arguments.data.is_empty()).then(|| arguments.files());
    let data = files.as_ref().map(|files| files.load(common)).transpose()?;
    let named = |error: ReportError| match (&error, &files) {
        (ReportError::Misfit { .. }, Some(files)) => Failure::of(files.name().display(), error),
        _ => error.into(),
    };
    let run = match (&arguments.run, arguments.compare.as_slice()) {
        (None, [first, second]) => {
            let compared = against::compare(first, second, data.as_ref()).map_err(|error| match error {
                ExperimentError::Report(error) => named(error),
                error => error.into(),
            })?;
            if !compared.by_speaker {
                common.note(Note::UtterancesDrawn { has_data: data.is_some() });
            }
            if let Some(out) = &arguments.out {
                report::write(out, &compared.page)?;
            }
            return crossval::report(common, Some(&compared.results));
        }
        (run, _) => run.clone().unwrap_or_default(),
    };
    let html = report::run_html(&run, data.as_ref()).map_err(named)?;
    let out = arguments.out.clone().unwrap_or_else(|| run.join(report::FILE));
    report::write(&out, &html)?;
    if common.json {
        common.print_json(json!({ "report": out }));
    } else {
        println!("{}", out.display());
    }
    Ok(ExitCode::SUCCESS)
}
