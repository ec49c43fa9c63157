//! Settings from a file and from assignments `KEY=VALUE`. Both go through [`Config::set`], so both give the same errors.

use std::collections::HashMap;
use std::fmt::{self, Display, Formatter};
use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::{Config, ConfigError, FORMAT, System};
use crate::base::format::Newer;
use crate::base::input;

impl Config {
    /// Starts from `self`, then takes a TOML file, then assignments `KEY=VALUE`.
    ///
    /// # Errors
    /// [`ConfigError`], naming the file and its line, or the key.
    pub fn load(mut self, path: &Path, assignments: &[String]) -> Result<Self, ConfigError> {
        let text = input::text(path).map_err(|source| ConfigError::Read { path: path.into(), source })?;
        let lines = self.take(&text).map_err(|fault| fault.of(path))?;
        self.take_assignments(assignments)?;
        let assigned = |key: &str| assignments.iter().any(|assignment| assignment.split('=').next().is_some_and(|own| own.trim() == key));
        self.settings.validate().map_err(|error| match &error {
            ConfigError::Value { key, .. } if !assigned(key) => Fault { line: lines.get(key).copied(), error }.of(path),
            _ => error,
        })?;
        Ok(self)
    }

    /// Starts from `self`, then takes assignments `KEY=VALUE`.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key.
    pub fn assign(mut self, assignments: &[String]) -> Result<Self, ConfigError> {
        self.take_assignments(assignments)?;
        self.settings.validate()?;
        Ok(self)
    }

    /// What a file, and assignments over it, say of a key, before anything of them is checked.
    pub(crate) fn said(key: &str, path: Option<&Path>, assignments: &[String]) -> Option<Value> {
        let assigned = assignments.iter().rev().filter_map(|assignment| assignment.split_once('='));
        let assigned = assigned.into_iter().find(|(own, _)| own.trim() == key).map(|(_, value)| parse_value(value.trim()));
        assigned.or_else(|| {
            let table: Table = input::text(path?).ok()?.parse().ok()?;
            leaves(&table, "").into_iter().find(|(own, _)| own == key).map(|(_, value)| value)
        })
    }

    /// With the settings that the authors of a system train it with.
    ///
    /// # Errors
    /// [`ConfigError`], where a recipe sets what there is not.
    pub fn with_recipe(mut self, system: System) -> Result<Self, ConfigError> {
        for (key, value) in system.recipe() {
            self.set(key, parse_value(value))?;
        }
        Ok(self)
    }

    /// Reads a document that [`Config::to_toml`] wrote; what an older one lacks has its default, and what decides a training alone
    /// may be out of range.
    ///
    /// # Errors
    /// An unknown key, a value that is none of its key's, a network that cannot be.
    pub(crate) fn from_toml(text: &str) -> Result<Self, Fault> {
        let mut config = Self::default();
        let lines = config.take(text)?;
        let line = |error: &ConfigError| match error {
            ConfigError::Value { key, .. } => lines.get(key).copied(),
            _ => None,
        };
        config.settings.validate_network().map_err(|error| Fault { line: line(&error), error })?;
        Ok(config)
    }

    fn take_assignments(&mut self, assignments: &[String]) -> Result<(), ConfigError> {
        for assignment in assignments {
            let (key, value) = assignment.split_once('=').ok_or_else(|| ConfigError::NoAssignment { argument: assignment.clone() })?;
            self.set(key.trim(), parse_value(value.trim()))?;
        }
        Ok(())
    }

    /// Takes the values of a document; returns on which line each stands.
    fn take(&mut self, text: &str) -> Result<HashMap<String, usize>, Fault> {
        let line = |span: Range<usize>| 1 + text.bytes().take(span.start).filter(|&byte| byte == b'\n').count();
        let mut parsed: Table = text.parse().map_err(|error: toml::de::Error| {
            let reason = error.message().lines().next().unwrap_or_default().to_owned();
            Fault { line: error.span().map(line), error: ConfigError::Syntax { reason } }
        })?;
        // Read a second time, for where each value stands.
        let spans = DeTable::parse(text).map(|table| leaf_spans(table.get_ref(), "")).unwrap_or_default();
        let lines: HashMap<String, usize> = spans.into_iter().map(|(key, span)| (key, line(span))).collect();
        if let Some(said) = parsed.remove("format") {
            let fault = |error| Fault { line: lines.get("format").copied(), error };
            let version = said.as_str().map_or(Ok(None), |said| FORMAT.version_of(said)).map_err(|newer| fault(newer.into()))?;
            if version.is_none() {
                let allowed = format!("\"{FORMAT}\"");
                return Err(fault(ConfigError::Value { key: "format".into(), value: said.to_string(), allowed }));
            }
        }
        for (key, value) in leaves(&parsed, "") {
            self.set(&key, value).map_err(|error| Fault { line: lines.get(&key).copied(), error })?;
        }
        Ok(lines)
    }
}

/// What is wrong with a document, and on which line of it, where that is one's.
#[derive(Debug)]
pub(crate) struct Fault {
    line: Option<usize>,
    error: ConfigError,
}

