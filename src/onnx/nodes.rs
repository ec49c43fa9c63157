//! The kernels of a network's way forward as nodes, on the rows of one utterance.

use std::any::Any;
use std::f64::consts::FRAC_PI_2;

use super::graph::Value;
use super::proto::Attribute::{Float, Integer, Integers, Text};
use super::proto::Element;
use super::trace::{Trace, Traced};
use crate::backend::Matrix;
use crate::backend::ops::{
    AdditiveAlignment, Attention, Bilstm, Chosen, Columns, Concat, ConvPool, Directions, Embedding, GlobalMax, Gru, Linear,
    PositionEmbedding, ResidualNorm, RowScores, SegmentMean, SegmentSoftmax, WeightedSum, Windows, ZScore,
};
use crate::base::numbers::{Activation, POOL};

/// LayerNorm's ε (9, 11).
const EPSILON: f32 = 1e-5;
/// Behind the last element of any axis.
const END: i64 = i64::MAX;

/// A kernel that has a form in ONNX.
trait Form {
    /// The value that its nodes compute.
    fn form(&self, on: &Trace) -> Value;
}

/// The nodes of a kernel, where it has a form.
pub(super) fn of_kernel(operation: &dyn Any, on: &Trace) -> Option<Value> {
    macro_rules! forms {
        ($($operation:ty),* $(,)?) => {
            $(if let Some(operation) = operation.downcast_ref::<$operation>() {
                return Some(operation.form(on));
            })*
        };
    }
    forms!(
        ZScore<Trace, Traced>,
        Embedding<Trace, Traced>,
        PositionEmbedding<Trace, Traced>,
        ConvPool<Trace, Traced>,
        Windows<Trace, Traced>,
        Linear<Traced>,
        Bilstm<Trace, Traced>,
        Gru<Trace, Traced>,
        Attention<Trace, Traced>,
        ResidualNorm<Traced>,
        AdditiveAlignment<Trace, Traced>,
        SegmentMean<Trace, Traced>,
        RowScores<Trace, Traced>,
        SegmentSoftmax<Trace, Traced>,
        WeightedSum<Trace, Traced>,
        GlobalMax<Trace, Traced>,
        Concat<Traced>,
        Columns<Traced>,
    );
    None
}

impl Form for ZScore<Trace, Traced> {
    fn form(&self, on: &Trace) -> Value {
        on.rows_of(&self.x, self.x.columns())
    }
}

impl Form for Embedding<Trace, Traced> {
    fn form(&self, on: &Trace) -> Value {
        let row = match self.tokens.chosen {
            Chosen::Listed => return on.words_of(&self.table, self.table.columns()),
            Chosen::FirstRows => 0,
            Chosen::LastRows => -1,
        };
        let table = on.value(&self.table);
        let mut graph = on.graph.borrow_mut();
        let row = graph.integers(&format!("row.{row}"), &[row]);
        graph.add("Gather", &[&table, &row], &[Integer("axis", 0)])
    }
}

/// `sin(row · frequency + phase)`, the phase of odd columns π/2, added.
impl Form for PositionEmbedding<Trace, Traced> {
    fn form(&self, on: &Trace) -> Value {
        let (x, width) = (on.value(&self.x), self.x.columns());
        let frequency = |column: usize| 10_000f64.powf((column / 2 * 2) as f64 / width as f64).recip() as f32;
        let phase = |column: usize| if column.is_multiple_of(2) { 0.0 } else { FRAC_PI_2 as f32 };
        let places = on.numbers_to(&on.rows(&x));
        let mut graph = on.graph.borrow_mut();
        let frequencies = graph.floats("position.frequencies", &[1, width], &(0..width).map(frequency).collect::<Vec<_>>());
        let phases = graph.floats("position.phases", &[1, width], &(0..width).map(phase).collect::<Vec<_>>());
        let places = graph.cast(&places, Element::Float);
        let second = graph.integers("axes.second", &[1]);
        let places = graph.add("Unsqueeze", &[&places, &second], &[]);
        let angles = graph.add("Mul", &[&places, &frequencies], &[]);
        let angles = graph.add("Add", &[&angles, &phases], &[]);
        let table = graph.add("Sin", &[&angles], &[]);
        graph.add("Add", &[&x, &table], &[])
    }
}

