//! Settings of the data and of training.

use serde::{Deserialize, Serialize};

use super::ConfigError;
use crate::base::numbers::Precision;
use crate::base::tiles::TileChoice;

/// Setting `data.normalise`: the group whose statistics an utterance is normalised by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalise {
    /// The training utterances together; the statistics are part of the model.
    #[default]
    Corpus,
    /// Each utterance by itself.
    Utterance,
    /// Each speaker's utterances in the data set at hand.
    Speaker,
    /// No normalisation.
    None,
}

/// Settings of the data; meanings in [`super::keys`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataSettings {
    pub normalise: Normalise,
    pub max_frames: usize,
}

impl Default for DataSettings {
    fn default() -> Self {
        Self { normalise: Normalise::Corpus, max_frames: 1000 }
    }
}

/// Setting `train.order`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Anew every epoch.
    #[default]
    Shuffled,
    /// Anew every epoch, utterances of like length together: less waiting for the longest of a batch, but who shares a batch is
    /// no longer independent of length.
    Grouped,
    /// As the data set has them.
    Given,
}

/// How parameters follow their gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimizer {
    #[default]
    Adam,
    Sgd,
}

/// How the learning rate goes on after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    #[default]
    Constant,
    /// Down to zero along half a cosine, at the run's last step.
    Cosine,
}

/// What makes an epoch the best one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    #[default]
    Ua,
    Wa,
    WeightedF1,
    Loss,
}

/// What a class' utterances count in the loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ClassWeights {
    Named(NamedWeights),
    /// One number a class.
    List(Vec<f64>),
}

/// Class weights that follow from the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NamedWeights {
    /// All 1.
    None,
    /// Utterances / (classes · utterances of the class), over the training split.
    Balanced,
}

impl Default for ClassWeights {
    fn default() -> Self {
        Self::Named(NamedWeights::None)
    }
}

/// Settings of training; meanings in [`super::keys`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainSettings {
    pub epochs: usize,
    pub steps: u64,
    pub batch_size: usize,
    pub order: Order,
    pub seed: u64,
    pub optimizer: Optimizer,
    pub lr: f64,
    pub schedule: Schedule,
    pub warmup_steps: u64,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub weight_decay: f64,
    pub clip_norm: f64,
    pub class_weights: ClassWeights,
    pub label_smoothing: f64,
    pub selection: Selection,
    pub patience: u64,
    pub accumulate: usize,
    pub precision: Precision,
    pub checkpoint_every: u64,
}

impl Default for TrainSettings {
    fn default() -> Self {
        Self {
            epochs: 30,
            steps: 0,
            batch_size: 256,
            order: Order::Shuffled,
            seed: 0,
            optimizer: Optimizer::Adam,
            lr: 1e-3,
            schedule: Schedule::Constant,
            warmup_steps: 0,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            clip_norm: 0.0,
            class_weights: ClassWeights::default(),
            label_smoothing: 0.0,
            selection: Selection::Ua,
            patience: 0,
            accumulate: 1,
            precision: Precision::F32,
            checkpoint_every: 0,
        }
    }
}

impl TrainSettings {
    /// Learning rate of step `step` (from 0) of `planned` steps.
    pub fn learning_rate(&self, step: u64, planned: u64) -> f64 {
        if step < self.warmup_steps {
            return self.lr * (step + 1) as f64 / self.warmup_steps as f64;
        }
        match self.schedule {
            Schedule::Constant => self.lr,
            Schedule::Cosine => {
                let length = planned.saturating_sub(self.warmup_steps).max(1);
                let part = (step - self.warmup_steps) as f64 / length as f64;
                self.lr * 0.5 * (1.0 + (std::f64::consts::PI * part.min(1.0)).cos())
            }
        }
    }

    /// Compares a list of class weights with the number of classes.
    ///
    /// # Errors
    /// [`ConfigError::Value`]
    pub fn check_class_weights(&self, classes: usize) -> Result<(), ConfigError> {
        match &self.class_weights {
            ClassWeights::List(weights) if weights.len() != classes => Err(ConfigError::Value {
                key: "train.class_weights".into(),
                value: format!("{} numbers", weights.len()),
                allowed: format!("one for each of the {classes} classes"),
            }),
            _ => Ok(()),
        }
    }

    /// What each class counts in the loss, from how often it occurs.
    pub fn class_weights(&self, counts: &[usize]) -> Vec<f32> {
        match &self.class_weights {
            ClassWeights::List(weights) => weights.iter().map(|&weight| weight as f32).collect(),
            ClassWeights::Named(NamedWeights::None) => vec![1.0; counts.len()],
            ClassWeights::Named(NamedWeights::Balanced) => {
                let all: usize = counts.iter().sum();
                counts.iter().map(|&count| all as f32 / (counts.len() * count.max(1)) as f32).collect()
            }
        }
    }
}

/// How the tiles of matrix products are chosen. They change the speed of a run and none of its results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Tiles {
    By(TileRule),
    /// These, and the others as by [`TileRule::Auto`].
    Chosen(Vec<TileChoice>),
}

impl Default for Tiles {
    fn default() -> Self {
        Self::By(TileRule::Auto)
    }
}

/// What chooses tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TileRule {
    /// Timed on graphics hardware, fixed on software adapters.
    Auto,
    /// Each is timed where its product first comes.
    Timed,
    /// By the sizes of the product alone.
    Fixed,
}

/// Where a run computes; meanings in [`super::keys`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunSettings {
    pub device: String,
    pub weights: String,
    pub tiles: Tiles,
}

impl Default for RunSettings {
    fn default() -> Self {
        Self { device: "auto".into(), weights: String::new(), tiles: Tiles::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_learning_rate_rises_stays_and_falls() {
        let constant = TrainSettings { lr: 1.0, warmup_steps: 4, ..Default::default() };
        assert_eq!([0, 3, 4, 90].map(|step| constant.learning_rate(step, 100)), [0.25, 1.0, 1.0, 1.0]);
        let cosine = TrainSettings { schedule: Schedule::Cosine, ..constant };
        assert_eq!(cosine.learning_rate(4, 104), 1.0);
        assert!((cosine.learning_rate(54, 104) - 0.5).abs() < 1e-12 && cosine.learning_rate(104, 104) < 1e-12);
    }

    #[test]
    fn balanced_weights_make_every_class_count_the_same() {
        let settings = TrainSettings { class_weights: ClassWeights::Named(NamedWeights::Balanced), ..Default::default() };
        assert_eq!(settings.class_weights(&[3, 1]), [4.0 / 6.0, 2.0]);
    }
}