impl Fault {
    /// Of a document that a newer program wrote, its version.
    pub(crate) fn newer(&self) -> Option<&Newer> {
        match &self.error {
            ConfigError::Newer(newer) => Some(newer),
            _ => None,
        }
    }

    /// The fault of the file `path`.
    pub(crate) fn of(self, path: &Path) -> ConfigError {
        match self {
            Self { line: Some(line), error } => ConfigError::Line { path: path.into(), line, error: Box::new(error) },
            Self { line: None, error: ConfigError::Syntax { reason } } => ConfigError::File { path: path.into(), reason },
            Self { line: None, error } => error,
        }
    }
}

impl Display for Fault {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "line {line}: {}", self.error),
            None => self.error.fmt(formatter),
        }
    }
}

/// A value as written on the command line: TOML where it is one value, else a word.
pub(crate) fn parse_value(text: &str) -> Value {
    format!("value = {text}")
        .parse::<Table>()
        .ok()
        // Lines behind the first would be other settings.
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.into()))
}

/// `section.key` of every value of a document.
fn leaves(table: &Table, prefix: &str) -> Vec<(String, Value)> {
    let of_entry = |(name, value): (&String, &Value)| match value {
        Value::Table(section) => leaves(section, &format!("{prefix}{name}.")),
        value => vec![(format!("{prefix}{name}"), value.clone())],
    };
    table.iter().flat_map(of_entry).collect()
}

