//! Settings that decide nothing: because of another setting, of what the data lack, or of what is done with them.

use super::{Normalise, Optimizer, Order, Schedule, ScoreScale, Settings, System, XuForm};
use crate::base::setting::Key;

/// What settings are used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A run, of so many steps if all epochs are done; unknown where there are several.
    Training {
        /// Steps of an epoch.
        steps_an_epoch: Option<u64>,
        /// Whether the seed divides the data besides.
        folds: bool,
        /// Whether there are utterances to validate on.
        validation: bool,
    },
    /// One batch that is to be learned by heart.
    OneBatch,
    /// The gradients of one batch.
    Gradients,
    /// How long a training step takes.
    TimedStep,
    /// How long the way forward takes.
    TimedInference,
    /// How long something takes that is no network.
    TimedAlone,
    /// One pass of a drawn batch.
    CheckedPass,
}

/// For what, and on what data.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Use {
    pub purpose: Purpose,
    /// Whether the batch is drawn from a shape, and not of a data set.
    pub drawn: bool,
    /// Whether the data have vectors of their words.
    pub vectors: bool,
    /// Whether they have words, and not features of them from files.
    pub words: bool,
    /// Whether the data have utterances without label.
    pub unlabelled: bool,
    /// Whether the data are of several corpora.
    pub corpora: bool,
    /// Whether they are in more shards than are shuffled together.
    pub shards: bool,
}

impl Settings {
    /// The settings that differ from the usual ones and decide nothing, each with the reason.
    pub(crate) fn without_effect(&self, usual: &Self, of: Use) -> Vec<(&'static Key, String)> {
        let reason = |key: &Key| of.purpose.has_no(key.name, of.drawn).or_else(|| self.has_no(key.name, of));
        self.differences(usual).into_iter().filter_map(|(key, ..)| Some((key, reason(key)?))).collect()
    }

