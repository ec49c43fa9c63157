//! Cases of `average`.

use std::fmt;

use super::PARAMETERS;
use crate::backend::gpu::shader;
use crate::backend::{Backend, ops};
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::Tolerance;
use crate::check::{Gradient, Inputs, Prepared, Record, Recorded, Sabotage, Source, Subject, Suite};

/// A step of a running average.
#[derive(Debug, Clone)]
pub struct Average {
    pub count: usize,
    pub share: f32,
}

impl fmt::Display for Average {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "count={},share={}", self.count, self.share)
    }
}

impl Subject for Average {
    /// A difference, a product and a sum; what they nearly take away is off by the numbers' own rounding.
    fn tolerance(&self) -> Tolerance {
        Tolerance { floor: 2e-7, ..Tolerance::of_rms(1e-6) }
    }
}

impl Suite for Average {
    fn cases() -> Vec<Self> {
        let average = |count, share| Self { count, share };
        vec![average(1, 0.5), average(255, 0.0), average(257, 1.0), average(1000, 0.001), average(70_000, 2.0 / 11.0)]
    }

    fn random(source: &mut Source) -> Self {
        Self { count: source.size(1, 3000), share: source.pick(&[0.1, 1e-3, 0.75]) }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        let share = keys.value("share", "number from 0 to 1", 0.001, |share| (0.0..=1.0).contains(share))?;
        Ok(Self { count: keys.number("count", 1, PARAMETERS)?, share })
    }

    fn largest(&self) -> u64 {
        self.count as u64
    }

    fn gradient() -> Gradient {
        Gradient::None("it averages weights; nothing is differentiated through it")
    }

    const SABOTAGE: &'static [Sabotage] = &[Sabotage::new(&shader::average::SHADER, "(x[i] - mean[i])", "x[i]")];
}

impl<B: Backend> Record<B> for Average {
    fn prepare<'a>(&self, source: &mut Source, inputs: &Inputs<'a, B>) -> Prepared<'a, B> {
        let shape = [1, self.count];
        let [x, average] = ["x", "average"].map(|name| inputs.matrix(name, shape, &source.uniform(self.count, 1.0)));
        let (of, backend) = (ops::Average { x, average, share: self.share }, inputs.backend);
        Box::new(move || {
            backend.run(&of);
            vec![Recorded::new("average", of.average.clone())]
        })
    }
}
