//! Cases of `clip_values`.

use std::fmt;

use super::spread::SPREADS;
use super::{PARAMETERS, Spread, suffix};
use crate::backend::gpu::shader;
use crate::backend::{Backend, ops};
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::{Silence, Tolerance};
use crate::check::{Gradient, Inputs, Prepared, Record, Recorded, Sabotage, Source, Subject, Suite};

/// Clips every gradient, of which half are larger.
#[derive(Debug, Clone)]
pub struct ClipValues {
    pub count: usize,
    pub spread: Spread,
}

/// Largest gradient.
const LIMIT: f32 = 0.5;

impl fmt::Display for ClipValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "count={}{}", self.count, suffix(SPREADS, self.spread))
    }
}

impl Subject for ClipValues {
    /// Nothing is computed.
    fn tolerance(&self) -> Tolerance {
        Tolerance::of_rms(0.0)
    }

    /// A single gradient may be drawn as zero.
    fn silence(&self) -> Silence {
        if self.count < 4 { Silence::Right } else { Silence::Wrong }
    }
}

impl Suite for ClipValues {
    fn cases() -> Vec<Self> {
        let clip = |count, spread| Self { count, spread };
        vec![clip(1, Spread::Even), clip(255, Spread::Even), clip(70_000, Spread::Even), clip(257, Spread::NotFinite)]
    }

    fn random(source: &mut Source) -> Self {
        Self { count: source.size(1, 3000), spread: source.pick(&[Spread::Even, Spread::NotFinite]) }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        Ok(Self { count: keys.number("count", 1, PARAMETERS)?, spread: Spread::read(keys, &[Spread::NotFinite])? })
    }

    fn largest(&self) -> u64 {
        self.count as u64
    }

    fn gradient() -> Gradient {
        Gradient::None("it changes gradients and has none itself")
    }

    const SABOTAGE: &'static [Sabotage] =
        &[Sabotage::new(&shader::clip_values::SHADER, "clamp(g, -args.limit", "clamp(g, -2.0 * args.limit")];
}

impl<B: Backend> Record<B> for ClipValues {
    fn prepare<'a>(&self, source: &mut Source, inputs: &Inputs<'a, B>) -> Prepared<'a, B> {
        let mut gradients = source.uniform(self.count, 2.0 * LIMIT);
        if self.spread == Spread::NotFinite {
            source.spoil(&mut gradients);
        }
        let clip = ops::ClipValues { gradients: inputs.matrix("gradients", [1, self.count], &gradients), limit: LIMIT };
        let backend = inputs.backend;
        Box::new(move || {
            backend.run(&clip);
            vec![Recorded::new("clipped", clip.gradients.clone())]
        })
    }
}
