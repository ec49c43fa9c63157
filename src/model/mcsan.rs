//! The network of the paper and the variants of its Table 3.

use std::fmt;

use super::batch::Batch;
use super::layers::{AttentionLayer, AttentionSizes, BiLstm, Classifier, ConvBlock, CrossWeights, Pass, Sequence};
use super::parameters::{Block, Initial, Parameters};
use super::{Dimensions, Model};
use crate::backend::Backend;
use crate::base::streams::{AUDIO, Reading, TEXT};
use crate::config::{ModelSettings, ModelVariant, ScoreScale};
use crate::tape::Var;

/// MCSAN: encoders, cross and self modules, classifier.
#[derive(Debug, Clone)]
pub(crate) struct Mcsan {
    parameters: Parameters,
    variant: ModelVariant,
    audio: Option<AudioEncoder>,
    text: Option<TextEncoder>,
    cross: Vec<CrossLayer>,
    self_audio: Vec<AttentionLayer>,
    self_text: Vec<AttentionLayer>,
    classifier: Classifier,
}

/// Two ConvBlocks (1) and a BiLSTM (2, 3).
#[derive(Debug, Clone)]
struct AudioEncoder {
    conv1: ConvBlock,
    conv2: ConvBlock,
    lstm: BiLstm,
}

/// A BiLSTM over word vectors (4, 5).
#[derive(Debug, Clone)]
struct TextEncoder {
    /// The trainable table, where there is one.
    table: Option<Block>,
    lstm: BiLstm,
}

/// Both halves of a cross layer (6–14).
#[derive(Debug, Clone)]
struct CrossLayer {
    audio: AttentionLayer,
    text: AttentionLayer,
}

/// The two modalities where both are there.
struct Pair<'a, B: Backend> {
    audio: Sequence<'a, B>,
    text: Sequence<'a, B>,
}

impl Mcsan {
    /// Lays out the parameters of a variant; it has none of modules that it does not use.
    pub(crate) fn new(settings: &ModelSettings, dimensions: &Dimensions) -> Self {
        let mut parameters = Parameters::default();
        let width = settings.hidden;
        let sizes = AttentionSizes {
            width,
            heads: settings.heads,
            feed_forward: settings.feed_forward,
            bias: settings.attention_bias,
            scale: match settings.scale {
                ScoreScale::Head => ((width / settings.heads) as f32).sqrt().recip(),
                ScoreScale::Model => (width as f32).sqrt().recip(),
            },
        };
        let variant = settings.variant;
        let audio = variant.has_audio().then(|| AudioEncoder {
            conv1: ConvBlock::new(&mut parameters, "audio_encoder.conv1", [width, dimensions.columns(AUDIO)], settings.conv_activation),
            conv2: ConvBlock::new(&mut parameters, "audio_encoder.conv2", [width, width], settings.conv_activation),
            lstm: BiLstm::new(&mut parameters, "audio_encoder.lstm", width, width),
        });
        let (word_width, learned_words) = dimensions.words(TEXT);
        let text = variant.has_text().then(|| TextEncoder {
            table: learned_words.map(|words| {
                let initial = Initial::Normal { deviation: 0.1 };
                parameters.add("text_encoder.embedding.weight".into(), &[words, word_width], initial)
            }),
            lstm: BiLstm::new(&mut parameters, "text_encoder.lstm", word_width, width),
        });
        let layers = |wanted: bool| 0..if wanted { settings.layers } else { 0 };
        let cross = layers(variant.has_cross())
            .map(|layer| CrossLayer {
                audio: AttentionLayer::new(&mut parameters, &format!("cross.{layer}.audio"), sizes),
                text: AttentionLayer::new(&mut parameters, &format!("cross.{layer}.text"), sizes),
            })
            .collect();
        let mut stack = |name: &str, wanted| -> Vec<AttentionLayer> {
            layers(wanted).map(|layer| AttentionLayer::new(&mut parameters, &format!("{name}.{layer}"), sizes)).collect()
        };
        let self_audio = stack("self_audio", variant.has_audio() && variant.has_self());
        let self_text = stack("self_text", variant.has_text() && variant.has_self());
        let classifier = Classifier::new(&mut parameters, variant.pooled() * width, width, dimensions.classes);
        Self { parameters, variant, audio, text, cross, self_audio, self_text, classifier }
    }
}

