//! The network of Xu, Zhang, Han, Wang, Peng, Li: Learning Alignment for Multimodal Emotion Recognition from Speech (Interspeech 2019), by
//! the paper's equations.
//!
//! BiLSTMs read recording and words. Each word weighs all frames by `tanh(u·s_i + v·h_j + b)`, another BiLSTM reads what it gets of
//! them beside its own state, and the maximum over the words is classified. The equation is from memory of the paper, sizes are those of
//! a reproduction.

use super::layers::{Asking, Attended, BiLstm, Linear, Pass, Sequence, Words, frames};
use super::parameters::{Initial, Parameters};
use super::xu::FRAMES;
use super::{Batch, Dimensions, Model};
use crate::backend::Backend;
use crate::backend::ops::{AdditiveAlignment, Directions, Operation};
use crate::base::numbers::Activation;
use crate::base::streams::{AUDIO, Reading, TEXT};
use crate::config::XuSettings;
use crate::tape::Var;

/// The network.
#[derive(Debug, Clone)]
pub(crate) struct XuPaper {
    parameters: Parameters,
    dropout: f32,
    words: Words,
    audio: BiLstm,
    text: BiLstm,
    /// u, of the frames.
    frame_scores: Linear,
    /// v and b, of the words.
    word_scores: Linear,
    fusion: BiLstm,
    classifier: Linear,
}

impl XuPaper {
    /// Lays its parameters out.
    pub(crate) fn new(settings: &XuSettings, dimensions: &Dimensions) -> Self {
        let mut parameters = Parameters::default();
        let (hidden, width) = (settings.hidden, 2 * settings.hidden);
        let words = Words::new(&mut parameters, "embedding.weight", dimensions);
        let mut lstm = |name: &str, inputs| BiLstm::new(&mut parameters, name, inputs, hidden, Directions::Joined);
        let audio = lstm("audio_encoder.lstm", dimensions.columns(AUDIO));
        let text = lstm("text_encoder.lstm", words.width);
        let fusion = lstm("fusion.lstm", 2 * width);
        let zero = Some(Initial::Constant(0.0));
        let mut linear = |name: &str, outputs, bias| {
            Linear::starting(&mut parameters, name, [outputs, width], Activation::None, Initial::glorot(width, outputs), bias)
        };
        let frame_scores = linear("alignment.audio", 1, None);
        let word_scores = linear("alignment.text", 1, zero);
        let classifier = linear("classifier", dimensions.classes, zero);
        Self { parameters, dropout: settings.dropout, words, audio, text, frame_scores, word_scores, fusion, classifier }
    }

    /// `[words, 2H]`: what each word gets of the recording.
    fn align<'a, B: Backend>(&self, pass: &mut Pass<'_, 'a, B>, words: &Sequence<'a, B>, audio: &Sequence<'a, B>) -> Var<B> {
        let (word_scores, frame_scores) = (self.word_scores.forward(pass, &words.x), self.frame_scores.forward(pass, &audio.x));
        let (frames, word_rows, frame_rows) = (audio.x.clone(), words.rows.clone(), audio.rows.clone());
        let alignment = AdditiveAlignment { word_scores, frame_scores, frames, word_rows, frame_rows };
        pass.watch(|backend| {
            // A word gets its weights where every frame is a number of its own. Pictures are of one utterance, whose frames are few.
            let count = audio.rows.rows();
            let mut identity = vec![0.0; count * count];
            identity.iter_mut().step_by(count + 1).for_each(|one| *one = 1.0);
            let alignment = alignment.map(|operand| operand.value.clone());
            let weights = backend.run(&AdditiveAlignment { frames: backend.upload(&identity, [count, count]), ..alignment });
            Attended { by: Asking::Rows(TEXT), over: AUDIO, heads: 1, rows: [words.rows.rows(), count], weights }
        });
        pass.tape.apply(&alignment)
    }
}

impl<B: Backend> Model<B> for XuPaper {
    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn reads(&self) -> Vec<Reading> {
        vec![Reading::first_frames(AUDIO, FRAMES), Reading::tokens(TEXT)]
    }

    fn forward<'a>(&self, pass: &mut Pass<'_, 'a, B>, batch: &'a Batch<B>) -> Var<B> {
        let rate = self.dropout;
        let (audio, words) = (frames(pass, batch, AUDIO, 0.0), self.words.forward(pass, batch, rate));
        let encoded = BiLstm::forward_together(pass, &[(&self.audio, audio), (&self.text, words)]);
        let [audio, words] = [0, 1].map(|modality| encoded[modality].clone().dropped(pass, rate));
        let aligned = self.align(pass, &words, &audio);
        let both = Sequence { x: pass.tape.concat(&[&aligned, &words.x]), rows: words.rows };
        let fused = BiLstm::forward_together(pass, &[(&self.fusion, both)]);
        let pooled = pass.tape.global_max(&[(fused[0].x.clone(), fused[0].rows)]);
        let pooled = pass.mix(pooled, batch);
        let pooled = pass.dropped_vectors(pooled, rate, words.rows);
        self.classifier.forward(pass, &pooled)
    }
}
