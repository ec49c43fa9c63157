//! The network of the paper and the variants of its Table 3.

use super::batch::Batch;
use super::layers::{AttentionLayer, AttentionSizes, BiLstm, Classifier, ConvBlock, CrossWeights, Entering, Pass, Sequence};
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

/// Attention layers one after the other, beside other such stacks.
struct Stack<'m> {
    layers: Vec<&'m AttentionLayer>,
    /// The stack whose sequence gives keys and values: the other modality's in a cross module (6–14), itself in a self module (15–17).
    source: usize,
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
            dropout: settings.dropout,
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
        let classifier = Classifier::new(&mut parameters, variant.pooled() * width, width, dimensions.classes, settings.dropout);
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
        let audio = self.audio.as_ref().map(|encoder| (&encoder.lstm, encoder.convolved(pass, batch)));
        let text = self.text.as_ref().map(|encoder| (&encoder.lstm, encoder.embedded(pass, batch)));
        let entering: Vec<_> = audio.into_iter().chain(text).collect();
        let pooled = match <[_; 2]>::try_from(BiLstm::forward_together(pass, &entering)) {
            Ok(encoded) => self.fuse(pass, encoded),
            Err(alone) => {
                let alone = positioned(pass, alone, &["self.positions"]);
                through(pass, &self.self_stacks(0), alone)
            }
        };
        self.classifier.forward(pass, &pooled)
    }
}

impl Mcsan {
    /// The sequences of audio and text that are pooled (18), in the order of the classifier's input.
    fn fuse<'a, B: Backend>(&self, pass: &mut Pass<'_, 'a, B>, encoded: [Sequence<'a, B>; 2]) -> Vec<Sequence<'a, B>> {
        match self.variant {
            ModelVariant::Full | ModelVariant::NoAudio | ModelVariant::NoText => {
                // Both modules take the encoders' outputs with the same position embedding, and stand beside each other.
                let encoded = positioned(pass, encoded.into(), &["positions.audio", "positions.text"]);
                let stacks: Vec<_> = self.cross_stacks().into_iter().chain(self.self_stacks(2)).collect();
                through(pass, &stacks, [encoded.clone(), encoded].concat())
            }
            ModelVariant::NoSelf => self.cross_module(pass, encoded.into()),
            ModelVariant::NoCross => self.self_modules(pass, encoded.into()),
            ModelVariant::CrossSelf => {
                let crossed = self.cross_module(pass, encoded.into());
                self.self_modules(pass, crossed)
            }
            ModelVariant::SelfCross => {
                let reflected = self.self_modules(pass, encoded.into());
                self.cross_module(pass, reflected)
            }
        }
    }

    fn cross_module<'a, B: Backend>(&self, pass: &mut Pass<'_, 'a, B>, pair: Vec<Sequence<'a, B>>) -> Vec<Sequence<'a, B>> {
        let pair = positioned(pass, pair, &["cross.positions.audio", "cross.positions.text"]);
        through(pass, &self.cross_stacks(), pair)
    }

    fn self_modules<'a, B: Backend>(&self, pass: &mut Pass<'_, 'a, B>, pair: Vec<Sequence<'a, B>>) -> Vec<Sequence<'a, B>> {
        let pair = positioned(pass, pair, &["self.positions.audio", "self.positions.text"]);
        through(pass, &self.self_stacks(0), pair)
    }

    /// The cross module (6–14): each modality's queries attend to the other's keys and values, both from the layer's inputs.
    fn cross_stacks(&self) -> Vec<Stack<'_>> {
        let audio = Stack { layers: self.cross.iter().map(|layer| &layer.audio).collect(), source: 1 };
        let text = Stack { layers: self.cross.iter().map(|layer| &layer.text).collect(), source: 0 };
        vec![audio, text]
    }

    /// The self modules (15–17) after `first` other stacks.
    fn self_stacks(&self, first: usize) -> Vec<Stack<'_>> {
        let modules = [&self.self_audio, &self.self_text].into_iter().filter(|layers| !layers.is_empty()).enumerate();
        modules.map(|(place, layers)| Stack { layers: layers.iter().collect(), source: first + place }).collect()
    }
}

/// Sequences with the position embedding, as they enter a module.
fn positioned<'a, B: Backend>(pass: &mut Pass<'_, 'a, B>, sequences: Vec<Sequence<'a, B>>, names: &[&str]) -> Vec<Sequence<'a, B>> {
    let entering: Vec<_> = sequences.iter().map(|sequence| (sequence.x.clone(), sequence.rows)).collect();
    let leaving = pass.tape.position_embeddings(&entering).into_iter().zip(sequences).zip(names);
    leaving.map(|((x, Sequence { rows, .. }), name)| Sequence { x: pass.tape.named(x, format_args!("{name}")), rows }).collect()
}

/// Sequences through the stack of each, layer by layer.
fn through<'a, B: Backend>(pass: &mut Pass<'_, 'a, B>, stacks: &[Stack<'_>], sequences: Vec<Sequence<'a, B>>) -> Vec<Sequence<'a, B>> {
    let depth = stacks.iter().map(|stack| stack.layers.len()).max().unwrap_or(0);
    let first = pass.take_places((2 * depth * stacks.len()) as u64);
    (0..depth).fold(sequences, |sequences, number| {
        let mut entering = Vec::new();
        for (own, (stack, sequence)) in stacks.iter().zip(sequences).enumerate() {
            // A self module's places of dropout follow each other; those of a cross layer's halves do.
            let place = if stack.source == own { own * depth + number } else { 2 * number + own };
            entering.push(Entering { layer: stack.layers[number], sequence, source: stack.source, place: first + 2 * place as u64 });
        }
        let projected = AttentionLayer::project(pass, &entering);
        if let Some(watched) = &mut pass.watched {
            let backend = pass.tape.backend();
            let weights = |own: usize| entering[own].layer.weights(backend, &projected[own], &projected[entering[own].source]);
            // The cross module's stacks are the first two.
            if stacks[0].source != 0 {
                watched.push(CrossWeights { audio_to_text: weights(0), text_to_audio: weights(1) });
            }
        }
        AttentionLayer::attend(pass, &entering, &projected)
    })
}

impl AudioEncoder {
    /// What its LSTM takes.
    fn convolved<'a, B: Backend>(&self, pass: &mut Pass<'_, 'a, B>, batch: &'a Batch<B>) -> Sequence<'a, B> {
        let audio = batch.frames(AUDIO);
        let [frames, pooled, rows] = [0, 1, 2].map(|pools| &audio.rows[pools]);
        let x = audio.normalised(pass.tape);
        let x = pass.tape.named(x, format_args!("audio_encoder.z_score"));
        let x = self.conv1.forward(pass, &x, frames, pooled);
        Sequence { x: self.conv2.forward(pass, &x, pooled, rows), rows }
    }
}

impl TextEncoder {
    /// What its LSTM takes.
    fn embedded<'a, B: Backend>(&self, pass: &mut Pass<'_, 'a, B>, batch: &'a Batch<B>) -> Sequence<'a, B> {
        let text = batch.tokens(TEXT);
        let x = text.embedded(pass.tape, self.table.map(|table| &pass.parameters[table]));
        Sequence { x: pass.tape.named(x, format_args!("text_encoder.embedding")), rows: &text.rows }
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