impl Form for ConvPool<Trace, Traced> {
    fn form(&self, on: &Trace) -> Value {
        let x = on.value(&self.x);
        let outputs = self.weight.rows();
        let weight = on.constant(&self.weight, &[outputs, self.x.columns(), 3]);
        let bias = on.constant(&self.bias, &[outputs]);
        let pool = i64::from(POOL);
        let mut graph = on.graph.borrow_mut();
        let first = graph.integers("axes.first", &[0]);
        // [rows, in] to [1, in, rows], and back.
        let x = graph.add("Transpose", &[&x], &[Integers("perm", vec![1, 0])]);
        let x = graph.add("Unsqueeze", &[&x, &first], &[]);
        let x = graph.add("Conv", &[&x, &weight, &bias], &[Integers("kernel_shape", vec![3]), Integers("pads", vec![1, 1])]);
        let x = graph.add("MaxPool", &[&x], &[Integers("kernel_shape", vec![pool]), Integers("strides", vec![pool])]);
        let x = graph.add("Squeeze", &[&x, &first], &[]);
        let x = graph.add("Transpose", &[&x], &[Integers("perm", vec![1, 0])]);
        graph.activated(x, self.activation)
    }
}

/// k copies of the rows, each a row later, side by side.
impl Form for Windows<Trace, Traced> {
    fn form(&self, on: &Trace) -> Value {
        let x = on.padded(&on.value(&self.x), self.size);
        let size = self.size as i64;
        let mut graph = on.graph.borrow_mut();
        let first = graph.integers("axes.first", &[0]);
        let mut shifted = Vec::new();
        for shift in 0..size {
            let [from, to] =
                [shift, if shift + 1 == size { END } else { shift + 1 - size }].map(|row| graph.integers(&format!("row.{row}"), &[row]));
            shifted.push(graph.add("Slice", &[&x, &from, &to, &first], &[]));
        }
        graph.add("Concat", &shifted.iter().collect::<Vec<_>>(), &[Integer("axis", 1)])
    }
}

impl Form for Linear<Traced> {
    fn form(&self, on: &Trace) -> Value {
        let x = on.value(&self.x);
        let weight = on.constant(&self.weight, &self.weight.shape());
        let bias = self.bias.as_ref().map(|bias| on.constant(bias, &[bias.len()]));
        let operands: Vec<&Value> = [Some(&x), Some(&weight), bias.as_ref()].into_iter().flatten().collect();
        let mut graph = on.graph.borrow_mut();
        let y = graph.add("Gemm", &operands, &[Integer("transB", 1)]);
        graph.activated(y, self.activation)
    }
}

/// The gates of `values` in another order.
fn reordered(values: &[f32], gates: &[usize]) -> Vec<f32> {
    let size = values.len() / gates.len();
    gates.iter().flat_map(|gate| values[gate * size..(gate + 1) * size].iter().copied()).collect()
}

impl Form for Bilstm<Trace, Traced> {
    fn form(&self, on: &Trace) -> Value {
        let (hidden, inputs) = (self.weights.recurrent.columns(), self.x.columns());
        // Gates are i, f, g, o in PyTorch's order and i, o, f, g in ONNX'.
        let halves = |matrix: &Traced| -> [Vec<f32>; 2] {
            let (_, values) = on.parameters(matrix);
            let (forward, reverse) = values.split_at(values.len() / 2);
            [forward, reverse].map(|direction| reordered(direction, &[0, 3, 1, 2]))
        };
        let [of_input, of_state] = [&self.weights.bias_input, &self.weights.bias_recurrent].map(halves);
        let bias: Vec<f32> = of_input.into_iter().zip(of_state).flat_map(|(input, state)| [input, state].concat()).collect();
        let [input, recurrent] = [&self.weights.input, &self.weights.recurrent].map(|matrix| halves(matrix).concat());
        let x = on.value(&self.x);
        let [input_name, recurrent_name, bias_name] =
            [&self.weights.input, &self.weights.recurrent, &self.weights.bias_input].map(|matrix| on.parameters(matrix).0);
        let mut graph = on.graph.borrow_mut();
        let input = graph.floats(&input_name, &[2, 4 * hidden, inputs], &input);
        let recurrent = graph.floats(&recurrent_name, &[2, 4 * hidden, hidden], &recurrent);
        let bias = graph.floats(&bias_name, &[2, 8 * hidden], &bias);
        let attributes = [Text("direction", "bidirectional"), Integer("hidden_size", hidden as i64)];
        let y = graph.recurrence("LSTM", &x, [&input, &recurrent, &bias], &attributes);
        match self.directions {
            Directions::Mean => graph.add("ReduceMean", &[&y], &[Integers("axes", vec![1, 2]), Integer("keepdims", 0)]),
            Directions::Joined => graph.joined(&y, 2 * hidden),
        }
    }
}

