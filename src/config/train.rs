//! Settings of the data and of training.

use serde::{Deserialize, Serialize};

use super::ConfigError;
use crate::base::choice::choices;
use crate::base::numbers::Precision;
use crate::base::setting::{Kind, Range, SettingType, settings};

/// Largest class weight: sums of a batch's weights stay far below what float32 holds.
const MAX_CLASS_WEIGHT: f64 = 1e30;

/// Most masks of a recording, of frames or of columns.
const MAX_MASKS: usize = 100;

choices! {
    /// The group whose statistics an utterance is normalised by.
    pub enum Normalise {
        /// The training utterances together; the statistics are part of the model.
        Corpus = "corpus",
        /// Each utterance by itself.
        Utterance = "utterance",
        /// Each speaker's utterances in the data set at hand.
        Speaker = "speaker",
        /// No normalisation.
        None = "none",
    }
}

settings! {
    /// Settings of the data.
    pub struct DataSettings in "data" {
        /// over what the z-score of the acoustic features is taken
        normalise: Normalise = Normalise::Corpus;
        /// acoustic frames kept of an utterance (10 ms each)
        max_frames: usize = 1000; at_least(9);
    }
}

choices! {
    /// In which order an epoch takes the utterances.
    pub enum Order {
        /// Anew every epoch.
        Shuffled = "shuffled",
        /// Anew every epoch, utterances of like length together: less waiting for the longest of a batch, but who shares a batch is
        /// no longer independent of length.
        Grouped = "grouped",
        /// As the data set has them.
        Given = "given",
        /// Each utterance of a batch drawn from all, so that one may come twice and another never; an epoch is as long as
        /// train.validate_every says.
        Replacement = "replacement",
        /// Drawn as with replacement, a class first, each alike, and then one of its utterances: all classes come as often, so that class
        /// weights would count twice.
        Balanced = "balanced",
        /// Of data in shards, so that a disk reads few files at a time: the shards in an order that is drawn anew every epoch, and the
        /// utterances of four that follow on one another shuffled. Of no more than four it is shuffled.
        Shards = "shards",
    }
}

impl Order {
    /// Whether each utterance of a batch is drawn from all.
    pub(crate) fn draws(self) -> bool {
        matches!(self, Self::Replacement | Self::Balanced)
    }
}

choices! {
    /// What comes as often as what in an epoch.
    pub enum Balance {
        /// Every utterance once.
        None = "none",
        /// As many utterances of each corpus as the largest has; of the others they come again, each about as often.
        Corpus = "corpus",
    }
}

choices! {
    /// How parameters follow their gradients.
    pub enum Optimizer {
        /// Adam, with decoupled weight decay.
        Adam = "adam",
        /// Plain gradient descent.
        Sgd = "sgd",
    }
}

choices! {
    /// How the learning rate goes on after the warm-up.
    pub enum Schedule {
        /// As it is.
        Constant = "constant",
        /// Down to zero along half a cosine, at the run's last step.
        Cosine = "cosine",
        /// As it is, and times train.plateau_factor whenever train.plateau_patience epochs in a row had no better validation figure.
        Plateau = "plateau",
    }
}

choices! {
    /// The validation figure that makes an epoch the best one.
    pub enum Selection {
        /// Unweighted accuracy.
        Ua = "ua",
        /// Weighted accuracy.
        Wa = "wa",
        /// The mean F1 of the classes.
        MacroF1 = "macro_f1",
        /// F1 of the classes, weighted by their utterances.
        WeightedF1 = "weighted_f1",
        /// The loss, the least.
        Loss = "loss",
    }
}

choices! {
    /// Class weights that follow from the data.
    pub enum NamedWeights {
        /// All 1.
        None = "none",
        /// Utterances / (classes · utterances of the class), over the training split.
        Balanced = "balanced",
    }
}

/// What a class' utterances count in the loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ClassWeights {
    /// By a rule.
    Named(NamedWeights),
    /// One number a class.
    List(Vec<f64>),
}

impl SettingType for ClassWeights {
    const KIND: Kind = Kind::Text;
}

