//! A trained model of any system as an ONNX file (opset 17), for onnxruntime and others: one utterance in, its logits out.
//!
//! | input | type, shape | what |
//! | --- | --- | --- |
//! | `features` | float `[frames, columns]` | acoustic features, MFCC as `mcsan features` writes them for one; not normalised |
//! | `vectors` | float `[tokens, width]` | the words' vectors, zeros for a word without one |
//! | `tokens` | int64 `[tokens]` | in place of `vectors` where the table was trained: its rows, -1 for an unknown word |
//! | `visual` | float `[frames, columns]` | features of pictures |
//! | `prosody`, `functionals` | float `[vectors, columns]` | a vector of the utterance; no row where it has none |
//! | `segments` | int64 `[tokens, 2]` | of CAN: first frame and end of each word; without times ⌊i F / L⌋ and ⌊(i + 1) F / L⌋ of F frames |
//!
//! Written from samples, `samples`, float `[samples]`, stands in place of `features`: the recording, mono, 16 kHz, in [-1, 1]; the MFCC
//! are part of the graph. Written for a batch, every input has an axis `batch` before the others, with anything behind each utterance's own
//! rows, and `NAME_length`, int64 `[batch]`, says how many rows are its own; the graph is a loop (Scan) over the utterances, so that results
//! are those of each alone, and take as long.
//!
//! Output: `logits`, float `[classes]` (`[batch, classes]`). Lengths are free: the graph cuts where the system or `data.max_frames` does, pads what is too
//! short with zeros, as a batch is. Normalisation by `corpus` and `utterance` is part of the graph; by `speaker` is
//! the caller's, because one utterance does not know it. Statistics of an utterance are taken in double precision, as ours are, so
//! that columns without a change, those of silence for one, are zeros to the last bit. Metadata: `classes`, `settings`, `normalisation`, and of
//! a run `front_end` (settings of the features), `front_ends` (of vectors that we compute ourselves) and `words` (in the order of rows).
//!
//! The graph is what the system's page calls when it is run on a backend that writes down (`trace`).

mod front_end;
mod graph;
mod inputs;
mod nodes;
mod proto;
mod trace;

use serde_json::json;
use thiserror::Error;

use crate::audio::mfcc::MfccSettings;
use crate::base::remedy::{Remedied, Remedy};
use crate::base::streams::{AUDIO, StreamKind, TEXT};
use crate::config::System;
use crate::dataset::Normalisation;
use crate::train::Checkpoint;
use graph::Graph;
use proto::{Message, Size};
use trace::Trace;

/// Version of the format, and of the set of operations.
const IR_VERSION: i64 = 8;
const OPSET: i64 = 17;

/// A system that no ONNX file is written of.
#[derive(Debug, Error)]
#[error("model.system = {system} has no ONNX form: {lacking}")]
pub struct NoForm {
    system: System,
    lacking: Lacking,
}

/// What of a system has no form in ONNX.
#[derive(Debug, Error)]
enum Lacking {
    #[error("the kernel '{0}' has none")]
    Kernel(&'static str),
    #[error("an SVM says its classes, which is no part of the network")]
    Machine,
    #[error("it hears no recording, so there is nothing to compute from samples")]
    Sound,
    #[error("it is normalised by speaker, and samples of one utterance do not say how others of theirs are")]
    Speaker,
}

impl Remedied for NoForm {
    fn remedies(&self) -> Vec<Remedy> {
        match self.lacking {
            Lacking::Kernel(_) | Lacking::Machine => vec![Remedy::ExportWeights],
            Lacking::Sound | Lacking::Speaker => vec![Remedy::ExportFeatures],
        }
    }
}

/// What a file takes, and what it says besides.
#[derive(Debug, Clone, Copy, Default)]
pub struct Form<'f> {
    /// A batch of utterances, padded, in place of one.
    pub batch: bool,
    /// The recording in place of its features, which are made by these settings.
    pub samples: Option<&'f MfccSettings>,
    /// Metadata, by key.
    pub metadata: &'f [(&'f str, String)],
}

/// The bytes of the file: one utterance's features in.
///
/// # Errors
/// [`NoForm`] of a system with a kernel that has no form in ONNX, or whose classes the network does not say.
pub fn model(checkpoint: &Checkpoint) -> Result<Vec<u8>, NoForm> {
    model_in(checkpoint, &Form::default())
}

