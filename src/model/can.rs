//! After CAN (Lee, Yoon, Jung: Multimodal Speech Emotion Recognition Using Cross Attention with Aligned Audio and Text,
//! Interspeech 2020).
//!
//! Recording and words are cut into the same segments, here a word each: by when it is said, where the data know it, else evenly. A
//! learned query of each modality weighs its segments, and the weights are used on the other modality's as well, without a gradient
//! there. What each modality found of itself alone may have a loss of its own besides. Sizes, the segments, and training are defaults
//! of ours: of the paper only its abstract could be read.

use super::layers::{BiLstm, Linear, Pass, Sequence, Words, frames, weights_of};
use super::loss::Term;
use super::parameters::{Block, Initial, Parameters};
use super::{Batch, Dimensions, Model};
use crate::backend::Backend;
use crate::backend::ops::Directions;
use crate::base::numbers::Activation;
use crate::base::streams::{AUDIO, Reading, TEXT};
use crate::config::CanSettings;
use crate::tape::Var;

/// Frames that are read of an utterance.
const FRAMES: usize = 750;

/// The network.
#[derive(Debug, Clone)]
pub(crate) struct Can {
    parameters: Parameters,
    settings: CanSettings,
    words: Words,
    audio: BiLstm,
    text: BiLstm,
    /// `[1, 2H]` each.
    queries: [Block; 2],
    classifier: Linear,
    /// Of each modality alone, where there are further losses.
    auxiliary: Option<[Linear; 2]>,
}

impl Can {
    /// Lays its parameters out.
    pub(crate) fn new(settings: &CanSettings, dimensions: &Dimensions) -> Self {
        let mut parameters = Parameters::default();
        let width = 2 * settings.hidden;
        let words = Words::new(&mut parameters, "embedding.weight", dimensions);
        let audio = BiLstm::new(&mut parameters, "audio_encoder.lstm", dimensions.columns(AUDIO), settings.hidden, Directions::Joined);
        let text = BiLstm::new(&mut parameters, "text_encoder.lstm", words.width, settings.hidden, Directions::Joined);
        let uniform = Initial::Uniform { bound: 0.25 };
        let queries = ["audio_query", "text_query"].map(|name| parameters.add(name.into(), &[width], uniform));
        let zero = Some(Initial::Constant(0.0));
        let mut linear =
            |name: &str, inputs| Linear::starting(&mut parameters, name, [dimensions.classes, inputs], Activation::None, uniform, zero);
        let classifier = linear("classifier", 4 * width);
        let auxiliary = (settings.auxiliary > 0.0).then(|| ["auxiliary_audio", "auxiliary_text"].map(|name| linear(name, width)));
        Self { parameters, settings: settings.clone(), words, audio, text, queries, classifier, auxiliary }
    }
}

impl<B: Backend> Model<B> for Can {
    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn reads(&self) -> Vec<Reading> {
        vec![Reading::first_frames(AUDIO, FRAMES), Reading::tokens(TEXT).aligned_with(AUDIO)]
    }

    fn forward<'a>(&self, pass: &mut Pass<'_, 'a, B>, batch: &'a Batch<B>) -> Var<B> {
        let audio = frames(pass, batch, AUDIO, self.settings.audio_dropout);
        let words = self.words.forward(pass, batch, self.settings.text_dropout);
        let encoded = BiLstm::forward_together(pass, &[(&self.audio, audio), (&self.text, words)]);
        let segments = batch.segments(pass.tape.backend(), TEXT, encoded[1].rows, encoded[0].rows);
        let segmented = pass.tape.segment_mean(&encoded[0].x, &segments);
        let steps = [Sequence { x: segmented, rows: encoded[1].rows }, encoded[1].clone()];
        let weights = [0, 1].map(|own| {
            let name = ["the recording's query", "the words' query"][own];
            weights_of(pass, (name, TEXT), &pass.parameters[self.queries[own]].clone(), &steps[own])
        });
        // Both sums with a modality's own weights, then both with the other's: those of the recording over the words come first.
        let crossed = weights.each_ref().map(|weights| pass.tape.detach(weights));
        let sums = [(&weights[0], 0), (&weights[1], 1), (&crossed[0], 1), (&crossed[1], 0)];
        let sums = sums.map(|(weights, of)| pass.tape.weighted_sum(weights, &steps[of].x, steps[of].rows));
        if let Some(auxiliary) = self.auxiliary.as_ref().filter(|_| pass.wants_terms()) {
            for (linear, own) in auxiliary.iter().zip(&sums) {
                let logits = linear.forward(pass, own);
                pass.add_term(self.settings.auxiliary, Term::Logits(logits));
            }
        }
        let fused = pass.tape.concat(&sums.each_ref());
        let fused = pass.mix(fused, batch);
        self.classifier.forward(pass, &fused)
    }
}
