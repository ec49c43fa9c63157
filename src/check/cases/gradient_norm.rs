//! Cases of `gradient_norm`.

use std::fmt;

use super::{PARAMETERS, read_amplitude};
use crate::backend::gpu::shader;
use crate::backend::{Backend, ops};
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::{Silence, Tolerance};
use crate::check::{Gradient, Inputs, Prepared, Record, Recorded, Sabotage, Source, Subject, Suite};

/// Euclidean norm of all gradients.
#[derive(Debug, Clone)]
pub struct GradientNorm {
    pub count: usize,
    /// Where it is infinite, one gradient is, and the others lie in ±1.
    pub amplitude: f32,
}

impl fmt::Display for GradientNorm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "count={},gradients=±{}", self.count, self.amplitude)
    }
}

impl Subject for GradientNorm {
    /// A sum of squares, all of one sign.
    fn tolerance(&self) -> Tolerance {
        Tolerance::of_rms(5e-6)
    }

    /// The norm is infinite where a gradient is.
    fn silence(&self) -> Silence {
        if self.amplitude.is_finite() { Silence::Wrong } else { Silence::Right }
    }
}

impl Suite for GradientNorm {
    fn cases() -> Vec<Self> {
        let norm = |count, amplitude| Self { count, amplitude };
        [1, 15, 64, 255, 256, 257, 1025, 66_000]
            .map(|count| norm(count, 1.0))
            .into_iter()
            .chain([norm(5000, 100.0), norm(300, 1e15), norm(300, f32::INFINITY)])
            .collect()
    }

    fn random(source: &mut Source) -> Self {
        Self { count: source.size(1, 5000), amplitude: source.pick(&[0.125, 1.0, 30.0]) }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        Ok(Self { count: keys.number("count", 1, PARAMETERS)?, amplitude: read_amplitude(keys, "gradients", 1.0)? })
    }

    fn largest(&self) -> u64 {
        self.count as u64
    }

    fn gradient() -> Gradient {
        Gradient::None("it measures gradients; training takes none of their norm")
    }

    const SABOTAGE: &'static [Sabotage] = &[Sabotage::new(&shader::gradient_norm::SHADER, "sqrt(total)", "1.001 * sqrt(total)")];
}

impl<B: Backend> Record<B> for GradientNorm {
    fn prepare<'a>(&self, source: &mut Source, inputs: &Inputs<'a, B>) -> Prepared<'a, B> {
        let mut gradients = source.uniform(self.count, if self.amplitude.is_finite() { self.amplitude } else { 1.0 });
        if self.amplitude.is_infinite() {
            gradients[self.count / 2] = -self.amplitude;
        }
        let norm = ops::GradientNorm { gradients: inputs.matrix("gradients", [1, self.count], &gradients) };
        let backend = inputs.backend;
        Box::new(move || vec![Recorded::new("norm", backend.run(&norm))])
    }
}
