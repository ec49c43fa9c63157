//! Cases of `mmd`.

use std::fmt;

use super::losses::{Loss, LossObjective};
use super::suffix;
use crate::backend::gpu::shader;
use crate::backend::{Backend, ops};
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::{Silence, Tolerance};
use crate::check::tape_operation::Leaf;
use crate::check::{Gradient, Inputs, Prepared, Record, Recorded, Sabotage, Source, Subject, Suite};

/// What rows there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sets {
    /// Those of the second set lie further out.
    Apart,
    /// All rows are the same.
    Equal,
    /// A NaN in the first row.
    NotFinite,
}

const SETS: &[(&str, Sets)] = &[("equal", Sets::Equal), ("not_finite", Sets::NotFinite)];

/// Maximum mean discrepancy of two sets, and its gradients.
#[derive(Debug, Clone)]
pub struct Mmd {
    /// Of each set.
    pub rows: usize,
    pub width: usize,
    /// σ_0, where it does not follow from the rows.
    pub bandwidth: Option<f32>,
    pub sets: Sets,
}

/// That of the loss.
const WEIGHT: f32 = -0.1;

/// What gradients are multiplied with.
const SCALE: f32 = 1024.0;

impl fmt::Display for Mmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rows={},width={}", self.rows, self.width)?;
        self.bandwidth.map_or(Ok(()), |bandwidth| write!(f, ",bandwidth={bandwidth}"))?;
        f.write_str(&suffix(SETS, self.sets))
    }
}

impl Subject for Mmd {
    /// The loss is the difference of sums of numbers up to 5, each right to 1e-6; a gradient sums differences likewise.
    fn tolerance(&self) -> Tolerance {
        Tolerance { floor: 1e-6, ..Tolerance::of_rms(2e-5) }
    }

    /// Of rows that are all equal everything is zero, of a NaN nothing is a number.
    fn silence(&self) -> Silence {
        if self.sets == Sets::Apart { Silence::Wrong } else { Silence::Right }
    }
}

impl Suite for Mmd {
    fn cases() -> Vec<Self> {
        let discrepancy = |rows, width| Self { rows, width, bandwidth: None, sets: Sets::Apart };
        vec![
            discrepancy(64, 128),
            discrepancy(1, 16),
            Self { bandwidth: Some(3.0), ..discrepancy(9, 30) },
            discrepancy(150, 5),
            Self { sets: Sets::Equal, ..discrepancy(8, 12) },
            Self { sets: Sets::NotFinite, ..discrepancy(5, 12) },
        ]
    }

    fn random(source: &mut Source) -> Self {
        let bandwidth = source.pick(&[None, Some(2.0)]);
        Self { rows: source.size(1, 40), width: source.size(1, 70), bandwidth, sets: Sets::Apart }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        let above_zero = |text: &str| text.parse().ok().filter(|&number: &f32| number > 0.0);
        Ok(Self {
            rows: keys.number("rows", 1, 32)?,
            width: keys.number("width", 1, 128)?,
            bandwidth: keys.read("bandwidth", "number above 0", above_zero)?,
            sets: keys.choice(SETS, Sets::Apart)?,
        })
    }

    /// The distances, or a set.
    fn largest(&self) -> u64 {
        let rows = self.rows as u64;
        (4 * rows * rows).max(rows * self.width as u64)
    }

    /// With a bandwidth of its own, since that counts as constant.
    fn gradient() -> Gradient {
        LossObjective::proved([Self { rows: 4, width: 5, bandwidth: Some(1.5), sets: Sets::Apart }])
    }

    const SABOTAGE: &'static [Sabotage] = &[
        Sabotage::new(&shader::mmd::SHADER, "loss[0] = args.share", "loss[0] = 1.001 * args.share"),
        Sabotage::new(&shader::mmd::SHADER, "bandwidth = tree_sum", "bandwidth = 1.01 * tree_sum"),
    ];
}

impl Loss for Mmd {
    fn leaves(&self, source: &mut Source) -> Vec<Leaf> {
        let shape = [self.rows, self.width];
        let mut set = |name, amplitude| {
            let mut values = source.uniform(self.rows * self.width, amplitude);
            match self.sets {
                Sets::Apart => {}
                Sets::Equal => values.fill(0.75),
                Sets::NotFinite => values[0] = f32::NAN,
            }
            Leaf::new(name, shape, values)
        };
        vec![set("first", 1.0), set("second", 1.5)]
    }

    fn record<'a, B: Backend>(&self, leaves: &[Leaf], scale: f32, inputs: &Inputs<'a, B>) -> Prepared<'a, B> {
        let discrepancy = ops::Mmd {
            first: inputs.leaf(&leaves[0]),
            second: inputs.leaf(&leaves[1]),
            scaling: inputs.matrix("loss scale", [1, 3], &[scale, 0.0, 0.0]),
            weight: WEIGHT,
            bandwidth: self.bandwidth,
        };
        let backend = inputs.backend;
        Box::new(move || {
            let (loss, [first, second]) = backend.run(&discrepancy);
            vec![Recorded::new("loss", loss), Recorded::new("gradient of first", first), Recorded::new("gradient of second", second)]
        })
    }
}

impl<B: Backend> Record<B> for Mmd {
    fn prepare<'a>(&self, source: &mut Source, inputs: &Inputs<'a, B>) -> Prepared<'a, B> {
        self.record(&self.leaves(source), SCALE, inputs)
    }
}
