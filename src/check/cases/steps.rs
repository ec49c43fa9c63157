//! The cases of the optimisers: how far they step, on which gradients.

use std::fmt;
use std::marker::PhantomData;

use super::{PARAMETERS, suffix};
use crate::backend::Backend;
use crate::backend::ops::{self, StepSize};
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::Tolerance;
use crate::check::{Gradient, Inputs, Prepared, Record, Recorded, Sabotage, Source, Subject, Suite};

/// What one optimiser does in a step.
pub(crate) trait Rule: fmt::Debug + Clone + 'static {
    /// Names of its moments, which begin as zeros.
    const MOMENTS: &'static [&'static str];
    /// What to break in its shader.
    const SABOTAGE: &'static [Sabotage];

    /// Runs a step on parameters, gradients and their norm; the first has the number 1.
    fn step<B: Backend>(backend: &B, operands: [B::Tensor; 3], moments: &[B::Tensor], size: StepSize, number: u32);
}

/// Optimiser steps of a case: Adam's bias correction differs from step to step.
const STEPS: u32 = 3;

/// Whether the last step of an optimiser overflows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Last {
    Good,
    /// It is to be left out.
    Skipped,
}

const LAST: &[(&str, Last)] = &[("skipped", Last::Skipped)];

/// Step size of most cases, which their names leave out.
const LEARNING_RATE: f64 = 1e-2;

/// Steps of an optimiser.
#[derive(Debug, Clone)]
pub struct Steps<R> {
    /// Parameters.
    pub count: usize,
    /// How far each step goes.
    pub size: StepSize,
    /// Whether the last one is left out.
    pub last: Last,
    rule: PhantomData<R>,
}

impl<R> fmt::Display for Steps<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StepSize { learning_rate, weight_decay, clip_norm } = self.size;
        write!(f, "count={},decay={weight_decay},clip={clip_norm}", self.count)?;
        if learning_rate != LEARNING_RATE {
            write!(f, ",lr={learning_rate}")?;
        }
        f.write_str(&suffix(LAST, self.last))
    }
}

impl<R: Rule> Subject for Steps<R> {
    /// A few operations on each element, three times over; with a norm of some thousand squares where it clips.
    /// What is left of a number that a step nearly takes away is off by the number's own rounding.
    fn tolerance(&self) -> Tolerance {
        Tolerance { floor: 2e-7, ..Tolerance::of_rms(5e-6) }
    }
}

impl<R: Rule> Suite for Steps<R> {
    /// Clipping off, never reached, and reached; with and without weight decay; with a last step that is skipped.
    fn cases() -> Vec<Self> {
        let steps = |count, weight_decay, clip_norm| Self {
            count,
            size: StepSize { learning_rate: LEARNING_RATE, weight_decay, clip_norm },
            last: Last::Good,
            rule: PhantomData,
        };
        let good = [
            steps(5000, 0.0, f64::INFINITY),
            steps(257, 0.1, f64::INFINITY),
            steps(255, 0.0, 1e6),
            steps(65, 0.0, 0.5),
            steps(1000, 0.01, 1.0),
            steps(1, 0.1, 0.25),
        ];
        let skipped = good.clone().into_iter().take(4).map(|steps| Self { last: Last::Skipped, ..steps });
        good.into_iter().chain(skipped).collect()
    }

    fn random(source: &mut Source) -> Self {
        let size = StepSize {
            learning_rate: source.pick(&[1e-3, 1e-1]),
            weight_decay: source.pick(&[0.0, 0.05]),
            clip_norm: source.pick(&[f64::INFINITY, 1.0]),
        };
        Self { count: source.size(1, 3000), size, last: source.pick(&[Last::Good, Last::Skipped]), rule: PhantomData }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        let least_zero = |&number: &f64| number >= 0.0;
        Ok(Self {
            count: keys.number("count", 1, PARAMETERS)?,
            size: StepSize {
                weight_decay: keys.value("decay", "number from 0", 0.0, least_zero)?,
                clip_norm: keys.value("clip", "number above 0", f64::INFINITY, |&norm| norm > 0.0)?,
                learning_rate: keys.value("lr", "number from 0", LEARNING_RATE, least_zero)?,
            },
            last: keys.choice(LAST, Last::Good)?,
            rule: PhantomData,
        })
    }

    fn largest(&self) -> u64 {
        self.count as u64
    }

    fn gradient() -> Gradient {
        Gradient::None("it spends gradients; nothing is differentiated through a step")
    }

    const SABOTAGE: &'static [Sabotage] = R::SABOTAGE;
}

impl<R: Rule, B: Backend> Record<B> for Steps<R> {
    fn prepare<'a>(&self, source: &mut Source, inputs: &Inputs<'a, B>) -> Prepared<'a, B> {
        let operands = self.operands(source, inputs);
        let (backend, size) = (inputs.backend, self.size);
        let moments: Vec<B::Tensor> = R::MOMENTS.iter().map(|_| backend.zeros([1, self.count])).collect();
        Box::new(move || {
            for (gradients, number) in operands.gradients.iter().zip(1..) {
                let norm = operands.norm(backend, gradients);
                R::step(backend, [operands.parameters.clone(), gradients.clone(), norm], &moments, size, number);
            }
            let names = ["parameters"].iter().chain(R::MOMENTS);
            names
                .zip([&operands.parameters].into_iter().chain(&moments))
                .map(|(name, tensor)| Recorded::new(*name, tensor.clone()))
                .collect()
        })
    }
}

impl<R> Steps<R> {
    /// Parameters, the loss scale where the last step is to be skipped, and the gradients of each step.
    fn operands<B: Backend>(&self, source: &mut Source, inputs: &Inputs<'_, B>) -> Operands<B> {
        let shape = [1, self.count];
        let parameters = inputs.matrix("parameters", shape, &source.uniform(self.count, 1.0));
        let scaling = (self.last == Last::Skipped).then(|| inputs.matrix("scaling", [1, 3], &[4.0, 0.0, 0.0]));
        let gradients = (1..=STEPS).map(|step| {
            let mut values = source.uniform(self.count, 1.0);
            if step == STEPS && self.last == Last::Skipped {
                values[self.count / 2] = f32::INFINITY;
            }
            inputs.matrix(format!("gradients of step {step}"), shape, &values)
        });
        Operands { parameters, scaling, gradients: gradients.collect() }
    }
}

/// What an optimiser's case works on.
struct Operands<B: Backend> {
    parameters: B::Tensor,
    scaling: Option<B::Tensor>,
    gradients: Vec<B::Tensor>,
}

impl<B: Backend> Operands<B> {
    /// The gradients' norm as the optimiser takes it; where the last step is to be skipped, of scaled gradients.
    fn norm(&self, backend: &B, gradients: &B::Tensor) -> B::Tensor {
        let norm = backend.run(&ops::GradientNorm { gradients: gradients.clone() });
        if let Some(scaling) = &self.scaling {
            backend.run(&ops::LossScale { norm: norm.clone(), scaling: scaling.clone() });
        }
        norm
    }
}
