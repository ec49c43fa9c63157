//! `mcsan report`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::arguments::Common;
use super::output::{self, Kind};
use super::{Done, Failure};
use crate::dataset::Dataset;
use crate::report::{self, ReportError};

/// What can be typed after `mcsan report`.
#[derive(Args)]
#[command(after_help = "Example: mcsan report --run runs/first --data corpus.safetensors")]
pub(crate) struct Report {
    #[arg(long, value_name = "RUN")]
    pub run: PathBuf,
    /// The data that the run was trained on, for texts, speakers and lengths
    #[arg(long, value_name = "DATA")]
    pub data: Option<PathBuf>,
    /// The page to write, report.html in the run's folder where not given
    #[arg(long, value_name = "FILE.html")]
    pub out: Option<PathBuf>,
}

pub(crate) fn run(common: &Common, arguments: &Report) -> Done {
    output::check_all([(arguments.out.as_ref(), Kind::Page)])?;
    let data = arguments.data.as_deref().map(Dataset::load).transpose()?;
    let html = report::run_html(&arguments.run, data.as_ref()).map_err(|error| match (&error, &arguments.data) {
        (ReportError::Misfit { .. }, Some(path)) => Failure::of(path.display(), error),
        _ => error.into(),
    })?;
    let out = arguments.out.clone().unwrap_or_else(|| arguments.run.join(report::FILE));
    report::write(&out, &html)?;
    if common.json {
        common.print_json(json!({ "report": out }));
    } else {
        println!("{}", out.display());
    }
    Ok(ExitCode::SUCCESS)
}
