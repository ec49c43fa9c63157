//! What the cases of the losses share: a loss gives its gradients with itself, so no tape runs its way back.

use crate::backend::Backend;
use crate::backend::cpu::Cpu;
use crate::check::tape_operation::Leaf;
use crate::check::{Gradient, Inputs, Objective, Output, Prepared, Source, reference};

/// A kernel whose first result is a loss, and the others `gradient of NAME` for each leaf.
pub(super) trait Loss: Clone + 'static {
    /// Draws what the gradients are of.
    fn leaves(&self, source: &mut Source) -> Vec<Leaf>;

    /// Loss, and gradients times a loss scale.
    fn record<'a, B: Backend>(&self, leaves: &[Leaf], scale: f32, inputs: &Inputs<'a, B>) -> Prepared<'a, B>;
}

/// A loss as its own objective.
pub(super) struct LossObjective<L> {
    loss: L,
    leaves: Vec<Leaf>,
}

impl<L: Loss> LossObjective<L> {
    /// The gradients of these losses are proved.
    pub(crate) fn proved(losses: impl IntoIterator<Item = L>) -> Gradient {
        let objective = |loss: L| {
            let leaves = loss.leaves(&mut Source::new(17));
            Box::new(Self { loss, leaves }) as Box<dyn Objective>
        };
        Gradient::Proved(losses.into_iter().map(objective).collect())
    }

    fn outputs(&self) -> Vec<Output> {
        let cpu = Cpu::new();
        reference(self.loss.record(&self.leaves, 1.0, &Inputs::new(&cpu))())
    }
}

impl<L: Loss> Objective for LossObjective<L> {
    fn leaves(&mut self) -> &mut [Leaf] {
        &mut self.leaves
    }

    fn value(&self) -> f64 {
        self.outputs()[0].values[0]
    }

    fn gradients(&self) -> Vec<Output> {
        self.outputs().split_off(1)
    }
}
