//! A sweep: settings that are tried one beside the other, each a trial of runs over the same folds and seeds in `DIR/trial-NNN`, and
//! compared by what they reach on the validation utterances. Test utterances decide nothing; those of the chosen trial say how good it is.

mod error;
mod halving;
mod record;
mod space;
mod standing;
mod table;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;
use toml::Value;

pub use error::SweepError;
pub(crate) use halving::Rung;
pub use space::Point;
pub(crate) use space::Space;
pub(crate) use standing::State;

use super::ExperimentError;
use super::folds::Folds;
use super::seeds::Seeded;
use super::spec::{Identity, newer_file};
use super::table::{Results, write_text};
use crate::base::choice::Choice;
use crate::base::format::Format;
use crate::base::input;
use crate::base::remedy::Remedy;
use crate::base::setting::Key;
use crate::base::streams::Reading;
use crate::config::{Config, ConfigError, Selection};
use crate::dataset::Dataset;
use crate::model::{self, Dimensions};
use crate::train::claim::Claim;

/// Name of the files, without their endings.
const STEM: &str = "sweep";
/// The best settings, as a training takes them.
const BEST: &str = "best.toml";
/// What ended a trial, in its folder.
const FAILED: &str = "failed.json";

/// What that file says of itself; at first it said nothing.
const FAILED_FORMAT: Format = Format::new("mcsan-failed", 1);

/// Settings that are tried.
pub struct Trial {
    /// As its folder and in tables.
    pub name: String,
    /// What tells it from the others.
    pub point: Point,
    /// All of its settings.
    pub config: Config,
}

impl Trial {
    /// The trial of a number, from 0, with settings over those that all have.
    ///
    /// # Errors
    /// [`ConfigError`]: a value that its key does not take, or not beside the others.
    pub fn of(number: usize, point: Point, common: Config) -> Result<Self, ConfigError> {
        let mut config = common;
        for (key, value) in &point {
            config.set(key.name, value.clone())?;
        }
        config.settings.validate()?;
        Ok(Self { name: format!("trial-{:03}", number + 1), point, config })
    }

    /// What it tries, as assignments.
    pub(crate) fn assignments(&self) -> Vec<String> {
        self.point.iter().map(|(key, _)| format!("{}={}", key.name, shown(&self.config, key))).collect()
    }

    /// Whether a data set has what its model reads.
    ///
    /// # Errors
    /// [`SweepError::NoStream`]
    pub(crate) fn check_streams(&self, data: &Dataset) -> Result<(), SweepError> {
        let settings = &self.config.settings;
        let readings = model::readings(settings, &Dimensions::of(data, &settings.model));
        match readings.iter().find(|reading| data.stream(reading).is_err()) {
            None => Ok(()),
            Some(Reading { stream, kind, .. }) => {
                Err(SweepError::NoStream { system: settings.model.system.word(), stream, kind: kind.name() })
            }
        }
    }
}

/// So many of something that has a plural with s.
pub(crate) fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A value as it is shown: a word without its quotes.
fn shown(config: &Config, key: &Key) -> String {
    let value = config.value(key);
    value.trim_matches('"').to_owned()
}

/// What ended a trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// Which seed's run it was, from 1.
    pub seed: usize,
    /// Which fold it tests, from 1.
    pub fold: usize,
    /// What was wrong.
    pub error: String,
}

/// A sweep and its folder.
pub struct Sweep<'c> {
    /// The whole data set.
    pub data: &'c Dataset,
    /// Which data set that is.
    pub identity: &'c Identity,
    /// Which utterances each fold tests, or the data's own splits.
    pub folds: &'c Folds,
    /// Holds `space.json` and a folder for each trial.
    pub folder: &'c Path,
    /// How many seeds each trial is trained with: `train.seed` and those that follow it.
    pub seeds: usize,
    /// By number.
    pub trials: Vec<Trial>,
    /// The settings in which trials differ.
    pub keys: Vec<&'static Key>,
    /// Of successive halving: one trial of so many goes on.
    pub eta: Option<usize>,
    /// What all trials have in common.
    pub base: Config,
}

