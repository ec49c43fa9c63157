//! Cases of `cross_entropy`.

use super::{Entropies, Entropy};
use crate::backend::gpu::shader;
use crate::backend::{Backend, ops};
use crate::check::Sabotage;

/// The loss (20) and its gradient.
pub(crate) type CrossEntropy = Entropies<Softmax>;

/// Classes exclude each other.
#[derive(Debug, Clone)]
pub struct Softmax;

impl Entropy for Softmax {
    const SABOTAGE: &'static [Sabotage] =
        &[Sabotage::new(&shader::cross_entropy::SHADER, "loss[0] = total / total_weight", "loss[0] = 1.001 * total / total_weight")];

    fn run<B: Backend>(backend: &B, operands: &ops::CrossEntropy<B, B::Tensor>) -> (B::Tensor, B::Tensor) {
        backend.run(operands)
    }
}
