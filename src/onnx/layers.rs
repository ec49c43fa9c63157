//! Layers as nodes of a graph.

use std::f64::consts::FRAC_PI_2;

use super::Writer;
use super::graph::Value;
use super::proto::Attribute::{Float, Integer, Integers, Text};
use super::proto::Element;
use crate::base::streams::AUDIO;
use crate::config::ScoreScale;
use crate::dataset::{Normalisation, SMALLEST_DEVIATION};

/// LayerNorm's ε (9, 11).
const EPSILON: f32 = 1e-5;

impl Writer<'_> {
    /// What `x` becomes when its queries, of the weights `name`, attend to `source`, of the weights `other` (6–17).
    pub(super) fn attend(&mut self, name: &str, x: &Value, other: &str, source: &Value) -> Value {
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
            ScoreScale::Head => width / heads,
            ScoreScale::Model => width,
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

    pub(super) fn residual_norm(&mut self, name: &str, x: &Value, residual: &Value) -> Value {
        let sum = self.graph.add("Add", &[x, residual], &[]);
        let (scale, shift) = (self.parameter(&format!("{name}.weight")), self.parameter(&format!("{name}.bias")));
        self.graph.add("LayerNormalization", &[&sum, &scale, &shift], &[Integer("axis", -1), Float("epsilon", EPSILON)])
    }

    /// `x Wᵀ + b`; without b where the layer has none.
    pub(super) fn linear(&mut self, name: &str, x: &Value) -> Value {
        let weight = self.parameter(&format!("{name}.weight"));
        let bias = format!("{name}.bias");
        let bias = self.has(&bias).then(|| self.parameter(&bias));
        let operands: Vec<&Value> = [Some(x), Some(&weight), bias.as_ref()].into_iter().flatten().collect();
        self.graph.add("Gemm", &operands, &[Integer("transB", 1)])
    }

    /// The sinusoidal position embedding, added: `sin(row · frequency + phase)`, the phase of odd columns π/2.
    pub(super) fn positioned(&mut self, x: &Value) -> Value {
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
        let places = self.cast(&places, Element::Float);
        let second = self.graph.integers("axes.second", &[1]);
        let places = self.graph.add("Unsqueeze", &[&places, &second], &[]);
        let angles = self.graph.add("Mul", &[&places, &frequencies], &[]);
        let angles = self.graph.add("Add", &[&angles, &phases], &[]);
        let table = self.graph.add("Sin", &[&angles], &[]);
        self.graph.add("Add", &[x, &table], &[])
    }

    /// Number of rows of a matrix, `[1]`.
    pub(super) fn rows(&mut self, x: &Value) -> Value {
        self.graph.add("Shape", &[x], &[Integer("start", 0), Integer("end", 1)])
    }

    /// At least `least` rows: zeros follow where there are fewer.
    pub(super) fn padded(&mut self, x: &Value, least: usize) -> Value {
        let rows = self.rows(x);
        let least_rows = self.graph.integers(&format!("rows.{least}"), &[least as i64]);
        let zero = self.graph.integers("axes.first", &[0]);
        let lacking = self.graph.add("Sub", &[&least_rows, &rows], &[]);
        let lacking = self.graph.add("Max", &[&lacking, &zero], &[]);
        let pads = self.graph.add("Concat", &[&zero, &zero, &lacking, &zero], &[Integer("axis", 0)]);
        self.graph.add("Pad", &[x, &pads], &[Text("mode", "constant")])
    }

    pub(super) fn normalised(&mut self, x: &Value) -> Value {
        let coefficients = self.checkpoint.dimensions.columns(AUDIO);
        match &self.checkpoint.normalisation {
            Normalisation::None | Normalisation::Speaker => x.clone(),
            Normalisation::Corpus(fitted) => {
                let Some(statistics) = fitted.get(AUDIO) else { return x.clone() };
                let mean: Vec<f32> = statistics.mean.iter().map(|&mean| mean as f32).collect();
                let reciprocal: Vec<f32> = statistics.deviation.iter().map(|deviation| deviation.recip() as f32).collect();
                let mean = self.graph.floats("normalisation.mean", &[1, coefficients], &mean);
                let reciprocal = self.graph.floats("normalisation.reciprocal_deviation", &[1, coefficients], &reciprocal);
                let x = self.graph.add("Sub", &[x, &mean], &[]);
                self.graph.add("Mul", &[&x, &reciprocal], &[])
            }
            Normalisation::Utterance(_) => {
                // As ours: statistics in double precision, where the mean of equal float32 is that number itself and their
                // deviation 0, however many there are; then rounded, and taken as float32.
                let mean = |writer: &mut Self, x: &Value| {
                    writer.graph.add("ReduceMean", &[x], &[Integers("axes", vec![0]), Integer("keepdims", 1)])
                };
                let wide = self.cast(x, Element::Double);
                let centre = mean(self, &wide);
                let apart = self.graph.add("Sub", &[&wide, &centre], &[]);
                let square = self.graph.add("Mul", &[&apart, &apart], &[]);
                let variance = mean(self, &square);
                let deviation = self.graph.add("Sqrt", &[&variance], &[]);
                let smallest = self.graph.double("normalisation.smallest", SMALLEST_DEVIATION);
                let one = self.graph.double("normalisation.one", 1.0);
                let constant = self.graph.add("Less", &[&deviation, &smallest], &[]);
                let deviation = self.graph.add("Where", &[&constant, &one, &deviation], &[]);
                let reciprocal = self.graph.add("Div", &[&one, &deviation], &[]);
                let [centre, reciprocal] = [centre, reciprocal].map(|statistic| self.cast(&statistic, Element::Float));
                let x = self.graph.add("Sub", &[x, &centre], &[]);
                self.graph.add("Mul", &[&x, &reciprocal], &[])
            }
        }
    }

    fn cast(&mut self, x: &Value, element: Element) -> Value {
        self.graph.add("Cast", &[x], &[Integer("to", element as i64)])
    }

    /// A bidirectional LSTM of `[rows, 1, inputs]` and the mean of its directions, `[rows, hidden]`.
    pub(super) fn bilstm(&mut self, name: &str, x: &Value, inputs: usize) -> Value {
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

    pub(super) fn has(&self, name: &str) -> bool {
        self.parameters.get(name).is_some()
    }

    /// A parameter's values; none of a name that the model does not have.
    pub(super) fn values(&self, name: &str) -> &[f32] {
        let parameter = self.parameters.get(name);
        parameter.map_or(&[], |parameter| &self.checkpoint.parameters[parameter.offset..parameter.offset + parameter.len()])
    }

    /// A parameter as a constant of the graph, under its own name and shape.
    pub(super) fn parameter(&mut self, name: &str) -> Value {
        let shape = self.parameters.get(name).map(|parameter| parameter.shape.clone());
        let values = self.values(name).to_vec();
        self.graph.floats(name, &shape.unwrap_or_default(), &values)
    }
}