/// The bytes of a file of that form.
///
/// # Errors
/// Those of [`model`]; samples of a model that hears none, or that is normalised by speaker.
pub fn model_in(checkpoint: &Checkpoint, form: &Form<'_>) -> Result<Vec<u8>, NoForm> {
    let system = checkpoint.settings.model.system;
    let refused = |lacking| NoForm { system, lacking };
    if system.has_machine() {
        return Err(refused(Lacking::Machine));
    }
    if form.samples.is_some() && !checkpoint.readings().has(AUDIO) {
        return Err(refused(Lacking::Sound));
    }
    if form.samples.is_some() && checkpoint.normalisation == Normalisation::Speaker {
        return Err(refused(Lacking::Speaker));
    }
    let graph = Trace::graph(checkpoint, form).map_err(|kernel| refused(Lacking::Kernel(kernel)))?;
    let properties = [
        ("classes", json!(checkpoint.classes).to_string()),
        ("settings", checkpoint.config().to_toml()),
        ("normalisation", json!(checkpoint.normalisation).to_string()),
    ];
    let properties = properties.into_iter().chain(form.metadata.iter().cloned());
    Ok(file(graph, "logits", &description(checkpoint, form), properties))
}

/// The bytes of a file of the acoustic front-end alone: `samples` in, as above, `features`, float `[frames, columns]`, out.
pub fn front_end(settings: &MfccSettings) -> Vec<u8> {
    let mut graph = Graph::default();
    let features = front_end::features(&mut graph, settings);
    graph.output("features", &features, &[Size::Free("frames"), Size::Fixed(settings.columns())]);
    let text = "The acoustic front-end: samples, mono, 16 kHz, in [-1, 1], in; features out.";
    file(graph, "features", text, [("front_end", settings.recorded().to_string())])
}

/// `ModelProto`
fn file<'p>(graph: Graph, output: &str, text: &str, properties: impl IntoIterator<Item = (&'p str, String)>) -> Vec<u8> {
    let property = |key: &str, value: String| Message::default().text(1, key).text(2, &value);
    Message::default()
        .integer(1, IR_VERSION)
        .text(2, "mcsan")
        .text(3, env!("CARGO_PKG_VERSION"))
        .text(6, text)
        .message(7, graph.message("mcsan", output))
        .message(8, Message::default().text(1, "").integer(2, OPSET))
        .messages(14, properties.into_iter().map(|(key, value)| property(key, value)))
        .finish()
}

/// What the file says of its inputs.
fn description(checkpoint: &Checkpoint, form: &Form<'_>) -> String {
    let system = checkpoint.settings.model.system;
    let title = if system == System::Mcsan { "MCSAN".to_owned() } else { format!("{system}:") };
    let mut text = format!("{title} speech emotion recognition. Output logits [classes]; the metadata name the classes.");
    let readings = checkpoint.readings();
    let normalised = match checkpoint.normalisation {
        Normalisation::Speaker => "z-scored per column over the speaker's rows by the caller.",
        _ => "not normalised.",
    };
    for reading in readings.iter() {
        let (stream, name) = (reading.stream, inputs::name_of(reading.stream));
        text += &match reading.kind {
            StreamKind::Frames { .. } if stream == AUDIO && form.samples.is_some() => format!(
                " Input samples [samples]: one recording, mono, 16 kHz, in [-1, 1]. Frames of it after the first {} are not used.",
                readings.most(stream),
            ),
            StreamKind::Frames { .. } => format!(
                " Input {name} [frames, columns]: {} of one utterance, {normalised} Frames after the first {} are not used.",
                if stream == TEXT { "vectors" } else { "features" },
                readings.most(stream),
            ),
            StreamKind::Vector => format!(" Input {name} [vectors, columns]: one row, none where the utterance lacks it, {normalised}"),
            StreamKind::Tokens => match checkpoint.dimensions.words(stream).1 {
                Some(_) => " Input tokens [tokens]: rows of the trained word table, -1 for an unknown word.".to_owned(),
                None => " Input vectors [tokens, width]: the words' vectors, zeros for an unknown word.".to_owned(),
            },
        };
    }
    if system == System::Can {
        text += " Input segments [tokens, 2]: first frame and end of each word.";
    }
    if form.batch {
        text += " All of a batch: an axis before the others, any padding behind, and NAME_length [batch] for the rows of each.";
    }
    text
}
