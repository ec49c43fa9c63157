//! The network of the paper, the variants of its Table 3, and what its last sentence announces: the same over three modalities.

use super::layers::{AttentionLayer, AttentionSizes, BiLstm, Classifier, ConvBlock, Entering, Linear, Pass, Sequence};
use super::layers::{Words, frames};
use super::parameters::Parameters;
use super::{Batch, Dimensions, Model};
use crate::backend::Backend;
use crate::backend::ops::Directions;
use crate::base::numbers::Activation;
use crate::base::streams::{AUDIO, Reading, TEXT, VISUAL};
use crate::config::{CrossedModalities, ModelVariant, ScoreScale, Settings, System};
use crate::tape::Var;

/// Rows of an utterance's visual features that are read.
const PICTURES: usize = 32;

/// MCSAN: encoders, cross and self modules, classifier.
#[derive(Debug, Clone)]
pub(crate) struct Mcsan {
    parameters: Parameters,
    variant: ModelVariant,
    /// Those that it reads, in the order of everything that has one a modality.
    modalities: Vec<&'static str>,
    audio: Option<AudioEncoder>,
    text: Option<TextEncoder>,
    visual: Option<VisualEncoder>,
    cross: Vec<CrossStack>,
    /// One stack a modality.
    selves: Vec<Vec<AttentionLayer>>,
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
    words: Words,
    lstm: BiLstm,
}

/// A projection of the pictures' features, and a BiLSTM (a default of ours).
#[derive(Debug, Clone)]
struct VisualEncoder {
    projection: Linear,
    lstm: BiLstm,
}

/// One sequence's half of the cross layers (6–14).
#[derive(Debug, Clone)]
struct CrossStack {
    layers: Vec<AttentionLayer>,
    /// The modality whose queries attend.
    receiver: usize,
    /// The stacks whose sequences give keys and values.
    sources: Vec<usize>,
}

/// Attention layers one after the other, beside other such stacks.
struct Stack<'m> {
    layers: &'m [AttentionLayer],
    /// Whose queries attend.
    modality: &'static str,
    /// The stacks whose sequences give keys and values: the others' in a cross module (6–14), its own in a self module (15–17).
    sources: Vec<usize>,
}

impl Mcsan {
    /// Lays out the parameters of a variant; it has none of modules that it does not use.
    pub(crate) fn new(all: &Settings, dimensions: &Dimensions) -> Self {
        let settings = &all.model;
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
            lstm: BiLstm::new(&mut parameters, "audio_encoder.lstm", width, width, Directions::Mean),
        });
        let text = variant.has_text().then(|| {
            let words = Words::new(&mut parameters, "text_encoder.embedding.weight", dimensions);
            let lstm = BiLstm::new(&mut parameters, "text_encoder.lstm", words.width, width, Directions::Mean);
            TextEncoder { words, lstm }
        });
        let visual = (settings.system == System::Mcsan3 && variant.has_visual()).then(|| {
            let (inputs, none) = (dimensions.columns(VISUAL), Activation::None);
            let projection = Linear::new(&mut parameters, "visual_encoder.proj", [width, inputs], true, none);
            VisualEncoder { projection, lstm: BiLstm::new(&mut parameters, "visual_encoder.lstm", width, width, Directions::Mean) }
        });
        let present = [audio.is_some(), text.is_some(), visual.is_some()];
        let modalities = [AUDIO, TEXT, VISUAL].into_iter().zip(present).filter(|(_, there)| *there);
        let modalities: Vec<&str> = modalities.map(|(name, _)| name).collect();

        let mut cross = if variant.has_cross() { CrossStack::of(&modalities, all.trimodal.cross) } else { Vec::new() };
        for layer in 0..settings.layers {
            for (stack, name) in &mut cross {
                stack.layers.push(AttentionLayer::new(&mut parameters, &format!("cross.{layer}.{name}"), sizes));
            }
        }
        let cross: Vec<CrossStack> = cross.into_iter().map(|(stack, _)| stack).collect();
        let layers = if variant.has_self() { settings.layers } else { 0 };
        let mut stack = |modality: &&str| -> Vec<AttentionLayer> {
            (0..layers).map(|layer| AttentionLayer::new(&mut parameters, &format!("self_{modality}.{layer}"), sizes)).collect()
        };
        let selves: Vec<_> = modalities.iter().map(&mut stack).collect();
        let pooled = match variant {
            ModelVariant::NoSelf | ModelVariant::SelfCross => cross.len(),
            ModelVariant::NoCross | ModelVariant::CrossSelf => selves.len(),
            ModelVariant::Full | ModelVariant::NoAudio | ModelVariant::NoText | ModelVariant::NoVisual => cross.len() + selves.len(),
        };
        let classifier = Classifier::new(&mut parameters, pooled * width, width, dimensions.classes, settings.dropout);
        Self { parameters, variant, modalities, audio, text, visual, cross, selves, classifier }
    }
}

