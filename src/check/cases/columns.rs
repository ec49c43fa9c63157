//! Cases of `columns`.

use std::fmt;

use crate::backend::Backend;
use crate::backend::gpu::shader;
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::{Silence, Tolerance};
use crate::check::tape_operation::{Leaf, TapeOperation};
use crate::check::{Gradient, Inputs, Sabotage, Source, Subject, Suite};
use crate::tape::{Tape, Var};

/// Some columns of a matrix.
#[derive(Debug, Clone)]
pub struct Columns {
    pub rows: usize,
    /// Columns of the matrix.
    pub width: usize,
    pub first: usize,
    pub columns: usize,
}

impl fmt::Display for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rows={},width={},first={},columns={}", self.rows, self.width, self.first, self.columns)
    }
}

impl Subject for Columns {
    /// Nothing is computed but the sum of two gradients.
    fn tolerance(&self) -> Tolerance {
        Tolerance::ROUNDING
    }

    /// A single number may be drawn as zero.
    fn silence(&self) -> Silence {
        if self.rows * self.columns < 4 { Silence::Right } else { Silence::Wrong }
    }
}

impl Suite for Columns {
    fn cases() -> Vec<Self> {
        let columns = |rows, width, first, columns| Self { rows, width, first, columns };
        vec![columns(129, 400, 200, 200), columns(17, 9, 3, 4), columns(1, 40, 0, 40), columns(33, 16, 4, 5)]
    }

    fn random(source: &mut Source) -> Self {
        let [before, columns, after] = [source.size(0, 40), source.size(1, 70), source.size(0, 40)];
        Self { rows: source.size(1, 70), width: before + columns + after, first: before, columns }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        let [rows, width] = [keys.number("rows", 1, 32)?, keys.number("width", 1, 400)?];
        let first = keys.number("first", 0, 0)?;
        let columns = keys.number("columns", 1, width.saturating_sub(first).max(1))?;
        if first + columns > width {
            return Err(SizeError::Misfit(format!("columns {first}..{} do not lie in {width}", first + columns)));
        }
        Ok(Self { rows, width, first, columns })
    }

    fn largest(&self) -> u64 {
        self.rows as u64 * self.width as u64
    }

    fn gradient() -> Gradient {
        Gradient::of([Self { rows: 4, width: 7, first: 2, columns: 3 }])
    }

    const SABOTAGE: &'static [Sabotage] =
        &[Sabotage::new(&shader::columns::SHADER, "+ args.source_first) / COLUMNS + c", "+ args.source_first) / COLUMNS + c / 2u")];
}

impl TapeOperation for Columns {
    type Constants<B: Backend> = ();

    fn constants<B: Backend>(&self, _: &Inputs<'_, B>) {}

    fn leaves(&self, source: &mut Source) -> Vec<Leaf> {
        vec![Leaf::new("x", [self.rows, self.width], source.uniform(self.rows * self.width, 1.0))]
    }

    fn output(&self) -> [usize; 2] {
        [self.rows, self.columns]
    }

    fn forward<'a, B: Backend>(&self, tape: &mut Tape<'a, B>, leaves: &[Var<B>], _: &'a ()) -> Var<B> {
        tape.columns(&leaves[0], self.first, self.columns)
    }
}
