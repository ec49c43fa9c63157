//! The graph's inputs: a stream each, cut, normalised and padded as a batch has it.

use super::graph::Value;
use super::proto::Attribute::{Integer, Integers};
use super::proto::{Element, Size};
use super::trace::{Content, Trace, Traced};
use crate::base::streams::{AUDIO, FUNCTIONALS, PROSODY, TEXT, VISUAL};
use crate::dataset::{Normalisation, SMALLEST_DEVIATION};

/// What the input of a stream of rows is called: as the program's options are.
pub(super) fn name_of(stream: &str) -> &str {
    match stream {
        AUDIO => "features",
        TEXT => "vectors",
        VISUAL => "visual",
        PROSODY => "prosody",
        FUNCTIONALS => "functionals",
        other => other,
    }
}

impl Trace {
    /// An input, made once.
    fn input(&self, stream: &'static str, name: &str, element: Element, shape: &[Size]) -> Value {
        let make = || self.graph.borrow_mut().input(name, element, shape);
        self.inputs.borrow_mut().entry(stream).or_insert_with(make).clone()
    }

    /// The rows of a stream: the first of them that are read, normalised, with zeros behind where they are too few.
    pub(super) fn rows_of(&self, x: &Traced, columns: usize) -> Value {
        let Content::Stream(stream) = x.content() else { panic!("what is normalised is no stream") };
        let readings = self.checkpoint.readings();
        let is_vector = readings.iter().any(|reading| reading.stream == stream && reading.is_vector());
        let rows = Size::Free(if is_vector { "vectors" } else { "frames" });
        let x = self.input(stream, name_of(stream), Element::Float, &[rows, Size::Fixed(columns)]);
        let most = if is_vector { 1 } else { readings.most(stream) };
        let x = self.first_rows(&x, most);
        let x = self.normalised(&x, stream, columns, is_vector);
        self.padded(&x, readings.least(stream))
    }

    /// The words: their vectors as they come in, or rows of the table that was trained.
    pub(super) fn words_of(&self, table: &Traced, width: usize) -> Value {
        let x = match table.content() {
            Content::Stream(stream) => self.input(stream, "vectors", Element::Float, &[Size::Free("tokens"), Size::Fixed(width)]),
            _ => {
                let tokens = self.input(TEXT, "tokens", Element::Int64, &[Size::Free("tokens")]);
                let (name, rows) = self.parameters(table);
                // One row more, of zeros: -1 is the last row.
                let mut rows = rows.to_vec();
                rows.resize(rows.len() + width, 0.0);
                let mut graph = self.graph.borrow_mut();
                let table = graph.floats(&name, &[rows.len() / width.max(1), width], &rows);
                graph.add("Gather", &[&table, &tokens], &[Integer("axis", 0)])
            }
        };
        self.padded(&x, 1)
    }

    /// First frame and end of each word, `[words, 2]`.
    pub(super) fn segments(&self) -> Value {
        self.input("segments", "segments", Element::Int64, &[Size::Free("tokens"), Size::Fixed(2)])
    }

    fn normalised(&self, x: &Value, stream: &str, columns: usize, is_vector: bool) -> Value {
        match &self.checkpoint.normalisation {
            Normalisation::None | Normalisation::Speaker => x.clone(),
            Normalisation::Utterance(_) if !is_vector => self.normalised_by_itself(x),
            Normalisation::Utterance(fitted) | Normalisation::Corpus(fitted) => {
                let Some(statistics) = fitted.get(stream) else { return x.clone() };
                let mean: Vec<f32> = statistics.mean.iter().map(|&mean| mean as f32).collect();
                let reciprocal: Vec<f32> = statistics.deviation.iter().map(|deviation| deviation.recip() as f32).collect();
                let name = |what: &str| match stream {
                    AUDIO => format!("normalisation.{what}"),
                    _ => format!("normalisation.{stream}.{what}"),
                };
                let mut graph = self.graph.borrow_mut();
                let mean = graph.floats(&name("mean"), &[1, columns], &mean);
                let reciprocal = graph.floats(&name("reciprocal_deviation"), &[1, columns], &reciprocal);
                let x = graph.add("Sub", &[x, &mean], &[]);
                graph.add("Mul", &[&x, &reciprocal], &[])
            }
        }
    }

    /// By the utterance's own statistics, as ours are: in double precision, where the mean of equal float32 is that number itself and
    /// their deviation 0, however many there are; then rounded, and taken as float32.
    fn normalised_by_itself(&self, x: &Value) -> Value {
        let mut graph = self.graph.borrow_mut();
        let mean = [Integers("axes", vec![0]), Integer("keepdims", 1)];
        let wide = graph.cast(x, Element::Double);
        let centre = graph.add("ReduceMean", &[&wide], &mean);
        let apart = graph.add("Sub", &[&wide, &centre], &[]);
        let square = graph.add("Mul", &[&apart, &apart], &[]);
        let variance = graph.add("ReduceMean", &[&square], &mean);
        let deviation = graph.add("Sqrt", &[&variance], &[]);
        let smallest = graph.double("normalisation.smallest", SMALLEST_DEVIATION);
        let one = graph.double("normalisation.one", 1.0);
        let constant = graph.add("Less", &[&deviation, &smallest], &[]);
        let deviation = graph.add("Where", &[&constant, &one, &deviation], &[]);
        let reciprocal = graph.add("Div", &[&one, &deviation], &[]);
        let [centre, reciprocal] = [centre, reciprocal].map(|statistic| graph.cast(&statistic, Element::Float));
        let x = graph.add("Sub", &[x, &centre], &[]);
        graph.add("Mul", &[&x, &reciprocal], &[])
    }
}
