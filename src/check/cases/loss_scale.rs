//! Cases of `loss_scale`.

use std::fmt;

use crate::backend::Backend;
use crate::backend::gpu::shader;
use crate::backend::ops::{self, FIRST_SCALE, SCALE_PATIENCE};
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::{Silence, Tolerance};
use crate::check::{Gradient, Inputs, Prepared, Record, Recorded, Sabotage, Source, Subject, Suite};

/// What a step makes of the loss scale and of the norm.
#[derive(Debug, Clone)]
pub struct LossScale {
    /// Of the gradients, as they come.
    pub norm: f32,
    pub scale: f32,
    /// Good steps since it last changed.
    pub good: u32,
}

impl fmt::Display for LossScale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "norm={},scale={},good={}", self.norm, self.scale, self.good)
    }
}

impl Subject for LossScale {
    /// A division.
    fn tolerance(&self) -> Tolerance {
        Tolerance::ROUNDING
    }

    /// A step is skipped with the factor 0.
    fn silence(&self) -> Silence {
        if self.norm.is_finite() { Silence::Wrong } else { Silence::Right }
    }
}

impl Suite for LossScale {
    fn cases() -> Vec<Self> {
        [(3.0, 10), (3.0, SCALE_PATIENCE - 2), (3.0, SCALE_PATIENCE - 1), (0.0, 5), (f32::INFINITY, 7), (f32::NAN, SCALE_PATIENCE - 1)]
            .map(|(norm, good)| Self { norm, scale: 65536.0, good })
            .into()
    }

    fn random(source: &mut Source) -> Self {
        let norm = source.pick(&[0.5, 1e5, 3e38, f32::INFINITY, f32::NEG_INFINITY, f32::NAN]);
        Self { norm, scale: source.pick(&[1.0, 4096.0, 16_777_216.0]), good: source.between(0, SCALE_PATIENCE as usize - 1) as u32 }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        let good = format!("number from 0 to {}", SCALE_PATIENCE - 1);
        Ok(Self {
            norm: keys.value("norm", "number", 1.0, |_| true)?,
            scale: keys.value("scale", "number above 0", FIRST_SCALE, |&scale| scale > 0.0)?,
            good: keys.value("good", &good, 0, |&steps| steps < SCALE_PATIENCE)?,
        })
    }

    fn largest(&self) -> u64 {
        3
    }

    fn gradient() -> Gradient {
        Gradient::None("it steers training and is no part of what is differentiated")
    }

    const SABOTAGE: &'static [Sabotage] = &[Sabotage::new(&shader::loss_scale::SHADER, "scale * 0.5", "scale * 0.25")];
}

impl<B: Backend> Record<B> for LossScale {
    fn prepare<'a>(&self, _: &mut Source, inputs: &Inputs<'a, B>) -> Prepared<'a, B> {
        let norm = inputs.matrix("norm", [1, 2], &[self.norm, 1.0]);
        let scaling = inputs.matrix("scaling", [1, 3], &[self.scale, self.good as f32, 4.0]);
        let (backend, step) = (inputs.backend, ops::LossScale { norm, scaling });
        Box::new(move || {
            backend.run(&step);
            vec![Recorded::new("norm", step.norm.clone()), Recorded::new("scaling", step.scaling.clone())]
        })
    }
}
