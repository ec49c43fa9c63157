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
//! the caller's, because one utterance does not know it. Metadata: `classes` and `settings`.

mod graph;
mod proto;

use std::f64::consts::FRAC_PI_2;

use serde_json::json;

use crate::base::numbers::Activation;
use crate::config::{ModelSettings, Scale, Variant};
use crate::dataset::{Normalisation, SHORTEST_UTTERANCE};
use crate::model::parameters::Parameters;
use crate::train::Checkpoint;
use graph::{Graph, Value};
use proto::Attribute::{Float, Integer, Integers, Text};
use proto::{Element, Message, Size};

/// Version of the format, and of the set of operations.
const IR_VERSION: i64 = 8;
const OPSET: i64 = 17;

/// LayerNorm's ε (9, 11).
const EPSILON: f32 = 1e-5;

/// The bytes of the file.
pub fn model(checkpoint: &Checkpoint) -> Vec<u8> {
    let parameters = checkpoint.layout();
    let mut writer = Writer { checkpoint, settings: &checkpoint.settings.model, parameters: &parameters, graph: Graph::default() };
    writer.network();
    let property = |key: &str, value: String| Message::default().text(1, key).text(2, &value);
    Message::default()
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
        .finish()
}

/// What the file says of its inputs.
fn description(checkpoint: &Checkpoint) -> String {
    let variant = checkpoint.settings.model.variant;
    let mut text = "MCSAN speech emotion recognition. Output logits [classes]; the metadata name the classes.".to_owned();
    if variant.has_audio() {
        text += " Input features [frames, coefficients]: MFCC of one utterance, ";
        text += match checkpoint.normalisation {
            Normalisation::Speaker => "z-scored per coefficient over the speaker's frames by the caller.",
            _ => "not normalised.",
        };
        text += &format!(" Frames after the first {} are not used.", checkpoint.settings.data.max_frames);
    }
    if variant.has_text() {
        text += match checkpoint.dimensions.learned_words {
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

/// Audio and text, `[rows, hidden]` each.
struct Pair {
    audio: Value,
    text: Value,
}

impl Writer<'_> {
    fn network(&mut self) {
        let variant = self.settings.variant;
        let audio = variant.has_audio().then(|| self.audio_encoder());
        let text = variant.has_text().then(|| self.text_encoder());
        let pooled = match (audio, text) {
            (Some(audio), Some(text)) => self.fuse(Pair { audio, text }),
            (audio, text) => {
                let alone = [(audio, "self_audio"), (text, "self_text")];
                let present: Vec<(Value, &str)> = alone.into_iter().filter_map(|(value, stack)| Some((value?, stack))).collect();
                present
                    .into_iter()
                    .map(|(value, stack)| {
                        let value = self.positioned(&value);
                        self.self_stack(stack, value)
                    })
                    .collect()
            }
        };
        let maxima: Vec<Value> =
            pooled.iter().map(|x| self.graph.add("ReduceMax", &[x], &[Integers("axes", vec![0]), Integer("keepdims", 1)])).collect();
        let x = self.graph.add("Concat", &maxima.iter().collect::<Vec<_>>(), &[Integer("axis", 1)]);
        let x = self.linear("classifier.0", &x);
        let x = self.graph.add("Relu", &[&x], &[]);
        let logits = self.linear("classifier.2", &x);
        let flat = self.graph.integers("shape.flat", &[-1]);
        let logits = self.graph.add("Reshape", &[&logits, &flat], &[]);
        self.graph.output("logits", &logits, &[Size::Fixed(self.checkpoint.classes.len())]);
    }

    /// The sequences that are pooled (18), in the order of the classifier's input.
    fn fuse(&mut self, pair: Pair) -> Vec<Value> {
        let pairs = match self.settings.variant {
            Variant::Full | Variant::NoAudio | Variant::NoText => {
                let positioned = self.both_positioned(pair);
                let crossed = self.cross_layers(Pair { audio: positioned.audio.clone(), text: positioned.text.clone() });
                vec![crossed, self.self_layers(positioned)]
            }
            Variant::NoSelf => vec![self.cross_module(pair)],
            Variant::NoCross => vec![self.self_modules(pair)],
            Variant::CrossSelf => {
                let crossed = self.cross_module(pair);
                vec![self.self_modules(crossed)]
            }
            Variant::SelfCross => {
                let reflected = self.self_modules(pair);
                vec![self.cross_module(reflected)]
            }
        };
        pairs.into_iter().flat_map(|pair| [pair.audio, pair.text]).collect()
    }

    fn both_positioned(&mut self, pair: Pair) -> Pair {
        Pair { audio: self.positioned(&pair.audio), text: self.positioned(&pair.text) }
    }

    fn cross_module(&mut self, pair: Pair) -> Pair {
        let pair = self.both_positioned(pair);
        self.cross_layers(pair)
    }

    fn self_modules(&mut self, pair: Pair) -> Pair {
        let pair = self.both_positioned(pair);
        self.self_layers(pair)
    }

    fn cross_layers(&mut self, pair: Pair) -> Pair {
        (0..self.settings.layers).fold(pair, |pair, layer| {
            let [audio, text] = [format!("cross.{layer}.audio"), format!("cross.{layer}.text")];
            Pair { audio: self.attend(&audio, &pair.audio, &text, &pair.text), text: self.attend(&text, &pair.text, &audio, &pair.audio) }
        })
    }

    fn self_layers(&mut self, pair: Pair) -> Pair {
        Pair { audio: self.self_stack("self_audio", pair.audio), text: self.self_stack("self_text", pair.text) }
    }

    fn self_stack(&mut self, stack: &str, x: Value) -> Value {
        (0..self.settings.layers).fold(x, |x, layer| {
            let name = format!("{stack}.{layer}");
            self.attend(&name, &x, &name, &x)
        })
    }

    /// What `x` becomes when its queries, of the weights `name`, attend to `source`, of the weights `other` (6–17).
    fn attend(&mut self, name: &str, x: &Value, other: &str, source: &Value) -> Value {
        let (width, heads) = (self.settings.hidden, self.settings.heads);
        let by_head = self.graph.integers("shape.heads", &[-1, heads as i64, (width / heads) as i64]);
        let joined = self.graph.integers("shape.joined", &[-1, width as i64]);
        let split = |writer: &mut Self, name: String, x: &Value, order: [i64; 3]| {
            let projected = writer.linear(&name, x);
            let blocks = writer.graph.add("Reshape", &[&projected, &by_head], &[]);
            writer.graph.add("Transpose", &[&blocks], &[Integers("perm", order.to_vec())])
        };
        let queries = split(self, format!("{name}.q"), x, [1, 0, 2]);
        let keys = split(self, format!("{other}.k"), source, [1, 2, 0]);
        let values = split(self, format!("{other}.v"), source, [1, 0, 2]);
        let scores = self.graph.add("MatMul", &[&queries, &keys], &[]);
        let size = match self.settings.scale {
            Scale::Head => width / heads,
            Scale::Model => width,
        };
        let scale = self.graph.floats("attention.scale", &[], &[(size as f32).sqrt().recip()]);
        let scores = self.graph.add("Mul", &[&scores, &scale], &[]);
        let weights = self.graph.add("Softmax", &[&scores], &[Integer("axis", -1)]);
        let attended = self.graph.add("MatMul", &[&weights, &values], &[]);
        let attended = self.graph.add("Transpose", &[&attended], &[Integers("perm", vec![1, 0, 2])]);
        let attended = self.graph.add("Reshape", &[&attended, &joined], &[]);
        let attended = self.linear(&format!("{name}.o"), &attended);
        let middle = self.residual_norm(&format!("{name}.norm1"), &attended, x);
        let inner = self.linear(&format!("{name}.ff1"), &middle);
        let inner = self.graph.add("Relu", &[&inner], &[]);
        let inner = self.linear(&format!("{name}.ff2"), &inner);
        self.residual_norm(&format!("{name}.norm2"), &inner, &middle)
    }

    fn residual_norm(&mut self, name: &str, x: &Value, residual: &Value) -> Value {
        let sum = self.graph.add("Add", &[x, residual], &[]);
        let (scale, shift) = (self.parameter(&format!("{name}.weight")), self.parameter(&format!("{name}.bias")));
        self.graph.add("LayerNormalization", &[&sum, &scale, &shift], &[Integer("axis", -1), Float("epsilon", EPSILON)])
    }

    /// `x Wᵀ + b`; without b where the layer has none.
    fn linear(&mut self, name: &str, x: &Value) -> Value {
        let weight = self.parameter(&format!("{name}.weight"));
        let bias = format!("{name}.bias");
        let bias = self.has(&bias).then(|| self.parameter(&bias));
        let operands: Vec<&Value> = [Some(x), Some(&weight), bias.as_ref()].into_iter().flatten().collect();
        self.graph.add("Gemm", &operands, &[Integer("transB", 1)])
    }

    /// The sinusoidal position embedding, added: `sin(row · frequency + phase)`, the phase of odd columns π/2.
    fn positioned(&mut self, x: &Value) -> Value {
        let width = self.settings.hidden;
        let frequency = |column: usize| 10_000f64.powf((column / 2 * 2) as f64 / width as f64).recip() as f32;
        let phase = |column: usize| if column.is_multiple_of(2) { 0.0 } else { FRAC_PI_2 as f32 };
        let frequencies = self.graph.floats("position.frequencies", &[1, width], &(0..width).map(frequency).collect::<Vec<_>>());
        let phases = self.graph.floats("position.phases", &[1, width], &(0..width).map(phase).collect::<Vec<_>>());
        let rows = self.rows(x);
        let first = self.graph.integers("axes.first", &[0]);
        let to = self.graph.add("Squeeze", &[&rows, &first], &[]);
        let [from, step] = [("zero", 0), ("one", 1)].map(|(name, value)| self.graph.integer(name, value));
        let places = self.graph.add("Range", &[&from, &to, &step], &[]);
        let places = self.graph.add("Cast", &[&places], &[Integer("to", Element::Float as i64)]);
        let second = self.graph.integers("axes.second", &[1]);
        let places = self.graph.add("Unsqueeze", &[&places, &second], &[]);
        let angles = self.graph.add("Mul", &[&places, &frequencies], &[]);
        let angles = self.graph.add("Add", &[&angles, &phases], &[]);
        let table = self.graph.add("Sin", &[&angles], &[]);
        self.graph.add("Add", &[x, &table], &[])
    }

    /// Number of rows of a matrix, `[1]`.
    fn rows(&mut self, x: &Value) -> Value {
        self.graph.add("Shape", &[x], &[Integer("start", 0), Integer("end", 1)])
    }

    /// At least `least` rows: zeros follow where there are fewer.
    fn padded(&mut self, x: &Value, least: usize) -> Value {
        let rows = self.rows(x);
        let least_rows = self.graph.integers(&format!("rows.{least}"), &[least as i64]);
        let zero = self.graph.integers("axes.first", &[0]);
        let lacking = self.graph.add("Sub", &[&least_rows, &rows], &[]);
        let lacking = self.graph.add("Max", &[&lacking, &zero], &[]);
        let pads = self.graph.add("Concat", &[&zero, &zero, &lacking, &zero], &[Integer("axis", 0)]);
        self.graph.add("Pad", &[x, &pads], &[Text("mode", "constant")])
    }

    /// Cut, z-score, padding, two ConvBlocks (1) and the BiLSTM (2, 3).
    fn audio_encoder(&mut self) -> Value {
        let coefficients = self.checkpoint.dimensions.coefficients;
        let x = self.graph.input("features", Element::Float, &[Size::Free("frames"), Size::Fixed(coefficients)]);
        let most = i64::try_from(self.checkpoint.settings.data.max_frames).unwrap_or(i64::MAX);
        let [from, to] = [("axes.first", 0), ("rows.most", most)].map(|(name, value)| self.graph.integers(name, &[value]));
        let x = self.graph.add("Slice", &[&x, &from, &to, &from], &[]);
        let x = self.normalised(&x);
        let x = self.padded(&x, SHORTEST_UTTERANCE);
        let x = self.graph.add("Transpose", &[&x], &[Integers("perm", vec![1, 0])]);
        let first = self.graph.integers("axes.first", &[0]);
        let x = self.graph.add("Unsqueeze", &[&x, &first], &[]);
        let x = ["audio_encoder.conv1", "audio_encoder.conv2"].into_iter().fold(x, |x, name| {
            let (weight, bias) = (self.parameter(&format!("{name}.weight")), self.parameter(&format!("{name}.bias")));
            let x = self.graph.add("Conv", &[&x, &weight, &bias], &[Integers("kernel_shape", vec![3]), Integers("pads", vec![1, 1])]);
            let x = self.graph.add("MaxPool", &[&x], &[Integers("kernel_shape", vec![3]), Integers("strides", vec![3])]);
            match self.settings.conv_activation {
                Activation::None => x,
                Activation::Relu => self.graph.add("Relu", &[&x], &[]),
            }
        });
        // [1, hidden, rows] to [rows, 1, hidden].
        let x = self.graph.add("Transpose", &[&x], &[Integers("perm", vec![2, 0, 1])]);
        self.bilstm("audio_encoder.lstm", &x, self.settings.hidden)
    }

    fn normalised(&mut self, x: &Value) -> Value {
        let coefficients = self.checkpoint.dimensions.coefficients;
        match &self.checkpoint.normalisation {
            Normalisation::None | Normalisation::Speaker => x.clone(),
            Normalisation::Corpus(statistics) => {
                let mean: Vec<f32> = statistics.mean.iter().map(|&mean| mean as f32).collect();
                let reciprocal: Vec<f32> = statistics.deviation.iter().map(|deviation| deviation.recip() as f32).collect();
                let mean = self.graph.floats("normalisation.mean", &[1, coefficients], &mean);
                let reciprocal = self.graph.floats("normalisation.reciprocal_deviation", &[1, coefficients], &reciprocal);
                let x = self.graph.add("Sub", &[x, &mean], &[]);
                self.graph.add("Mul", &[&x, &reciprocal], &[])
            }
            Normalisation::Utterance => {
                let mean = |writer: &mut Self, x: &Value| {
                    writer.graph.add("ReduceMean", &[x], &[Integers("axes", vec![0]), Integer("keepdims", 1)])
                };
                let centre = mean(self, x);
                let x = self.graph.add("Sub", &[x, &centre], &[]);
                let square = self.graph.add("Mul", &[&x, &x], &[]);
                let variance = mean(self, &square);
                let deviation = self.graph.add("Sqrt", &[&variance], &[]);
                let smallest = self.graph.floats("normalisation.smallest", &[], &[1e-8]);
                let one = self.graph.floats("normalisation.one", &[], &[1.0]);
                let constant = self.graph.add("Less", &[&deviation, &smallest], &[]);
                let deviation = self.graph.add("Where", &[&constant, &one, &deviation], &[]);
                self.graph.add("Div", &[&x, &deviation], &[])
            }
        }
    }

    /// The words' vectors and the BiLSTM (4, 5).
    fn text_encoder(&mut self) -> Value {
        let width = self.checkpoint.dimensions.word_width;
        let x = match self.checkpoint.dimensions.learned_words {
            None => self.graph.input("vectors", Element::Float, &[Size::Free("tokens"), Size::Fixed(width)]),
            Some(words) => {
                let tokens = self.graph.input("tokens", Element::Int64, &[Size::Free("tokens")]);
                // One row more, of zeros: -1 is the last row.
                let mut rows = self.values("text_encoder.embedding.weight").to_vec();
                rows.resize((words + 1) * width, 0.0);
                let table = self.graph.floats("text_encoder.embedding.weight", &[words + 1, width], &rows);
                self.graph.add("Gather", &[&table, &tokens], &[Integer("axis", 0)])
            }
        };
        let x = self.padded(&x, 1);
        let second = self.graph.integers("axes.second", &[1]);
        let x = self.graph.add("Unsqueeze", &[&x, &second], &[]);
        self.bilstm("text_encoder.lstm", &x, width)
    }

    /// A bidirectional LSTM of `[rows, 1, inputs]` and the mean of its directions, `[rows, hidden]`.
    fn bilstm(&mut self, name: &str, x: &Value, inputs: usize) -> Value {
        let hidden = self.settings.hidden;
        // Gates are i, f, g, o in PyTorch's order and i, o, f, g in ONNX'.
        let gates = |values: &[f32]| -> Vec<f32> {
            let size = values.len() / 4;
            [0, 3, 1, 2].iter().flat_map(|gate| values[gate * size..(gate + 1) * size].iter().copied()).collect()
        };
        let both = |kinds: &[&str]| -> Vec<f32> {
            let parts =
                ["", "_reverse"].into_iter().flat_map(|direction| kinds.iter().map(move |kind| format!("{name}.{kind}_l0{direction}")));
            parts.flat_map(|part| gates(self.values(&part))).collect()
        };
        let [input, recurrent, bias] = [both(&["weight_ih"]), both(&["weight_hh"]), both(&["bias_ih", "bias_hh"])];
        let input = self.graph.floats(&format!("{name}.weight_ih"), &[2, 4 * hidden, inputs], &input);
        let recurrent = self.graph.floats(&format!("{name}.weight_hh"), &[2, 4 * hidden, hidden], &recurrent);
        let bias = self.graph.floats(&format!("{name}.bias"), &[2, 8 * hidden], &bias);
        let attributes = [Text("direction", "bidirectional"), Integer("hidden_size", hidden as i64)];
        let y = self.graph.add("LSTM", &[x, &input, &recurrent, &bias], &attributes);
        self.graph.add("ReduceMean", &[&y], &[Integers("axes", vec![1, 2]), Integer("keepdims", 0)])
    }

    fn has(&self, name: &str) -> bool {
        self.parameters.get(name).is_some()
    }

    /// A parameter's values; none of a name that the model does not have.
    fn values(&self, name: &str) -> &[f32] {
        let parameter = self.parameters.get(name);
        parameter.map_or(&[], |parameter| &self.checkpoint.parameters[parameter.offset..parameter.offset + parameter.len()])
    }

    /// A parameter as a constant of the graph, under its own name and shape.
    fn parameter(&mut self, name: &str) -> Value {
        let shape = self.parameters.get(name).map(|parameter| parameter.shape.clone());
        let values = self.values(name).to_vec();
        self.graph.floats(name, &shape.unwrap_or_default(), &values)
    }
}