settings! {
    /// Settings of training.
    pub struct TrainSettings in "train" {
        /// passes over the training split
        epochs: usize = 30; at_least(1), flag("N"), resumable;
        /// stop after this many steps; 0: after the last epoch
        steps: u64 = 0; flag("N"), resumable;
        /// utterances of a step
        batch_size: usize = 256; at_least(1);
        /// order of the utterances in an epoch; grouped: shuffled, but batches are of like length, which is faster and makes who
        /// shares a batch depend on length; balanced: drawn so that each class comes as often; shards: shuffled among four shards at a time
        order: Order = Order::Shuffled; flag("ORDER");
        /// how often an epoch goes through the corpora of several prepared files; corpus: each as often as the largest, whose utterances come
        /// once, by which an epoch is longer
        balance: Balance = Balance::None; flag("WHAT");
        /// how long an epoch, which a validation ends, is with train.order = replacement or balanced: in passes over the training split
        validate_every: f64 = 1.0; positive_to(1);
        /// decides starting values, order, dropout and what is masked
        seed: u64 = 0; flag("N");
        /// how parameters follow their gradients
        optimizer: Optimizer = Optimizer::Adam;
        /// learning rate (paper: 1e-3 on IEMOCAP, 5e-4 on MELD)
        lr: f64 = 1e-3;
        /// learning rate after the warm-up
        schedule: Schedule = Schedule::Constant;
        /// steps over which the learning rate rises
        warmup_steps: u64 = 0;
        /// what the learning rate is multiplied with on a plateau of the validation figure (train.schedule = plateau)
        plateau_factor: f64 = 0.5; positive_to(1);
        /// epochs without a better validation figure that are a plateau
        plateau_patience: u64 = 2; at_least(1);
        /// Adam's decay of the first moment
        beta1: f64 = 0.9; below(1);
        /// Adam's decay of the second moment
        beta2: f64 = 0.999; below(1);
        /// added to the root of Adam's second moment
        epsilon: f64 = 1e-8; above(0);
        /// factors of the learning rate, by how the names of parameters begin; the longest name counts
        rates: String = String::new(); words("names with factors above 0, as text_encoder=0.1,classifier=10");
        /// parameters that stay as they are, by how their names begin; none of them counts for train.clip_norm
        freeze: String = String::new(); words("names between commas, as audio_encoder,text_encoder.lstm"), flag("NAME,…");
        /// decoupled weight decay
        weight_decay: f64 = 0.0;
        /// largest norm of all gradients together; 0: no clipping
        clip_norm: f64 = 0.0;
        /// largest norm of each parameter's gradient by itself; 0: no clipping
        clip_tensors: f64 = 0.0;
        /// largest element of a gradient; 0: no clipping
        clip_values: f64 = 0.0;
        /// what a class counts in the loss
        class_weights: ClassWeights = ClassWeights::Named(NamedWeights::None);
            words("none, balanced or a list with a number for each class");
        /// share of the target spread over all classes
        label_smoothing: f64 = 0.0; below(1);
        /// how much of their average a step keeps, of the weights: the average is what is validated and kept (0: no average); at first it
        /// is less, (1 + n) / (10 + n) in step n
        average: f64 = 0.0; below(1);
        /// validation figure that makes an epoch the best
        selection: Selection = Selection::Ua;
        /// stop after this many epochs without a better validation figure; 0: never
        patience: u64 = 0; resumable;
        /// parts that a batch is computed in, for devices too small for it; the step is the same to rounding
        accumulate: usize = 1; at_least(1), resumable;
        /// number format of the factors of matrix products; mixed: f16, with f32 sums and weights and a dynamic loss scale
        /// (convolution and the recurrence of GRUs stay f32)
        precision: Precision = Precision::F32; flag("PRECISION");
        /// masks of frames in each recording, drawn anew in every step (SpecAugment); they set normalised features to zero
        time_masks: usize = 0; within(0, MAX_MASKS);
        /// most frames that such a mask covers
        time_mask_frames: usize = 70; at_least(1);
        /// most of a recording that such a mask covers
        time_mask_share: f64 = 0.2; positive_to(1);
        /// masks of columns of the acoustic features in each recording (SpecAugment's frequency masks)
        frequency_masks: usize = 0; within(0, MAX_MASKS);
        /// most columns that such a mask covers
        frequency_mask_columns: usize = 7; at_least(1);
        /// share of the words that are taken for unknown ones, drawn anew in every step
        word_dropout: f64 = 0.0; below(1);
        /// alpha of mixup: what the classifier is given of an utterance is mixed with another one's of its batch, the share of each step
        /// drawn from Beta(alpha, alpha); 0: nothing is mixed
        mixup: f64 = 0.0;
        /// steps between checkpoints within an epoch; 0: after each epoch only
        checkpoint_every: u64 = 0; flag("STEPS"), resumable;
    }
}

settings! {
    /// What a run starts from.
    pub struct StartSettings in "run" {
        /// file of starting values in PyTorch's layout; empty: from the seed
        weights: String = String::new(); words("a path in quotes"), flag("W.safetensors");
        /// folder of the run whose best model is trained further, for the classes and words of the data; network and data settings are
        /// that run's where nothing else is said
        from: String = String::new(); words("a path in quotes"), flag("RUN");
        /// statistics of the z-score in a run that starts from another: that run's, or those of the data
        normalisation: SourceStatistics = SourceStatistics::Source; flag("WHOSE");
        /// the layer that gives the classes in a run that starts from another: classes of the same name keep their rows, or all are drawn
        head: Head = Head::Shared;
    }
}

choices! {
    /// Whose statistics a run takes that starts from another.
    pub enum SourceStatistics {
        /// Those that the other run was trained with.
        Source = "source",
        /// Those of the data's training split.
        Data = "data",
    }
}

choices! {
    /// What becomes of the last layer of a run that another starts from.
    pub enum Head {
        /// Rows of classes of the same name are kept, others drawn.
        Shared = "shared",
        /// All rows are drawn.
        New = "new",
    }
}

