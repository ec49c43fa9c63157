//! MHA (Yoon, Byun, Dey, Jung: Speech Emotion Recognition Using Multi-hop Attention Mechanism, ICASSP 2019).
//!
//! Bidirectional GRUs with a residual connection read both modalities. The recording's last state asks the words, what comes of it asks
//! the recording, and so on for `mha.hops`; the newest vector of each modality is classified. The chain of hops is the paper's; cell,
//! sizes, residual and the hops' own matrices are taken from its authors' later programs.

use super::layers::{Gru, GruStart, Linear, Pass, Sequence, Words, frames, pool};
use super::parameters::{Initial, Parameters};
use super::{Batch, Dimensions, Model};
use crate::backend::Backend;
use crate::base::numbers::Activation;
use crate::base::streams::{AUDIO, Reading, TEXT};
use crate::config::MhaSettings;
use crate::tape::Var;

/// Frames that are read of an utterance.
const FRAMES: usize = 750;
const BIAS: Initial = Initial::Constant(0.0);

/// The network.
#[derive(Debug, Clone)]
pub(crate) struct Mha {
    parameters: Parameters,
    settings: MhaSettings,
    words: Words,
    audio: Encoder,
    text: Encoder,
    /// What each hop makes of its query.
    hops: Vec<Linear>,
    classifier: Linear,
}

/// `x' = x W + b`, and a GRU over it whose states have x' added to them.
#[derive(Debug, Clone)]
struct Encoder {
    projection: Linear,
    gru: Gru,
    dropout: f32,
}

/// A modality as the hops see it.
struct Encoded<'a, B: Backend> {
    /// States with the residual.
    states: Sequence<'a, B>,
    /// That of both directions' ends, without.
    last: Var<B>,
}

impl Mha {
    /// Lays its parameters out.
    pub(crate) fn new(settings: &MhaSettings, dimensions: &Dimensions) -> Self {
        let mut parameters = Parameters::default();
        let hidden = settings.hidden;
        let words = Words::new(&mut parameters, "embedding.weight", dimensions);
        let mut encoder = |name: &str, inputs, dropout| Encoder {
            projection: linear(&mut parameters, &format!("{name}.proj"), [hidden, inputs], Initial::Normal { deviation: 0.01 }),
            gru: Gru::new(&mut parameters, &format!("{name}.gru"), [hidden, hidden], true, GruStart::Joint),
            dropout,
        };
        let audio = encoder("audio_encoder", dimensions.columns(AUDIO), settings.audio_dropout);
        let text = encoder("text_encoder", words.width, settings.text_dropout);
        let uniform = Initial::Uniform { bound: 0.25 };
        let hops = if settings.projection { settings.hops } else { 0 };
        let hops = (0..hops).map(|hop| linear(&mut parameters, &format!("hops.{hop}"), [2 * hidden; 2], uniform)).collect();
        let classifier = linear(&mut parameters, "classifier", [dimensions.classes, 4 * hidden], uniform);
        Self { parameters, settings: settings.clone(), words, audio, text, hops, classifier }
    }
}

/// A layer without activation whose bias starts at zero.
fn linear(parameters: &mut Parameters, name: &str, shape: [usize; 2], weight: Initial) -> Linear {
    Linear::starting(parameters, name, shape, Activation::None, weight, Some(BIAS))
}

impl<B: Backend> Model<B> for Mha {
    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn reads(&self) -> Vec<Reading> {
        vec![Reading::first_frames(AUDIO, FRAMES), Reading::tokens(TEXT)]
    }

    fn forward<'a>(&self, pass: &mut Pass<'_, 'a, B>, batch: &'a Batch<B>) -> Var<B> {
        let audio = frames(pass, batch, AUDIO, 0.0);
        let audio = self.audio.forward(pass, &audio);
        let words = self.words.forward(pass, batch, 0.0);
        let text = self.text.forward(pass, &words);
        // The newest vector of each modality; the first hop makes the words' new.
        let mut newest = [audio.last.clone(), text.last];
        for hop in 0..self.settings.hops {
            let (asking, asked) = if hop % 2 == 0 { (0, 1) } else { (1, 0) };
            let query = match self.hops.get(hop) {
                Some(projection) => projection.forward(pass, &newest[asking]),
                None => newest[asking].clone(),
            };
            newest[asked] = pool(pass, &query, [&audio.states, &text.states][asked]);
        }
        let fused = pass.tape.concat(&[&newest[0], &newest[1]]);
        self.classifier.forward(pass, &fused)
    }
}

impl Encoder {
    fn forward<'a, B: Backend>(&self, pass: &mut Pass<'_, 'a, B>, x: &Sequence<'a, B>) -> Encoded<'a, B> {
        let projected = Sequence { x: self.projection.forward(pass, &x.x), rows: x.rows };
        // Dropout is the cell's: the residual goes past it, and both directions see the same.
        let kept = projected.clone().dropped(pass, self.dropout);
        let states = self.gru.forward(pass, &kept);
        let last = self.gru.last_state(pass, &states);
        let twice = pass.tape.concat(&[&projected.x, &projected.x]);
        Encoded { states: Sequence { x: pass.tape.add(&states.x, &twice), rows: states.rows }, last }
    }
}
