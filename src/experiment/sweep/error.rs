//! What can be wrong with the settings of a sweep, as values.

use thiserror::Error;

use super::space::MOST;
use crate::base::remedy::{Preparation, Remedied, Remedy};
use crate::config::ConfigError;

/// What is wrong with the settings of a sweep.
#[derive(Debug, Error)]
pub enum SweepError {
    /// A fault of a setting.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A setting without a value.
    #[error("'{argument}' lists an empty value")]
    NoValue {
        /// As it was written.
        argument: String,
    },
    /// A setting that is not to be swept.
    #[error("{key} is not swept: {reason}")]
    Unsweepable {
        /// The setting.
        key: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// A setting that is given twice.
    #[error("{key} is named twice")]
    KeyTwice {
        /// The setting.
        key: &'static str,
    },
    /// A value that is given twice.
    #[error("{key} = {value} is listed twice")]
    ValueTwice {
        /// The setting.
        key: &'static str,
        /// As TOML writes it.
        value: String,
    },
    /// A range that is none.
    #[error("{key} = {range}: {problem}")]
    Range {
        /// The setting.
        key: &'static str,
        /// As it was written.
        range: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A range where every value is to be tried.
    #[error("{key} = {range} is a range, of which a grid has no values")]
    RangeInGrid {
        /// The setting.
        key: &'static str,
        /// Its ends.
        range: String,
    },
    /// A setting that all runs are to have besides.
    #[error("{key} is swept and set to {value} besides")]
    Fixed {
        /// The setting.
        key: &'static str,
        /// What it is set to.
        value: String,
    },
    /// Fewer combinations than are to be drawn.
    #[error("{asked} different combinations cannot be drawn of {found}")]
    TooFew {
        /// How many were asked for.
        asked: usize,
        /// How many there are, or were found.
        found: usize,
    },
    /// More combinations than anybody can train.
    #[error("the grid has more than {MOST} combinations")]
    TooMany,
    /// Nothing that successive halving could leave out.
    #[error("{trials} trials of {epochs} epochs cannot be reduced to one in {eta}")]
    NothingToHalve {
        /// How many there are.
        trials: usize,
        /// Epochs of each.
        epochs: usize,
        /// One of so many goes on.
        eta: usize,
    },
    /// A stream that a system reads and the data lack.
    #[error("{system}: the data set has no stream '{stream}' of {kind}, which it reads")]
    NoStream {
        /// The system's name.
        system: &'static str,
        /// The stream's.
        stream: &'static str,
        /// What it must be: frames, tokens or a vector.
        kind: &'static str,
    },
}

impl Remedied for SweepError {
    fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::Config(error) => error.remedies(),
            Self::NoValue { .. } | Self::Range { .. } => Vec::new(),
            Self::Unsweepable { key: "train.seed", .. } => vec![Remedy::SeveralSeeds],
            Self::Unsweepable { key, .. } | Self::Fixed { key, .. } => vec![Remedy::LeaveOut(key)],
            Self::KeyTwice { .. } => vec![Remedy::JoinValues],
            Self::ValueTwice { .. } => vec![Remedy::LeaveOut("one of them")],
            Self::RangeInGrid { .. } => vec![Remedy::DrawValues, Remedy::ListValues],
            Self::TooFew { found, .. } => vec![Remedy::FewerDraws { most: *found }],
            Self::TooMany => vec![Remedy::DrawValues],
            Self::NothingToHalve { .. } => vec![Remedy::TrainToTheEnd, Remedy::Raise("train.epochs")],
            Self::NoStream { stream, .. } => vec![Remedy::PrepareWith(Preparation::of_stream(stream))],
        }
    }
}
