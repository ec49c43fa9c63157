//! Settings of the network.

use serde::{Deserialize, Serialize};

use crate::base::numbers::Activation;

/// Which modules the network has: the rows of the paper's Table 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// Cross and self modules in parallel.
    #[default]
    Full,
    NoAudio,
    NoText,
    NoSelf,
    NoCross,
    /// The self module takes the cross module's outputs.
    CrossSelf,
    /// The cross module takes the self module's outputs.
    SelfCross,
}

/// What attention scores are divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// The root of the head size, √d_k.
    #[default]
    Head,
    /// The root of the model's width, √d.
    Model,
}

/// Settings of the network; meanings in [`super::keys`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelSettings {
    pub variant: Variant,
    pub layers: usize,
    pub hidden: usize,
    pub heads: usize,
    pub feed_forward: usize,
    pub attention_bias: bool,
    pub scale: Scale,
    pub conv_activation: Activation,
    pub dropout: f32,
    pub word_width: usize,
}

impl Default for ModelSettings {
    fn default() -> Self {
        Self {
            variant: Variant::Full,
            layers: 1,
            hidden: 128,
            heads: 8,
            feed_forward: 512,
            attention_bias: true,
            scale: Scale::Head,
            conv_activation: Activation::None,
            dropout: 0.0,
            word_width: 300,
        }
    }
}
