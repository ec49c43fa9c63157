//! Every setting of a run: its default, its allowed values, where it comes from.
//!
//! A value is set by a TOML file (`--config`), then by `--set KEY=VALUE`; both go through [`Settings::set`], so both
//! give the same errors. The meaning of every key stands once, in [`keys`].

pub mod keys;
mod model;
mod train;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use toml::{Table, Value};

pub use model::{ModelSettings, Scale, Variant};
pub use train::{
    ClassWeights, DataSettings, NamedWeights, Normalise, Optimizer, Order, RunSettings, Schedule, Selection, TileRule, Tiles, TrainSettings,
};

/// Everything that decides a run, besides its data.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub model: ModelSettings,
    pub data: DataSettings,
    pub train: TrainSettings,
    pub run: RunSettings,
}

/// What is wrong with a setting.
#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("{path}: {reason}; see 'mcsan config' for a file to start from")]
    File { path: String, reason: String },
    #[error("unknown setting '{key}'; did you mean {nearest}? ('mcsan config' lists all)")]
    UnknownKey { key: String, nearest: String },
    #[error("'{argument}' is not KEY=VALUE; write for example --set model.layers=2")]
    NoAssignment { argument: String },
    #[error("{key} = {value}: expected {allowed}")]
    Value { key: String, value: String, allowed: String },
}

impl Settings {
    /// Starts from `self`, then takes a TOML file, then assignments `KEY=VALUE`.
    ///
    /// # Errors
    /// [`ConfigError`], naming the file or key.
    pub fn load(mut self, file: Option<&std::path::Path>, assignments: &[String]) -> Result<Self, ConfigError> {
        if let Some(path) = file {
            let failure = |reason: String| ConfigError::File { path: path.display().to_string(), reason };
            let text = std::fs::read_to_string(path).map_err(|error| failure(error.to_string()))?;
            let table: Table = text.parse().map_err(|error: toml::de::Error| failure(first_line(error.message())))?;
            for (key, value) in leaves(&table) {
                self.set(&key, value)?;
            }
        }
        for assignment in assignments {
            let (key, value) = assignment.split_once('=').ok_or_else(|| ConfigError::NoAssignment { argument: assignment.clone() })?;
            self.set(key.trim(), parse_value(value.trim()))?;
        }
        self.validate()?;
        Ok(self)
    }

    /// Sets one value by its key, for example `model.layers`.
    ///
    /// # Errors
    /// [`ConfigError::UnknownKey`] with the nearest keys, [`ConfigError::Value`] with what is allowed.
    pub fn set(&mut self, key: &str, value: Value) -> Result<(), ConfigError> {
        let entry = keys::find(key)?;
        let shown = value.to_string();
        let refused = || ConfigError::Value { key: key.into(), value: shown.clone(), allowed: entry.allowed.into() };
        let mut table = self.to_table();
        let (section, name) = key.split_once('.').ok_or_else(refused)?;
        if let Some(Value::Table(section)) = table.get_mut(section) {
            section.insert(name.into(), value);
        }
        *self = table.try_into().map_err(|_| refused())?;
        Ok(())
    }

    /// Compares values with each other and with their ranges.
    fn validate(&self) -> Result<(), ConfigError> {
        let table = self.to_table();
        for key in keys::KEYS {
            let value = lookup(&table, key.name);
            if let Some(number) = value.and_then(|value| value.as_float().or(value.as_integer().map(|integer| integer as f64)))
                && !key.range.contains(&number)
            {
                return Err(ConfigError::Value { key: key.name.into(), value: number.to_string(), allowed: key.allowed.into() });
            }
        }
        let model = &self.model;
        if !model.hidden.is_multiple_of(model.heads) {
            return Err(ConfigError::Value {
                key: "model.heads".into(),
                value: model.heads.to_string(),
                allowed: format!("a divisor of model.hidden = {}", model.hidden),
            });
        }
        let head = model.hidden / model.heads;
        if head > crate::base::numbers::MAX_HEAD_SIZE {
            return Err(ConfigError::Value {
                key: "model.heads".into(),
                value: model.heads.to_string(),
                allowed: format!(
                    "at least {}, so that a head has at most {} columns",
                    model.hidden.div_ceil(crate::base::numbers::MAX_HEAD_SIZE),
                    crate::base::numbers::MAX_HEAD_SIZE
                ),
            });
        }
        Ok(())
    }

    /// All settings as a TOML document that [`Settings::load`] reads back.
    pub fn to_toml(&self) -> String {
        self.to_table().to_string()
    }

    /// The keys whose values differ from another's, with both values as TOML writes them.
    pub fn differences(&self, other: &Self) -> Vec<(&'static str, String, String)> {
        let tables = [self, other].map(Self::to_table);
        let values = |key: &keys::Key| tables.each_ref().map(|table| lookup(table, key.name).map(ToString::to_string).unwrap_or_default());
        let differing = keys::KEYS.iter().map(|key| (key.name, values(key))).filter(|(_, [ours, theirs])| ours != theirs);
        differing.map(|(name, [ours, theirs])| (name, ours, theirs)).collect()
    }

    fn to_table(&self) -> Table {
        // Every field is a plain number, word or list, which TOML can always express.
        Table::try_from(self).unwrap_or_default()
    }
}

/// A value as written on the command line: TOML where it parses, else a word.
fn parse_value(text: &str) -> Value {
    format!("value = {text}")
        .parse::<Table>()
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.into()))
}

/// `section.key` of every value of a document.
fn leaves(table: &Table) -> Vec<(String, Value)> {
    table
        .iter()
        .flat_map(|(name, value)| match value {
            Value::Table(section) => leaves(section).into_iter().map(|(key, value)| (format!("{name}.{key}"), value)).collect::<Vec<_>>(),
            value => vec![(name.clone(), value.clone())],
        })
        .collect()
}

/// The value of a dotted key.
fn lookup<'t>(table: &'t Table, key: &str) -> Option<&'t Value> {
    let (section, name) = key.split_once('.')?;
    table.get(section)?.get(name)
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(assignments: &[&str]) -> Result<Settings, ConfigError> {
        Settings::default().load(None, &assignments.iter().map(|text| text.to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn assignments_set_numbers_words_switches_and_lists() {
        let settings =
            load(&["model.layers=3", "model.variant=no_self", "model.attention_bias=false", "train.class_weights=[1, 2.5]", "train.lr=1"])
                .unwrap();
        assert_eq!(settings.model.layers, 3);
        assert_eq!(settings.model.variant, Variant::NoSelf);
        assert!(!settings.model.attention_bias);
        assert_eq!(settings.train.class_weights, ClassWeights::List(vec![1.0, 2.5]));
        assert_eq!(settings.train.lr, 1.0);
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
        ] {
            let error = load(&[assignment]).unwrap_err().to_string();
            assert!(error.contains(part), "{assignment}: {error}");
        }
    }

    #[test]
    fn settings_survive_a_round_trip_through_toml() {
        let settings = load(&["model.scale=model", "data.normalise=speaker", "train.class_weights=balanced"]).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), settings.to_toml()).unwrap();
        assert_eq!(Settings::default().load(Some(file.path()), &[]).unwrap(), settings);
    }

    #[test]
    fn every_setting_stands_in_the_table_of_keys() {
        let mut named: Vec<&str> = keys::KEYS.iter().map(|key| key.name).collect();
        let table = Settings::default().to_table();
        let mut actual: Vec<String> = leaves(&table).into_iter().map(|(key, _)| key).collect();
        named.sort_unstable();
        actual.sort_unstable();
        assert_eq!(named, actual);
    }
}
