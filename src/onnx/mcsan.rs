//! MCSAN as a graph: [`crate::model`]'s page of it, layer by layer.

use super::Writer;
use super::graph::Value;
use super::proto::Attribute::{Integer, Integers};
use super::proto::{Element, Size};
use crate::base::numbers::Activation;
use crate::base::streams::{AUDIO, TEXT};
use crate::config::ModelVariant;
use crate::dataset::SHORTEST_UTTERANCE;

/// Audio and text, `[rows, hidden]` each.
struct Pair {
    audio: Value,
    text: Value,
}

impl Writer<'_> {
    pub(super) fn network(&mut self) {
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
            ModelVariant::Full | ModelVariant::NoAudio | ModelVariant::NoText | ModelVariant::NoVisual => {
                let positioned = self.both_positioned(pair);
                let crossed = self.cross_layers(Pair { audio: positioned.audio.clone(), text: positioned.text.clone() });
                vec![crossed, self.self_layers(positioned)]
            }
            ModelVariant::NoSelf => vec![self.cross_module(pair)],
            ModelVariant::NoCross => vec![self.self_modules(pair)],
            ModelVariant::CrossSelf => {
                let crossed = self.cross_module(pair);
                vec![self.self_modules(crossed)]
            }
            ModelVariant::SelfCross => {
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

    /// Cut, z-score, padding, two ConvBlocks (1) and the BiLSTM (2, 3).
    fn audio_encoder(&mut self) -> Value {
        let coefficients = self.checkpoint.dimensions.columns(AUDIO);
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
                Activation::Tanh => self.graph.add("Tanh", &[&x], &[]),
            }
        });
        // [1, hidden, rows] to [rows, 1, hidden].
        let x = self.graph.add("Transpose", &[&x], &[Integers("perm", vec![2, 0, 1])]);
        self.bilstm("audio_encoder.lstm", &x, self.settings.hidden)
    }

    /// The words' vectors and the BiLSTM (4, 5).
    fn text_encoder(&mut self) -> Value {
        let (width, learned) = self.checkpoint.dimensions.words(TEXT);
        let x = match learned {
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
}
