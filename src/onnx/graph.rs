//! A graph of ONNX operations that grows node by node; a value is known by its name.

use std::collections::BTreeSet;

use super::proto::{Attribute, Element, Message, Size, node, tensor, value};

/// A value in a graph.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Value(String);

/// Nodes, constants, inputs and outputs so far.
#[derive(Default)]
pub(super) struct Graph {
    nodes: Vec<Message>,
    constants: Vec<Message>,
    known: BTreeSet<String>,
    inputs: Vec<Message>,
    outputs: Vec<Message>,
    /// Of a graph that takes a batch.
    each: Option<Each>,
}

/// What a loop over the utterances of a batch hands to its body, which the nodes are: the same for each, so that results are those of
/// an utterance alone.
#[derive(Default)]
struct Each {
    /// What is taken apart, by name.
    taken: Vec<String>,
    inputs: Vec<Message>,
    outputs: Vec<Message>,
}

/// What a value of a batch is called where it is one utterance's.
fn of_one(name: &str) -> String {
    format!("utterance.{name}")
}

/// The shape of a batch of values.
fn of_all(shape: &[Size]) -> Vec<Size> {
    [&[Size::Free("batch")], shape].concat()
}

impl Graph {
    /// A graph that takes a batch: every input has one axis more, with padding behind each utterance's rows, and `NAME_length`, int64
    /// `[batch]`, says how many these are. What is written down is of one utterance.
    pub(crate) fn of_batch() -> Self {
        Self { each: Some(Each::default()), ..Self::default() }
    }

    /// An input whose first axis differs from utterance to utterance.
    pub(crate) fn input(&mut self, name: &str, element: Element, shape: &[Size]) -> Value {
        let Some(each) = &mut self.each else {
            self.inputs.push(value(name, element, shape));
            return Value(name.into());
        };
        let length = format!("{name}_length");
        self.inputs.push(value(name, element, &of_all(shape)));
        self.inputs.push(value(&length, Element::Int64, &of_all(&[])));
        let [own, own_length] = [name, &length].map(of_one);
        each.inputs.extend([value(&own, element, shape), value(&own_length, Element::Int64, &[])]);
        each.taken.extend([name.to_owned(), length]);
        let first = self.integers("axes.first", &[0]);
        let length = self.add("Unsqueeze", &[&Value(own_length), &first], &[]);
        self.add("Slice", &[&Value(own), &first, &length, &first], &[])
    }

    /// Makes `source` the graph's output `name`, of each utterance where there is a batch.
    pub(crate) fn output(&mut self, name: &str, source: &Value, shape: &[Size]) {
        let Some(each) = &mut self.each else {
            self.nodes.push(node("Identity", &[&source.0], name, &[]));
            self.outputs.push(value(name, Element::Float, shape));
            return;
        };
        self.nodes.push(node("Identity", &[&source.0], &of_one(name), &[]));
        each.outputs.push(value(&of_one(name), Element::Float, shape));
        self.outputs.push(value(name, Element::Float, &of_all(shape)));
    }

    pub(crate) fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) -> Value {
        self.constant(name, Element::Float, shape, bytemuck::cast_slice(values))
    }

    pub(crate) fn doubles(&mut self, name: &str, shape: &[usize], values: &[f64]) -> Value {
        self.constant(name, Element::Double, shape, bytemuck::cast_slice(values))
    }

    /// A single number of double precision.
    pub(crate) fn double(&mut self, name: &str, value: f64) -> Value {
        self.constant(name, Element::Double, &[], bytemuck::cast_slice(&[value]))
    }

    pub(crate) fn integers(&mut self, name: &str, values: &[i64]) -> Value {
        self.constant(name, Element::Int64, &[values.len()], bytemuck::cast_slice(values))
    }

    pub(crate) fn integer(&mut self, name: &str, value: i64) -> Value {
        self.constant(name, Element::Int64, &[], bytemuck::cast_slice(&[value]))
    }

    /// A constant, kept once for each name.
    fn constant(&mut self, name: &str, element: Element, shape: &[usize], bytes: &[u8]) -> Value {
        if self.known.insert(name.into()) {
            self.constants.push(tensor(name, element, shape, bytes));
        }
        Value(name.into())
    }

    /// Adds an operation; its result is named after it and its place.
    pub(crate) fn add(&mut self, operation: &str, inputs: &[&Value], attributes: &[Attribute]) -> Value {
        let output = format!("{operation}_{}", self.nodes.len());
        let inputs: Vec<&str> = inputs.iter().map(|input| input.0.as_str()).collect();
        self.nodes.push(node(operation, &inputs, &output, attributes));
        Value(output)
    }

    /// `GraphProto`; `output` is the one that it has.
    pub(crate) fn message(self, name: &str, output: &str) -> Message {
        let nodes = match self.each {
            None => self.nodes,
            Some(Each { taken, inputs, outputs }) => {
                let body = Message::default().messages(1, self.nodes).text(2, "utterance").messages(11, inputs).messages(12, outputs);
                let attributes = [Attribute::Graph("body", body), Attribute::Integer("num_scan_inputs", taken.len() as i64)];
                let taken: Vec<&str> = taken.iter().map(String::as_str).collect();
                vec![node("Scan", &taken, output, &attributes)]
            }
        };
        let named = Message::default().messages(1, nodes).text(2, name).messages(5, self.constants);
        named.messages(11, self.inputs).messages(12, self.outputs)
    }
}
