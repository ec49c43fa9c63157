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
//! Output: `logits`, float `[classes]`. Lengths are free: the graph cuts where the system or `data.max_frames` does, pads what is too
//! short with zeros, as a batch is. Normalisation by `corpus` and `utterance` is part of the graph; by `speaker` is
//! the caller's, because one utterance does not know it. Statistics of an utterance are taken in double precision, as ours are, so
//! that columns without a change, those of silence for one, are zeros to the last bit. Metadata: `classes` and `settings`.
//!
//! The graph is what the system's page calls when it is run on a backend that writes down (`trace`).

mod graph;
mod inputs;
mod nodes;
mod proto;
mod trace;

use serde_json::json;
use thiserror::Error;

use crate::base::remedy::{Remedied, Remedy};
use crate::base::streams::{StreamKind, TEXT};
use crate::config::System;
use crate::dataset::Normalisation;
use crate::train::Checkpoint;
use proto::Message;
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
}

impl Remedied for NoForm {
    fn remedies(&self) -> Vec<Remedy> {
        vec![Remedy::ExportWeights]
    }
}

/// The bytes of the file.
///
/// # Errors
/// [`NoForm`] of a system with a kernel that has no form in ONNX, or whose classes the network does not say.
pub fn model(checkpoint: &Checkpoint) -> Result<Vec<u8>, NoForm> {
    let system = checkpoint.settings.model.system;
    if system.has_machine() {
        return Err(NoForm { system, lacking: Lacking::Machine });
    }
    let graph = Trace::graph(checkpoint).map_err(|kernel| NoForm { system, lacking: Lacking::Kernel(kernel) })?;
    let property = |key: &str, value: String| Message::default().text(1, key).text(2, &value);
    let file = Message::default()
        .integer(1, IR_VERSION)
        .text(2, "mcsan")
        .text(3, env!("CARGO_PKG_VERSION"))
        .text(6, &description(checkpoint))
        .message(7, graph.message("mcsan"))
        .message(8, Message::default().text(1, "").integer(2, OPSET))
        .messages(
            14,
            [
                property("classes", json!(checkpoint.classes).to_string()),
                property("settings", checkpoint.config().to_toml()),
                property("normalisation", json!(checkpoint.normalisation).to_string()),
            ],
        )
        .finish();
    Ok(file)
}

/// What the file says of its inputs.
fn description(checkpoint: &Checkpoint) -> String {
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
    text
}
