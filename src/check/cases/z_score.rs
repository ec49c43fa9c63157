//! Cases of `z_score`.

use std::fmt;

use super::lengths::{Lengths, batch_of_one, read_lengths, total};
use crate::backend::Backend;
use crate::backend::gpu::shader;
use crate::backend::ops::{self, GroupStatistics};
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::Tolerance;
use crate::check::{Gradient, Inputs, Prepared, Record, Recorded, Sabotage, Source, Subject, Suite};

/// Normalisation of features by group.
#[derive(Debug, Clone)]
pub struct ZScore {
    pub lengths: Vec<u32>,
    pub columns: usize,
    pub groups: usize,
    /// Whether the sequences lie among other rows, the last first.
    pub scattered: bool,
}

/// Rows of none before each scattered sequence, and behind the last.
const BETWEEN: usize = 3;

impl fmt::Display for ZScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lengths, columns, groups, scattered } = self;
        write!(f, "{}lengths={},columns={columns},groups={groups}", batch_of_one(lengths), Lengths(lengths))?;
        f.write_str(if *scattered { ",scattered" } else { "" })
    }
}

impl Subject for ZScore {
    /// A difference and a product.
    fn tolerance(&self) -> Tolerance {
        Tolerance::ROUNDING
    }
}

impl Suite for ZScore {
    fn cases() -> Vec<Self> {
        let score = |lengths: &[u32], columns, groups| Self { lengths: lengths.to_vec(), columns, groups, scattered: false };
        vec![
            score(&[120, 64, 33], 40, 1),
            score(&[1], 40, 1),
            score(&[15, 0, 16, 17], 40, 3),
            score(&[63, 64, 65, 129], 5, 4),
            score(&[7, 2], 1, 2),
            Self { scattered: true, ..score(&[15, 0, 16, 17], 40, 3) },
            Self { scattered: true, ..score(&[63, 1, 130], 5, 2) },
        ]
    }

    fn random(source: &mut Source) -> Self {
        let batch = source.between(1, 6);
        let longest = source.size(1, 130) as u32;
        let (columns, groups) = (source.size(1, 50), source.between(1, 4));
        Self { lengths: source.lengths(batch, 0, longest), columns, groups, scattered: source.between(0, 1) == 1 }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        let lengths = read_lengths(keys, "lengths|frames", 0, 1000)?;
        let (columns, groups) = (keys.number("columns", 1, 40)?, keys.number("groups", 1, 1)?);
        Ok(Self { lengths, columns, groups, scattered: keys.switch("scattered")? })
    }

    fn largest(&self) -> u64 {
        total(&self.lengths) as u64 * self.columns as u64
    }

    fn gradient() -> Gradient {
        Gradient::None("it normalises what the network reads, for which no gradient is asked")
    }

    const SABOTAGE: &'static [Sabotage] = &[Sabotage::new(&shader::z_score::SHADER, "- mean[statistic]", "- 1.001 * mean[statistic]")];
}

impl ZScore {
    /// `[batch]`: row of x that a sequence begins with.
    fn first_rows(&self) -> Vec<u32> {
        let between = if self.scattered { BETWEEN as u32 } else { 0 };
        let mut order: Vec<usize> = (0..self.lengths.len()).collect();
        if self.scattered {
            order.reverse();
        }
        let mut first_rows = vec![0; self.lengths.len()];
        let mut next = between;
        for sequence in order {
            first_rows[sequence] = next;
            next += self.lengths[sequence] + between;
        }
        first_rows
    }
}

impl<B: Backend> Record<B> for ZScore {
    fn prepare<'a>(&self, source: &mut Source, inputs: &Inputs<'a, B>) -> Prepared<'a, B> {
        let (rows, columns, groups) = (total(&self.lengths), self.columns, self.groups);
        let statistics_shape = [groups, columns];
        let reciprocals = source.uniform(groups * columns, 0.5).into_iter().map(|value| 1.0 + value).collect::<Vec<_>>();
        let statistics = GroupStatistics {
            groups: inputs.words("groups", &source.below(self.lengths.len(), groups as u32)),
            mean: inputs.matrix("mean", statistics_shape, &source.uniform(groups * columns, 1.0)),
            reciprocal_deviation: inputs.matrix("reciprocal deviation", statistics_shape, &reciprocals),
        };
        let others = if self.scattered { BETWEEN * (self.lengths.len() + 1) } else { 0 };
        let x = inputs.matrix("x", [rows + others, columns], &source.uniform((rows + others) * columns, 3.0));
        let first_rows = inputs.words("first rows", &self.first_rows());
        let scores = ops::ZScore { x, first_rows, rows: inputs.rows("lengths", &self.lengths), statistics };
        let backend = inputs.backend;
        Box::new(move || vec![Recorded::new("output", backend.run(&scores))])
    }
}
