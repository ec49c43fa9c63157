//! Settings from a file and from assignments `KEY=VALUE`. Both go through [`Config::set`], so both give the same errors.

use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::{Config, ConfigError};
use crate::base::input;

impl Config {
    /// Starts from `self`, then takes a TOML file, then assignments `KEY=VALUE`.
    ///
    /// # Errors
    /// [`ConfigError`], naming the file and its line, or the key.
    pub fn load(mut self, path: &Path, assignments: &[String]) -> Result<Self, ConfigError> {
        self.take_file(path)?;
        self.assign(assignments)
    }

    /// Starts from `self`, then takes assignments `KEY=VALUE`.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key.
    pub fn assign(mut self, assignments: &[String]) -> Result<Self, ConfigError> {
        for assignment in assignments {
            let (key, value) = assignment.split_once('=').ok_or_else(|| ConfigError::NoAssignment { argument: assignment.clone() })?;
            self.set(key.trim(), parse_value(value.trim()))?;
        }
        self.settings.validate()?;
        Ok(self)
    }

    fn take_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let failure = |reason| ConfigError::File { path: path.into(), reason };
        let text = input::text(path).map_err(|error| failure(error.to_string()))?;
        let at = |span: Range<usize>, error| {
            let line = 1 + text.bytes().take(span.start).filter(|&byte| byte == b'\n').count();
            ConfigError::Line { path: path.into(), line, error: Box::new(error) }
        };
        let parsed: Table = text.parse().map_err(|error: toml::de::Error| {
            let reason = first_line(error.message());
            error.span().map_or_else(|| failure(reason.clone()), |span| at(span, ConfigError::Syntax { reason: reason.clone() }))
        })?;
        // Read a second time, for where each value stands.
        let spans = DeTable::parse(&text).map(|table| leaf_spans(table.get_ref(), "")).unwrap_or_default();
        let span = |key: &str| spans.iter().find(|(name, _)| name == key).map_or(0..0, |(_, span)| span.clone());
        for (key, value) in leaves(&parsed, "") {
            self.set(&key, value).map_err(|error| at(span(&key), error))?;
        }
        Ok(())
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

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
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
    fn a_config_survives_a_round_trip_through_toml() {
        let config =
            load(&["model.scale=model", "data.normalise=speaker", "train.class_weights=balanced", "run.device=cpu", "run.weights=w"]);
        let config = config.unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), config.to_toml()).unwrap();
        assert_eq!(Config::default().load(file.path(), &[]).unwrap(), config);
        assert_eq!(Config::from_toml(&config.to_toml()).unwrap(), config);
    }

    #[test]
    fn a_fault_in_a_file_is_named_with_its_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (text, line, part) in [
            ("[model]\nlayers = 1\nhiden = 8\n", 3, "model.hidden"),
            ("[train]\n\nlr = 1\nbatch_size = -4\n", 4, "an integer, at least 1"),
            ("[model]\nlayers = \n", 2, ""),
            ("layers = 2\n", 1, "unknown setting 'layers'"),
        ] {
            std::fs::write(file.path(), text).unwrap();
            let error = Config::default().load(file.path(), &[]).unwrap_err().to_string();
            assert!(error.contains(&format!(", line {line}: ")) && error.contains(part), "{error}");
        }
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