impl<B: Backend> Model<B> for Mcsan {
    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn reads(&self) -> Vec<Reading> {
        let audio = self.audio.is_some().then(|| Reading::frames(AUDIO, 2));
        audio.into_iter().chain(self.text.is_some().then(|| Reading::tokens(TEXT))).collect()
    }

    fn forward<'a>(&self, pass: &mut Pass<'_, 'a, B>, batch: &'a Batch<B>) -> Var<B> {
        let audio = self.audio.as_ref().map(|encoder| encoder.forward(pass, batch));
        let text = self.text.as_ref().map(|encoder| encoder.forward(pass, batch));
        let pooled = match (audio, text) {
            (Some(audio), Some(text)) => self.fuse(pass, Pair { audio, text }),
            (audio, text) => {
                let alone = [(audio, &self.self_audio), (text, &self.self_text)];
                let present = alone.into_iter().filter_map(|(sequence, stack)| Some((sequence?, stack)));
                present.map(|(sequence, stack)| self_module(pass, stack, sequence)).collect()
            }
        };
        self.classifier.forward(pass, &pooled)
    }
}

impl Mcsan {
    /// The sequences that are pooled (18), in the order of the classifier's input.
    fn fuse<'a, B: Backend>(&self, pass: &mut Pass<'_, 'a, B>, pair: Pair<'a, B>) -> Vec<Sequence<'a, B>> {
        let pairs = match self.variant {
            ModelVariant::Full | ModelVariant::NoAudio | ModelVariant::NoText => {
                // Both modules take the encoders' outputs with the same position embedding.
                let positioned = pair.positioned(pass, "positions");
                vec![self.cross_layers(pass, &positioned), self.self_layers(pass, &positioned)]
            }
            ModelVariant::NoSelf => vec![self.cross_module(pass, pair)],
            ModelVariant::NoCross => vec![self.self_modules(pass, pair)],
            ModelVariant::CrossSelf => {
                let crossed = self.cross_module(pass, pair);
                vec![self.self_modules(pass, crossed)]
            }
            ModelVariant::SelfCross => {
                let reflected = self.self_modules(pass, pair);
                vec![self.cross_module(pass, reflected)]
            }
        };
        pairs.into_iter().flat_map(|pair| [pair.audio, pair.text]).collect()
    }

    fn cross_module<'a, B: Backend>(&self, pass: &mut Pass<'_, 'a, B>, pair: Pair<'a, B>) -> Pair<'a, B> {
        let pair = pair.positioned(pass, "cross.positions");
        self.cross_layers(pass, &pair)
    }

    fn self_modules<'a, B: Backend>(&self, pass: &mut Pass<'_, 'a, B>, pair: Pair<'a, B>) -> Pair<'a, B> {
        let pair = pair.positioned(pass, "self.positions");
        self.self_layers(pass, &pair)
    }

    /// Cross layers (6–14): each modality's queries attend to the other's keys and values, both from the layer's inputs.
    fn cross_layers<'a, B: Backend>(&self, pass: &mut Pass<'_, 'a, B>, pair: &Pair<'a, B>) -> Pair<'a, B> {
        let entering = Pair { audio: pair.audio.clone(), text: pair.text.clone() };
        self.cross.iter().fold(entering, |pair, layer| {
            let audio = layer.audio.project(pass, &pair.audio);
            let text = layer.text.project(pass, &pair.text);
            if let Some(watched) = &mut pass.watched {
                let backend = pass.tape.backend();
                watched.push(CrossWeights {
                    text_to_audio: layer.text.weights(backend, &text, &audio),
                    audio_to_text: layer.audio.weights(backend, &audio, &text),
                });
            }
            Pair { audio: layer.audio.attend(pass, &pair.audio, &audio, &text), text: layer.text.attend(pass, &pair.text, &text, &audio) }
        })
    }

    /// Self layers (15–17) of both modalities.
    fn self_layers<'a, B: Backend>(&self, pass: &mut Pass<'_, 'a, B>, pair: &Pair<'a, B>) -> Pair<'a, B> {
        Pair { audio: self_stack(pass, &self.self_audio, &pair.audio), text: self_stack(pass, &self.self_text, &pair.text) }
    }
}