    /// Why the other settings or the data leave a setting without effect.
    fn has_no(&self, key: &str, of: Use) -> Option<String> {
        let Self { model, xu, liang, data, train, start, .. } = self;
        let variant = |part: &str| Some(format!("model.variant = {} reads no {part}", model.variant));
        let is_paper = matches!(model.system, System::Mcsan | System::Mcsan3);
        // Features of words from files are normalised and cut as recordings are.
        let is_functionals = matches!(model.system, System::Cmkl | System::Liang);
        let reads_frames = !is_functionals && (!is_paper || model.variant.has_audio());
        let no_frames =
            || if is_paper { variant("recordings") } else { Some(format!("model.system = {} reads no recordings", model.system)) };
        let reads_rows = !is_paper || model.variant.has_audio() || !of.words;
        match key {
            _ if !model.system.has(key) => Some(format!("model.system = {} has no such setting", model.system)),
            "data.max_frames" if is_functionals && train.order != Order::Grouped => no_frames(),
            "model.conv_activation" | "data.normalise" if !reads_rows => variant("recordings"),
            // Utterances are grouped by the length of every stream.
            "data.max_frames" if !reads_rows && train.order != Order::Grouped => variant("recordings"),
            "train.time_masks"
            | "train.time_mask_frames"
            | "train.time_mask_share"
            | "train.frequency_masks"
            | "train.frequency_mask_columns"
                if !reads_frames =>
            {
                no_frames()
            }
            "train.time_mask_frames" | "train.time_mask_share" if train.time_masks == 0 => {
                Some("train.time_masks = 0 covers nothing".into())
            }
            "train.frequency_mask_columns" if train.frequency_masks == 0 => Some("train.frequency_masks = 0 covers nothing".into()),
            "train.word_dropout" if is_paper && !model.variant.has_text() => variant("words"),
            "train.word_dropout" if !of.words => Some("the data have features of words, and no words".into()),
            "liang.unpaired" if liang.mmd == 0.0 => Some("liang.mmd = 0 compares nothing".into()),
            "liang.output_relu" if liang.mse == 0.0 => Some("liang.mse = 0 decodes nothing".into()),
            "liang.unlabelled" | "liang.from_epoch" if !of.unlabelled => Some("the data have no utterance without label".into()),
            "liang.from_epoch" if !liang.unlabelled => Some("liang.unlabelled = false".into()),
            "model.word_width" if is_paper && !model.variant.has_text() => variant("words"),
            "model.tune_words" if is_paper && !model.variant.has_text() => variant("words"),
            "model.tune_words" if !of.words => Some("the data have features of words, and no table that could be trained".into()),
            "model.tune_words" if !of.vectors => Some("the data have no vectors, so that a table is trained anyway".into()),
            "model.word_width" if of.vectors => Some("the data have vectors of their own".into()),
            "model.scale" if model.scale == ScoreScale::Model && model.heads == 1 => {
                Some("with model.heads = 1 a head is as wide as the model".into())
            }
            "xu.dense" | "xu.heads" if xu.form == XuForm::Paper => Some("xu.form = paper has neither that layer nor heads".into()),
            "train.beta1" | "train.beta2" | "train.epsilon" if train.optimizer == Optimizer::Sgd => {
                Some("train.optimizer = sgd has no moments".into())
            }
            "run.normalisation" | "run.head" if start.from.is_empty() => Some("run.from names no run".into()),
            "run.normalisation" if matches!(data.normalise, Normalise::Speaker | Normalise::None) => {
                Some(format!("data.normalise = {} keeps no statistics", data.normalise))
            }
            "train.order" if train.order == Order::Shards && !of.shards => {
                Some("the data are in no more shards than are shuffled together".into())
            }
            "train.balance" if !of.corpora => Some("the data are of one corpus".into()),
            "train.validate_every" if !train.order.draws() => {
                Some(format!("train.order = {} has an epoch in every pass over the training split", train.order))
            }
            "train.seed" if !of.purpose.draws(self) => Some(match of.purpose {
                Purpose::Training { .. } => format!("nothing is drawn with run.weights = '{}' in the given order", start.weights),
                _ => "nothing is drawn without dropout".into(),
            }),
            "train.plateau_factor" | "train.plateau_patience" if train.schedule != Schedule::Plateau => {
                Some(format!("train.schedule = {} has no plateaus", train.schedule))
            }
            "train.schedule" if train.schedule == Schedule::Plateau && !of.purpose.validates() => {
                Some("the data have no validation split, whose figure a plateau is of".into())
            }
            "train.plateau_factor" | "train.plateau_patience" if !of.purpose.validates() => {
                Some("the data have no validation split".into())
            }
            "train.plateau_patience" if train.patience > 0 && train.plateau_patience >= train.patience => {
                Some(format!("train.patience = {} ends the run before", train.patience))
            }
            "train.selection" | "train.patience" if !of.purpose.validates() => Some("the data have no validation split".into()),
            "train.steps" | "train.checkpoint_every" => {
                let Purpose::Training { steps_an_epoch: Some(an_epoch), .. } = of.purpose else { return None };
                let all = an_epoch.saturating_mul(train.epochs as u64);
                let planned = if train.steps > 0 { all.min(train.steps) } else { all };
                match key {
                    "train.steps" => (train.steps > all).then(|| format!("train.epochs = {} ends the run after {all} steps", train.epochs)),
                    _ if train.checkpoint_every >= planned => Some(format!("the run has {planned} steps")),
                    _ => train.checkpoint_every.is_multiple_of(an_epoch).then(|| "an epoch's last step has a checkpoint anyway".into()),
                }
            }
            _ => None,
        }
    }
}

