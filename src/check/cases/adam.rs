//! Cases of `adam`.

use super::{Rule, Steps};
use crate::backend::Backend;
use crate::backend::gpu::shader;
use crate::backend::ops::{self, AdamStep, StepSize};
use crate::check::Sabotage;

/// Three steps of Adam.
pub(crate) type Adam = Steps<AdamRule>;

/// Adam with its usual β and ε.
#[derive(Debug, Clone)]
pub struct AdamRule;

impl Rule for AdamRule {
    const MOMENTS: &'static [&'static str] = &["first moment", "second moment"];
    const SABOTAGE: &'static [Sabotage] = &[Sabotage::new(&shader::adam::SHADER, "args.rest2 * g * g", "args.rest2 * g")];

    fn step<B: Backend>(backend: &B, operands: [B::Tensor; 3], moments: &[B::Tensor], size: StepSize, number: u32) {
        let [parameters, gradients, norm] = operands;
        let [first_moment, second_moment] = [0, 1].map(|moment| moments[moment].clone());
        let step = AdamStep { size, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step: number };
        backend.run(&ops::Adam { parameters, gradients, first_moment, second_moment, norm, step });
    }
}
