//! Cases of `adam`.

use std::fmt;

use super::Steps;
use crate::backend::Backend;
use crate::backend::gpu::shader;
use crate::backend::ops::{self, AdamStep};
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::Tolerance;
use crate::check::{Gradient, Inputs, Prepared, Record, Recorded, Sabotage, Source, Subject, Suite};

/// Three steps of Adam.
#[derive(Debug, Clone)]
pub struct Adam(pub Steps);

impl fmt::Display for Adam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Subject for Adam {
    fn tolerance(&self) -> Tolerance {
        Steps::TOLERANCE
    }
}

impl Suite for Adam {
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

    const SABOTAGE: &'static [Sabotage] = &[Sabotage::new(&shader::adam::SHADER, "args.rest2 * g * g", "args.rest2 * g")];
}

impl<B: Backend> Record<B> for Adam {
    fn prepare<'a>(&self, source: &mut Source, inputs: &Inputs<'a, B>) -> Prepared<'a, B> {
        let operands = self.0.operands(source, inputs);
        let (backend, size) = (inputs.backend, self.0.size);
        let [first, second] = [(); 2].map(|()| backend.zeros([1, self.0.count]));
        Box::new(move || {
            for (gradients, step) in operands.gradients.iter().zip(1..) {
                let (parameters, gradients) = (operands.parameters.clone(), gradients.clone());
                let (norm, first_moment, second_moment) = (operands.norm(backend, &gradients), first.clone(), second.clone());
                let step = AdamStep { size, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step };
                backend.run(&ops::Adam { parameters, gradients, first_moment, second_moment, norm, step });
            }
            let outputs = [("parameters", &operands.parameters), ("first moment", &first), ("second moment", &second)];
            outputs.map(|(name, tensor)| Recorded::new(name, tensor.clone())).into()
        })
    }
}
