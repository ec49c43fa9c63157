//! What a training step makes small: the loss of the logits, and the terms that a model adds to it.

use super::mixing::Mixing;
use crate::backend::ops::{Accumulate, CrossEntropy, Mmd, Mse, SigmoidCrossEntropy};
use crate::backend::{Backend, Matrix, Write};
use crate::base::numbers::Loss;
use crate::tape::{Tape, Var};

/// A term of the loss besides that of the logits.
pub enum Term<B: Backend> {
    /// The loss of other logits, `[batch, classes]`, of the same utterances.
    Logits(Var<B>),
    /// The mean over all elements of the squared error of `x`, a row an utterance.
    SquaredError {
        /// `[batch, any]`
        x: Var<B>,
        /// Of the same shape; it gets no gradient.
        target: Var<B>,
    },
    /// The discrepancy of two sets of as many rows, see [`Mmd`]. It compares the utterances of a batch with each other, so that it is not
    /// the sum of those of the batch's parts.
    Discrepancy([Var<B>; 2]),
}

/// Terms, each after what it is multiplied with.
pub type Terms<B> = Vec<(f32, Term<B>)>;

impl<B: Backend> Term<B> {
    /// Where its way back starts.
    pub(super) fn starts(&self) -> Vec<&Var<B>> {
        match self {
            Self::Logits(x) | Self::SquaredError { x, .. } => vec![x],
            Self::Discrepancy([first, second]) => vec![first, second],
        }
    }
}

/// The batch that some utterances are a part of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Whole {
    /// How many utterances it has.
    pub utterances: usize,
    /// The sum of their classes' weights.
    pub weight: f32,
}

/// What a loss is taken of, besides what the model computes.
pub struct LossOf<'l, B: Backend> {
    /// `[batch]`: index into the classes; without labels there is no loss of logits.
    pub labels: Option<&'l B::Words>,
    /// `[1, classes]`
    pub class_weights: &'l B::Tensor,
    /// Share of the target that is spread over all classes.
    pub smoothing: f32,
    /// Where these are a part of a batch: the parts' losses and gradients sum up to the whole's.
    pub whole: Option<Whole>,
    /// As in [`crate::backend::ops::LossScale`].
    pub scaling: &'l B::Tensor,
    /// How the utterances were mixed that the logits are of: the loss is that of their own labels and of their partners', by their shares.
    pub mixing: Option<&'l Mixing<B>>,
}

/// A loss `[1, 1]`, and the gradients that start the way back, each at what it is of.
type Started<'v, B, T> = (T, Vec<(&'v Var<B>, T)>);

impl<B: Backend> LossOf<'_, B> {
    /// The loss of the logits and every term, each times its weight, in one sum.
    pub fn sum<'v>(&self, tape: &Tape<'_, B>, kind: Loss, logits: &'v Var<B>, terms: &'v Terms<B>) -> Started<'v, B, B::Tensor> {
        let backend = tape.backend();
        let of_logits = |labels: Option<&B::Words>, weight| self.of_logits(backend, kind, logits, labels, weight);
        let mut losses: Vec<_> = match self.mixing {
            None => of_logits(self.labels, 1.0).into_iter().collect(),
            Some(Mixing { share, labels, .. }) => {
                [of_logits(self.labels, *share), of_logits(Some(labels), 1.0 - share)].into_iter().flatten().collect()
            }
        };
        losses.extend(terms.iter().filter_map(|(weight, term)| self.of_term(backend, kind, *weight, term)));
        let mut losses = losses.into_iter();
        let (sum, mut starts) = losses.next().unwrap_or_else(|| (backend.zeros([1, 1]), Vec::new()));
        for (loss, more) in losses {
            backend.run(&Accumulate { x: loss, sum: sum.clone(), write: Write::Add });
            starts.extend(more);
        }
        (sum, starts)
    }

    fn of_term<'v>(&self, backend: &B, kind: Loss, weight: f32, term: &'v Term<B>) -> Option<Started<'v, B, B::Tensor>> {
        let scaling = self.scaling.clone();
        match term {
            Term::Logits(logits) => self.of_logits(backend, kind, logits, self.labels, weight),
            Term::SquaredError { x, target } => {
                let total = self.whole.map(|whole| whole.utterances * x.value.columns());
                let (loss, gradient) = backend.run(&Mse { x: x.value.clone(), target: target.value.clone(), scaling, weight, total });
                Some((loss, vec![(x, gradient)]))
            }
            Term::Discrepancy([first, second]) => {
                let [one, other] = [first, second].map(|set| set.value.clone());
                let (loss, [one, other]) = backend.run(&Mmd { first: one, second: other, scaling, weight, bandwidth: None });
                Some((loss, vec![(first, one), (second, other)]))
            }
        }
    }

    /// Nothing without labels.
    fn of_logits<'v>(
        &self,
        backend: &B,
        kind: Loss,
        logits: &'v Var<B>,
        labels: Option<&B::Words>,
        weight: f32,
    ) -> Option<Started<'v, B, B::Tensor>> {
        let &Self { smoothing, whole, .. } = self;
        let total_weight = whole.map(|whole| whole.weight);
        let labels = labels?.clone();
        let [z, class_weights, scaling] = [&logits.value, self.class_weights, self.scaling].map(Clone::clone);
        let (loss, gradient) = match kind {
            Loss::Softmax => backend.run(&CrossEntropy { logits: z, class_weights, scaling, labels, smoothing, weight, total_weight }),
            Loss::Sigmoid => {
                backend.run(&SigmoidCrossEntropy { logits: z, class_weights, scaling, labels, smoothing, weight, total_weight })
            }
        };
        Some((loss, vec![(logits, gradient)]))
    }
}
