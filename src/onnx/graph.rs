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
}

impl Graph {
    pub(crate) fn input(&mut self, name: &str, element: Element, shape: &[Size]) -> Value {
        self.inputs.push(value(name, element, shape));
        Value(name.into())
    }

    /// Makes `source` the graph's output `name`.
    pub(crate) fn output(&mut self, name: &str, source: &Value, shape: &[Size]) {
        self.nodes.push(node("Identity", &[&source.0], name, &[]));
        self.outputs.push(value(name, Element::Float, shape));
    }

    pub(crate) fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) -> Value {
        self.constant(name, Element::Float, shape, bytemuck::cast_slice(values))
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

    /// `GraphProto`.
    pub(crate) fn message(self, name: &str) -> Message {
        let named = Message::default().messages(1, self.nodes).text(2, name).messages(5, self.constants);
        named.messages(11, self.inputs).messages(12, self.outputs)
    }
}
