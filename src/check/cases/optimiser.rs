//! Cases of the kernels that end a step: `accumulate`, `gradient_norm`, `adam`, `sgd`.

use std::fmt;

use crate::backend::ops::{self, AdamStep, SCALE_PATIENCE, StepSize};
use crate::backend::{Backend, Write};
use crate::check::compare::{Silence, Tolerance};
use crate::check::{Inputs, Recorded, Source, Subject};

/// Optimiser steps of a case: Adam's bias correction differs from step to step.
const STEPS: u32 = 3;

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
    fn cases() -> Vec<Self> {
        [1, 3, 63, 64, 65, 255, 257, 10_000].map(|count| Self { count }).into()
    }

    fn random(source: &mut Source) -> Self {
        Self { count: source.size(1, 3000) }
    }

    /// One addition of numbers near 1.
    fn tolerance(&self) -> Tolerance {
        Tolerance::ROUNDING
    }

    fn record<B: Backend>(&self, source: &mut Source, inputs: &Inputs<'_, B>) -> Vec<Recorded<B>> {
        let shape = [1, self.count];
        let backend = inputs.backend;
        let mut drawn = |name| inputs.matrix(name, shape, &source.uniform(self.count, 1.0));
        let x = drawn("x");
        let (set, added) = (backend.uninitialised(shape), drawn("sink"));
        for (sum, write) in [(&set, Write::Set), (&added, Write::Add)] {
            backend.run(&ops::Accumulate { x: x.clone(), sum: sum.clone(), write });
        }
        vec![Recorded::new("set", set), Recorded::new("added", added)]
    }
}

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

    /// A sum of squares, all of one sign.
    fn tolerance(&self) -> Tolerance {
        Tolerance::of_rms(5e-6)
    }

    /// The norm is infinite where a gradient is.
    fn silence(&self) -> Silence {
        if self.amplitude.is_finite() { Silence::Wrong } else { Silence::Right }
    }

    fn record<B: Backend>(&self, source: &mut Source, inputs: &Inputs<'_, B>) -> Vec<Recorded<B>> {
        let mut gradients = source.uniform(self.count, if self.amplitude.is_finite() { self.amplitude } else { 1.0 });
        if self.amplitude.is_infinite() {
            gradients[self.count / 2] = -self.amplitude;
        }
        let gradients = inputs.matrix("gradients", [1, self.count], &gradients);
        vec![Recorded::new("norm", inputs.backend.run(&ops::GradientNorm { gradients }))]
    }
}

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
    fn cases() -> Vec<Self> {
        [(3.0, 10), (3.0, SCALE_PATIENCE - 2), (3.0, SCALE_PATIENCE - 1), (0.0, 5), (f32::INFINITY, 7), (f32::NAN, SCALE_PATIENCE - 1)]
            .map(|(norm, good)| Self { norm, scale: 65536.0, good })
            .into()
    }

    fn random(source: &mut Source) -> Self {
        let norm = source.pick(&[0.5, 1e5, 3e38, f32::INFINITY, f32::NEG_INFINITY, f32::NAN]);
        Self { norm, scale: source.pick(&[1.0, 4096.0, 16_777_216.0]), good: source.between(0, SCALE_PATIENCE as usize - 1) as u32 }
    }

    /// A division.
    fn tolerance(&self) -> Tolerance {
        Tolerance::ROUNDING
    }

    fn record<B: Backend>(&self, _: &mut Source, inputs: &Inputs<'_, B>) -> Vec<Recorded<B>> {
        let norm = inputs.matrix("norm", [1, 2], &[self.norm, 1.0]);
        let scaling = inputs.matrix("scaling", [1, 3], &[self.scale, self.good as f32, 4.0]);
        inputs.backend.run(&ops::LossScale { norm: norm.clone(), scaling: scaling.clone() });
        vec![Recorded::new("norm", norm), Recorded::new("scaling", scaling)]
    }

    /// A step is skipped with the factor 0.
    fn silence(&self) -> Silence {
        if self.norm.is_finite() { Silence::Wrong } else { Silence::Right }
    }
}

/// Whether the last step of an optimiser overflows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Last {
    Good,
    /// It is to be left out.
    Skipped,
}

fn write_size(f: &mut fmt::Formatter<'_>, count: usize, size: &StepSize, last: Last) -> fmt::Result {
    write!(f, "count={count},decay={},clip={}", size.weight_decay, size.clip_norm)?;
    f.write_str(if last == Last::Skipped { ",skipped" } else { "" })
}

/// The gradients' norm as the optimiser takes it; where the last step is to be skipped, of scaled gradients.
fn norm<B: Backend>(backend: &B, gradients: &B::Tensor, scaling: Option<&B::Tensor>) -> B::Tensor {
    let norm = backend.run(&ops::GradientNorm { gradients: gradients.clone() });
    if let Some(scaling) = scaling {
        backend.run(&ops::LossScale { norm: norm.clone(), scaling: scaling.clone() });
    }
    norm
}

