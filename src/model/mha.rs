//! MHA (Yoon, Byun, Dey, Jung: Speech Emotion Recognition Using Multi-hop Attention Mechanism, ICASSP 2019).
//!
//! Bidirectional GRUs or LSTMs with a residual connection read both modalities. The recording's last state asks the words, what comes
//! of it asks the recording, and so on for `mha.hops`; the newest vector of each modality is classified, the prosody beside them where
//! `mha.prosody` says so. The chain of hops is the paper's; cell, sizes, residual and the hops' own matrices are taken from its authors'
//! later programs.

use super::layers::{BiLstm, Gru, GruStart, Linear, Pass, Sequence, Words, frames, pool, prosody};
use super::parameters::{Initial, Parameters};
use super::{Batch, Dimensions, Model};
use crate::backend::Backend;
use crate::backend::ops::Directions;
use crate::base::numbers::Activation;
use crate::base::streams::{AUDIO, PROSODY, Reading, TEXT};
use crate::config::{MhaCell, MhaSettings};
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

/// `x' = x W + b`, and a recurrence over it whose states have x' added to them.
#[derive(Debug, Clone)]
struct Encoder {
    projection: Linear,
    cell: Cell,
    dropout: f32,
}

/// A recurrence of two directions side by side.
#[derive(Debug, Clone)]
enum Cell {
    Gru(Gru),
    Lstm(BiLstm),
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
            cell: match settings.cell {
                MhaCell::Gru => Cell::Gru(Gru::new(&mut parameters, &format!("{name}.gru"), [hidden, hidden], true, GruStart::Joint)),
                MhaCell::Lstm => Cell::Lstm(BiLstm::new(&mut parameters, &format!("{name}.lstm"), hidden, hidden, Directions::Joined)),
            },
            dropout,
        };
        let audio = encoder("audio_encoder", dimensions.columns(AUDIO), settings.audio_dropout);
        let text = encoder("text_encoder", words.width, settings.text_dropout);
        let uniform = Initial::Uniform { bound: 0.25 };
        let hops = if settings.projection { settings.hops } else { 0 };
        let hops = (0..hops).map(|hop| linear(&mut parameters, &format!("hops.{hop}"), [2 * hidden; 2], uniform)).collect();
        let fused = 4 * hidden + if settings.prosody { dimensions.columns(PROSODY) } else { 0 };
        let classifier = linear(&mut parameters, "classifier", [dimensions.classes, fused], uniform);
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
        let prosody = self.settings.prosody.then(|| Reading::vector(PROSODY).avoided_by("mha.prosody=false"));
        [Reading::first_frames(AUDIO, FRAMES), Reading::tokens(TEXT)].into_iter().chain(prosody).collect()
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
            let question = (&*format!("hop {}", hop + 1), [AUDIO, TEXT][asked]);
            newest[asked] = pool(pass, question, &query, [&audio.states, &text.states][asked]);
        }
        let prosody = self.settings.prosody.then(|| prosody(pass, batch));
        let fused = pass.tape.concat(&newest.iter().chain(&prosody).collect::<Vec<_>>());
        let fused = pass.mix(fused, batch);
        self.classifier.forward(pass, &fused)
    }
}

impl Encoder {
    fn forward<'a, B: Backend>(&self, pass: &mut Pass<'_, 'a, B>, x: &Sequence<'a, B>) -> Encoded<'a, B> {
        let projected = Sequence { x: self.projection.forward(pass, &x.x), rows: x.rows };
        // Dropout is the cell's: the residual goes past it, and both directions see the same.
        let kept = projected.clone().dropped(pass, self.dropout);
        let states = match &self.cell {
            Cell::Gru(gru) => gru.forward(pass, &kept),
            Cell::Lstm(lstm) => lstm.forward(pass, kept),
        };
        let last = states.ends_of_both(pass);
        let twice = pass.tape.concat(&[&projected.x, &projected.x]);
        Encoded { states: Sequence { x: pass.tape.add(&states.x, &twice), rows: states.rows }, last }
    }
}
