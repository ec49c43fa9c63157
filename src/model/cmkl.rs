//! The text network of cMKL (Poria, Chaturvedi, Cambria, Hussain: Convolutional MKL Based Multimodal Emotion Recognition and Sentiment
//! Analysis, ICDM 2016) as MELD's authors take it: convolutions over 3, 4 and 5 words, the maximum of each map over time, and features
//! between -1 and 1.
//!
//! The features are what counts. Once the network is trained, a machine with a learned sum of kernels ([`crate::svm`]) stands on them
//! and on the utterance's acoustic functionals, and says the class in place of the logits. The number of maps, training by Adam, starting
//! values and most of the machine are defaults of ours.

use super::layers::{Linear, Pass, Words};
use super::parameters::Parameters;
use super::{Batch, Dimensions, Model};
use crate::backend::Backend;
use crate::base::numbers::Activation;
use crate::base::streams::{FUNCTIONALS, Reading, TEXT};
use crate::config::CmklSettings;
use crate::tape::Var;

/// Words of a window of each convolution; an utterance of fewer than the last has words of zeros behind.
const WIDTHS: [usize; 3] = [3, 4, 5];

/// The network.
#[derive(Debug, Clone)]
pub(crate) struct Cmkl {
    parameters: Parameters,
    settings: CmklSettings,
    words: Words,
    convolutions: [Linear; WIDTHS.len()],
    features: Linear,
    classifier: Linear,
}

impl Cmkl {
    /// Lays its parameters out.
    pub(crate) fn new(settings: &CmklSettings, dimensions: &Dimensions) -> Self {
        let mut parameters = Parameters::default();
        let words = Words::new(&mut parameters, "embedding.weight", dimensions);
        let CmklSettings { maps, features: width, .. } = *settings;
        let convolutions = WIDTHS.map(|window| {
            let name = format!("text_encoder.conv{window}");
            Linear::new(&mut parameters, &name, [maps, window * words.width], true, Activation::Relu)
        });
        let features = Linear::new(&mut parameters, "features", [width, WIDTHS.len() * maps], true, Activation::Tanh);
        let classifier = Linear::new(&mut parameters, "classifier", [dimensions.classes, width], true, Activation::None);
        Self { parameters, settings: settings.clone(), words, convolutions, features, classifier }
    }

    /// `[batch, features]` of the words.
    fn of_words<'a, B: Backend>(&self, pass: &mut Pass<'_, 'a, B>, batch: &'a Batch<B>) -> Var<B> {
        let words = self.words.forward(pass, batch, 0.0);
        let least = WIDTHS[WIDTHS.len() - 1];
        let maps = WIDTHS.iter().zip(&self.convolutions).map(|(&window, convolution)| {
            let rows = words.rows.windows(pass.tape.backend(), window, least);
            let windows = pass.tape.windows(&words.x, words.rows, &rows, window);
            (convolution.forward(pass, &windows), rows)
        });
        let maps: Vec<_> = maps.collect();
        let streams: Vec<_> = maps.iter().map(|(maps, rows)| (maps.clone(), rows)).collect();
        let maxima = pass.tape.global_max(&streams);
        let maxima = pass.tape.named(maxima, format_args!("features.pooled"));
        self.features.forward(pass, &maxima)
    }
}

impl<B: Backend> Model<B> for Cmkl {
    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn reads(&self) -> Vec<Reading> {
        vec![Reading::tokens(TEXT), Reading::vector(FUNCTIONALS)]
    }

    fn forward<'a>(&self, pass: &mut Pass<'_, 'a, B>, batch: &'a Batch<B>) -> Var<B> {
        let features = self.of_words(pass, batch);
        let features = pass.dropped_vectors(features, self.settings.dropout, &batch.vectors(FUNCTIONALS).rows);
        self.classifier.forward(pass, &features)
    }

    fn features<'a>(&self, pass: &mut Pass<'_, 'a, B>, batch: &'a Batch<B>) -> Var<B> {
        let words = self.of_words(pass, batch);
        let functionals = batch.vectors(FUNCTIONALS).normalised(pass.tape);
        pass.tape.concat(&[&words, &functionals])
    }
}
