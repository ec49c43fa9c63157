//! Cases of `functionals`.

use std::fmt;

use super::lengths::{Lengths, batch_of_one, read_lengths, total};
use crate::backend::gpu::shader;
use crate::backend::{Backend, ops};
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::Tolerance;
use crate::check::{Gradient, Inputs, Prepared, Record, Recorded, Sabotage, Source, Subject, Suite};

/// Functionals of columns of four kinds by turns: drawn anew, in halves of which many are the same, far from zero, constant.
#[derive(Debug, Clone)]
pub struct Functionals {
    pub lengths: Vec<u32>,
    pub columns: usize,
}

impl fmt::Display for Functionals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lengths, columns } = self;
        write!(f, "{}lengths={},columns={columns}", batch_of_one(lengths), Lengths(lengths))
    }
}

impl Subject for Functionals {
    /// Sums of up to some thousand; a moment is divided by the deviation to its power.
    fn tolerance(&self) -> Tolerance {
        Tolerance { floor: 5e-6, of_rms: 2e-6, ..Tolerance::of_rms(1e-5) }
    }
}

impl Suite for Functionals {
    fn cases() -> Vec<Self> {
        let functionals = |lengths: &[u32], columns| Self { lengths: lengths.to_vec(), columns };
        vec![
            functionals(&[120, 9, 33, 64], 40),
            functionals(&[1], 3),
            functionals(&[0, 2, 3, 4, 5, 6, 1, 0], 5),
            functionals(&[65, 63], 70),
            functionals(&[2500], 4),
            // More turns of loops than llvmpipe lets one invocation take.
            functionals(&[130_000, 70], 1),
        ]
    }

    fn random(source: &mut Source) -> Self {
        let batch = source.between(1, 5);
        let longest = source.size(1, 200) as u32;
        Self { lengths: source.lengths(batch, 0, longest), columns: source.size(1, 70) }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        Ok(Self { lengths: read_lengths(keys, "lengths|frames", 0, 1000)?, columns: keys.number("columns", 1, 120)? })
    }

    fn largest(&self) -> u64 {
        total(&self.lengths) as u64 * self.columns as u64
    }

    fn gradient() -> Gradient {
        Gradient::None("training begins behind it, with features from a file")
    }

    const SABOTAGE: &'static [Sabotage] = &[
        Sabotage::new(&shader::functionals::SHADER, "below.b <= ranks", "below.b < ranks"),
        Sabotage::new(&shader::functionals::SHADER, "up_to > rank + 1u", "up_to > rank"),
        Sabotage::new(&shader::functionals::SHADER, "count * count - 1.0", "count * count"),
        Sabotage::new(&shader::functionals::SHADER, "moments.y / (", "1.001 * moments.y / ("),
    ];
}

impl<B: Backend> Record<B> for Functionals {
    fn prepare<'a>(&self, source: &mut Source, inputs: &Inputs<'a, B>) -> Prepared<'a, B> {
        let (rows, columns) = (total(&self.lengths), self.columns);
        let mut values = source.uniform(rows * columns, 3.0);
        for (place, value) in values.iter_mut().enumerate() {
            *value = match place % columns % 4 {
                0 => *value,
                1 => (2.0 * *value).round() / 2.0,
                2 => 20.0 + *value,
                _ => 1.7,
            };
        }
        let x = inputs.matrix("x", [rows, columns], &values);
        let functionals = ops::Functionals { x, rows: inputs.rows("lengths", &self.lengths) };
        let backend = inputs.backend;
        Box::new(move || vec![Recorded::new("output", backend.run(&functionals))])
    }
}
