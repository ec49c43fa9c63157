//! Settings of the network.

use super::System;
use crate::base::choice::choices;
use crate::base::numbers::{Activation, MAX_LSTM_HIDDEN};
use crate::base::setting::settings;

/// Most layers of a module.
const MAX_LAYERS: usize = 1000;
/// Most columns of what has no limit of its own.
const MAX_WIDTH: usize = 1 << 16;

choices! {
    /// Which modules the network has: the rows of the paper's Table 3.
    pub enum ModelVariant {
        /// Cross and self modules in parallel.
        Full = "full",
        /// Without the acoustic modality.
        NoAudio = "no_audio",
        /// Without the text.
        NoText = "no_text",
        /// Without the pictures, of three modalities.
        NoVisual = "no_visual",
        /// Without the self modules.
        NoSelf = "no_self",
        /// Without the cross modules.
        NoCross = "no_cross",
        /// The self module takes the cross module's outputs.
        CrossSelf = "cross_self",
        /// The cross module takes the self module's outputs.
        SelfCross = "self_cross",
    }
}

choices! {
    /// What attention scores are divided by.
    pub enum ScoreScale {
        /// The root of the head size, √d_k.
        Head = "head",
        /// The root of the model's width, √d.
        Model = "model",
    }
}

settings! {
    /// Settings of the network.
    pub struct ModelSettings in "model" {
        /// which network; those that the paper compares with have sections of their own
        system: System = System::Mcsan;
        /// which modules the network has (the paper's Table 3)
        variant: ModelVariant = ModelVariant::Full;
        /// layers of every cross and self module, the paper's N
        layers: usize = 1; at_least(1), at_most(MAX_LAYERS);
        /// width d of the network and hidden size of each LSTM direction
        hidden: usize = 128; within(1, MAX_LSTM_HIDDEN);
        /// attention heads
        heads: usize = 8; at_least(1), words("an integer that divides model.hidden");
        /// width of the feed-forward layers
        feed_forward: usize = 512; at_least(1), at_most(MAX_WIDTH);
        /// whether W^Q, W^K, W^V and W^O have biases
        attention_bias: bool = true;
        /// what attention scores are divided by: sqrt(d_k) or sqrt(d)
        scale: ScoreScale = ScoreScale::Head;
        /// activation after each ConvBlock
        conv_activation: Activation = Activation::None;
        /// share of elements dropped after each attention, each feed-forward and the classifier's hidden layer
        dropout: f32 = 0.0; below(1);
        /// width of the trained word table, where the data hold no vectors
        word_width: usize = 300; at_least(1), at_most(MAX_WIDTH);
        /// whether the vectors of words that the data hold are trained further, as a table of the model's
        tune_words: bool = false;
    }
}