/// Gradients of a step.
fn gradients<B: Backend>(source: &mut Source, inputs: &Inputs<'_, B>, count: usize, step: u32, last: Last) -> B::Tensor {
    let mut values = source.uniform(count, 1.0);
    if step == STEPS && last == Last::Skipped {
        values[count / 2] = f32::INFINITY;
    }
    inputs.matrix(format!("gradients of step {step}"), [1, count], &values)
}

/// Clipping off, never reached, and reached; with and without weight decay.
fn sizes() -> Vec<(usize, StepSize)> {
    let size = |weight_decay, clip_norm| StepSize { learning_rate: 1e-2, weight_decay, clip_norm };
    vec![
        (5000, size(0.0, f64::INFINITY)),
        (257, size(0.1, f64::INFINITY)),
        (255, size(0.0, 1e6)),
        (65, size(0.0, 0.5)),
        (1000, size(0.01, 1.0)),
        (1, size(0.1, 0.25)),
    ]
}

fn random_size(source: &mut Source) -> (usize, StepSize) {
    let size = StepSize {
        learning_rate: source.pick(&[1e-3, 1e-1]),
        weight_decay: source.pick(&[0.0, 0.05]),
        clip_norm: source.pick(&[f64::INFINITY, 1.0]),
    };
    (source.size(1, 3000), size)
}

/// A few operations on each element, three times over; with a norm of some thousand squares where it clips.
/// What is left of a number that a step nearly takes away is off by the number's own rounding.
const UPDATE: Tolerance = Tolerance { floor: 2e-7, ..Tolerance::of_rms(5e-6) };

/// Three steps of Adam.
#[derive(Debug, Clone)]
pub struct Adam {
    pub count: usize,
    pub size: StepSize,
    pub last: Last,
}

impl fmt::Display for Adam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_size(f, self.count, &self.size, self.last)
    }
}

impl Subject for Adam {
    fn cases() -> Vec<Self> {
        let skipped = sizes().into_iter().take(4).map(|(count, size)| Self { count, size, last: Last::Skipped });
        sizes().into_iter().map(|(count, size)| Self { count, size, last: Last::Good }).chain(skipped).collect()
    }

    fn random(source: &mut Source) -> Self {
        let (count, size) = random_size(source);
        Self { count, size, last: source.pick(&[Last::Good, Last::Skipped]) }
    }

    fn tolerance(&self) -> Tolerance {
        UPDATE
    }

    fn record<B: Backend>(&self, source: &mut Source, inputs: &Inputs<'_, B>) -> Vec<Recorded<B>> {
        let shape = [1, self.count];
        let backend = inputs.backend;
        let parameters = inputs.matrix("parameters", shape, &source.uniform(self.count, 1.0));
        let moments = [(); 2].map(|()| backend.zeros(shape));
        let scaling = (self.last == Last::Skipped).then(|| inputs.matrix("scaling", [1, 3], &[4.0, 0.0, 0.0]));
        for step in 1..=STEPS {
            let gradients = gradients(source, inputs, self.count, step, self.last);
            let norm = norm(backend, &gradients, scaling.as_ref());
            let step = AdamStep { size: self.size, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step };
            let [first_moment, second_moment] = moments.clone();
            backend.run(&ops::Adam { parameters: parameters.clone(), gradients, first_moment, second_moment, norm, step });
        }
        let [first, second] = moments;
        vec![Recorded::new("parameters", parameters), Recorded::new("first moment", first), Recorded::new("second moment", second)]
    }
}

/// Three steps of stochastic gradient descent.
#[derive(Debug, Clone)]
pub struct Sgd {
    pub count: usize,
    pub size: StepSize,
    pub last: Last,
}

impl fmt::Display for Sgd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_size(f, self.count, &self.size, self.last)
    }
}

impl Subject for Sgd {
    fn cases() -> Vec<Self> {
        let skipped = sizes().into_iter().take(4).map(|(count, size)| Self { count, size, last: Last::Skipped });
        sizes().into_iter().map(|(count, size)| Self { count, size, last: Last::Good }).chain(skipped).collect()
    }

    fn random(source: &mut Source) -> Self {
        let (count, size) = random_size(source);
        Self { count, size, last: source.pick(&[Last::Good, Last::Skipped]) }
    }

    fn tolerance(&self) -> Tolerance {
        UPDATE
    }

    fn record<B: Backend>(&self, source: &mut Source, inputs: &Inputs<'_, B>) -> Vec<Recorded<B>> {
        let shape = [1, self.count];
        let backend = inputs.backend;
        let parameters = inputs.matrix("parameters", shape, &source.uniform(self.count, 1.0));
        let scaling = (self.last == Last::Skipped).then(|| inputs.matrix("scaling", [1, 3], &[4.0, 0.0, 0.0]));
        for step in 1..=STEPS {
            let gradients = gradients(source, inputs, self.count, step, self.last);
            let norm = norm(backend, &gradients, scaling.as_ref());
            backend.run(&ops::Sgd { parameters: parameters.clone(), gradients, norm, size: self.size });
        }
        vec![Recorded::new("parameters", parameters)]
    }
}
