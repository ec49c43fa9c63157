//! Cases of `row_scores`.

use std::fmt;

use super::lengths::{Lengths, batch_of_one, read_lengths, total};
use super::products::PRODUCT;
use super::spread::SPREADS;
use super::{Spread, suffix};
use crate::backend::gpu::shader;
use crate::backend::{Backend, Ragged};
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::{Silence, Tolerance};
use crate::check::tape_operation::{Leaf, TapeOperation};
use crate::check::{Gradient, Inputs, Sabotage, Source, Subject, Suite};
use crate::tape::{Tape, Var};

/// Whose a query is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Query {
    /// Each utterance has its own.
    Own,
    /// There is one for all.
    One,
}

const QUERIES: &[(&str, Query)] = &[("one_query", Query::One)];

/// Scores of rows by a query.
#[derive(Debug, Clone)]
pub struct RowScores {
    pub lengths: Vec<u32>,
    pub width: usize,
    pub query: Query,
    pub spread: Spread,
}

impl RowScores {
    fn queries(&self) -> usize {
        match self.query {
            Query::Own => self.lengths.len(),
            Query::One => 1,
        }
    }
}

impl fmt::Display for RowScores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}lengths={},width={}", batch_of_one(&self.lengths), Lengths(&self.lengths), self.width)?;
        write!(f, "{}{}", suffix(QUERIES, self.query), suffix(SPREADS, self.spread))
    }
}

impl Subject for RowScores {
    fn tolerance(&self) -> Tolerance {
        PRODUCT
    }

    fn silence(&self) -> Silence {
        self.spread.silence()
    }
}

impl Suite for RowScores {
    fn cases() -> Vec<Self> {
        use Query::{One, Own};
        let scores = |lengths: &[u32], width, query| Self { lengths: lengths.to_vec(), width, query, spread: Spread::Even };
        vec![
            scores(&[111, 50, 33, 1], 400, Own),
            scores(&[1], 128, One),
            scores(&[15, 0, 16, 17], 5, Own),
            scores(&[63, 64, 65, 300], 20, One),
            Self { spread: Spread::NotFinite, ..scores(&[9, 30, 2], 12, Own) },
        ]
    }

    fn random(source: &mut Source) -> Self {
        let batch = source.between(1, 5);
        let longest = source.size(1, 200) as u32;
        Self {
            lengths: source.lengths(batch, 0, longest),
            width: source.size(1, 130),
            query: source.pick(&[Query::Own, Query::One]),
            spread: Spread::Even,
        }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        Ok(Self {
            lengths: read_lengths(keys, "lengths|rows", 0, 111)?,
            width: keys.number("width", 1, 200)?,
            query: keys.choice(QUERIES, Query::Own)?,
            spread: Spread::read(keys, &[Spread::NotFinite])?,
        })
    }

    fn largest(&self) -> u64 {
        total(&self.lengths) as u64 * self.width as u64
    }

    fn gradient() -> Gradient {
        let scores = |query| Self { lengths: vec![3, 1, 0, 4], width: 5, query, spread: Spread::Even };
        Gradient::of([scores(Query::Own), scores(Query::One)])
    }

    const SABOTAGE: &'static [Sabotage] = &[
        Sabotage::new(&shader::row_scores::SHADER, "part += vectors[", "part += 1.001 * vectors["),
        Sabotage::new(&shader::row_scores::SHADER, "factors[row] * held", "1.001 * factors[row] * held"),
    ];
}

impl TapeOperation for RowScores {
    type Constants<B: Backend> = Ragged<B>;

    fn constants<B: Backend>(&self, inputs: &Inputs<'_, B>) -> Ragged<B> {
        inputs.rows("lengths", &self.lengths)
    }

    fn leaves(&self, source: &mut Source) -> Vec<Leaf> {
        let rows = total(&self.lengths);
        let mut x = source.uniform(rows * self.width, 1.0);
        if self.spread == Spread::NotFinite {
            source.spoil(&mut x);
        }
        let query = source.uniform(self.queries() * self.width, 1.0);
        vec![Leaf::new("x", [rows, self.width], x), Leaf::new("query", [self.queries(), self.width], query)]
    }

    fn output(&self) -> [usize; 2] {
        [total(&self.lengths), 1]
    }

    fn forward<'a, B: Backend>(&self, tape: &mut Tape<'a, B>, leaves: &[Var<B>], rows: &'a Ragged<B>) -> Var<B> {
        tape.row_scores(&leaves[0], &leaves[1], rows)
    }
}
