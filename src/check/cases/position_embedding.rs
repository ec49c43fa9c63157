//! Cases of `position_embedding`.

use std::fmt;

use super::lengths::{Lengths, batch_of_one, read_lengths, total};
use crate::backend::gpu::shader;
use crate::backend::{Backend, Ragged};
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::Tolerance;
use crate::check::tape_operation::{Leaf, TapeOperation};
use crate::check::{Gradient, Inputs, Sabotage, Source, Subject, Suite};
use crate::tape::{Tape, Var};

/// Sinusoidal positions.
#[derive(Debug, Clone)]
pub struct PositionEmbedding {
    pub lengths: Vec<u32>,
    pub width: usize,
}

impl fmt::Display for PositionEmbedding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}lengths={},width={}", batch_of_one(&self.lengths), Lengths(&self.lengths), self.width)
    }
}

impl Subject for PositionEmbedding {
    /// One addition: the table is computed in float64 and rounded once, everywhere.
    fn tolerance(&self) -> Tolerance {
        Tolerance::ROUNDING
    }
}

impl Suite for PositionEmbedding {
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

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        let lengths = read_lengths(keys, "lengths|rows", 0, 111)?;
        Ok(Self { lengths, width: keys.number("width", 1, 128)? })
    }

    fn largest(&self) -> u64 {
        total(&self.lengths) as u64 * self.width as u64
    }

    fn gradient() -> Gradient {
        Gradient::of([Self { lengths: vec![3, 0, 5], width: 5 }])
    }

    const SABOTAGE: &'static [Sabotage] = &[Sabotage::new(&shader::position_embedding::SHADER, "+ table[", "+ 1.001 * table[")];
}

impl TapeOperation for PositionEmbedding {
    type Constants<B: Backend> = Ragged<B>;

    fn constants<B: Backend>(&self, inputs: &Inputs<'_, B>) -> Ragged<B> {
        inputs.rows("lengths", &self.lengths)
    }

    fn leaves(&self, source: &mut Source) -> Vec<Leaf> {
        let rows = total(&self.lengths);
        vec![Leaf::new("x", [rows, self.width], source.uniform(rows * self.width, 1.0))]
    }

    fn output(&self) -> [usize; 2] {
        [total(&self.lengths), self.width]
    }

    fn forward<'a, B: Backend>(&self, tape: &mut Tape<'a, B>, leaves: &[Var<B>], rows: &'a Ragged<B>) -> Var<B> {
        tape.position_embeddings(&[(leaves[0].clone(), rows)]).remove(0)
    }
}
