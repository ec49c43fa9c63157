//! What every setting means and allows; `mcsan config` prints this.

use std::ops::RangeInclusive;

use super::{ConfigError, Settings, lookup};

/// A setting.
pub struct Key {
    /// `section.name`
    pub name: &'static str,
    /// What may be written, in words.
    pub allowed: &'static str,
    /// Numbers that are allowed.
    pub range: RangeInclusive<f64>,
    pub meaning: &'static str,
}

const ANY: RangeInclusive<f64> = f64::MIN..=f64::MAX;
const FROM_0: RangeInclusive<f64> = 0.0..=f64::MAX;
const FROM_1: RangeInclusive<f64> = 1.0..=f64::MAX;
/// 0 to just under 1.
const BELOW_1: RangeInclusive<f64> = 0.0..=0.999_999_9;

const fn key(name: &'static str, allowed: &'static str, range: RangeInclusive<f64>, meaning: &'static str) -> Key {
    Key { name, allowed, range, meaning }
}

/// Every setting, in the order in which `mcsan config` shows them.
pub const KEYS: &[Key] = &[
    key(
        "model.variant",
        "full, no_audio, no_text, no_self, no_cross, cross_self or self_cross",
        ANY,
        "which modules the network has (the paper's Table 3)",
    ),
    key("model.layers", "an integer, at least 1", FROM_1, "layers of every cross and self module, the paper's N"),
    key(
        "model.hidden",
        "an integer from 1 to 512",
        1.0..=crate::base::numbers::MAX_LSTM_HIDDEN as f64,
        "width d of the network and hidden size of each LSTM direction",
    ),
    key("model.heads", "an integer that divides model.hidden", FROM_1, "attention heads"),
    key("model.feed_forward", "an integer, at least 1", FROM_1, "width of the feed-forward layers"),
    key("model.attention_bias", "true or false", ANY, "whether W^Q, W^K, W^V and W^O have biases"),
    key("model.scale", "head or model", ANY, "what attention scores are divided by: sqrt(d_k) or sqrt(d)"),
    key("model.conv_activation", "none or relu", ANY, "activation after each ConvBlock"),
    key(
        "model.dropout",
        "a number from 0 to below 1",
        BELOW_1,
        "share of elements dropped after each attention, each feed-forward and the classifier's hidden layer",
    ),
    key("model.word_width", "an integer, at least 1", FROM_1, "width of the trained word table, where the data hold no vectors"),
    key("data.normalise", "corpus, utterance, speaker or none", ANY, "over what the z-score of the acoustic features is taken"),
    key("data.max_frames", "an integer, at least 9", 9.0..=f64::MAX, "acoustic frames kept of an utterance (10 ms each)"),
    key("train.epochs", "an integer, at least 1", FROM_1, "passes over the training split"),
    key("train.steps", "an integer, at least 0", FROM_0, "stop after this many steps; 0: after the last epoch"),
    key("train.batch_size", "an integer, at least 1", FROM_1, "utterances of a step"),
    key(
        "train.order",
        "shuffled, grouped or given",
        ANY,
        "order of the utterances in an epoch; grouped: shuffled, but batches are of like length, which is faster and makes who shares a batch depend on length",
    ),
    key("train.seed", "an integer, at least 0", FROM_0, "decides starting values, order and dropout"),
    key("train.optimizer", "adam or sgd", ANY, "how parameters follow their gradients"),
    key("train.lr", "a number, at least 0", FROM_0, "learning rate (paper: 1e-3 on IEMOCAP, 5e-4 on MELD)"),
    key("train.schedule", "constant or cosine", ANY, "learning rate after the warm-up"),
    key("train.warmup_steps", "an integer, at least 0", FROM_0, "steps over which the learning rate rises"),
    key("train.beta1", "a number from 0 to below 1", BELOW_1, "Adam's decay of the first moment"),
    key("train.beta2", "a number from 0 to below 1", BELOW_1, "Adam's decay of the second moment"),
    key("train.epsilon", "a number, at least 0", FROM_0, "added to the root of Adam's second moment"),
    key("train.weight_decay", "a number, at least 0", FROM_0, "decoupled weight decay"),
    key("train.clip_norm", "a number, at least 0", FROM_0, "largest norm of all gradients together; 0: no clipping"),
    key("train.class_weights", "none, balanced or a list with a number for each class", ANY, "what a class counts in the loss"),
    key("train.label_smoothing", "a number from 0 to below 1", BELOW_1, "share of the target spread over all classes"),
    key("train.selection", "ua, wa, weighted_f1 or loss", ANY, "validation figure that makes an epoch the best"),
    key("train.patience", "an integer, at least 0", FROM_0, "stop after this many epochs without a better validation figure; 0: never"),
    key(
        "train.accumulate",
        "an integer, at least 1",
        FROM_1,
        "parts that a batch is computed in, for devices too small for it; the step is the same to rounding",
    ),
    key(
        "train.precision",
        "f32 or mixed",
        ANY,
        "number format of the factors of matrix products; mixed: f16, with f32 sums and weights and a dynamic loss scale (recurrence, attention and convolution stay f32)",
    ),
    key("train.checkpoint_every", "an integer, at least 0", FROM_0, "steps between checkpoints within an epoch; 0: after each epoch only"),
    key("run.weights", "a path in quotes", ANY, "file of starting values in PyTorch's layout; empty: from the seed"),
    key("run.device", "auto, cpu, an index or a part of a name in quotes", ANY, "where to compute, where --device is not given"),
    key(
        "run.tiles",
        "auto, timed, fixed or a list of choices like [\"forward 8192x128x512 128x64\"]",
        ANY,
        "how the tiles of matrix products on graphics hardware are chosen, where --tiles is not given; a run lists here what was timed (speed alone, results are the same)",
    ),
];

/// The key of that name.
///
/// # Errors
/// [`ConfigError::UnknownKey`] with the nearest names.
pub fn find(name: &str) -> Result<&'static Key, ConfigError> {
    KEYS.iter().find(|key| key.name == name).ok_or_else(|| {
        let mut near: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
        near.sort_by(|a, b| strsim::jaro_winkler(b, name).total_cmp(&strsim::jaro_winkler(a, name)));
        ConfigError::UnknownKey { key: name.into(), nearest: near[..3].join(", ") }
    })
}

/// Default of a key, as TOML writes it.
pub fn default_of(key: &Key) -> String {
    lookup(&Settings::default().to_table(), key.name).map(ToString::to_string).unwrap_or_default()
}
