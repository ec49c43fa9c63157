//! AMH (Yoon, Dey, Lee, Jung: Attentive Modality Hopping Mechanism for Speech Emotion Recognition, ICASSP 2020).
//!
//! A GRU reads each of recording, words and pictures. Two modalities' newest vectors ask the third's states, whose newest vector the
//! answer becomes: the pictures', then the recording's, then the words', for `amh.hops`. All three are classified, the prosody beside
//! them where `amh.prosody` says so.

use super::layers::{Gru, GruStart, Linear, Pass, Sequence, Words, frames, pool, prosody};
use super::parameters::{Initial, Parameters};
use super::{Batch, Dimensions, Model};
use crate::backend::Backend;
use crate::base::numbers::Activation;
use crate::base::streams::{AUDIO, PROSODY, Reading, TEXT, VISUAL};
use crate::config::AmhSettings;
use crate::tape::Var;

/// Frames that are read of an utterance, and pictures.
const FRAMES: usize = 750;
const PICTURES: usize = 25;

/// Of recording, words and pictures: which two ask which, in turn.
const HOPS: [([usize; 2], usize); 3] = [([0, 1], 2), ([1, 2], 0), ([0, 2], 1)];

/// The network.
#[derive(Debug, Clone)]
pub(crate) struct Amh {
    parameters: Parameters,
    settings: AmhSettings,
    words: Words,
    /// Of recording, words and pictures.
    encoders: [Gru; 3],
    /// What each hop makes of what asks.
    hops: Vec<Linear>,
    classifier: Linear,
}

impl Amh {
    /// Lays its parameters out.
    pub(crate) fn new(settings: &AmhSettings, dimensions: &Dimensions) -> Self {
        let mut parameters = Parameters::default();
        let words = Words::new(&mut parameters, "embedding.weight", dimensions);
        let AmhSettings { hidden, visual_hidden, .. } = *settings;
        let widths = [hidden, hidden, visual_hidden];
        let inputs = [dimensions.columns(AUDIO), words.width, dimensions.columns(VISUAL)];
        let encoders = [0, 1, 2].map(|own| {
            let name = format!("{}_encoder.gru", [AUDIO, TEXT, VISUAL][own]);
            Gru::new(&mut parameters, &name, [inputs[own], widths[own]], false, GruStart::Joint)
        });
        let (uniform, zero) = (Initial::Uniform { bound: 0.25 }, Some(Initial::Constant(0.0)));
        let mut linear = |name: String, shape| Linear::starting(&mut parameters, &name, shape, Activation::None, uniform, zero);
        let hop = |number: usize| {
            let (asking, asked) = HOPS[number % HOPS.len()];
            linear(format!("hops.{number}"), [widths[asked], asking.iter().map(|&one| widths[one]).sum()])
        };
        let hops = (0..settings.hops).map(hop).collect();
        let fused = widths.iter().sum::<usize>() + if settings.prosody { dimensions.columns(PROSODY) } else { 0 };
        let classifier = linear("classifier".into(), [dimensions.classes, fused]);
        Self { parameters, settings: settings.clone(), words, encoders, hops, classifier }
    }
}

impl<B: Backend> Model<B> for Amh {
    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn reads(&self) -> Vec<Reading> {
        let prosody = self.settings.prosody.then(|| Reading::vector(PROSODY).avoided_by("amh.prosody=false"));
        let modalities = [Reading::first_frames(AUDIO, FRAMES), Reading::tokens(TEXT), Reading::first_frames(VISUAL, PICTURES)];
        modalities.into_iter().chain(prosody).collect()
    }

    fn forward<'a>(&self, pass: &mut Pass<'_, 'a, B>, batch: &'a Batch<B>) -> Var<B> {
        let audio = frames(pass, batch, AUDIO, self.settings.audio_dropout);
        let words = self.words.forward(pass, batch, self.settings.text_dropout);
        let visual = frames(pass, batch, VISUAL, self.settings.visual_dropout);
        let inputs = [audio, words, visual];
        let states: [Sequence<'a, B>; 3] = [0, 1, 2].map(|own| self.encoders[own].forward(pass, &inputs[own]));
        let mut newest = [0, 1, 2].map(|own| self.encoders[own].last_state(pass, &states[own]));
        for (number, hop) in self.hops.iter().enumerate() {
            let ([first, second], asked) = HOPS[number % HOPS.len()];
            let asking = pass.tape.concat(&[&newest[first], &newest[second]]);
            let query = hop.forward(pass, &asking);
            let question = (&*format!("hop {}", number + 1), [AUDIO, TEXT, VISUAL][asked]);
            newest[asked] = pool(pass, question, &query, &states[asked]);
        }
        let prosody = self.settings.prosody.then(|| prosody(pass, batch));
        let fused = pass.tape.concat(&newest.iter().chain(&prosody).collect::<Vec<_>>());
        let fused = pass.mix(fused, batch);
        self.classifier.forward(pass, &fused)
    }
}
