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
}

impl fmt::Display for ZScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lengths, columns, groups } = self;
        write!(f, "{}lengths={},columns={columns},groups={groups}", batch_of_one(lengths), Lengths(lengths))
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
        let score = |lengths: &[u32], columns, groups| Self { lengths: lengths.to_vec(), columns, groups };
        vec![
            score(&[120, 64, 33], 40, 1),
            score(&[1], 40, 1),
            score(&[15, 0, 16, 17], 40, 3),
            score(&[63, 64, 65, 129], 5, 4),
            score(&[7, 2], 1, 2),
        ]
    }

    fn random(source: &mut Source) -> Self {
        let batch = source.between(1, 6);
        let longest = source.size(1, 130) as u32;
        Self { lengths: source.lengths(batch, 0, longest), columns: source.size(1, 50), groups: source.between(1, 4) }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        let lengths = read_lengths(keys, "lengths|frames", 0, 1000)?;
        Ok(Self { lengths, columns: keys.number("columns", 1, 40)?, groups: keys.number("groups", 1, 1)? })
    }

    fn gradient() -> Gradient {
        Gradient::None("it normalises what the network reads, for which no gradient is asked")
    }

    const SABOTAGE: &'static [Sabotage] = &[Sabotage::new(&shader::z_score::SHADER, "- mean[statistic]", "- 1.001 * mean[statistic]")];
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
        let x = inputs.matrix("x", [rows, columns], &source.uniform(rows * columns, 3.0));
        let scores = ops::ZScore { x, rows: inputs.rows("lengths", &self.lengths), statistics };
        let backend = inputs.backend;
        Box::new(move || vec![Recorded::new("output", backend.run(&scores))])
    }
}
