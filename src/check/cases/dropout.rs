//! Cases of `dropout`.

use std::fmt;

use super::products::FEW;
use crate::backend::Backend;
use crate::backend::gpu::shader;
use crate::base::philox::Stream;
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::{Silence, Tolerance};
use crate::check::tape_operation::{Leaf, TapeOperation};
use crate::check::{Gradient, Inputs, Sabotage, Source, Subject, Suite};
use crate::tape::{Tape, Var};

/// Dropout.
#[derive(Debug, Clone)]
pub struct Dropout {
    pub rows: usize,
    pub columns: usize,
    pub rate: f32,
    /// Of the mask.
    pub stream: Stream,
    /// Number of the first element.
    pub first: usize,
}

impl fmt::Display for Dropout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, columns, rate, stream: Stream { seed, stream }, first } = self;
        write!(f, "rows={rows},columns={columns},rate={rate},stream={stream},first={first},mask_seed={seed}")
    }
}

impl Subject for Dropout {
    /// One division; the mask is exact.
    fn tolerance(&self) -> Tolerance {
        Tolerance::ROUNDING
    }

    /// Few elements may all be dropped.
    fn silence(&self) -> Silence {
        if self.rows * self.columns < FEW { Silence::Right } else { Silence::Wrong }
    }
}

impl Suite for Dropout {
    fn cases() -> Vec<Self> {
        let mask = |rows, columns, rate, seed, stream, first| Self { rows, columns, rate, stream: Stream { seed, stream }, first };
        vec![
            mask(129, 128, 0.1, 7, 0, 0),
            mask(63, 128, 0.5, u64::MAX, 1 << 40, 0),
            mask(1, 1, 0.0, 3, 5, 0),
            mask(1, 15, 0.2, 1 << 33, 6, 3),
            mask(17, 5, 0.3, 9, u64::MAX, 85),
            mask(65, 3, 0.9, 11, 12, 4),
        ]
    }

    fn random(source: &mut Source) -> Self {
        let (rows, columns) = (source.size(1, 130), source.size(1, 130));
        Self { rows, columns, rate: source.pick(&[0.0, 0.1, 0.25, 0.6]), stream: source.stream(), first: source.between(0, 9) }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        let mut word = |key, usual| keys.value(key, "number of 64 bits", usual, |_: &u64| true);
        let stream = Stream { stream: word("stream", 0)?, seed: word("mask_seed", 7)? };
        Ok(Self {
            rows: keys.number("rows", 1, 3552)?,
            columns: keys.number("columns", 1, 128)?,
            rate: keys.value("rate", "number from 0 to below 1", 0.1, |rate| (0.0..1.0).contains(rate))?,
            stream,
            first: keys.number("first", 0, 0)?,
        })
    }

    fn largest(&self) -> u64 {
        self.rows as u64 * self.columns as u64
    }

    fn gradient() -> Gradient {
        Gradient::of([Self { rows: 5, columns: 7, rate: 0.4, stream: Stream { seed: 3, stream: 8 }, first: 6 }])
    }

    const SABOTAGE: &'static [Sabotage] = &[Sabotage::new(&shader::dropout::SHADER, "value = x[i] / (1.0 - args.rate)", "value = x[i]")];
}

impl TapeOperation for Dropout {
    type Constants<B: Backend> = ();

    fn constants<B: Backend>(&self, _: &Inputs<'_, B>) {}

    fn leaves(&self, source: &mut Source) -> Vec<Leaf> {
        vec![Leaf::new("x", [self.rows, self.columns], source.uniform(self.rows * self.columns, 1.0))]
    }

    fn output(&self) -> [usize; 2] {
        [self.rows, self.columns]
    }

    fn forward<'a, B: Backend>(&self, tape: &mut Tape<'a, B>, leaves: &[Var<B>], _: &'a ()) -> Var<B> {
        tape.dropout(&leaves[0], self.rate, self.stream, self.first)
    }
}
