//! A trained model as an ONNX file (opset 17), for onnxruntime and others: one utterance in, its logits out.
//!
//! | input | type, shape | what |
//! | --- | --- | --- |
//! | `features` | float `[frames, coefficients]` | MFCC as `mcsan features` writes them, not normalised |
//! | `vectors` | float `[tokens, width]` | the words' vectors, zeros for a word without one |
//! | `tokens` | int64 `[tokens]` | in place of `vectors` where the table was trained: its rows, -1 for an unknown word |
//!
//! Output: `logits`, float `[classes]`. Lengths are free: the graph cuts at `data.max_frames`, pads fewer than nine frames
//! and no word with zeros, as a batch is. Normalisation by `corpus` and `utterance` is part of the graph; by `speaker` is
//! the caller's, because one utterance does not know it. Statistics of an utterance are taken in double precision, as ours are, so
//! that columns without a change, those of silence for one, are zeros to the last bit. Metadata: `classes` and `settings`.

mod graph;
mod layers;
mod mcsan;
mod proto;

use serde_json::json;
use thiserror::Error;

use crate::base::remedy::{Remedied, Remedy};
use crate::base::streams::{AUDIO, TEXT};
use crate::config::{ModelSettings, System};
use crate::dataset::Normalisation;
use crate::model::parameters::Parameters;
use crate::train::Checkpoint;
use graph::Graph;
use proto::Message;

/// Version of the format, and of the set of operations.
const IR_VERSION: i64 = 8;
const OPSET: i64 = 17;

/// A system that no ONNX file is written of.
#[derive(Debug, Error)]
#[error("model.system = {0} has no ONNX form")]
pub struct NoForm(System);

impl Remedied for NoForm {
    fn remedies(&self) -> Vec<Remedy> {
        vec![Remedy::ExportWeights]
    }
}

/// The bytes of the file.
///
/// # Errors
/// [`NoForm`] for the systems that MCSAN is compared with.
pub fn model(checkpoint: &Checkpoint) -> Result<Vec<u8>, NoForm> {
    let system = checkpoint.settings.model.system;
    if system != System::Mcsan {
        return Err(NoForm(system));
    }
    let parameters = checkpoint.layout();
    let mut writer = Writer { checkpoint, settings: &checkpoint.settings.model, parameters: &parameters, graph: Graph::default() };
    writer.network();
    let property = |key: &str, value: String| Message::default().text(1, key).text(2, &value);
    let file = Message::default()
        .integer(1, IR_VERSION)
        .text(2, "mcsan")
        .text(3, env!("CARGO_PKG_VERSION"))
        .text(6, &description(checkpoint))
        .message(7, writer.graph.message("mcsan"))
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
    let readings = checkpoint.readings();
    let mut text = "MCSAN speech emotion recognition. Output logits [classes]; the metadata name the classes.".to_owned();
    if readings.has(AUDIO) {
        text += " Input features [frames, coefficients]: MFCC of one utterance, ";
        text += match checkpoint.normalisation {
            Normalisation::Speaker => "z-scored per coefficient over the speaker's frames by the caller.",
            _ => "not normalised.",
        };
        text += &format!(" Frames after the first {} are not used.", checkpoint.settings.data.max_frames);
    }
    if readings.has(TEXT) {
        text += match checkpoint.dimensions.words(TEXT).1 {
            Some(_) => " Input tokens [tokens]: rows of the trained word table, -1 for an unknown word.",
            None => " Input vectors [tokens, width]: the words' vectors, zeros for an unknown word.",
        };
    }
    text
}

/// Writes the network of a checkpoint into a graph, as the system's page says it.
struct Writer<'a> {
    checkpoint: &'a Checkpoint,
    settings: &'a ModelSettings,
    parameters: &'a Parameters,
    graph: Graph,
}
