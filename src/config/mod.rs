//! Every setting: declared once, by `settings!`, with its type, default, range, meaning and flag.
//!
//! [`Settings`] decide what a run's results are, [`Execution`] where and how fast they are computed; both are plain structs with
//! defaults. [`Config`] is the two together as `config.toml` has them, and what sets them by words, for files and the command line.
//!
//! To add a setting, write a field into its section's `settings!`: its meaning is the doc comment, its default stands behind its
//! type, and behind that what else holds of it, see [`Rule`](crate::base::setting::Rule). `mcsan config`, files, `--set`, the flag
//! where `flag(…)` names one, what a resumed run may change and what tells experiments apart follow from it.

mod document;
#[cfg(feature = "cli")]
pub(crate) mod effect;
mod execution;
#[cfg(feature = "files")]
mod load;
mod model;
#[cfg(feature = "files")]
mod tile_file;
mod train;

use serde::{Deserialize, Serialize};
use toml::Table;

pub use document::{Config, ConfigError};
pub use execution::{Execution, TileRule, Tiles};
#[cfg(feature = "files")]
pub(crate) use load::Fault;
pub use model::{ModelSettings, ModelVariant, ScoreScale};
#[cfg(feature = "files")]
pub use tile_file::TileFile;
pub use train::{ClassWeights, DataSettings, NamedWeights, Normalise, Optimizer, Order, Schedule, Selection, StartSettings, TrainSettings};

use crate::base::numbers::MAX_HEAD_SIZE;
use crate::base::setting::{Key, OutOfRange, Section};

/// Refuses a number that is out of range.
fn within(outside: Option<OutOfRange>) -> Result<(), ConfigError> {
    match outside {
        Some(outside) => Err(ConfigError::Value { key: outside.key.name.into(), value: outside.shown(), allowed: outside.allowed() }),
        None => Ok(()),
    }
}

/// Everything that decides a run's results, besides its data and the device.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The network.
    pub model: ModelSettings,
    /// What is taken of the data, and how.
    pub data: DataSettings,
    /// The training.
    pub train: TrainSettings,
    /// What it starts from.
    #[serde(rename = "run")]
    pub start: StartSettings,
}

/// Every setting, in the order in which `mcsan config` shows them.
pub fn keys() -> impl Iterator<Item = &'static Key> {
    Settings::keys().chain(Execution::KEYS)
}

impl Settings {
    /// Those of the keys that decide results.
    pub fn keys() -> impl Iterator<Item = &'static Key> {
        [ModelSettings::KEYS, DataSettings::KEYS, TrainSettings::KEYS, StartSettings::KEYS].into_iter().flatten()
    }

    /// Compares values with their ranges and with each other.
    ///
    /// # Errors
    /// [`ConfigError::Value`]
    pub fn validate(&self) -> Result<(), ConfigError> {
        Table::try_from(self).map_err(|_| ConfigError::TooLarge)?;
        let Self { train, start, .. } = self;
        self.validate_network()?;
        within(train.out_of_range())?;
        within(start.out_of_range())?;
        train.validate_class_weights()
    }

    /// As [`Settings::validate`], but for what decides a training alone: what has been trained needs no more.
    ///
    /// # Errors
    /// [`ConfigError::Value`]
    pub(crate) fn validate_network(&self) -> Result<(), ConfigError> {
        let Self { model, data, .. } = self;
        within(model.out_of_range())?;
        within(data.out_of_range())?;
        if !model.hidden.is_multiple_of(model.heads) {
            return Err(ConfigError::Value {
                key: "model.heads".into(),
                value: model.heads.to_string(),
                allowed: format!("a divisor of model.hidden = {}", model.hidden),
            });
        }
        let head = model.hidden / model.heads;
        if head > MAX_HEAD_SIZE {
            return Err(ConfigError::Value {
                key: "model.heads".into(),
                value: model.heads.to_string(),
                allowed: format!("at least {}, so that a head has at most {} columns", model.hidden.div_ceil(MAX_HEAD_SIZE), MAX_HEAD_SIZE),
            });
        }
        Ok(())
    }

    /// The keys whose values differ from another's, with both values as TOML writes them.
    pub fn differences(&self, other: &Self) -> Vec<(&'static Key, String, String)> {
        let tables = [self, other].map(|settings| Table::try_from(settings).unwrap_or_default());
        let values = |key: &Key| tables.each_ref().map(|table| document::lookup(table, key).map(ToString::to_string).unwrap_or_default());
        let differing = Self::keys().map(|key| (key, values(key))).filter(|(_, [ours, theirs])| ours != theirs);
        differing.map(|(key, [ours, theirs])| (key, ours, theirs)).collect()
    }
}
