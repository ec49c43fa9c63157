//! Auto-encoders of recording and words (Liang, Li, Jin: Semi-supervised Multi-modal Emotion Recognition with Cross-Modal
//! Distribution Matching, ACM Multimedia 2020).
//!
//! Functionals of the recording and the words are encoded into a code each, from which a decoder makes them anew. Codes of recordings
//! and words are to be distributed alike where they are of the same utterances, and unlike where they are not; a classifier reads both
//! side by side. All but the classifier learns from utterances without label, too. Its text encoder is a default of ours, an LSTM over
//! word vectors in place of a Transformer over BERT's, and so are its decoder's target, their mean, and the halves that are unpaired.

use super::layers::{BiLstm, Linear, Pass, Sequence, Words};
use super::loss::Term;
use super::parameters::{Initial, Parameters};
use super::{Batch, Dimensions, Model};
use crate::backend::ops::{Directions, Segments, Tokens};
use crate::backend::{Backend, Matrix};
use crate::base::numbers::Activation;
use crate::base::streams::{FUNCTIONALS, Reading, TEXT};
use crate::config::{LiangSettings, Unpaired};
use crate::tape::Var;

/// The network.
#[derive(Debug, Clone)]
pub(crate) struct Liang {
    parameters: Parameters,
    settings: LiangSettings,
    words: Words,
    audio_encoder: Vec<Linear>,
    audio_decoder: Vec<Linear>,
    text_encoder: BiLstm,
    text_decoder: Vec<Linear>,
    classifier: Vec<Linear>,
}

impl Liang {
    /// Lays its parameters out.
    pub(crate) fn new(settings: &LiangSettings, dimensions: &Dimensions) -> Self {
        let mut parameters = Parameters::default();
        let (code, functionals) = (settings.hidden, dimensions.columns(FUNCTIONALS));
        let words = Words::new(&mut parameters, "embedding.weight", dimensions);
        let text_encoder = BiLstm::new(&mut parameters, "text_encoder.lstm", words.width, code, Directions::Mean);
        let mut layers = |name: &str, widths: &[usize], last: Activation| -> Vec<Linear> {
            let (weight, bias) = (Initial::Normal { deviation: 0.02 }, Some(Initial::Constant(0.0)));
            let layer = |(number, pair): (usize, &[usize])| {
                let activation = if number + 2 == widths.len() { last } else { Activation::Relu };
                // Between two layers PyTorch counts the ReLU.
                Linear::starting(&mut parameters, &format!("{name}.{}", 2 * number), [pair[1], pair[0]], activation, weight, bias)
            };
            widths.windows(2).enumerate().map(layer).collect()
        };
        let output = if settings.output_relu { Activation::Relu } else { Activation::None };
        let audio_encoder = layers("audio_encoder", &[functionals, 4 * code, 2 * code, code], Activation::Relu);
        let audio_decoder = layers("audio_decoder", &[code, 2 * code, 4 * code, functionals], output);
        let text_decoder = layers("text_decoder", &[code, 2 * code, words.width], Activation::None);
        let classifier = layers("classifier", &[2 * code, code / 2, code / 8, dimensions.classes], Activation::None);
        Self { parameters, settings: settings.clone(), words, audio_encoder, audio_decoder, text_encoder, text_decoder, classifier }
    }

    /// What is made small besides the loss of the logits, of both codes and what they are of, a row an utterance each.
    fn add_terms<B: Backend>(&self, pass: &mut Pass<'_, '_, B>, [audio, text]: [&Var<B>; 2], targets: [Var<B>; 2]) {
        let LiangSettings { mmd, mse, unpaired, .. } = self.settings;
        let decoders = [(audio, &self.audio_decoder), (text, &self.text_decoder)];
        if mse > 0.0 {
            for ((code, decoder), target) in decoders.into_iter().zip(targets) {
                let x = through(pass, decoder, code);
                pass.add_term(mse, Term::SquaredError { x, target });
            }
        }
        if mmd > 0.0 {
            pass.add_term(mmd, Term::Discrepancy([audio.clone(), text.clone()]));
            let half = audio.value.rows() / 2;
            if unpaired == Unpaired::Halves && half > 0 {
                // Sets are compared, so that another order of the same utterances would be the pairs again.
                let (audio, text) = (some_rows(pass, audio, 0, half), some_rows(pass, text, half, half));
                pass.add_term(-mmd, Term::Discrepancy([audio, text]));
            }
        }
    }
}

impl<B: Backend> Model<B> for Liang {
    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn reads(&self) -> Vec<Reading> {
        vec![Reading::vector(FUNCTIONALS), Reading::tokens(TEXT)]
    }

    fn forward<'a>(&self, pass: &mut Pass<'_, 'a, B>, batch: &'a Batch<B>) -> Var<B> {
        let functionals = batch.vectors(FUNCTIONALS).normalised(pass.tape);
        let audio = through(pass, &self.audio_encoder, &functionals);
        let words = self.words.forward(pass, batch, 0.0);
        let encoded = BiLstm::forward_together(pass, &[(&self.text_encoder, words.clone())]);
        let text = pass.tape.global_max(&[(encoded[0].x.clone(), words.rows)]);
        let text = pass.tape.named(text, format_args!("text_encoder.code"));
        if pass.wants_terms() {
            let mean = mean_rows(pass, &words);
            self.add_terms(pass, [&audio, &text], [functionals, mean]);
        }
        let codes = pass.tape.concat(&[&audio, &text]);
        let codes = pass.mix(codes, batch);
        through(pass, &self.classifier, &codes)
    }
}

/// Layers one after the other.
fn through<B: Backend>(pass: &mut Pass<'_, '_, B>, layers: &[Linear], x: &Var<B>) -> Var<B> {
    layers.iter().fold(x.clone(), |x, layer| layer.forward(pass, &x))
}

/// `[count, columns]`: rows of a matrix from `first` on.
fn some_rows<B: Backend>(pass: &mut Pass<'_, '_, B>, x: &Var<B>, first: usize, count: usize) -> Var<B> {
    let rows: Vec<u32> = (first..first + count).map(|row| row as u32).collect();
    pass.tape.embedding(x, &Tokens::new(pass.tape.backend(), &rows, x.value.rows()))
}

/// `[batch, columns]`: the mean of each utterance's rows, a constant.
fn mean_rows<B: Backend>(pass: &mut Pass<'_, '_, B>, Sequence { x, rows }: &Sequence<'_, B>) -> Var<B> {
    let offsets = &rows.offsets;
    let segments = Segments::new(pass.tape.backend(), &offsets[..offsets.len() - 1], &offsets[1..], rows.rows());
    let x = pass.tape.detach(x);
    pass.tape.segment_mean(&x, &segments)
}