impl CrossStack {
    /// Those of the modalities, without layers yet, each with its name; none where there is but one modality.
    fn of(modalities: &[&str], crossed: CrossedModalities) -> Vec<(Self, String)> {
        let count = modalities.len();
        let others = |own: usize| (0..count).filter(move |&other| other != own);
        let stack = |receiver, sources| Self { layers: Vec::new(), receiver, sources };
        if count < 3 || crossed == CrossedModalities::Sum {
            let one = |own: usize| (stack(own, others(own).collect()), modalities[own].to_owned());
            return (0..count).filter(|_| count > 1).map(one).collect();
        }
        let pairs: Vec<(usize, usize)> = (0..count).flat_map(|own| others(own).map(move |giver| (own, giver))).collect();
        let place = |pair: (usize, usize)| pairs.iter().position(|other| *other == pair);
        let one = |&(own, giver): &(usize, usize)| {
            let source = place((giver, own)).into_iter().collect();
            (stack(own, source), format!("{}_from_{}", modalities[own], modalities[giver]))
        };
        pairs.iter().map(one).collect()
    }
}

impl<B: Backend> Model<B> for Mcsan {
    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn reads(&self) -> Vec<Reading> {
        let audio = self.audio.is_some().then(|| Reading::frames(AUDIO, 2).avoided_by("model.variant=no_audio"));
        let text = self.text.is_some().then(|| Reading::tokens(TEXT).avoided_by("model.variant=no_text"));
        let visual = self.visual.is_some().then(|| Reading::first_frames(VISUAL, PICTURES).avoided_by("model.variant=no_visual"));
        audio.into_iter().chain(text).chain(visual).collect()
    }

    fn forward<'a>(&self, pass: &mut Pass<'_, 'a, B>, batch: &'a Batch<B>) -> Var<B> {
        let audio = self.audio.as_ref().map(|encoder| (&encoder.lstm, encoder.convolved(pass, batch)));
        let text = self.text.as_ref().map(|encoder| (&encoder.lstm, encoder.words.forward(pass, batch, 0.0)));
        let visual = self.visual.as_ref().map(|encoder| (&encoder.lstm, encoder.projected(pass, batch)));
        let entering: Vec<_> = audio.into_iter().chain(text).chain(visual).collect();
        let encoded = BiLstm::forward_together(pass, &entering);
        let pooled = self.fuse(pass, encoded);
        self.classifier.forward(pass, &pooled, batch)
    }
}

impl Mcsan {
    /// The sequences that are pooled (18), in the order of the classifier's input.
    fn fuse<'a, B: Backend>(&self, pass: &mut Pass<'_, 'a, B>, encoded: Vec<Sequence<'a, B>>) -> Vec<Sequence<'a, B>> {
        match self.variant {
            ModelVariant::Full | ModelVariant::NoAudio | ModelVariant::NoText | ModelVariant::NoVisual => {
                // Both modules take the encoders' outputs with the same position embedding, and stand beside each other.
                let encoded = self.positioned(pass, encoded, if self.cross.is_empty() { "self.positions" } else { "positions" });
                let stacks: Vec<_> = self.cross_stacks().chain(self.self_stacks(self.cross.len())).collect();
                through(pass, &stacks, [self.received(&encoded), encoded].concat())
            }
            ModelVariant::NoSelf => self.cross_module(pass, encoded),
            ModelVariant::NoCross => self.self_modules(pass, encoded),
            ModelVariant::CrossSelf => {
                let crossed = self.cross_module(pass, encoded);
                self.self_modules(pass, crossed)
            }
            ModelVariant::SelfCross => {
                let reflected = self.self_modules(pass, encoded);
                self.cross_module(pass, reflected)
            }
        }
    }

    fn cross_module<'a, B: Backend>(&self, pass: &mut Pass<'_, 'a, B>, encoded: Vec<Sequence<'a, B>>) -> Vec<Sequence<'a, B>> {
        let encoded = self.positioned(pass, encoded, "cross.positions");
        through(pass, &self.cross_stacks().collect::<Vec<_>>(), self.received(&encoded))
    }

    fn self_modules<'a, B: Backend>(&self, pass: &mut Pass<'_, 'a, B>, encoded: Vec<Sequence<'a, B>>) -> Vec<Sequence<'a, B>> {
        let encoded = self.positioned(pass, encoded, "self.positions");
        through(pass, &self.self_stacks(0).collect::<Vec<_>>(), encoded)
    }

    /// The cross module (6–14): each modality's queries attend to the others' keys and values, all from the layer's inputs.
    fn cross_stacks(&self) -> impl Iterator<Item = Stack<'_>> {
        self.cross.iter().map(|CrossStack { layers, receiver, sources }| {
            let modality = self.modalities[*receiver];
            Stack { layers, modality, sources: sources.clone() }
        })
    }

    /// The self modules (15–17) after `first` other stacks.
    fn self_stacks(&self, first: usize) -> impl Iterator<Item = Stack<'_>> {
        let stacks = self.selves.iter().zip(&self.modalities).enumerate();
        stacks.map(move |(place, (layers, modality))| Stack { layers, modality, sources: vec![first + place] })
    }

    /// What the stacks of the cross module take.
    fn received<'a, B: Backend>(&self, encoded: &[Sequence<'a, B>]) -> Vec<Sequence<'a, B>> {
        self.cross.iter().map(|stack| encoded[stack.receiver].clone()).collect()
    }

    /// Sequences with the position embedding, as they enter a module.
    fn positioned<'a, B: Backend>(&self, pass: &mut Pass<'_, 'a, B>, sequences: Vec<Sequence<'a, B>>, name: &str) -> Vec<Sequence<'a, B>> {
        let entering: Vec<_> = sequences.iter().map(|sequence| (sequence.x.clone(), sequence.rows)).collect();
        let alone = entering.len() == 1;
        let leaving = pass.tape.position_embeddings(&entering).into_iter().zip(sequences).zip(&self.modalities);
        let leaving = leaving.map(|((x, Sequence { rows, .. }), modality)| {
            let x = if alone { pass.tape.named(x, format_args!("{name}")) } else { pass.tape.named(x, format_args!("{name}.{modality}")) };
            Sequence { x, rows }
        });
        leaving.collect()
    }
}

