//! `mcsan ablate`

use clap::Args;

use super::Done;
use super::arguments::Common;
use super::crossval::{Experiment, Prepared, report};
use super::rows;
use crate::experiment::ablate::{self, ABLATION, Row};
use crate::experiment::rows::{Rows, check_settings};

#[derive(Args)]
#[command(after_help = "Example: mcsan ablate --data corpus.safetensors --out runs/ablation --rows full,no_audio,no_text --folds 5")]
pub(crate) struct Ablate {
    #[command(flatten)]
    pub experiment: Experiment,
    /// Rows to train; all where not given
    #[arg(long, value_name = "ROW,…", value_delimiter = ',', default_values_t = Row::ALL, hide_default_value = true)]
    pub rows: Vec<Row>,
}

pub(crate) fn run(common: &Common, arguments: &Ablate) -> Done {
    let experiment = &arguments.experiment;
    let base = experiment.load(common)?;
    check_settings(&base.settings)?;
    let Prepared { data, identity, folds } = experiment.prepare(common, &[&base.settings], experiment.by())?;
    let rows = Rows {
        kind: &ABLATION,
        rows: ablate::rows(&base)?,
        data: &data,
        identity: &identity,
        folds: &folds,
        folder: &experiment.out,
        seeds: experiment.seeds.into(),
        base,
    };
    let names: Vec<&str> = arguments.rows.iter().map(|row| row.name()).collect();
    let results = rows::train(common, experiment, &rows, &names)?;
    report(common, results.as_ref().map(|(results, _)| results))
}
