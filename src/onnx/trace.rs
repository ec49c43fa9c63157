//! A backend without numbers on which a network writes itself down: matrices are values of an ONNX graph, kernels its nodes.
//!
//! A system's page is run once, on one utterance; what it calls becomes the graph. So a new system needs nothing here, and a new
//! kernel one form in [`super::nodes`] where a network's way forward runs it.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::graph::{Graph, Value};
use super::proto::Size;
use super::{Form, front_end, nodes};
use crate::backend::ops::{Accumulate, Differentiable, Differentiate, GroupStatistics, Operation, Run, Tokens, shapes};
use crate::backend::{Backend, Matrix, Ragged, Result, Sink, Storage, Write};
use crate::base::streams::{AUDIO, StreamKind, StreamShape};
use crate::model::batch::{BatchStream, FrameInput, TokenInput, VectorInput, pooled_rows};
use crate::model::layers::Pass;
use crate::model::parameters::Parameters;
use crate::model::{self, Batch};
use crate::tape::{Mode, Tape};
use crate::train::Checkpoint;

/// The backend: what it writes down, and of whom.
pub(super) struct Trace {
    pub checkpoint: Checkpoint,
    pub layout: Parameters,
    pub graph: RefCell<Graph>,
    /// The inputs so far, by stream.
    pub inputs: RefCell<BTreeMap<&'static str, Value>>,
    /// A kernel that it met and that has no form.
    unknown: RefCell<Option<&'static str>>,
}

/// A matrix: its shape, of which the rows are one utterance's made up, and what it is in the graph. A clone is the same matrix.
#[derive(Clone)]
pub(super) struct Traced {
    shape: [usize; 2],
    content: Rc<RefCell<Content>>,
}

/// What a matrix is in the graph.
#[derive(Clone)]
pub(super) enum Content {
    /// Memory that nothing has written yet.
    Nothing,
    /// Parameters of the model, from this element of their buffer on.
    Parameters(usize),
    /// The rows, or the word vectors, of a stream, as they come in.
    Stream(&'static str),
    /// The result of a node.
    Value(Value),
}

impl Matrix for Traced {
    fn shape(&self) -> [usize; 2] {
        self.shape
    }

    fn slice(&self, start: usize, shape: [usize; 2]) -> Self {
        let content = match self.content() {
            Content::Parameters(first) => Content::Parameters(first + start),
            _ => Content::Nothing,
        };
        Self::new(shape, content)
    }
}

impl Traced {
    fn new(shape: [usize; 2], content: Content) -> Self {
        Self { shape, content: Rc::new(RefCell::new(content)) }
    }

    pub(super) fn content(&self) -> Content {
        self.content.borrow().clone()
    }
}

impl Trace {
    /// The graph of a trained model; the kernel that has no form where there is one.
    pub(super) fn graph(checkpoint: &Checkpoint, form: &Form<'_>) -> std::result::Result<Graph, &'static str> {
        let trace = Self::of(checkpoint);
        if form.batch {
            trace.graph.replace(Graph::of_batch());
        }
        if let Some(settings) = form.samples {
            let features = front_end::features(&mut trace.graph.borrow_mut(), settings);
            trace.inputs.borrow_mut().insert(AUDIO, features);
        }
        let model = model::build::<Self>(&checkpoint.settings, &checkpoint.dimensions);
        let batch = trace.utterance();
        let mut tape = Tape::new(&trace, Mode::Infer);
        let weights = Traced::new([1, trace.layout.len()], Content::Parameters(0));
        let parameters = model.parameters().bind_constant(&tape, &weights);
        let mut pass = Pass { tape: &mut tape, parameters: &parameters, dropout: None, watched: None, terms: None, mixing: None };
        let logits = model.forward(&mut pass, &batch).value;
        drop(tape);
        if let Some(kernel) = trace.unknown.take() {
            return Err(kernel);
        }
        let logits = trace.value(&logits);
        let mut graph = trace.graph.into_inner();
        let flat = graph.integers("shape.flat", &[-1]);
        let logits = graph.add("Reshape", &[&logits, &flat], &[]);
        graph.output("logits", &logits, &[Size::Fixed(checkpoint.classes.len())]);
        Ok(graph)
    }

    /// Nothing written yet.
    fn of(checkpoint: &Checkpoint) -> Self {
        Self {
            checkpoint: checkpoint.clone(),
            layout: checkpoint.layout(),
            graph: RefCell::default(),
            inputs: RefCell::default(),
            unknown: RefCell::default(),
        }
    }

    /// A batch of one utterance; its lengths are the shortest that the model takes and stand for any.
    fn utterance(&self) -> Batch<Self> {
        let mut streams = BTreeMap::new();
        for reading in self.checkpoint.readings().iter() {
            let (stream, rows) = (reading.stream, reading.least() as u32);
            let shape = self.checkpoint.dimensions.streams.get(stream);
            let values = |columns| Traced::new([rows as usize, columns], Content::Stream(stream));
            let statistics = || {
                let nothing = || Traced::new([1, 0], Content::Nothing);
                GroupStatistics { groups: (), mean: nothing(), reciprocal_deviation: nothing() }
            };
            let input = match (reading.kind, shape) {
                (_, Some(&StreamShape::Frames { columns })) => {
                    BatchStream::Frames(FrameInput::new(values(columns), pooled_rows(self, &[rows], reading.pools()), statistics()))
                }
                (StreamKind::Tokens, Some(&StreamShape::Tokens { width, .. })) => BatchStream::Tokens(TokenInput {
                    tokens: Tokens::new(self, &[0], 1),
                    rows: Ragged::new(self, &[1]),
                    vectors: values(width),
                }),
                (_, shape) => {
                    let columns = if let Some(&StreamShape::Vector { columns }) = shape { columns } else { 0 };
                    BatchStream::Vector(VectorInput { values: values(columns), rows: Ragged::new(self, &[1]), normalisation: statistics() })
                }
            };
            streams.insert(stream, input);
        }
        Batch { streams, labels: None, covered: BTreeMap::new(), mixing: None }
    }

    /// What a matrix is in the graph; parameters are constants of their matrix's shape.
    pub(super) fn value(&self, matrix: &Traced) -> Value {
        match matrix.content() {
            Content::Value(value) => value,
            Content::Parameters(_) => self.constant(matrix, &matrix.shape),
            // Nothing reads what was never written, and streams come in by the kernels that take them.
            Content::Nothing | Content::Stream(_) => panic!("a kernel's operand has no value"),
        }
    }

    /// Parameters as a constant of that shape, under their own name.
    pub(super) fn constant(&self, matrix: &Traced, shape: &[usize]) -> Value {
        let (name, values) = self.parameters(matrix);
        self.graph.borrow_mut().floats(&name, shape, values)
    }

    /// The name of the first of these parameters, and all their values.
    pub(super) fn parameters(&self, matrix: &Traced) -> (String, &[f32]) {
        let Content::Parameters(start) = matrix.content() else { panic!("an operand is no parameter of the model's") };
        let name = self.layout.iter().find(|parameter| parameter.offset == start).map(|parameter| parameter.name.clone());
        (name.unwrap_or_default(), &self.checkpoint.parameters[start..start + matrix.len()])
    }

    /// `sum`, set or added to in place.
    fn accumulate(&self, Accumulate { x, sum, write }: &Accumulate<Traced>) {
        let value = match write {
            Write::Set => self.value(x),
            Write::Add => {
                let [sum, x] = [sum, x].map(|matrix| self.value(matrix));
                self.graph.borrow_mut().add("Add", &[&sum, &x], &[])
            }
        };
        sum.content.replace(Content::Value(value));
    }
}

impl Storage for Trace {
    type Element = f32;
    type Tensor = Traced;
    type Words = ();
    type Readback = ();