/// A stack of self layers (15–17).
fn self_stack<'a, B: Backend>(pass: &mut Pass<'_, 'a, B>, stack: &[AttentionLayer], sequence: &Sequence<'a, B>) -> Sequence<'a, B> {
    stack.iter().fold(sequence.clone(), |sequence, layer| {
        let own = layer.project(pass, &sequence);
        layer.attend(pass, &sequence, &own, &own)
    })
}

/// The self module of one modality alone: position embedding and stack.
fn self_module<'a, B: Backend>(pass: &mut Pass<'_, 'a, B>, stack: &[AttentionLayer], sequence: Sequence<'a, B>) -> Sequence<'a, B> {
    let positioned = sequence.positioned(pass, format_args!("self.positions"));
    self_stack(pass, stack, &positioned)
}

impl<'a, B: Backend> Sequence<'a, B> {
    /// The sequence with the position embedding, as it enters a module.
    fn positioned(&self, pass: &mut Pass<'_, 'a, B>, name: fmt::Arguments<'_>) -> Self {
        let x = pass.tape.position_embedding(&self.x, self.rows);
        Self { x: pass.tape.named(x, name), rows: self.rows }
    }
}

impl<'a, B: Backend> Pair<'a, B> {
    fn positioned(&self, pass: &mut Pass<'_, 'a, B>, name: &str) -> Self {
        Self {
            audio: self.audio.positioned(pass, format_args!("{name}.audio")),
            text: self.text.positioned(pass, format_args!("{name}.text")),
        }
    }
}

impl AudioEncoder {
    fn forward<'a, B: Backend>(&self, pass: &mut Pass<'_, 'a, B>, batch: &'a Batch<B>) -> Sequence<'a, B> {
        let audio = batch.frames(AUDIO);
        let [frames, pooled, rows] = [0, 1, 2].map(|pools| &audio.rows[pools]);
        let x = audio.normalised(pass.tape);
        let x = pass.tape.named(x, format_args!("audio_encoder.z_score"));
        let x = self.conv1.forward(pass, &x, frames, pooled);
        let x = self.conv2.forward(pass, &x, pooled, rows);
        Sequence { x: self.lstm.forward(pass, &x, rows), rows }
    }
}

impl TextEncoder {
    fn forward<'a, B: Backend>(&self, pass: &mut Pass<'_, 'a, B>, batch: &'a Batch<B>) -> Sequence<'a, B> {
        let text = batch.tokens(TEXT);
        let x = text.embedded(pass.tape, self.table.map(|table| &pass.parameters[table]));
        let x = pass.tape.named(x, format_args!("text_encoder.embedding"));
        Sequence { x: self.lstm.forward(pass, &x, &text.rows), rows: &text.rows }
    }
}

/// Which modules a variant has.
impl ModelVariant {
    /// Whether it has the audio encoder.
    pub fn has_audio(self) -> bool {
        self != Self::NoAudio
    }

    /// Whether it has the text encoder.
    pub fn has_text(self) -> bool {
        self != Self::NoText
    }

    /// Whether it has the cross module.
    pub(crate) fn has_cross(self) -> bool {
        !matches!(self, Self::NoAudio | Self::NoText | Self::NoCross)
    }

    /// Whether it has self modules.
    pub(crate) fn has_self(self) -> bool {
        self != Self::NoSelf
    }

    /// How many sequences are pooled for the classifier.
    pub(crate) fn pooled(self) -> usize {
        match self {
            Self::Full => 4,
            Self::NoAudio | Self::NoText => 1,
            Self::NoSelf | Self::NoCross | Self::CrossSelf | Self::SelfCross => 2,
        }
    }
}