/// ONNX' GRU has, as ours, the reset gate before the product.
impl Form for Gru<Trace, Traced> {
    fn form(&self, on: &Trace) -> Value {
        let (hidden, inputs, directions) = (self.weights.hidden(), self.x.columns(), self.weights.directions());
        // Gates are r, u, c here and u (its z), r, c (its h) in ONNX'.
        let gates = |matrix: &Traced| -> Vec<Vec<f32>> {
            let (_, values) = on.parameters(matrix);
            values.chunks_exact(values.len() / directions).map(|direction| reordered(direction, &[1, 0, 2])).collect()
        };
        let bias: Vec<f32> = gates(&self.weights.bias).into_iter().flat_map(|bias| [bias, vec![0.0; 3 * hidden]].concat()).collect();
        let [input, recurrent] = [&self.weights.input, &self.weights.recurrent].map(|matrix| gates(matrix).concat());
        let x = on.value(&self.x);
        let [input_name, recurrent_name, bias_name] =
            [&self.weights.input, &self.weights.recurrent, &self.weights.bias].map(|matrix| on.parameters(matrix).0);
        let mut graph = on.graph.borrow_mut();
        let input = graph.floats(&input_name, &[directions, 3 * hidden, inputs], &input);
        let recurrent = graph.floats(&recurrent_name, &[directions, 3 * hidden, hidden], &recurrent);
        let bias = graph.floats(&bias_name, &[directions, 6 * hidden], &bias);
        let direction = if directions == 2 { "bidirectional" } else { "forward" };
        let attributes = [Text("direction", direction), Integer("hidden_size", hidden as i64), Integer("linear_before_reset", 0)];
        let y = graph.recurrence("GRU", &x, [&input, &recurrent, &bias], &attributes);
        graph.joined(&y, directions * hidden)
    }
}

impl Form for Attention<Trace, Traced> {
    fn form(&self, on: &Trace) -> Value {
        let width = self.queries.columns();
        let [queries, keys, values] = [&self.queries, &self.keys, &self.values].map(|matrix| on.value(matrix));
        let mut graph = on.graph.borrow_mut();
        let by_head = graph.integers(&format!("shape.heads.{width}"), &[-1, self.heads as i64, (width / self.heads) as i64]);
        let mut split = |x: &Value, order: [i64; 3]| {
            let blocks = graph.add("Reshape", &[x, &by_head], &[]);
            graph.add("Transpose", &[&blocks], &[Integers("perm", order.to_vec())])
        };
        let (queries, keys, values) = (split(&queries, [1, 0, 2]), split(&keys, [1, 2, 0]), split(&values, [1, 0, 2]));
        let scores = graph.add("MatMul", &[&queries, &keys], &[]);
        let scale = graph.floats("attention.scale", &[], &[self.scale]);
        let scores = graph.add("Mul", &[&scores, &scale], &[]);
        let weights = graph.add("Softmax", &[&scores], &[Integer("axis", -1)]);
        let attended = graph.add("MatMul", &[&weights, &values], &[]);
        let attended = graph.add("Transpose", &[&attended], &[Integers("perm", vec![1, 0, 2])]);
        graph.joined(&attended, width)
    }
}

