//! Cases of `sgd`.

use std::fmt;

use super::Steps;
use crate::backend::gpu::shader;
use crate::backend::{Backend, ops};
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::Tolerance;
use crate::check::{Gradient, Inputs, Prepared, Record, Recorded, Sabotage, Source, Subject, Suite};

/// Three steps of stochastic gradient descent.
#[derive(Debug, Clone)]
pub struct Sgd(pub Steps);

impl fmt::Display for Sgd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Subject for Sgd {
    fn tolerance(&self) -> Tolerance {
        Steps::TOLERANCE
    }
}

impl Suite for Sgd {
    fn cases() -> Vec<Self> {
        Steps::cases().map(Self).collect()
    }

    fn random(source: &mut Source) -> Self {
        Self(Steps::random(source))
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        Ok(Self(Steps::read(keys)?))
    }

    fn gradient() -> Gradient {
        Gradient::None("it spends gradients; nothing is differentiated through a step")
    }

    const SABOTAGE: &'static [Sabotage] =
        &[Sabotage::new(&shader::sgd::SHADER, "args.learning_rate * g", "1.001 * args.learning_rate * g")];
}

impl<B: Backend> Record<B> for Sgd {
    fn prepare<'a>(&self, source: &mut Source, inputs: &Inputs<'a, B>) -> Prepared<'a, B> {
        let operands = self.0.operands(source, inputs);
        let (backend, size) = (inputs.backend, self.0.size);
        Box::new(move || {
            for gradients in operands.gradients.iter().cloned() {
                let (parameters, norm) = (operands.parameters.clone(), operands.norm(backend, &gradients));
                backend.run(&ops::Sgd { parameters, gradients, norm, size });
            }
            vec![Recorded::new("parameters", operands.parameters.clone())]
        })
    }
}
