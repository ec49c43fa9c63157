//! Cases of `sigmoid_cross_entropy`.

use super::{Entropies, Entropy};
use crate::backend::gpu::shader;
use crate::backend::{Backend, ops};
use crate::check::Sabotage;

/// Cross-entropy of each class by itself, and its gradient.
pub(crate) type SigmoidCrossEntropy = Entropies<Sigmoid>;

/// Each class is there or not.
#[derive(Debug, Clone)]
pub struct Sigmoid;

impl Entropy for Sigmoid {
    const SABOTAGE: &'static [Sabotage] = &[
        Sabotage::new(&shader::sigmoid_cross_entropy::SHADER, "loss[0] = total / total_weight", "loss[0] = 1.001 * total / total_weight"),
        Sabotage::new(&shader::sigmoid_cross_entropy::SHADER, "- target_share) / total_weight", "- 1.001 * target_share) / total_weight"),
    ];

    fn run<B: Backend>(backend: &B, operands: &ops::CrossEntropy<B, B::Tensor>) -> (B::Tensor, B::Tensor) {
        let ops::CrossEntropy { logits, class_weights, scaling, labels, smoothing, weight, total_weight } = operands;
        let [logits, class_weights, scaling] = [logits, class_weights, scaling].map(Clone::clone);
        let (labels, smoothing, weight, total_weight) = (labels.clone(), *smoothing, *weight, *total_weight);
        backend.run(&ops::SigmoidCrossEntropy { logits, class_weights, scaling, labels, smoothing, weight, total_weight })
    }
}
