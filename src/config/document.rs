//! Settings in words: as a TOML document, and one by one by their keys.

use std::io;
use std::path::PathBuf;

use thiserror::Error;
use toml::{Table, Value};

use super::{Execution, Settings, keys};
use crate::base::format::Newer;
use crate::base::input;
use crate::base::remedy::{Remedied, Remedy};
use crate::base::setting::{Key, Section};

/// What a `config.toml` says: what decides a run's results, and where and how fast it computes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// What decides the results.
    pub settings: Settings,
    /// Where and how fast they are computed.
    pub execution: Execution,
}

/// What is wrong with a setting.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file is no TOML.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        reason: String,
    },
    /// The file cannot be opened, or is no text.
    #[error("{}: cannot be read ({source})", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file of a version that only a newer program reads.
    #[error(transparent)]
    Newer(#[from] Newer),
    /// A line of a file is at fault.
    #[error("{}, line {line}: {error}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong there.
        error: Box<ConfigError>,
    },
    /// It is no TOML.
    #[error("{reason}")]
    Syntax {
        /// What the parser says, in one line.
        reason: String,
    },
    /// There is no such key.
    #[error("unknown setting '{key}' (nearest: {nearest})")]
    UnknownKey {
        /// As it was written.
        key: String,
        /// The three keys with the most similar names, between commas.
        nearest: String,
    },
    /// An assignment without `=`.
    #[error("'{argument}' is not KEY=VALUE")]
    NoAssignment {
        /// As it was written.
        argument: String,
    },
    /// A value that the key does not take.
    #[error("{key} = {value}: expected {allowed}")]
    Value {
        /// `section.name`
        key: String,
        /// The value as TOML writes it, or what is wrong with it in words.
        value: String,
        /// What the key takes, in words.
        allowed: String,
    },
    /// A number that no document can hold.
    #[error("an integer is larger than TOML's largest, {}", i64::MAX)]
    TooLarge,
}

impl Remedied for ConfigError {
    fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::File { .. } | Self::Syntax { .. } | Self::UnknownKey { .. } => vec![Remedy::ListSettings],
            Self::Read { source, .. } => match source.kind() {
                io::ErrorKind::InvalidData => vec![Remedy::ListSettings],
                io::ErrorKind::NotFound => vec![input::remedy(source), Remedy::ListSettings],
                _ => vec![input::remedy(source)],
            },
            Self::Newer(_) => vec![Remedy::NewerProgram],
            Self::Line { error, .. } => error.remedies(),
            Self::NoAssignment { .. } => vec![Remedy::Assign],
            Self::Value { .. } | Self::TooLarge => Vec::new(),
        }
    }
}

impl From<Settings> for Config {
    fn from(settings: Settings) -> Self {
        Self { settings, execution: Execution::default() }
    }
}

impl Config {
    /// Sets one value by its key, for example `model.layers`.
    ///
    /// # Errors
    /// [`ConfigError::UnknownKey`] with the nearest keys, [`ConfigError::Value`] with what is allowed.
    pub fn set(&mut self, key: &str, value: Value) -> Result<(), ConfigError> {
        let key = key_named(key)?;
        let refused = |value| ConfigError::Value { key: key.name.into(), value, allowed: key.allowed() };
        let shown = value.to_string();
        let (section, name) = key.parts();
        let mut table = self.to_table();
        if let Some(Value::Table(section)) = table.get_mut(section) {
            section.insert(name.into(), value);
        }
        *self = Self::from_table(table).map_err(|_| refused(shown))?;
        Ok(())
    }

    /// With the network, and the settings of the data, of a run.
    #[cfg(feature = "files")]
    pub(crate) fn with_network_of(self, run: &Settings) -> Self {
        let Settings { train, start, .. } = self.settings;
        Self { settings: Settings { train, start, ..run.clone() }, execution: self.execution }
    }

    /// The value of a key as TOML writes it.
    pub(crate) fn value(&self, key: &Key) -> String {
        lookup(&self.to_table(), key).map(ToString::to_string).unwrap_or_default()
    }

    /// All settings as a TOML document that [`Config::load`] reads back.
    pub fn to_toml(&self) -> String {
        self.to_table().to_string()
    }

    pub(super) fn to_table(&self) -> Table {
        // Every field is a plain number, word or list, which TOML can always express once it was validated.
        let mut table = Table::try_from(&self.settings).unwrap_or_default();
        let execution = Table::try_from(&self.execution).unwrap_or_default();
        for (key, value) in Execution::KEYS.iter().filter_map(|key| Some((key, execution.get(key.parts().1)?))) {
            if let Some(Value::Table(section)) = table.get_mut(key.parts().0) {
                section.insert(key.parts().1.into(), value.clone());
            }
        }
        table
    }

    fn from_table(mut table: Table) -> Result<Self, toml::de::Error> {
        let mut execution = Table::new();
        for (section, name) in Execution::KEYS.iter().map(Key::parts) {
            if let Some((name, value)) = table.get_mut(section).and_then(Value::as_table_mut).and_then(|table| table.remove_entry(name)) {
                execution.insert(name, value);
            }
        }
        Ok(Self { settings: table.try_into()?, execution: execution.try_into()? })
    }
}

/// The key of that name.
///
/// # Errors
/// [`ConfigError::UnknownKey`] with the nearest keys.
pub(crate) fn key_named(name: &str) -> Result<&'static Key, ConfigError> {
    keys().find(|key| key.name == name).ok_or_else(|| {
        let mut near: Vec<&str> = keys().map(|key| key.name).collect();
        near.sort_by(|a, b| strsim::jaro_winkler(b, name).total_cmp(&strsim::jaro_winkler(a, name)));
        ConfigError::UnknownKey { key: name.into(), nearest: near[..3].join(", ") }
    })
}

/// The value of a key.
pub(super) fn lookup<'t>(table: &'t Table, key: &Key) -> Option<&'t Value> {
    let (section, name) = key.parts();
    table.get(section)?.get(name)
}
