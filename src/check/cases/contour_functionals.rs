//! Cases of `contour_functionals`.

use std::fmt;

use super::lengths::{Lengths, batch_of_one, read_lengths, total};
use super::suffix;
use crate::backend::gpu::shader;
use crate::backend::{Backend, ops};
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::Tolerance;
use crate::check::{Gradient, Inputs, Prepared, Record, Recorded, Sabotage, Source, Subject, Suite};

/// Functionals of contours of three kinds by turns: drawn anew with gaps of zeros, in halves of which many are the same, falling.
#[derive(Debug, Clone)]
pub struct ContourFunctionals {
    pub lengths: Vec<u32>,
    pub columns: usize,
    pub skips_zeros: bool,
}

const ZEROS: &[(&str, bool)] = &[("zeros", false)];

impl fmt::Display for ContourFunctionals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lengths, columns, skips_zeros } = self;
        write!(f, "{}lengths={},columns={columns}{}", batch_of_one(lengths), Lengths(lengths), suffix(ZEROS, *skips_zeros))
    }
}

impl Subject for ContourFunctionals {
    /// Sums of up to some thousand.
    fn tolerance(&self) -> Tolerance {
        Tolerance { floor: 2e-6, of_rms: 2e-6, ..Tolerance::of_rms(1e-5) }
    }
}

impl Suite for ContourFunctionals {
    fn cases() -> Vec<Self> {
        let functionals = |lengths: &[u32], columns, skips_zeros| Self { lengths: lengths.to_vec(), columns, skips_zeros };
        vec![
            functionals(&[120, 9, 33, 64], 4, true),
            functionals(&[1], 3, true),
            functionals(&[0, 2, 3, 4, 5, 11, 1, 0], 4, false),
            functionals(&[500, 127, 129], 1, false),
            functionals(&[2500], 3, true),
            // More turns of loops than llvmpipe lets one invocation take.
            functionals(&[130_000, 70], 1, true),
        ]
    }

    fn random(source: &mut Source) -> Self {
        let batch = source.between(1, 5);
        let longest = source.size(1, 200) as u32;
        let lengths = source.lengths(batch, 0, longest);
        Self { lengths, columns: source.size(1, 5), skips_zeros: source.pick(&[true, false]) }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        let lengths = read_lengths(keys, "lengths|frames", 0, 500)?;
        Ok(Self { lengths, columns: keys.number("columns", 1, 4)?, skips_zeros: keys.choice(ZEROS, true)? })
    }

    fn largest(&self) -> u64 {
        total(&self.lengths) as u64 * self.columns as u64
    }

    fn gradient() -> Gradient {
        Gradient::None("training begins behind it, with features from a file")
    }

    const SABOTAGE: &'static [Sabotage] = &[
        Sabotage::new(&shader::contour_functionals::SHADER, "below.b <= ranks", "below.b < ranks"),
        Sabotage::new(&shader::contour_functionals::SHADER, "up_to > rank + 1u", "up_to > rank"),
        Sabotage::new(&shader::contour_functionals::SHADER, "count * count - 1.0", "count * count + count"),
        Sabotage::new(&shader::contour_functionals::SHADER, "before + value + after", "before + value"),
        Sabotage::new(&shader::contour_functionals::SHADER, "var time = places.x", "var time = begin"),
    ];
}

impl<B: Backend> Record<B> for ContourFunctionals {
    fn prepare<'a>(&self, source: &mut Source, inputs: &Inputs<'a, B>) -> Prepared<'a, B> {
        let (rows, columns) = (total(&self.lengths), self.columns);
        let mut values = source.uniform(rows * columns, 1.0);
        for (place, value) in values.iter_mut().enumerate() {
            let row = place / columns;
            // The mean of a contour is far from zero: by it the centroid is divided.
            let of_kind = match place % columns % 3 {
                0 => 3.0 + *value,
                1 => 3.0 + (2.0 * *value).round() / 2.0,
                _ => *value - 5.0 - (row % 100) as f32 / 50.0,
            };
            *value = if row % 11 > 6 { 0.0 } else { of_kind };
        }
        let x = inputs.matrix("x", [rows, columns], &values);
        let functionals = ops::ContourFunctionals { x, rows: inputs.rows("lengths", &self.lengths), skips_zeros: self.skips_zeros };
        let backend = inputs.backend;
        Box::new(move || vec![Recorded::new("functionals", backend.run(&functionals))])
    }
}