impl<'c> Sweep<'c> {
    /// The runs of a trial.
    pub(crate) fn seeded(&self, trial: &Trial) -> Seeded<'c> {
        let Self { data, identity, folds, seeds, .. } = *self;
        Seeded { data, identity, folds, config: trial.config.clone(), folder: self.folder.join(&trial.name), seeds }
    }

    /// The validation figure that trials are compared by.
    fn selection(&self) -> Selection {
        self.base.settings.train.selection
    }

    /// How many trials are trained for how long; without successive halving all of them to their end.
    ///
    /// # Errors
    /// [`SweepError::NothingToHalve`]
    pub(crate) fn rungs(&self) -> Result<Vec<Rung>, SweepError> {
        let (trials, epochs) = (self.trials.len(), self.base.settings.train.epochs);
        let Some(eta) = self.eta else { return Ok(vec![Rung { epochs: epochs as u64, trials }]) };
        let rungs = halving::rungs(trials, epochs, eta);
        if rungs.len() < 2 { Err(SweepError::NothingToHalve { trials, epochs, eta }) } else { Ok(rungs) }
    }

    /// Notes why a trial ended before its end: it has settings that cannot be trained with, and is not tried again.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn fail(&self, trial: &Trial, failed: &Failed) -> Result<(), ExperimentError> {
        let path = self.folder.join(&trial.name).join(FAILED);
        let mut document = json!(failed);
        document["format"] = json!(FAILED_FORMAT.to_string());
        let text =
            serde_json::to_string_pretty(&document).map_err(|error| ExperimentError::Write { path: path.clone(), source: error.into() })?;
        write_text(&path, &(text + "\n"))
    }

    /// Why a trial ended before its end, where it did.
    fn failed(&self, trial: &Trial) -> Result<Option<Failed>, ExperimentError> {
        let path: PathBuf = self.folder.join(&trial.name).join(FAILED);
        if !path.exists() {
            return Ok(None);
        }
        let refused = |problem: String| ExperimentError::Folder { path: path.clone(), problem, remedy: Remedy::RemoveFold };
        let text = input::text(&path).map_err(|error| refused(format!("cannot be read ({error})")))?;
        FAILED_FORMAT.version_of_json(&text).map_err(|newer| newer_file(&path, &newer))?;
        serde_json::from_str(&text).map(Some).map_err(|error| refused(format!("does not say why a trial failed ({error})")))
    }

    /// Sums up what is there and writes it; with the best settings, where a trial is done.
    ///
    /// # Errors
    /// A trial that was begun with other data, folds or settings; a file that cannot be written.
    pub fn gather(&self) -> Result<Summary, ExperimentError> {
        let _turn = Claim::wait(self.folder).map_err(|source| ExperimentError::Write { path: self.folder.into(), source })?;
        let standing = self.standing()?;
        let best = standing.best();
        let test = best.map(|best| self.seeded(&self.trials[best]).done()).transpose()?.flatten();
        let results = table::results(self, &standing, test.as_ref());
        results.write(self.folder, STEM)?;
        table::write_page(self, &standing, &results, test.as_ref())?;
        if let Some(best) = best {
            let Trial { name, config, .. } = &self.trials[best];
            let of = self.trials.len();
            let line = format!("# {name}: the best of {of} by validation, {}", self.trials[best].assignments().join(", "));
            // Where to compute is for the next training to say.
            let settings = Config::from(config.settings.clone()).to_toml();
            write_text(&self.folder.join(BEST), &format!("{line}\n\n{settings}"))?;
        }
        Ok(Summary { results, best: best.map(|best| self.trials[best].name.clone()), is_over: standing.is_over() })
    }
}

/// What a sweep says so far.
pub struct Summary {
    pub(crate) results: Results,
    /// The best trial of those that are done.
    pub best: Option<String>,
    /// Whether nothing is left to be trained.
    pub is_over: bool,
}

/// The values of a point as JSON has them.
fn typed(point: &Point) -> serde_json::Value {
    let of = |value: &Value| serde_json::to_value(value).unwrap_or_default();
    point.iter().map(|(key, value)| (key.name.to_owned(), of(value))).collect::<serde_json::Map<_, _>>().into()
}
