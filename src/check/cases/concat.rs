//! Cases of `concat`.

use std::fmt;

use super::lengths::Lengths;
use crate::backend::Backend;
use crate::backend::gpu::shader;
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::Tolerance;
use crate::check::tape_operation::{Leaf, TapeOperation};
use crate::check::{Gradient, Inputs, Sabotage, Source, Subject, Suite};
use crate::tape::{Tape, Var};

/// Matrices side by side.
#[derive(Debug, Clone)]
pub struct Concat {
    pub rows: usize,
    /// Those of each matrix.
    pub columns: Vec<u32>,
}

impl Concat {
    fn width(&self) -> usize {
        self.columns.iter().sum::<u32>() as usize
    }
}

impl fmt::Display for Concat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rows={},columns={}", self.rows, Lengths(&self.columns))
    }
}

impl Subject for Concat {
    /// Nothing is computed but the sum of two gradients.
    fn tolerance(&self) -> Tolerance {
        Tolerance::ROUNDING
    }
}

impl Suite for Concat {
    fn cases() -> Vec<Self> {
        let concat = |rows, columns: &[u32]| Self { rows, columns: columns.to_vec() };
        vec![concat(129, &[200, 200, 128]), concat(1, &[200, 35]), concat(17, &[3, 4, 5, 8])]
    }

    fn random(source: &mut Source) -> Self {
        let parts = source.between(1, 4);
        Self { rows: source.size(1, 70), columns: (0..parts).map(|_| source.size(1, 70) as u32).collect() }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        Ok(Self { rows: keys.number("rows", 1, 32)?, columns: keys.numbers("columns", 1)?.unwrap_or_else(|| vec![200, 200]) })
    }

    fn largest(&self) -> u64 {
        self.rows as u64 * self.width() as u64
    }

    fn gradient() -> Gradient {
        Gradient::of([Self { rows: 3, columns: vec![2, 5, 1] }])
    }

    const SABOTAGE: &'static [Sabotage] =
        &[Sabotage::new(&shader::columns::SHADER, "+ args.target_first) / COLUMNS + c", "+ args.target_first) / COLUMNS + c / 2u")];
}

impl TapeOperation for Concat {
    type Constants<B: Backend> = ();

    fn constants<B: Backend>(&self, _: &Inputs<'_, B>) {}

    fn leaves(&self, source: &mut Source) -> Vec<Leaf> {
        let mut part = |(number, &columns): (usize, &u32)| {
            let shape = [self.rows, columns as usize];
            Leaf::new(format!("part {number}"), shape, source.uniform(shape[0] * shape[1], 1.0))
        };
        self.columns.iter().enumerate().map(&mut part).collect()
    }

    fn output(&self) -> [usize; 2] {
        [self.rows, self.width()]
    }

    fn forward<'a, B: Backend>(&self, tape: &mut Tape<'a, B>, leaves: &[Var<B>], _: &'a ()) -> Var<B> {
        tape.concat(&leaves.iter().collect::<Vec<_>>())
    }
}
