//! `space.json`: what a sweep tries, so that a later call, or another machine's, tries the same.
//!
//! `{"format", "halving", "seeds", "trials": [[KEY=VALUE, …]], "experiment"}`; `experiment` is as `folds.json` of a cross-validation, its
//! settings those that all trials have in common.

use std::fs;

use serde::{Deserialize, Serialize};

use super::{BEST, STEM, Sweep, Trial};
use crate::base::contents::first_foreign;
use crate::base::format::Format;
use crate::base::input;
use crate::base::remedy::Remedy;
use crate::experiment::ExperimentError;
use crate::experiment::spec::{Spec, newer_file};
use crate::experiment::table::write_text;
use crate::report;
use crate::train::claim::Claim;

/// The file's name.
const FILE: &str = "space.json";
/// What its `format` must say.
const FORMAT: Format = Format::new("mcsan-sweep", 1);

/// What the file says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Record {
    format: String,
    halving: Option<usize>,
    seeds: usize,
    trials: Vec<Vec<String>>,
    experiment: Spec,
}

impl Sweep<'_> {
    /// Takes a folder that is new or was begun with the same; without successive halving there may be more drawn trials now, and more
    /// seeds.
    ///
    /// # Errors
    /// [`ExperimentError::Folder`], naming what differs or what else is there.
    pub fn agree(&self) -> Result<(), ExperimentError> {
        let path = self.folder.join(FILE);
        let is_own = |name: &str| {
            let is_summary = name.strip_prefix(STEM).is_some_and(|rest| rest.starts_with(['.', '-']));
            let is_trial = name.strip_prefix("trial-").is_some_and(|number| number.parse::<usize>().is_ok());
            is_summary || is_trial || [FILE, BEST, report::FILE].contains(&name)
        };
        if let Some(name) = first_foreign(self.folder, |name| path.exists() && is_own(name)) {
            let problem = format!("holds '{name}', which is none of a sweep's files");
            return Err(ExperimentError::Folder { path: self.folder.into(), problem, remedy: Remedy::OtherFolder });
        }
        let failed = |source| ExperimentError::Write { path: self.folder.into(), source };
        fs::create_dir_all(self.folder).map_err(failed)?;
        let _turn = Claim::wait(self.folder).map_err(failed)?;
        let own = Record {
            format: FORMAT.to_string(),
            halving: self.eta,
            seeds: self.seeds,
            trials: self.trials.iter().map(Trial::assignments).collect(),
            experiment: Spec::of(self.data, self.identity, &self.base.settings, self.folds),
        };
        if path.exists() {
            let refused = |problem: String| ExperimentError::Folder { path: path.clone(), problem, remedy: Remedy::SameExperiment };
            let text = input::text(&path).map_err(|error| refused(format!("cannot be read ({error})")))?;
            FORMAT.version_of_json(&text).map_err(|newer| newer_file(&path, &newer))?;
            let there: Record = serde_json::from_str(&text).map_err(|error| refused(format!("is no {FORMAT} ({error})")))?;
            if let Some(difference) = own.difference(&there) {
                return Err(refused(format!("belongs to another sweep: {difference}")));
            }
            if own == there {
                return Ok(());
            }
        }
        let text = serde_json::to_string_pretty(&own).map_err(|error| failed(error.into()))?;
        write_text(&path, &(text + "\n"))
    }
}

impl Record {
    fn difference(&self, there: &Self) -> Option<String> {
        let named = |what: &str, there: &dyn std::fmt::Display, here: &dyn std::fmt::Display| {
            Some(format!("{what} is {there} there and {here} now"))
        };
        if self.format != there.format {
            return named("the format", &there.format, &self.format);
        }
        if let Some(difference) = self.experiment.difference(&there.experiment) {
            return Some(difference);
        }
        let halving = |of: &Self| of.halving.map_or("none".to_owned(), |eta| format!("one in {eta}"));
        if self.halving != there.halving {
            return named("the halving", &halving(there), &halving(self));
        }
        let is_halved = self.halving.is_some();
        if there.seeds > self.seeds || is_halved && there.seeds != self.seeds {
            return named("the number of seeds", &there.seeds, &self.seeds);
        }
        if let Some((place, (here, there))) = self.trials.iter().zip(&there.trials).enumerate().find(|(_, (here, there))| here != there) {
            return named(&format!("trial {}", place + 1), &there.join(", "), &here.join(", "));
        }
        if there.trials.len() > self.trials.len() || is_halved && there.trials.len() != self.trials.len() {
            return named("the number of trials", &there.trials.len(), &self.trials.len());
        }
        None
    }
}