    fn device_name(&self) -> String {
        "none".to_owned()
    }

    fn upload(&self, _: &[f32], shape: [usize; 2]) -> Traced {
        self.uninitialised(shape)
    }

    fn upload_words(&self, _: &[u32]) {}

    fn zeros(&self, shape: [usize; 2]) -> Traced {
        self.uninitialised(shape)
    }

    fn uninitialised(&self, shape: [usize; 2]) -> Traced {
        Traced::new(shape, Content::Nothing)
    }

    fn uninitialised_words(&self, _: usize) {}

    fn submit(&self) {}

    fn start_read(&self, _: &Traced) {}

    async fn finish_read(&self, (): ()) -> Result<Vec<f32>> {
        Ok(Vec::new())
    }
}

impl<O: Operation<Self, Operand = Traced> + 'static> Run<O> for Trace
where
    O::Output: 'static,
{
    fn forward(&self, of: &O) -> (O::Output, O::Kept) {
        let (output, kept) = O::results(&shapes(of), self);
        if let Some(accumulate) = (of as &dyn Any).downcast_ref() {
            self.accumulate(accumulate);
            return (output, kept);
        }
        let value = nodes::of_kernel(of, self);
        if value.is_none() {
            self.unknown.borrow_mut().get_or_insert(O::KERNEL);
        }
        if let Some(result) = (&output as &dyn Any).downcast_ref::<Traced>() {
            // Where there is no form, what follows goes on with a value that is in no graph.
            result.content.replace(Content::Value(value.unwrap_or_default()));
        }
        (output, kept)
    }
}

impl<O: Differentiable<Self, Operand = Traced> + 'static> Differentiate<O> for Trace {
    /// A tape that infers has no way back.
    fn backward(&self, _: &O, _: &O::Kept, _: &Traced, _: &O::On<Option<Sink<Traced>>>) {
        self.unknown.borrow_mut().get_or_insert(O::KERNEL);
    }
}

impl Backend for Trace {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::ops::{Attention, AttentionWeights};
    use crate::base::numbers::Precision;
    use crate::config::Settings;
    use crate::dataset::Normalisation;
    use crate::model::Dimensions;

    #[test]
    fn a_kernel_without_a_form_is_named_and_what_follows_it_goes_on() {
        let checkpoint = Checkpoint {
            settings: Settings::default(),
            device: "auto".into(),
            dimensions: Dimensions { streams: BTreeMap::new(), classes: 2 },
            classes: vec!["a".into(), "b".into()],
            normalisation: Normalisation::None,
            parameters: Vec::new(),
            machine: None,
            moments: None,
            average: None,
            step: 0,
            epoch: 0,
            best: None,
            progress: None,
        };
        let trace = Trace::of(&checkpoint);
        let matrix = || Traced::new([1, 4], Content::Value(Value::default()));
        let rows = || Ragged::new(&trace, &[1]);
        let [queries, keys, values] = [matrix(), matrix(), matrix()];
        let attention =
            Attention { queries, keys, values, query_rows: rows(), key_rows: rows(), heads: 1, scale: 1.0, precision: Precision::F32 };
        let weights = trace.run(&AttentionWeights(attention));
        assert_eq!(*trace.unknown.borrow(), Some("attention_weights"));
        assert_eq!(trace.value(&weights), Value::default());
    }
}
