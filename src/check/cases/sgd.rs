//! Cases of `sgd`.

use super::{Rule, Steps};
use crate::backend::Backend;
use crate::backend::gpu::shader;
use crate::backend::ops::{self, StepSize};
use crate::check::Sabotage;

/// Three steps of stochastic gradient descent.
pub(crate) type Sgd = Steps<SgdRule>;

/// Stochastic gradient descent.
#[derive(Debug, Clone)]
pub struct SgdRule;

impl Rule for SgdRule {
    const MOMENTS: &'static [&'static str] = &[];
    const SABOTAGE: &'static [Sabotage] =
        &[Sabotage::new(&shader::sgd::SHADER, "args.learning_rate * g", "1.001 * args.learning_rate * g")];

    fn step<B: Backend>(backend: &B, [parameters, gradients, norm]: [B::Tensor; 3], _: &[B::Tensor], size: StepSize, _: u32) {
        backend.run(&ops::Sgd { parameters, gradients, norm, size });
    }
}