/// The frames' scores as a row, and the words' as a column, added up.
impl Form for AdditiveAlignment<Trace, Traced> {
    fn form(&self, on: &Trace) -> Value {
        let [words, frames, values] = [&self.word_scores, &self.frame_scores, &self.frames].map(|matrix| on.value(matrix));
        let mut graph = on.graph.borrow_mut();
        let frames = graph.add("Transpose", &[&frames], &[Integers("perm", vec![1, 0])]);
        let scores = graph.add("Add", &[&words, &frames], &[]);
        let scores = graph.add("Tanh", &[&scores], &[]);
        let weights = graph.add("Softmax", &[&scores], &[Integer("axis", 1)]);
        graph.add("MatMul", &[&weights, &values], &[])
    }
}

impl Form for ResidualNorm<Traced> {
    fn form(&self, on: &Trace) -> Value {
        let [x, residual] = [&self.x, &self.residual].map(|matrix| on.value(matrix));
        let [scale, shift] = [&self.scale, &self.shift].map(|matrix| on.constant(matrix, &[matrix.len()]));
        let mut graph = on.graph.borrow_mut();
        let sum = graph.add("Add", &[&x, &residual], &[]);
        graph.add("LayerNormalization", &[&sum, &scale, &shift], &[Integer("axis", -1), Float("epsilon", EPSILON)])
    }
}

/// A matrix `[segments, rows]` of ones where a row lies in a segment, times the rows, by how many they are.
impl Form for SegmentMean<Trace, Traced> {
    fn form(&self, on: &Trace) -> Value {
        let x = on.value(&self.x);
        let segments = on.segments();
        let rows = on.numbers_to(&on.rows(&x));
        let mut graph = on.graph.borrow_mut();
        let first = graph.integers("axes.first", &[0]);
        let rows = graph.add("Unsqueeze", &[&rows, &first], &[]);
        let mut bound = |column: i64| {
            let column = graph.integers(&format!("row.{column}"), &[column]);
            graph.add("Gather", &[&segments, &column], &[Integer("axis", 1)])
        };
        let (begin, end) = (bound(0), bound(1));
        let after = graph.add("GreaterOrEqual", &[&rows, &begin], &[]);
        let before = graph.add("Less", &[&rows, &end], &[]);
        let inside = graph.add("And", &[&after, &before], &[]);
        let inside = graph.cast(&inside, Element::Float);
        let sums = graph.add("MatMul", &[&inside, &x], &[]);
        let second = graph.integers("axes.second", &[1]);
        let count = graph.add("ReduceSum", &[&inside, &second], &[Integer("keepdims", 1)]);
        // A segment without rows has the mean 0.
        let one = graph.floats("one.float", &[1, 1], &[1.0]);
        let count = graph.add("Max", &[&count, &one], &[]);
        graph.add("Div", &[&sums, &count], &[])
    }
}

impl Form for RowScores<Trace, Traced> {
    fn form(&self, on: &Trace) -> Value {
        let [x, query] = [&self.x, &self.query].map(|matrix| on.value(matrix));
        on.graph.borrow_mut().add("Gemm", &[&x, &query], &[Integer("transB", 1)])
    }
}

impl Form for SegmentSoftmax<Trace, Traced> {
    fn form(&self, on: &Trace) -> Value {
        let x = on.value(&self.x);
        on.graph.borrow_mut().add("Softmax", &[&x], &[Integer("axis", 0)])
    }
}

impl Form for WeightedSum<Trace, Traced> {
    fn form(&self, on: &Trace) -> Value {
        let [weights, x] = [&self.weights, &self.x].map(|matrix| on.value(matrix));
        on.graph.borrow_mut().add("Gemm", &[&weights, &x], &[Integer("transA", 1)])
    }
}

impl Form for GlobalMax<Trace, Traced> {
    fn form(&self, on: &Trace) -> Value {
        let streams: Vec<Value> = self.streams.iter().map(|(x, _)| on.value(x)).collect();
        let mut graph = on.graph.borrow_mut();
        let maximum = [Integers("axes", vec![0]), Integer("keepdims", 1)];
        let maxima: Vec<Value> = streams.iter().map(|x| graph.add("ReduceMax", &[x], &maximum)).collect();
        graph.add("Concat", &maxima.iter().collect::<Vec<_>>(), &[Integer("axis", 1)])
    }
}

