//! Cases of the kernels that look rows up in a table: `embedding` and `position_embedding`.

use std::fmt;

use super::{Lengths, total};
use crate::backend::ops::Tokens;
use crate::backend::{Backend, Ragged};
use crate::base::words::OUT_OF_VOCABULARY;
use crate::check::compare::Tolerance;
use crate::check::differentiable::{Differentiable, Leaf, Trial};
use crate::check::{Inputs, Recorded, Source, Subject};
use crate::tape::{Tape, Var};

/// Word vectors; every seventh token has none.
#[derive(Debug, Clone)]
pub struct Embedding {
    /// Tokens.
    pub rows: usize,
    /// Rows of the table.
    pub words: usize,
    pub width: usize,
}

impl Embedding {
    fn tokens(&self) -> Vec<u32> {
        let words = Source::new(self.words as u64).below(self.rows, self.words as u32);
        let known = |row: usize| row % 7 != 3;
        words.into_iter().enumerate().map(|(row, word)| if known(row) { word } else { OUT_OF_VOCABULARY }).collect()
    }
}

impl fmt::Display for Embedding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rows={},words={},width={}", self.rows, self.words, self.width)
    }
}

impl Subject for Embedding {
    fn cases() -> Vec<Self> {
        let lookup = |rows, words, width| Self { rows, words, width };
        vec![lookup(129, 50, 300), lookup(1, 1, 300), lookup(64, 500, 17), lookup(200, 1, 5), lookup(17, 3, 128), lookup(65, 64, 1)]
    }

    fn random(source: &mut Source) -> Self {
        Self { rows: source.size(1, 150), words: source.size(1, 80), width: source.size(1, 130) }
    }

    /// A gradient sums at most 200 rows.
    fn tolerance(&self) -> Tolerance {
        Tolerance::of_rms(3e-6)
    }

    fn record<B: Backend>(&self, source: &mut Source, inputs: &Inputs<'_, B>) -> Vec<Recorded<B>> {
        Trial::new(self, source).record(inputs)
    }
}

impl Differentiable for Embedding {
    type Layout<B: Backend> = Tokens<B>;

    fn layout<B: Backend>(&self, inputs: &Inputs<'_, B>) -> Tokens<B> {
        inputs.tokens("tokens", &self.tokens(), self.words)
    }

    fn leaves(&self, source: &mut Source) -> Vec<Leaf> {
        vec![Leaf::new("table", [self.words, self.width], source.uniform(self.words * self.width, 1.0))]
    }

    fn forward<'a, B: Backend>(&self, tape: &mut Tape<'a, B>, leaves: &[Var<B>], tokens: &'a Tokens<B>) -> Var<B> {
        tape.embedding(&leaves[0], tokens)
    }
}

/// Sinusoidal positions.
#[derive(Debug, Clone)]
pub struct PositionEmbedding {
    pub lengths: Vec<u32>,
    pub width: usize,
}

impl fmt::Display for PositionEmbedding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lengths={},width={}", Lengths(&self.lengths), self.width)
    }
}

impl Subject for PositionEmbedding {
    fn cases() -> Vec<Self> {
        let positions = |lengths: &[u32], width| Self { lengths: lengths.to_vec(), width };
        vec![
            positions(&[111, 50, 33], 128),
            positions(&[1], 128),
            positions(&[15, 0, 16, 17], 20),
            positions(&[63, 64, 65, 129], 5),
            positions(&[1000], 6),
        ]
    }

    fn random(source: &mut Source) -> Self {
        let batch = source.between(1, 5);
        let longest = source.size(1, 130) as u32;
        Self { lengths: source.lengths(batch, 0, longest), width: source.size(1, 70) }
    }

    /// One addition: the table is computed in float64 and rounded once, everywhere.
    fn tolerance(&self) -> Tolerance {
        Tolerance::ROUNDING
    }

    fn record<B: Backend>(&self, source: &mut Source, inputs: &Inputs<'_, B>) -> Vec<Recorded<B>> {
        Trial::new(self, source).record(inputs)
    }
}

impl Differentiable for PositionEmbedding {
    type Layout<B: Backend> = Ragged<B>;

    fn layout<B: Backend>(&self, inputs: &Inputs<'_, B>) -> Ragged<B> {
        inputs.rows("lengths", &self.lengths)
    }

    fn leaves(&self, source: &mut Source) -> Vec<Leaf> {
        let rows = total(&self.lengths);
        vec![Leaf::new("x", [rows, self.width], source.uniform(rows * self.width, 1.0))]
    }

    fn forward<'a, B: Backend>(&self, tape: &mut Tape<'a, B>, leaves: &[Var<B>], rows: &'a Ragged<B>) -> Var<B> {
        tape.position_embedding(&leaves[0], rows)
    }
}
