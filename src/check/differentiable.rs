//! One description of a kernel with a gradient, for the cases and for the tests against central differences.
//!
//! An operation runs twice on the same leaves of one tape, and a gradient is drawn for each of its two results: the way
//! back from the first then adds to what the way back from the second has set, so both modes of a
//! [`crate::backend::Sink`] are proved. The leaves' gradients are those of `Σ seed₁ · y + Σ seed₂ · y`.

use super::inputs::Inputs;
use super::{Output, Recorded, Source};
use crate::backend::{Backend, Matrix, Result};
use crate::base::numbers::Precision;
use crate::base::real::Real;
use crate::tape::{Mode, Tape, Var};

/// An input whose gradient is wanted.
#[derive(Debug, Clone)]
pub struct Leaf {
    pub name: String,
    pub shape: [usize; 2],
    pub values: Vec<f32>,
}

impl Leaf {
    /// Names an input, row-major.
    pub fn new(name: impl Into<String>, shape: [usize; 2], values: Vec<f32>) -> Self {
        Self { name: name.into(), shape, values }
    }
}

/// An operation of [`Tape`] with one result.
pub trait Differentiable {
    /// What it needs on the device beside the leaves: layouts, tokens.
    type Layout<B: Backend>;

    /// Puts it there.
    fn layout<B: Backend>(&self, inputs: &Inputs<'_, B>) -> Self::Layout<B>;

    /// Draws the inputs.
    fn leaves(&self, source: &mut Source) -> Vec<Leaf>;

    /// That of its products.
    fn precision(&self) -> Precision {
        Precision::F32
    }

    /// Records the operation; `leaves` are the variables of [`Differentiable::leaves`] in their order.
    fn forward<'a, B: Backend>(&self, tape: &mut Tape<'a, B>, leaves: &[Var<B>], layout: &'a Self::Layout<B>) -> Var<B>;
}

/// An operation on drawn inputs.
pub struct Trial<'a, D> {
    operation: &'a D,
    /// The inputs; the tests change them.
    pub leaves: Vec<Leaf>,
    seed: u64,
}

impl<'a, D: Differentiable> Trial<'a, D> {
    /// Draws the inputs.
    pub fn new(operation: &'a D, source: &mut Source) -> Self {
        let leaves = operation.leaves(source);
        Self { operation, leaves, seed: source.stream().word(0).into() }
    }

    /// The gradients of the two results, of `count` elements each.
    fn seeds(&self, count: usize) -> [Vec<f32>; 2] {
        let mut source = Source::new(self.seed);
        [(); 2].map(|()| source.uniform(count, 1.0))
    }

    fn upload<B: Backend>(&self, tape: &mut Tape<'_, B>, inputs: &Inputs<'_, B>) -> Vec<Var<B>> {
        self.leaves.iter().map(|leaf| tape.leaf(inputs.matrix(&leaf.name, leaf.shape, &leaf.values))).collect()
    }

    /// Records both results and the way back.
    pub fn record<B: Backend>(&self, inputs: &Inputs<'_, B>) -> Vec<Recorded<B>> {
        let layout = self.operation.layout(inputs);
        let mut tape = Tape::new(inputs.backend, Mode::Train).with_precision(self.operation.precision());
        let leaves = self.upload(&mut tape, inputs);
        let [first, second] = [(); 2].map(|()| self.operation.forward(&mut tape, &leaves, &layout));
        let shape = first.value.shape();
        let [first_seed, second_seed] = self.seeds(first.value.len());
        let first_seed = inputs.matrix("gradient of output", shape, &first_seed);
        let second_seed = inputs.matrix("gradient of output again", shape, &second_seed);
        let gradients = tape.backward(vec![(&first, first_seed), (&second, second_seed)]);
        let reached = self.leaves.iter().zip(&leaves).filter_map(|(leaf, var)| {
            gradients.get(var).map(|gradient| Recorded::new(format!("gradient of {}", leaf.name), gradient.clone()))
        });
        [Recorded::new("output", first.value.clone()), Recorded::new("output again", second.value.clone())]
            .into_iter()
            .chain(reached)
            .collect()
    }

    /// Results and gradients on the host.
    pub async fn run<B: Backend>(&self, backend: &B) -> Result<Vec<Output>> {
        super::read_all(backend, self.record(&Inputs::new(backend))).await
    }

    /// What the gradients are the gradients of: `Σ (seed₁ + seed₂) · y`.
    pub async fn objective<B: Backend>(&self, backend: &B) -> Result<f64> {
        let inputs = Inputs::new(backend);
        let layout = self.operation.layout(&inputs);
        let mut tape = Tape::new(backend, Mode::Infer).with_precision(self.operation.precision());
        let leaves = self.upload(&mut tape, &inputs);
        let y = self.operation.forward(&mut tape, &leaves, &layout).value;
        let [first, second] = self.seeds(y.len());
        let weights = first.into_iter().zip(second).map(|(first, second)| f64::from(first) + f64::from(second));
        let values = backend.read(&y).await?;
        Ok(values.into_iter().zip(weights).map(|(value, weight)| value.as_f64() * weight).sum())
    }
}
