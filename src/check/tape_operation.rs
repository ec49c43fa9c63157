//! One description of a kernel with a gradient, for the cases and for the tests against central differences.
//!
//! An operation runs twice on the same leaves of one tape, and a gradient is drawn for each of its two results: the way
//! back from the first then adds to what the way back from the second has set, so both modes of a
//! [`crate::backend::Sink`] are proved. The leaves' gradients are those of `Σ seed₁ · y + Σ seed₂ · y`.

use super::{Inputs, Objective, Output, Prepared, Record, Recorded, Source, Subject, reference};
use crate::backend::Backend;
use crate::backend::cpu::Cpu;
use crate::base::numbers::Precision;
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
    pub(crate) fn new(name: impl Into<String>, shape: [usize; 2], values: Vec<f32>) -> Self {
        Self { name: name.into(), shape, values }
    }
}

/// An operation of [`Tape`] with one result.
pub(crate) trait TapeOperation: Clone + 'static {
    /// What it needs on the device beside the leaves: layouts, tokens.
    type Constants<B: Backend>;

    /// Puts it there.
    fn constants<B: Backend>(&self, inputs: &Inputs<'_, B>) -> Self::Constants<B>;

    /// Draws the inputs.
    fn leaves(&self, source: &mut Source) -> Vec<Leaf>;

    /// Shape of the result.
    fn output(&self) -> [usize; 2];

    /// That of its products.
    fn precision(&self) -> Precision {
        Precision::F32
    }

    /// Records the operation; `leaves` are the variables of [`TapeOperation::leaves`] in their order.
    fn forward<'a, B: Backend>(&self, tape: &mut Tape<'a, B>, leaves: &[Var<B>], constants: &'a Self::Constants<B>) -> Var<B>;
}

/// An operation on drawn inputs.
pub(crate) struct Trial<D> {
    operation: D,
    /// The inputs.
    leaves: Vec<Leaf>,
    seed: u64,
}

impl<D: TapeOperation> Trial<D> {
    /// Draws the inputs.
    pub(crate) fn new(operation: D, source: &mut Source) -> Self {
        let leaves = operation.leaves(source);
        Self { operation, leaves, seed: source.stream().word(0).into() }
    }

    /// The gradients of the two results.
    fn seeds(&self) -> [Vec<f32>; 2] {
        let mut source = Source::new(self.seed);
        let [rows, columns] = self.operation.output();
        [(); 2].map(|()| source.uniform(rows * columns, 1.0))
    }

    /// Puts the inputs on a backend; what is returned records both results and the way back.
    fn prepare<'a, B: Backend>(self, inputs: &Inputs<'a, B>) -> impl Fn() -> Vec<Recorded<B>> + use<'a, B, D> {
        let shape = self.operation.output();
        let [first_seed, second_seed] = self.seeds();
        let Self { operation, leaves, .. } = self;
        let constants = operation.constants(inputs);
        let names: Vec<String> = leaves.iter().map(|leaf| format!("gradient of {}", leaf.name)).collect();
        let leaves: Vec<B::Tensor> = leaves.iter().map(|leaf| inputs.leaf(leaf)).collect();
        let first_seed = inputs.matrix("gradient of output", shape, &first_seed);
        let second_seed = inputs.matrix("gradient of output again", shape, &second_seed);
        let backend = inputs.backend;
        move || {
            let mut tape = Tape::new(backend, Mode::Train).with_precision(operation.precision());
            let leaves: Vec<Var<B>> = leaves.iter().map(|leaf| tape.leaf(leaf.clone())).collect();
            let [first, second] = [(); 2].map(|()| operation.forward(&mut tape, &leaves, &constants));
            let gradients = tape.backward(vec![(&first, first_seed.clone()), (&second, second_seed.clone())]);
            let reached = names.iter().zip(&leaves);
            let reached = reached.filter_map(|(name, leaf)| Some(Recorded::new(name, gradients.get(leaf)?.clone())));
            let outputs = [Recorded::new("output", first.value.clone()), Recorded::new("output again", second.value.clone())];
            outputs.into_iter().chain(reached).collect()
        }
    }
}

/// An operation of the tape is recorded forward and back.
impl<D: TapeOperation + Subject, B: Backend> Record<B> for D {
    fn prepare<'a>(&self, source: &mut Source, inputs: &Inputs<'a, B>) -> Prepared<'a, B> {
        Box::new(Trial::new(self.clone(), source).prepare(inputs))
    }
}

/// `Σ (seed₁ + seed₂) · y`, which the gradients are the gradients of.
impl<D: TapeOperation> Objective for Trial<D> {
    fn leaves(&mut self) -> &mut [Leaf] {
        &mut self.leaves
    }

    fn value(&self) -> f64 {
        let cpu = Cpu::<f64>::new();
        let inputs = Inputs::new(&cpu);
        let constants = self.operation.constants(&inputs);
        let mut tape = Tape::new(&cpu, Mode::Infer).with_precision(self.operation.precision());
        let leaves: Vec<_> = self.leaves.iter().map(|leaf| tape.leaf(inputs.leaf(leaf))).collect();
        let y = self.operation.forward(&mut tape, &leaves, &constants).value;
        let [first, second] = self.seeds();
        let weights = first.into_iter().zip(second).map(|(first, second)| f64::from(first) + f64::from(second));
        y.values().iter().zip(weights).map(|(value, weight)| value * weight).sum()
    }

    fn gradients(&self) -> Vec<Output> {
        let cpu = Cpu::<f64>::new();
        let trial = Self { operation: self.operation.clone(), leaves: self.leaves.clone(), seed: self.seed };
        let mut outputs = reference(trial.prepare(&Inputs::new(&cpu))());
        outputs.retain(|output| output.name.starts_with("gradient"));
        outputs
    }
}
