//! Cases of `windows`.

use std::fmt;

use super::lengths::{Lengths, batch_of_one, read_lengths, total};
use crate::backend::gpu::shader;
use crate::backend::{Backend, Ragged};
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::Tolerance;
use crate::check::tape_operation::{Leaf, TapeOperation};
use crate::check::{Gradient, Inputs, Sabotage, Source, Subject, Suite};
use crate::tape::{Tape, Var};

/// Windows of rows.
#[derive(Debug, Clone)]
pub struct Windows {
    pub lengths: Vec<u32>,
    pub width: usize,
    /// Rows of a window.
    pub size: usize,
    /// Rows that a sequence counts as having at least.
    pub least: usize,
}

impl fmt::Display for Windows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lengths, width, size, least } = self;
        write!(f, "{}lengths={},width={width},size={size},least={least}", batch_of_one(lengths), Lengths(lengths))
    }
}

impl Subject for Windows {
    /// Sums of as many gradients as a window has rows.
    fn tolerance(&self) -> Tolerance {
        Tolerance::of_rms(1e-6)
    }
}

impl Suite for Windows {
    fn cases() -> Vec<Self> {
        let windows = |lengths: &[u32], width, size, least| Self { lengths: lengths.to_vec(), width, size, least };
        vec![
            windows(&[50, 5, 1, 17], 300, 5, 0),
            windows(&[2], 128, 3, 0),
            windows(&[33, 0, 3, 4, 64], 7, 4, 0),
            windows(&[9, 2], 16, 1, 0),
            windows(&[3, 1, 7, 0], 12, 3, 5),
        ]
    }

    fn random(source: &mut Source) -> Self {
        let batch = source.between(1, 5);
        let longest = source.size(1, 70) as u32;
        let lengths = source.lengths(batch, 0, longest);
        Self { lengths, width: source.size(1, 70), size: source.between(1, 6), least: source.between(0, 6) }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        let lengths = read_lengths(keys, "lengths|rows", 0, 50)?;
        let (width, size) = (keys.number("width", 1, 300)?, keys.number("size", 1, 3)?);
        Ok(Self { lengths, width, size, least: keys.number("least", 0, 0)? })
    }

    fn largest(&self) -> u64 {
        self.output().into_iter().map(|size| size as u64).product()
    }

    fn gradient() -> Gradient {
        Gradient::of([Self { lengths: vec![6, 2, 0, 3], width: 2, size: 3, least: 5 }])
    }

    const SABOTAGE: &'static [Sabotage] = &[
        Sabotage::new(&shader::windows::SHADER, "value = x[place]", "value = 1.001 * x[place]"),
        Sabotage::new(&shader::windows::SHADER, "total += y_gradient[", "total += 1.001 * y_gradient["),
    ];
}

impl TapeOperation for Windows {
    type Constants<B: Backend> = [Ragged<B>; 2];

    fn constants<B: Backend>(&self, inputs: &Inputs<'_, B>) -> [Ragged<B>; 2] {
        let input = inputs.rows("lengths", &self.lengths);
        let output = input.windows(inputs.backend, self.size, self.least);
        [input, output]
    }

    fn leaves(&self, source: &mut Source) -> Vec<Leaf> {
        let rows = total(&self.lengths);
        vec![Leaf::new("x", [rows, self.width], source.uniform(rows * self.width, 1.0))]
    }

    fn output(&self) -> [usize; 2] {
        let windows = |&length: &u32| (self.least.max(length as usize) + 1).saturating_sub(self.size).max(1);
        [self.lengths.iter().map(windows).sum(), self.size * self.width]
    }

    fn forward<'a, B: Backend>(&self, tape: &mut Tape<'a, B>, leaves: &[Var<B>], [input, output]: &'a [Ragged<B>; 2]) -> Var<B> {
        tape.windows(&leaves[0], input, output, self.size)
    }
}
