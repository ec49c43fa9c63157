//! `mcsan compare`

use std::path::Path;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

use super::arguments::Common;
use super::crossval::{Experiment, Prepared, report};
use super::effect::no_effect;
use super::notes::Note;
use super::{Done, Failure, rows};
use crate::config::{Config, Settings};
use crate::experiment::compare::{self, COMPARISON};
use crate::experiment::folds::By;
use crate::experiment::rows::{Begun, Rows, check_settings};
use crate::experiment::systems::{self, System};
use crate::report::speeds;

/// What is trained on, validated on and tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Division {
    /// Folds: the form of the paper's Table 1, WA and UA
    Folds,
    /// The data's own splits: the form of its Table 2, weighted F1
    Given,
}

#[derive(Args)]
#[command(after_help = "Example: mcsan compare --data corpus.safetensors --out runs/systems --systems mcsan,mdre --folds 5 --seeds 3")]
pub(crate) struct Compare {
    #[command(flatten)]
    pub experiment: Experiment,
    /// Systems to train; the others are tested against mcsan
    #[arg(long, value_name = "SYSTEM,…", value_delimiter = ',', required = true, value_parser = system())]
    pub systems: Vec<&'static System>,
    /// What to train on and to test
    #[arg(long, value_name = "SOURCE", default_value = "folds")]
    pub split: Division,
}

fn system() -> impl TypedValueParser<Value = &'static System> {
    PossibleValuesParser::new(systems::names()).try_map(|name| systems::named(&name).ok_or("no such system"))
}

impl Compare {
    /// # Errors
    /// Wrong usage: a system twice, or folds where there are none.
    pub(crate) fn check_usage(&self) -> Result<(), clap::Error> {
        self.experiment.data.check_usage()?;
        let names: Vec<&str> = self.systems.iter().map(|system| system.name).collect();
        if let Some((_, name)) = names.iter().enumerate().find(|(place, name)| names[..*place].contains(name)) {
            return Err(no_effect(format!("--systems names {name} twice; name it once")));
        }
        let Experiment { folds, by, emobox, fold, .. } = &self.experiment;
        let typed = [("--folds", folds.is_some()), ("--by", by.is_some()), ("--emobox", emobox.is_some()), ("--fold", fold.is_some())];
        match typed.iter().find(|(_, is_typed)| *is_typed && self.split == Division::Given) {
            Some((option, _)) => Err(no_effect(format!("{option} divides into folds, and --split given has none; leave one of them out"))),
            None => Ok(()),
        }
    }

    fn by(&self) -> By {
        match self.split {
            Division::Folds => self.experiment.by(),
            Division::Given => By::Given,
        }
    }

    /// What a system is trained with: its own defaults or recipe, and over them what was given for all.
    fn config(&self, common: &Common, system: &System) -> Result<Config, Failure> {
        Ok(self.experiment.settings.load_for(common, Config::default(), system.setting())?)
    }

    /// Those to train, and those that are there besides.
    fn all(&self) -> impl Iterator<Item = &'static System> {
        let is_there = |name: &str| self.experiment.out.join(name).is_dir();
        let is_chosen = |name: &str| self.systems.iter().any(|system| system.name == name);
        systems::all().filter(move |system| is_chosen(system.name) || is_there(system.name))
    }
}

pub(crate) fn run(common: &Common, arguments: &Compare) -> Done {
    let (experiment, by) = (&arguments.experiment, arguments.by());
    let base = experiment.load(common)?;
    check_settings(&base.settings)?;
    systems::check_unchosen(&base.settings)?;
    let of = |system: &'static System| Ok(compare::row(system, arguments.config(common, system)?, by));
    let all = arguments.all().map(of).collect::<Result<Vec<_>, Failure>>()?;
    let settings: Vec<&Settings> = all.iter().map(|row| &row.config.settings).collect();
    let Prepared { data, identity, folds } = experiment.prepare(common, &settings, by)?;
    for row in &all {
        compare::check_streams(row, &data).map_err(|error| Failure::of(experiment.data.name().display(), error))?;
    }
    let rows = Rows {
        kind: &COMPARISON,
        rows: all,
        data: &data,
        identity: &identity,
        folds: &folds,
        folder: &experiment.out,
        seeds: experiment.seeds.into(),
        base,
    };
    let names: Vec<&str> = arguments.systems.iter().map(|system| system.name).collect();
    let summary = rows::train(common, experiment, &rows, &names)?;
    if let Some((_, begun)) = &summary {
        note_times(common, &experiment.out, begun)?;
    }
    report(common, summary.as_ref().map(|(results, _)| results))
}

/// Says how long a step of each row took, and writes it into a file by itself: the same experiment has the same tables.
fn note_times(common: &Common, folder: &Path, begun: &[Begun<'_>]) -> Result<(), Failure> {
    let mut times = Vec::new();
    for Begun { row, of } in begun {
        let mut ms = Vec::new();
        for folder in of.folders() {
            let speeds = speeds(&folder)?.into_iter().filter(|speed| *speed > 0.0);
            ms.extend(speeds.map(|speed| 1e3 * row.config.settings.train.batch_size as f64 / speed));
        }
        ms.sort_by(f64::total_cmp);
        if let Some(&median) = ms.get(ms.len() / 2) {
            common.note(Note::StepTime { row: row.name, ms: median, steps: ms.len() });
            times.push((*row, median, ms.len()));
        }
    }
    Ok(compare::write_times(folder, &times)?)
}