impl Form for Concat<Traced> {
    fn form(&self, on: &Trace) -> Value {
        let parts: Vec<Value> = self.parts.iter().map(|part| on.value(part)).collect();
        on.graph.borrow_mut().add("Concat", &parts.iter().collect::<Vec<_>>(), &[Integer("axis", 1)])
    }
}

impl Form for Columns<Traced> {
    fn form(&self, on: &Trace) -> Value {
        let x = on.value(&self.x);
        let mut graph = on.graph.borrow_mut();
        let [from, to] = [self.first, self.first + self.columns].map(|column| graph.integers(&format!("row.{column}"), &[column as i64]));
        let second = graph.integers("axes.second", &[1]);
        graph.add("Slice", &[&x, &from, &to, &second], &[])
    }
}

impl Trace {
    /// Number of rows of a matrix, `[1]`.
    fn rows(&self, x: &Value) -> Value {
        self.graph.borrow_mut().add("Shape", &[x], &[Integer("start", 0), Integer("end", 1)])
    }

    /// `0, 1, …` below a number `[1]`.
    fn numbers_to(&self, count: &Value) -> Value {
        let mut graph = self.graph.borrow_mut();
        let first = graph.integers("axes.first", &[0]);
        let to = graph.add("Squeeze", &[count, &first], &[]);
        let [from, step] = [("zero", 0), ("one", 1)].map(|(name, value)| graph.integer(name, value));
        graph.add("Range", &[&from, &to, &step], &[])
    }

    /// At most so many rows.
    pub(super) fn first_rows(&self, x: &Value, most: usize) -> Value {
        let most = i64::try_from(most).unwrap_or(END);
        let mut graph = self.graph.borrow_mut();
        let first = graph.integers("axes.first", &[0]);
        let most = graph.integers(&format!("row.{most}"), &[most]);
        graph.add("Slice", &[x, &first, &most, &first], &[])
    }

    /// At least `least` rows: zeros follow where there are fewer.
    pub(super) fn padded(&self, x: &Value, least: usize) -> Value {
        let rows = self.rows(x);
        let mut graph = self.graph.borrow_mut();
        let least = graph.integers(&format!("row.{least}"), &[least as i64]);
        let zero = graph.integers("axes.first", &[0]);
        let lacking = graph.add("Sub", &[&least, &rows], &[]);
        let lacking = graph.add("Max", &[&lacking, &zero], &[]);
        let pads = graph.add("Concat", &[&zero, &zero, &lacking, &zero], &[Integer("axis", 0)]);
        graph.add("Pad", &[x, &pads], &[Text("mode", "constant")])
    }
}

impl super::graph::Graph {
    pub(super) fn cast(&mut self, x: &Value, element: Element) -> Value {
        self.add("Cast", &[x], &[Integer("to", element as i64)])
    }

    fn activated(&mut self, x: Value, activation: Activation) -> Value {
        match activation {
            Activation::None => x,
            Activation::Relu => self.add("Relu", &[&x], &[]),
            Activation::Tanh => self.add("Tanh", &[&x], &[]),
        }
    }

    /// A recurrence over `[rows, in]`: `[rows, directions, 1, hidden]`.
    fn recurrence(
        &mut self,
        operation: &str,
        x: &Value,
        [input, recurrent, bias]: [&Value; 3],
        attributes: &[super::proto::Attribute],
    ) -> Value {
        let second = self.integers("axes.second", &[1]);
        let x = self.add("Unsqueeze", &[x, &second], &[]);
        self.add(operation, &[&x, input, recurrent, bias], attributes)
    }

    /// Everything of a row side by side, `[rows, columns]`.
    fn joined(&mut self, x: &Value, columns: usize) -> Value {
        let shape = self.integers(&format!("shape.{columns}"), &[-1, columns as i64]);
        self.add("Reshape", &[x, &shape], &[])
    }
}
