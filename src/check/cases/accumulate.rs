//! Cases of `accumulate`.

use std::fmt;

use super::PARAMETERS;
use crate::backend::gpu::shader;
use crate::backend::{Backend, Write, ops};
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::Tolerance;
use crate::check::{Gradient, Inputs, Prepared, Record, Recorded, Sabotage, Source, Subject, Suite};

/// `sink (+)= x`
#[derive(Debug, Clone)]
pub struct Accumulate {
    pub count: usize,
}

impl fmt::Display for Accumulate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "count={}", self.count)
    }
}

impl Subject for Accumulate {
    /// One addition of numbers near 1.
    fn tolerance(&self) -> Tolerance {
        Tolerance::ROUNDING
    }
}

impl Suite for Accumulate {
    fn cases() -> Vec<Self> {
        [1, 3, 63, 64, 65, 255, 257, 10_000].map(|count| Self { count }).into()
    }

    fn random(source: &mut Source) -> Self {
        Self { count: source.size(1, 3000) }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        Ok(Self { count: keys.number("count", 1, PARAMETERS)? })
    }

    fn largest(&self) -> u64 {
        self.count as u64
    }

    fn gradient() -> Gradient {
        Gradient::None("it sums gradients and has none itself")
    }

    const SABOTAGE: &'static [Sabotage] = &[Sabotage::new(&shader::accumulate::SHADER, "out[i] += x[i]", "out[i] = x[i]")];
}

impl<B: Backend> Record<B> for Accumulate {
    fn prepare<'a>(&self, source: &mut Source, inputs: &Inputs<'a, B>) -> Prepared<'a, B> {
        let shape = [1, self.count];
        let backend = inputs.backend;
        let mut drawn = |name| inputs.matrix(name, shape, &source.uniform(self.count, 1.0));
        let x = drawn("x");
        let set = ops::Accumulate { x: x.clone(), sum: backend.uninitialised(shape), write: Write::Set };
        let added = ops::Accumulate { x, sum: drawn("sink"), write: Write::Add };
        Box::new(move || {
            backend.run(&set);
            backend.run(&added);
            vec![Recorded::new("set", set.sum.clone()), Recorded::new("added", added.sum.clone())]
        })
    }
}