/// Where in the text the values of [`leaves`] stand.
fn leaf_spans(table: &DeTable<'_>, prefix: &str) -> Vec<(String, Range<usize>)> {
    let mut spans = Vec::new();
    for (name, value) in table {
        let key = format!("{prefix}{}", name.get_ref());
        match value.get_ref() {
            DeValue::Table(section) => spans.extend(leaf_spans(section, &format!("{key}."))),
            _ => spans.push((key, name.span())),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::choice::Choice;
    use crate::config::{ClassWeights, ModelVariant, keys};

    fn load(assignments: &[&str]) -> Result<Config, ConfigError> {
        Config::default().assign(&assignments.iter().map(|text| text.to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn assignments_set_numbers_words_switches_and_lists() {
        let assignments =
            ["model.layers=3", "model.variant=no_self", "model.attention_bias=false", "train.class_weights=[1, 2.5]", "train.lr=1"];
        let settings = load(&assignments).unwrap().settings;
        assert_eq!(settings.model.layers, 3);
        assert_eq!(settings.model.variant, ModelVariant::NoSelf);
        assert!(!settings.model.attention_bias);
        assert_eq!(settings.train.class_weights, ClassWeights::List(vec![1.0, 2.5]));
        assert_eq!(settings.train.lr, 1.0);
    }

    #[test]
    fn every_recipe_can_be_followed() {
        for (word, _) in System::WORDS {
            let config = load(&[&format!("model.system={word}")]).unwrap();
            let system = config.settings.model.system;
            let followed = config.clone().with_recipe(system).unwrap();
            followed.settings.validate().unwrap();
            assert_eq!(followed == config, matches!(system, System::Mcsan | System::Mcsan3), "{word}");
        }
    }

    #[test]
    fn an_unknown_key_names_its_neighbours() {
        let error = load(&["model.layer=3"]).unwrap_err().to_string();
        assert!(error.contains("model.layers"), "{error}");
    }

    #[test]
    fn a_wrong_value_says_what_is_allowed() {
        for (assignment, part) in [
            ("model.variant=fully", "no_audio"),
            ("train.lr=fast", "a number"),
            ("train.batch_size=0", "at least 1"),
            ("model.heads=7", "a divisor of model.hidden"),
            ("model.heads=1", "at least 2"),
            ("model.dropout=1", "below 1"),
            ("train.seed=-1", "integer"),
            ("train.lr=0.1\ntrain.seed=3", "a number"),
        ] {
            let error = load(&[assignment]).unwrap_err().to_string();
            assert!(error.contains(part), "{assignment}: {error}");
        }
    }

    #[test]
    fn a_config_survives_a_round_trip_through_toml() {
        let config =
            load(&["model.scale=model", "data.normalise=speaker", "train.class_weights=balanced", "run.device=cpu", "run.weights=w"]);
        let config = config.unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), config.to_toml()).unwrap();
        assert_eq!(Config::default().load(file.path(), &[]).unwrap(), config);
        assert_eq!(Config::from_toml(&config.to_toml()).unwrap(), config);
        // What an older version took, and what a trained network needs no more.
        assert_eq!(Config::from_toml("[train]\nepsilon = 0.0\n").unwrap().settings.train.epsilon, 0.0);
        let line = Config::from_toml("[model]\n\nlayers = 1000000000\n").unwrap_err().to_string();
        assert_eq!(line, "line 3: model.layers = 1000000000: expected an integer from 1 to 1000");
    }

    #[test]
    fn a_fault_in_a_file_is_named_with_its_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (text, line, part) in [
            ("[model]\nlayers = 1\nhiden = 8\n", 3, "model.hidden"),
            ("[train]\n\nlr = 1\nbatch_size = -4\n", 4, "an integer, at least 1"),
            ("[model]\nlayers = \n", 2, ""),
            ("layers = 2\n", 1, "unknown setting 'layers'"),
            ("\nformat = \"mcsan-dataset/1\"\n", 2, "format = \"mcsan-dataset/1\": expected \"mcsan-run/1\""),
            ("format = 1\n", 1, "format = 1: expected \"mcsan-run/1\""),
            ("[train]\nepochs = 2\nlr = -1\n", 3, "train.lr = -1: expected a number, at least 0"),
            ("[model]\nheads = 2\nhidden = 9\n", 2, "model.heads = 2: expected a divisor of model.hidden = 9"),
            ("[train]\nclass_weights = [1, 0]\n", 2, "train.class_weights = [1.0, 0.0]: expected numbers above 0"),
        ] {
            std::fs::write(file.path(), text).unwrap();
            let error = Config::default().load(file.path(), &[]).unwrap_err().to_string();
            assert!(error.contains(&format!(", line {line}: ")) && error.contains(part), "{error}");
        }
        std::fs::write(file.path(), "[train]\nlr = -1\n").unwrap();
        let load = |assignment: &str| Config::default().load(file.path(), &[assignment.to_owned()]);
        assert_eq!(load("train.lr=0.5").unwrap().settings.train.lr, 0.5);
        assert_eq!(load("train.lr=-2").unwrap_err().to_string(), "train.lr = -2: expected a number, at least 0");
    }

    #[test]
    fn a_number_that_makes_nan_of_every_weight_is_none_for_its_setting() {
        for (assignment, said) in [
            ("train.epsilon=0", "train.epsilon = 0: expected a number, more than 0"),
            ("train.epsilon=1e-60", "train.epsilon = 1e-60 (0 in float32): expected a number, more than 0"),
            ("train.epsilon=1e-40", "train.epsilon = 1e-40 (0 in float32): expected a number, more than 0"),
            ("train.beta2=0.99999999999", "train.beta2 = 0.99999999999 (1 in float32): expected a number from 0 to below 1"),
            ("train.beta1=-0.5", "train.beta1 = -0.5: expected a number from 0 to below 1"),
            ("train.lr=inf", "train.lr = inf: expected a number, at least 0"),
            ("train.lr=nan", "train.lr = NaN: expected a number, at least 0"),
            ("train.lr=1e39", "train.lr = 1e39 (inf in float32): expected a number, at least 0"),
            ("train.weight_decay=-1e-3", "train.weight_decay = -0.001: expected a number, at least 0"),
            ("train.clip_norm=1e-50", "train.clip_norm = 1e-50 (0 in float32): expected a number, at least 0"),
            (
                "train.label_smoothing=0.999999999",
                "train.label_smoothing = 0.999999999 (1 in float32): expected a number from 0 to below 1",
            ),
            ("model.layers=1000000000", "model.layers = 1000000000: expected an integer from 1 to 1000"),
            ("model.hidden=100000", "model.hidden = 100000: expected an integer from 1 to 512"),
            ("model.feed_forward=9000000000000000000", "model.feed_forward = 9000000000000000000: expected an integer from 1 to 65536"),
            ("model.heads=0", "model.heads = 0: expected an integer that divides model.hidden"),
            (
                "train.class_weights=[1,0,1]",
                "train.class_weights = [1.0, 0.0, 1.0]: expected numbers above 0 and at most 1e30, one for each class",
            ),
            ("train.class_weights=[-1,1,1]", "train.class_weights = [-1.0, 1.0, 1.0]: expected numbers above 0"),
            ("train.class_weights=[nan,1,1]", "train.class_weights = [NaN, 1.0, 1.0]: expected numbers above 0"),
            ("train.class_weights=[1e-50,1,1]", "train.class_weights = [1e-50, 1.0, 1.0]: expected numbers above 0"),
        ] {
            let error = load(&[assignment]).unwrap_err().to_string();
            assert!(error.starts_with(said), "{assignment}: {error}");
        }
        load(&["train.lr=0", "train.epsilon=1e-30", "train.clip_norm=0", "model.layers=1000", "train.beta1=0"]).unwrap();
    }

    #[test]
    fn the_document_holds_every_setting_and_nothing_else() {
        let mut named: Vec<&str> = keys().map(|key| key.name).collect();
        let table = Config::default().to_table();
        let sections =
            table.iter().flat_map(|(section, values)| values.as_table().unwrap().keys().map(move |name| format!("{section}.{name}")));
        let mut actual: Vec<String> = sections.collect();
        named.sort_unstable();
        actual.sort_unstable();
        assert_eq!(named, actual);
    }

    #[test]
    fn what_decides_no_result_is_no_difference() {
        let base = Config::default();
        for (assignment, differs) in [("run.device=cpu", false), ("run.tiles=fixed", false), ("run.weights=w", true), ("train.lr=1", true)]
        {
            let other = load(&[assignment]).unwrap();
            assert_eq!(!base.settings.differences(&other.settings).is_empty(), differs, "{assignment}");
        }
    }
}
