//! `mcsan ablate`

use clap::Args;

use super::arguments::Common;
use super::crossval::{Experiment, Prepared, report};
use super::device;
use super::{Done, Failure};
use crate::experiment::ablate::{Row, check_folder, gather};

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
    let Prepared { config, data, identity, folds } = experiment.prepare(common)?;
    Row::ALL.iter().try_for_each(|row| row.settings(&config.settings).map(drop))?;
    check_folder(&experiment.out)?;
    let device = device::open(common, &config.execution.device)?;
    let summary = || gather(&data, &identity, &config, &folds, &experiment.out);
    if experiment.out.exists() {
        // Rows that are there and do not belong to this are found before anything is trained.
        summary()?;
    }
    let open = |row: &Row| Ok((row.to_string(), row.open(&data, &identity, &config, &folds, &experiment.out)?));
    let mut validations = arguments.rows.iter().map(open).collect::<Result<Vec<_>, Failure>>()?;
    let trained = experiment.train(common, &config.execution.tiles, &device, &mut validations);
    let results = summary();
    trained?;
    report(common, results?.as_ref())
}
