//! `mcsan card`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::arguments::Common;
use super::evaluate::{check_run, take_own_split};
use super::output::{self, Kind};
use super::{Done, Failure, cannot_write};
use crate::dataset::{Dataset, replace_file};
use crate::report::ReportError;
use crate::report::card;
use crate::train::Checkpoint;
use crate::train::calibration::{self, Fitted};
use crate::train::run::files;

/// What can be typed after `mcsan card`.
#[derive(Args)]
#[command(after_help = "Example: mcsan card --run runs/first --data corpus.safetensors --out runs/first/card.md")]
pub(crate) struct Card {
    #[arg(long, value_name = "RUN")]
    run: PathBuf,
    /// The data that the run was trained on, for its utterances, speakers and genders
    #[arg(long, value_name = "DATA")]
    data: Option<PathBuf>,
    /// The file to write, card.md in the run's folder where not given
    #[arg(long, value_name = "FILE.md")]
    out: Option<PathBuf>,
}

pub(crate) fn run(common: &Common, arguments: &Card) -> Done {
    let out = arguments.out.clone().unwrap_or_else(|| arguments.run.join(card::FILE));
    output::check(&out, Kind::Card)?;
    if std::fs::read_to_string(&out).is_ok_and(|text| !text.is_empty() && !card::is_as_written(&text)) {
        let line = "has words that mcsan did not write, so it is not written over; choose another --out, or move it";
        return Err(Failure(format!("{}: {line}", out.display())));
    }
    check_run(&arguments.run)?;
    let mut data = arguments.data.as_deref().map(Dataset::load).transpose()?;
    if let Some(data) = &mut data {
        take_own_split(common, &arguments.run, data)?;
    }
    let has_temperature = arguments.run.join(calibration::FILE).exists();
    let load = || Fitted::load(&arguments.run, &Checkpoint::load(&arguments.run.join(files::BEST))?);
    let fitted = has_temperature.then(load).transpose()?;
    let text = card::markdown(&arguments.run, data.as_ref(), fitted.as_ref()).map_err(|error| match (&error, &arguments.data) {
        (ReportError::Misfit { .. }, Some(path)) => Failure::of(path.display(), error),
        _ => error.into(),
    })?;
    replace_file(&out, |file| std::io::Write::write_all(file, text.as_bytes())).map_err(cannot_write(&out))?;
    if common.json {
        common.print_json(json!({ "card": out }));
    } else {
        println!("{}", out.display());
    }
    Ok(ExitCode::SUCCESS)
}
