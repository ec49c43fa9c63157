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
mod systems;
#[cfg(feature = "files")]
mod tile_file;
mod train;

use serde::{Deserialize, Serialize};
use toml::Table;

pub(crate) use document::key_named;
pub use document::{Config, ConfigError};
pub use execution::{Devices, Execution, Sum, TileRule, Tiles};
#[cfg(feature = "files")]
pub(crate) use load::Fault;
#[cfg(feature = "report")]
pub(crate) use load::parse_value;
pub use model::{ModelSettings, ModelVariant, ScoreScale};
pub use systems::{
    AmhSettings, CanSettings, CmklSettings, CrossedModalities, LiangSettings, MdreSettings, MhaCell, MhaSettings, System, TrimodalSettings,
    Unpaired, XuForm, XuSettings,
};
#[cfg(feature = "files")]
pub use tile_file::TileFile;
pub use train::{Balance, ClassWeights, DataSettings, Head, NamedWeights, Normalise, Optimizer, Order};
pub use train::{Schedule, Selection, SourceStatistics, StartSettings, TrainSettings};

use crate::base::format::Format;
use crate::base::numbers::MAX_HEAD_SIZE;
use crate::base::setting::{Key, OutOfRange, Section};

/// What a run's settings say of themselves, and so of the run's log; at first they said nothing, as a user's need not.
pub(crate) const FORMAT: Format = Format::new("mcsan-run", 1);

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
    /// That of three modalities.
    pub trimodal: TrimodalSettings,
    /// That of MDRE and MDREA.
    pub mdre: MdreSettings,
    /// That of MHA.
    pub mha: MhaSettings,
    /// That of Xu et al.
    pub xu: XuSettings,
    /// That of AMH.
    pub amh: AmhSettings,
    /// That of CAN.
    pub can: CanSettings,
    /// That of cMKL.
    pub cmkl: CmklSettings,
    /// That of Liang et al.
    pub liang: LiangSettings,
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
        let networks = [ModelSettings::KEYS, TrimodalSettings::KEYS];
        let systems = [MdreSettings::KEYS, MhaSettings::KEYS, XuSettings::KEYS, AmhSettings::KEYS, CanSettings::KEYS];
        let systems = systems.into_iter().chain([LiangSettings::KEYS, CmklSettings::KEYS]);
        networks.into_iter().chain(systems).chain([DataSettings::KEYS, TrainSettings::KEYS, StartSettings::KEYS]).flatten()
    }

    /// Compares values with their ranges and with each other.
    ///
    /// # Errors
    /// [`ConfigError::Value`]
    pub fn validate(&self) -> Result<(), ConfigError> {
        Table::try_from(self).map_err(|_| ConfigError::TooLarge)?;
        let Self { model, train, start, .. } = self;
        self.validate_network()?;
        within(train.out_of_range())?;
        train.validate_clipping()?;
        within(start.out_of_range())?;
        start.validate()?;
        train.factors()?;
        if train.mixup > 0.0 && model.system.has_machine() {
            let (key, value) = ("train.mixup".into(), format!("{:?}", train.mixup));
            let allowed = format!("0 with model.system = {}, whose SVM learns from utterances of one class each", model.system);
            return Err(ConfigError::Value { key, value, allowed });
        }
        if train.accumulate > 1 && self.compares_utterances() {
            let (key, value) = ("train.accumulate".into(), train.accumulate.to_string());
            let allowed = match train.mixup {
                0.0 => {
                    format!(
                        "1 with model.system = {}, whose loss compares the utterances of a batch (liang.mmd = 0 does not)",
                        model.system
                    )
                }
                alpha => format!("1 with train.mixup = {alpha:?}, which mixes the utterances of a batch"),
            };
            return Err(ConfigError::Value { key, value, allowed });
        }
        train.validate_class_weights()
    }

    /// Compares one number with its range, whatever other settings allow of it.
    ///
    /// # Errors
    /// [`ConfigError::Value`]
    #[cfg(feature = "report")]
    pub(crate) fn validate_alone(&self, key: &Key) -> Result<(), ConfigError> {
        let Self { model, mdre, mha, xu, amh, can, liang, cmkl, data, train, start, .. } = self;
        let systems = [mdre.out_of_range(), mha.out_of_range(), xu.out_of_range(), amh.out_of_range(), can.out_of_range()];
        let others = [model.out_of_range(), liang.out_of_range(), cmkl.out_of_range(), data.out_of_range()];
        let all = others.into_iter().chain(systems).chain([train.out_of_range(), start.out_of_range()]);
        within(all.flatten().find(|outside| outside.key == key))
    }

    /// As [`Settings::validate`], but for what decides a training alone: what has been trained needs no more.
    ///
    /// # Errors
    /// [`ConfigError::Value`]
    pub(crate) fn validate_network(&self) -> Result<(), ConfigError> {
        let Self { model, mdre, mha, xu, amh, can, liang, cmkl, data, .. } = self;
        let systems = [mdre.out_of_range(), mha.out_of_range(), xu.out_of_range(), amh.out_of_range(), can.out_of_range()];
        let others = [model.out_of_range(), liang.out_of_range(), cmkl.out_of_range(), data.out_of_range()];
        others.into_iter().chain(systems).try_for_each(within)?;
        let variant =
            |allowed: &str| ConfigError::Value { key: "model.variant".into(), value: model.variant.to_string(), allowed: allowed.into() };
        let in_sequence = matches!(model.variant, ModelVariant::CrossSelf | ModelVariant::SelfCross);
        match model.system {
            System::Mcsan if model.variant == ModelVariant::NoVisual => {
                return Err(variant("a variant of a network of recording and words (model.system = mcsan3 reads pictures)"));
            }
            System::Mcsan3 if in_sequence && self.trimodal.cross == CrossedModalities::Separate => {
                return Err(variant("modules side by side with trimodal.cross = separate, whose sequences are more than the modalities"));
            }
            _ => {}
        }
        validate_heads("model.heads", model.heads, ("model.hidden", model.hidden))?;
        match xu.form {
            XuForm::Delta => validate_heads("xu.heads", xu.heads, ("2 xu.hidden", 2 * xu.hidden)),
            XuForm::Paper => Ok(()),
        }
    }

    /// The keys whose values differ from another's, with both values as TOML writes them.
    pub fn differences(&self, other: &Self) -> Vec<(&'static Key, String, String)> {
        let tables = [self, other].map(|settings| Table::try_from(settings).unwrap_or_default());
        let values = |key: &Key| tables.each_ref().map(|table| document::lookup(table, key).map(ToString::to_string).unwrap_or_default());
        let differing = Self::keys().map(|key| (key, values(key))).filter(|(_, [ours, theirs])| ours != theirs);
        differing.map(|(key, [ours, theirs])| (key, ours, theirs)).collect()
    }
}

/// Refuses heads that do not divide the columns among them, or are too wide.
fn validate_heads(key: &str, heads: usize, (of, columns): (&str, usize)) -> Result<(), ConfigError> {
    let refused = |allowed: String| Err(ConfigError::Value { key: key.into(), value: heads.to_string(), allowed });
    if !columns.is_multiple_of(heads) {
        return refused(format!("a divisor of {of} = {columns}"));
    }
    if columns / heads > MAX_HEAD_SIZE {
        return refused(format!("at least {}, so that a head has at most {MAX_HEAD_SIZE} columns", columns.div_ceil(MAX_HEAD_SIZE)));
    }
    Ok(())
}
