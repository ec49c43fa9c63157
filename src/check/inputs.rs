//! What a case gives a kernel: every input has a name and is kept on the host, so that another program can read it.

use std::cell::RefCell;
use std::ops::Range;

use super::tape_operation::Leaf;
use crate::backend::ops::{Segments, TensorTable, Tokens};
use crate::backend::{Backend, Ragged};

/// An input of a case on the host.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// `x`, `weight`, `lengths`, …
    pub name: String,
    /// Rows and columns of a matrix, the length of a list.
    pub shape: Vec<usize>,
    /// What is in it.
    pub values: Values,
}

/// The elements of an input, row-major.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Of a matrix.
    Numbers(Vec<f32>),
    /// Of a list: lengths, tokens, labels, …
    Words(Vec<u32>),
}

/// The way from a case to a backend.
pub struct Inputs<'b, B: Backend> {
    /// Where the inputs are put.
    pub backend: &'b B,
    given: RefCell<Vec<Input>>,
}

impl<'b, B: Backend> Inputs<'b, B> {
    /// Nothing is given yet.
    pub(crate) fn new(backend: &'b B) -> Self {
        Self { backend, given: RefCell::default() }
    }

    /// Uploads a matrix.
    pub fn matrix(&self, name: impl Into<String>, shape: [usize; 2], values: &[f32]) -> B::Tensor {
        self.keep(name.into(), shape.to_vec(), Values::Numbers(values.to_vec()));
        self.backend.upload(values, shape)
    }

    /// Uploads an input whose gradient is wanted.
    pub(crate) fn leaf(&self, leaf: &Leaf) -> B::Tensor {
        self.matrix(&leaf.name, leaf.shape, &leaf.values)
    }

    /// Uploads a list of words.
    pub fn words(&self, name: impl Into<String>, words: &[u32]) -> B::Words {
        self.keep(name.into(), vec![words.len()], Values::Words(words.to_vec()));
        self.backend.upload_words(words)
    }

    /// Lays out sequences of the given lengths.
    pub(crate) fn rows(&self, name: impl Into<String>, lengths: &[u32]) -> Ragged<B> {
        self.keep(name.into(), vec![lengths.len()], Values::Words(lengths.to_vec()));
        Ragged::new(self.backend, lengths)
    }

    /// Uploads tokens for a table of `table_rows` vectors.
    pub(crate) fn tokens(&self, name: impl Into<String>, ids: &[u32], table_rows: usize) -> Tokens<B> {
        self.keep(name.into(), vec![ids.len()], Values::Words(ids.to_vec()));
        Tokens::new(self.backend, ids, table_rows)
    }

    /// Uploads segments of a matrix of so many rows.
    pub(crate) fn segments(&self, name: impl Into<String>, [starts, ends]: [&[u32]; 2], rows: usize) -> Segments<B> {
        self.keep(name.into(), vec![2, starts.len()], Values::Words([starts, ends].concat()));
        Segments::new(self.backend, starts, ends, rows)
    }

    /// Uploads where tensors lie.
    pub(crate) fn tensors(&self, name: impl Into<String>, ranges: &[Range<usize>]) -> TensorTable<B> {
        let bounds = ranges.iter().flat_map(|range| [range.start, range.end].map(|bound| bound as u32));
        self.keep(name.into(), vec![ranges.len(), 2], Values::Words(bounds.collect()));
        TensorTable::new(self.backend, ranges)
    }

    fn keep(&self, name: String, shape: Vec<usize>, values: Values) {
        self.given.borrow_mut().push(Input { name, shape, values });
    }

    /// All that was given, in its order.
    pub(crate) fn into_given(self) -> Vec<Input> {
        self.given.into_inner()
    }
}