/// Sequences through the stack of each, layer by layer.
fn through<'a, B: Backend>(pass: &mut Pass<'_, 'a, B>, stacks: &[Stack<'_>], sequences: Vec<Sequence<'a, B>>) -> Vec<Sequence<'a, B>> {
    let depth = stacks.iter().map(|stack| stack.layers.len()).max().unwrap_or(0);
    let crossing = stacks.iter().enumerate().filter(|(own, stack)| stack.sources != [*own]).count();
    let first = pass.take_places((2 * depth * stacks.len()) as u64);
    // The stack in which one modality attends to another, and that other's.
    let attends = |from: &str, to: &str| {
        let of = |(own, stack): (usize, &Stack<'_>)| {
            let source = stack.sources.iter().find(|&&source| stacks[source].modality == to)?;
            (stack.modality == from).then_some([own, *source])
        };
        stacks.iter().enumerate().find_map(of)
    };
    (0..depth).fold(sequences, |sequences, number| {
        let mut entering = Vec::new();
        for (own, (stack, sequence)) in stacks.iter().zip(sequences).enumerate() {
            // A self module's places of dropout follow each other; those of a cross layer's parts do.
            let place = if own < crossing { crossing * number + own } else { own * depth + number };
            let sources = stack.sources.clone();
            entering.push(Entering { layer: &stack.layers[number], sequence, sources, place: first + 2 * place as u64 });
        }
        let projected = AttentionLayer::project(pass, &entering);
        // Of the last layer, each modality's rows over every other's.
        for (by, over) in [(TEXT, AUDIO), (AUDIO, TEXT), (TEXT, VISUAL), (VISUAL, TEXT), (VISUAL, AUDIO), (AUDIO, VISUAL)] {
            let Some([own, source]) = attends(by, over).filter(|_| number + 1 == depth) else { continue };
            pass.watch(|backend| entering[own].layer.attended(backend, (by, &projected[own]), (over, &projected[source])));
        }
        AttentionLayer::attend(pass, &entering, &projected)
    })
}

impl AudioEncoder {
    /// What its LSTM takes.
    fn convolved<'a, B: Backend>(&self, pass: &mut Pass<'_, 'a, B>, batch: &'a Batch<B>) -> Sequence<'a, B> {
        let [pooled, rows] = [1, 2].map(|pools| &batch.frames(AUDIO).rows[pools]);
        let Sequence { x, rows: unpooled } = frames(pass, batch, AUDIO, 0.0);
        let x = self.conv1.forward(pass, &x, unpooled, pooled);
        Sequence { x: self.conv2.forward(pass, &x, pooled, rows), rows }
    }
}

impl VisualEncoder {
    /// What its LSTM takes.
    fn projected<'a, B: Backend>(&self, pass: &mut Pass<'_, 'a, B>, batch: &'a Batch<B>) -> Sequence<'a, B> {
        let Sequence { x, rows } = frames(pass, batch, VISUAL, 0.0);
        Sequence { x: self.projection.forward(pass, &x), rows }
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

    /// Whether it has the visual encoder, where there is one at all.
    pub(crate) fn has_visual(self) -> bool {
        self != Self::NoVisual
    }

    /// Whether it has the cross module, where there are several modalities.
    fn has_cross(self) -> bool {
        self != Self::NoCross
    }

    /// Whether it has self modules.
    fn has_self(self) -> bool {
        self != Self::NoSelf
    }
}
