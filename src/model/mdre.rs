//! MDRE and MDREA (Yoon, Byun, Jung: Multimodal Speech Emotion Recognition Using Audio and Text, SLT 2018).
//!
//! A GRU reads the recording, another the words. MDRE projects the last state of each, the recording's with its prosody beside it, and
//! classifies both side by side. In MDREA the recording's state asks the words' states (see [`super::layers`], pooling with a query).
//! Published for four classes; biases are vectors here, where the authors' program has one number.

use super::layers::{Gru, GruStart, Linear, Pass, Sequence, Words, frames, pool, prosody};
use super::parameters::{Initial, Parameters};
use super::{Batch, Dimensions, Model};
use crate::backend::Backend;
use crate::base::numbers::{Activation, Loss};
use crate::base::streams::{AUDIO, PROSODY, Reading, TEXT};
use crate::config::MdreSettings;
use crate::tape::Var;

/// Frames that are read of an utterance.
const FRAMES: usize = 750;
/// Matrices start uniform to both sides of zero.
const START: Initial = Initial::Uniform { bound: 0.25 };
const BIAS: Initial = Initial::Constant(0.0);

/// Either of the two.
#[derive(Debug, Clone)]
pub(crate) struct Mdre {
    parameters: Parameters,
    settings: MdreSettings,
    has_prosody: bool,
    words: Words,
    audio: Gru,
    text: Gru,
    fusion: Fusion,
    classifier: Linear,
}

/// How the modalities meet.
#[derive(Debug, Clone)]
enum Fusion {
    /// MDRE: side by side.
    Projections { audio: Linear, text: Linear },
    /// MDREA: the recording's query over the words.
    Attention { query: Linear },
}

impl Mdre {
    /// MDREA where there is `attention`.
    pub(crate) fn new(settings: &MdreSettings, attention: bool, dimensions: &Dimensions) -> Self {
        let mut parameters = Parameters::default();
        let hidden = settings.hidden;
        let prosody = dimensions.columns(PROSODY);
        let words = Words::new(&mut parameters, "embedding.weight", dimensions);
        let audio = Gru::new(&mut parameters, "audio_encoder.gru", [dimensions.columns(AUDIO), hidden], false, GruStart::Joint);
        let text = Gru::new(&mut parameters, "text_encoder.gru", [words.width, hidden], false, GruStart::Joint);
        let mut linear = |name: &str, shape| Linear::starting(&mut parameters, name, shape, Activation::None, START, Some(BIAS));
        let (fusion, fused) = if attention {
            (Fusion::Attention { query: linear("query", [hidden, hidden + prosody]) }, 2 * hidden)
        } else {
            let [of_audio, of_text] = [(hidden + prosody) / 2, hidden / 2].map(|half: usize| half.max(1));
            let audio = linear("audio_projection", [of_audio, hidden + prosody]);
            (Fusion::Projections { audio, text: linear("text_projection", [of_text, hidden]) }, of_audio + of_text)
        };
        let classifier = linear("classifier", [dimensions.classes, fused]);
        Self { parameters, settings: settings.clone(), has_prosody: prosody > 0, words, audio, text, fusion, classifier }
    }
}

impl<B: Backend> Model<B> for Mdre {
    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn reads(&self) -> Vec<Reading> {
        let prosody = self.has_prosody.then(|| Reading::vector(PROSODY));
        [Reading::first_frames(AUDIO, FRAMES), Reading::tokens(TEXT)].into_iter().chain(prosody).collect()
    }

    fn loss(&self) -> Loss {
        self.settings.loss
    }

    fn forward<'a>(&self, pass: &mut Pass<'_, 'a, B>, batch: &'a Batch<B>) -> Var<B> {
        let audio = frames(pass, batch, AUDIO, self.settings.audio_dropout);
        let audio = self.audio.forward(pass, &audio);
        let mut audio = self.audio.last_state(pass, &audio);
        if self.has_prosody {
            let prosody = prosody(pass, batch);
            audio = pass.tape.concat(&[&audio, &prosody]);
        }
        let words = self.words.forward(pass, batch, self.settings.text_dropout);
        let text: Sequence<'a, B> = self.text.forward(pass, &words);
        let fused = match &self.fusion {
            Fusion::Projections { audio: of_audio, text: of_text } => {
                let text = self.text.last_state(pass, &text);
                [of_audio.forward(pass, &audio), of_text.forward(pass, &text)]
            }
            Fusion::Attention { query } => {
                let query = query.forward(pass, &audio);
                [pool(pass, ("the recording's query", TEXT), &query, &text), query]
            }
        };
        let fused = pass.tape.concat(&[&fused[0], &fused[1]]);
        let fused = pass.mix(fused, batch);
        self.classifier.forward(pass, &fused)
    }
}