/// The parts of a list between commas, without the spaces around them.
fn parts(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|part| !part.is_empty())
}

impl StartSettings {
    /// Refuses two beginnings.
    ///
    /// # Errors
    /// [`ConfigError::Value`]
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.from.is_empty() || self.weights.is_empty() {
            return Ok(());
        }
        Err(ConfigError::Value { key: "run.from".into(), value: self.from.clone(), allowed: "none beside run.weights".into() })
    }
}

impl TrainSettings {
    /// Utterances of the largest batch of an epoch over so many.
    pub(crate) fn largest_batch(&self, utterances: usize) -> usize {
        if self.order.draws() { self.batch_size } else { self.batch_size.min(utterances) }
    }

    /// Steps of an epoch over so many utterances.
    pub(crate) fn steps_an_epoch(&self, utterances: usize) -> u64 {
        match self.order {
            // Every batch is whole.
            Order::Replacement | Order::Balanced => (self.validate_every * utterances as f64 / self.batch_size as f64).ceil() as u64,
            Order::Shuffled | Order::Grouped | Order::Given | Order::Shards => utterances.div_ceil(self.batch_size) as u64,
        }
    }

    /// Learning rate of step `step` (from 0) of `planned` steps, before a plateau has made it less.
    pub fn learning_rate(&self, step: u64, planned: u64) -> f64 {
        if step < self.warmup_steps {
            return self.lr * (step + 1) as f64 / self.warmup_steps as f64;
        }
        match self.schedule {
            Schedule::Constant | Schedule::Plateau => self.lr,
            Schedule::Cosine => {
                let length = planned.saturating_sub(self.warmup_steps).max(1);
                let part = (step - self.warmup_steps) as f64 / length as f64;
                self.lr * 0.5 * (1.0 + (std::f64::consts::PI * part.min(1.0)).cos())
            }
        }
    }

    /// How the names of parameters begin that stay as they are.
    pub(crate) fn frozen(&self) -> Vec<&str> {
        parts(&self.freeze).collect()
    }

    /// How the names of parameters begin that have a factor on their learning rate, and the factors.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for what is no name with a factor above 0, or a name twice.
    pub(crate) fn factors(&self) -> Result<Vec<(&str, f64)>, ConfigError> {
        let refused = |value: &str, allowed: &str| {
            Err(ConfigError::Value { key: "train.rates".into(), value: value.into(), allowed: allowed.into() })
        };
        let mut factors: Vec<(&str, f64)> = Vec::new();
        for part in parts(&self.rates) {
            let pair = part.split_once('=').map(|(name, factor)| (name.trim(), factor.trim().parse::<f64>()));
            match pair {
                Some((name, Ok(factor))) if !name.is_empty() && Range::Above(0).contains_single(factor) => {
                    if factors.iter().any(|(other, _)| *other == name) {
                        return refused(part, "each name once");
                    }
                    factors.push((name, factor));
                }
                _ => {
                    return refused(
                        part,
                        "names with factors above 0, as text_encoder=0.1,classifier=10 (train.freeze keeps some as they are)",
                    );
                }
            }
        }
        Ok(factors)
    }

    /// Refuses a list of class weights with one that no class can have: a batch of classes without weight has no mean.
    ///
    /// # Errors
    /// [`ConfigError::Value`]
    pub(super) fn validate_class_weights(&self) -> Result<(), ConfigError> {
        let can_be = |weight: &f64| *weight <= MAX_CLASS_WEIGHT && Range::Above(0).contains_single(*weight);
        match &self.class_weights {
            ClassWeights::List(weights) if !weights.iter().all(can_be) => Err(ConfigError::Value {
                key: "train.class_weights".into(),
                value: format!("{weights:?}"),
                allowed: format!("numbers above 0 and at most {MAX_CLASS_WEIGHT:e}, one for each class"),
            }),
            _ => Ok(()),
        }
    }

    /// Refuses to clip element by element, or tensor by tensor, what the loss scale has grown.
    ///
    /// # Errors
    /// [`ConfigError::Value`]
    pub(super) fn validate_clipping(&self) -> Result<(), ConfigError> {
        let limits = [("train.clip_tensors", self.clip_tensors), ("train.clip_values", self.clip_values)];
        match limits.into_iter().find(|&(_, limit)| limit > 0.0 && self.precision == Precision::Mixed) {
            Some((key, limit)) => Err(ConfigError::Value {
                key: key.into(),
                value: format!("{limit:?}"),
                allowed: "0 with train.precision = mixed, which clips by train.clip_norm alone".into(),
            }),
            None => Ok(()),
        }
    }

    /// Compares a list of class weights with the number of classes.
    ///
    /// # Errors
    /// [`ConfigError::Value`]
    pub(crate) fn check_class_weights(&self, classes: usize) -> Result<(), ConfigError> {
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
    pub(crate) fn class_weights(&self, counts: &[usize]) -> Vec<f32> {
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