/// Settings of how a training goes on from step to step.
const COURSE: [&str; 19] = [
    "train.epochs",
    "train.steps",
    "train.lr",
    "train.rates",
    "train.schedule",
    "train.warmup_steps",
    "train.plateau_factor",
    "train.plateau_patience",
    "train.beta1",
    "train.beta2",
    "train.epsilon",
    "train.weight_decay",
    "train.selection",
    "train.patience",
    "train.checkpoint_every",
    "cmkl.c",
    "cmkl.subset",
    "liang.unlabelled",
    "liang.from_epoch",
];

/// Settings of what training changes of its batches by chance.
const AUGMENTATION: [&str; 7] = [
    "train.time_masks",
    "train.time_mask_frames",
    "train.time_mask_share",
    "train.frequency_masks",
    "train.frequency_mask_columns",
    "train.word_dropout",
    "train.mixup",
];

impl Purpose {
    /// Why a setting has no effect on what it is used for.
    fn has_no(self, key: &str, drawn: bool) -> Option<String> {
        let is_source = ["run.from", "run.normalisation", "run.head"].contains(&key);
        let is_course = COURSE.contains(&key) || ["train.accumulate", "run.weights"].contains(&key) || is_source;
        let is_optimiser =
            ["train.optimizer", "train.freeze", "train.clip_norm", "train.clip_tensors", "train.clip_values", "train.average"]
                .contains(&key);
        let is_loss = ["train.class_weights", "train.label_smoothing"].contains(&key);
        let is_augmentation = AUGMENTATION.contains(&key);
        let is_dropout = key.ends_with("dropout") && !is_augmentation;
        let is_choice = ["train.batch_size", "train.order", "train.balance", "train.validate_every"].contains(&key);
        let says = |has_no: bool, reason: &str| has_no.then(|| reason.into());
        match self {
            Self::Training { .. } => None,
            Self::OneBatch => match key {
                _ if is_dropout || is_augmentation || ["train.label_smoothing", "train.weight_decay", "train.schedule"].contains(&key) => {
                    Some("--overfit-one-batch turns off what keeps a loss from zero".into())
                }
                "liang.mmd" | "liang.mse" | "liang.unpaired" | "liang.output_relu" => {
                    Some("--overfit-one-batch turns off what keeps a loss from zero".into())
                }
                "liang.unlabelled" | "liang.from_epoch" => Some("--overfit-one-batch learns labels".into()),
                "train.epochs"
                | "train.selection"
                | "train.patience"
                | "train.checkpoint_every"
                | "train.plateau_factor"
                | "train.plateau_patience"
                | "train.average"
                | "run.weights"
                | "run.from"
                | "run.normalisation"
                | "run.head"
                | "cmkl.c"
                | "cmkl.subset" => Some("--overfit-one-batch has neither epochs nor checkpoints".into()),
                _ => None,
            },
            Self::Gradients => {
                says(is_course || is_optimiser || is_choice || is_augmentation, "gradients are of the batch and the weights that are given")
            }
            Self::TimedAlone => Some("what is profiled is no network".into()),
            Self::TimedStep | Self::TimedInference if drawn && is_choice => Some("--shape is the batch".into()),
            Self::TimedStep => says(is_course || is_loss, "a profile is of times alone"),
            Self::TimedInference => {
                let is_training = is_course || is_optimiser || is_loss || is_dropout || is_augmentation;
                says(is_training, "a profile of inference is of times alone")
            }
            Self::CheckedPass => {
                let is_data = key.starts_with("data.") || key == "train.class_weights";
                says(is_course || is_optimiser || is_choice || is_augmentation || is_data, "--model checks one pass of a drawn batch")
            }
        }
    }

    /// Whether there are utterances to validate on, for all that is known.
    fn validates(self) -> bool {
        !matches!(self, Self::Training { validation: false, .. })
    }

    /// Whether the seed draws something.
    fn draws(self, settings: &Settings) -> bool {
        let drops = settings.drops();
        match self {
            Self::Training { folds, .. } => {
                folds || drops || settings.augments() || settings.start.weights.is_empty() || settings.train.order != Order::Given
            }
            Self::Gradients => drops,
            _ => true,
        }
    }
}
