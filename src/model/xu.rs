//! The network of Xu, Zhang, Han, Wang, Peng, Li: Learning Alignment for Multimodal Emotion Recognition from Speech (Interspeech 2019), in
//! the form that the group released in 2020.
//!
//! A dense layer and a bidirectional GRU read the recording, another GRU the words. The words attend to the recording's states, a third
//! GRU reads both side by side, and a learned query pools its states. Here nothing is padded, so no state runs over zeros.

use super::layers::{Asking, Attended, Gru, GruStart, Linear, Pass, Sequence, Words, frames, pool_by};
use super::parameters::{Block, Initial, Parameters};
use super::{Batch, Dimensions, Model};
use crate::backend::Backend;
use crate::backend::ops::{Attention, AttentionWeights, Operation};
use crate::base::numbers::Activation;
use crate::base::streams::{AUDIO, Reading, TEXT};
use crate::config::XuSettings;
use crate::tape::Var;

/// Frames that are read of an utterance: seven seconds.
pub(super) const FRAMES: usize = 700;

/// The network.
#[derive(Debug, Clone)]
pub(crate) struct Xu {
    parameters: Parameters,
    settings: XuSettings,
    words: Words,
    dense: Linear,
    audio: Gru,
    text: Gru,
    /// Queries of the words, keys and values of the recording, and what becomes of their heads.
    attention: [Linear; 4],
    fusion: Gru,
    scores: Linear,
    /// `[1, 2H]`
    query: Block,
    classifier: Linear,
}

impl Xu {
    /// Lays its parameters out.
    pub(crate) fn new(settings: &XuSettings, dimensions: &Dimensions) -> Self {
        let mut parameters = Parameters::default();
        let (hidden, width, dense) = (settings.hidden, 2 * settings.hidden, settings.dense);
        let words = Words::new(&mut parameters, "embedding.weight", dimensions);
        let inputs = dimensions.columns(AUDIO);
        let encode = linear(&mut parameters, "audio_encoder.proj", [dense, inputs], Activation::Relu);
        let mut gru = |name: &str, inputs| Gru::new(&mut parameters, name, [inputs, hidden], true, GruStart::Keras);
        let audio = gru("audio_encoder.gru", dense);
        let text = gru("text_encoder.gru", words.width);
        let mut square = |name: &str, activation| linear(&mut parameters, name, [width; 2], activation);
        let attention = ["attention.q", "attention.k", "attention.v", "attention.o"].map(|name| square(name, Activation::None));
        let scores = square("pooling.proj", Activation::Tanh);
        let fusion = Gru::new(&mut parameters, "fusion.gru", [2 * width, hidden], true, GruStart::Keras);
        let query = parameters.add("pooling.query".into(), &[width], Initial::glorot(width, 1));
        let classifier = linear(&mut parameters, "classifier", [dimensions.classes, width], Activation::None);
        Self { parameters, settings: settings.clone(), words, dense: encode, audio, text, attention, fusion, scores, query, classifier }
    }

    /// The words' rows `[rows, 2H]` with what they attend to of the recording.
    fn attend<'a, B: Backend>(&self, pass: &mut Pass<'_, 'a, B>, words: &Sequence<'a, B>, audio: &Sequence<'a, B>) -> Var<B> {
        let [queries, keys, values, output] = &self.attention;
        let [queries, keys, values] = [(queries, words), (keys, audio), (values, audio)].map(|(linear, of)| linear.forward(pass, &of.x));
        let (query_rows, key_rows, heads) = (words.rows.clone(), audio.rows.clone(), self.settings.heads);
        let scale = ((2 * self.settings.hidden / heads) as f32).sqrt().recip();
        let precision = pass.tape.precision();
        let attention = Attention { queries, keys, values, query_rows, key_rows, heads, scale, precision };
        pass.watch(|backend| Attended {
            by: Asking::Rows(TEXT),
            over: AUDIO,
            heads,
            rows: [words.rows.rows(), audio.rows.rows()],
            weights: backend.run(&AttentionWeights(attention.map(|operand| operand.value.clone()))),
        });
        let attended = pass.tape.apply(&attention);
        output.forward(pass, &attended)
    }
}

/// A layer that starts as Keras' do.
fn linear(parameters: &mut Parameters, name: &str, [outputs, inputs]: [usize; 2], activation: Activation) -> Linear {
    let weight = Initial::glorot(inputs, outputs);
    Linear::starting(parameters, name, [outputs, inputs], activation, weight, Some(Initial::Constant(0.0)))
}

impl<B: Backend> Model<B> for Xu {
    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn reads(&self) -> Vec<Reading> {
        vec![Reading::first_frames(AUDIO, FRAMES), Reading::tokens(TEXT)]
    }

    fn forward<'a>(&self, pass: &mut Pass<'_, 'a, B>, batch: &'a Batch<B>) -> Var<B> {
        let rate = self.settings.dropout;
        let audio = frames(pass, batch, AUDIO, 0.0);
        let dense = Sequence { x: self.dense.forward(pass, &audio.x), rows: audio.rows }.dropped(pass, rate);
        let audio = self.audio.forward(pass, &dense).dropped(pass, rate);
        let words = self.words.forward(pass, batch, rate);
        let words = self.text.forward(pass, &words).dropped(pass, rate);
        let attended = self.attend(pass, &words, &audio);
        let attended = Sequence { x: attended, rows: words.rows }.dropped(pass, rate);
        let both = Sequence { x: pass.tape.concat(&[&attended.x, &words.x]), rows: words.rows };
        let fused = self.fusion.forward(pass, &both);
        let scored = Sequence { x: self.scores.forward(pass, &fused.x), rows: fused.rows };
        let query = pass.parameters[self.query].clone();
        let pooled = pool_by(pass, ("pooling", TEXT), &query, &scored, &fused);
        let pooled = pass.mix(pooled, batch);
        let pooled = pass.dropped_vectors(pooled, rate, fused.rows);
        let pooled = pass.dropped_vectors(pooled, rate, fused.rows);
        self.classifier.forward(pass, &pooled)
    }
}
