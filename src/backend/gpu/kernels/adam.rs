//! Launch of [`Adam`].

use super::*;
use crate::backend::ops::Adam;
use shader::adam::{Args, Update, WORKGROUP};

impl Run<Adam<Tensor>> for Gpu {
    fn forward(&self, of: &Adam<Tensor>) -> ((), ()) {
        let Adam { parameters, gradients, first_moment, second_moment, norm, step } = of;
        let width = Width::of(&[parameters.len()]);
        let count = parameters.len() / width.numbers();
        let correction = |beta: f64| 1.0 - beta.powi(step.step as i32);
        let args = Args {
            count: count as u32,
            step_size: (step.size.learning_rate / correction(step.beta1)) as f32,
            root_correction: correction(step.beta2).sqrt() as f32,
            beta1: step.beta1 as f32,
            rest1: (1.0 - step.beta1) as f32,
            beta2: step.beta2 as f32,
            rest2: (1.0 - step.beta2) as f32,
            epsilon: step.epsilon as f32,
            shrink: step.size.shrink() as f32,
            clip_norm: step.size.clip_or_zero() as f32,
        };
        let launch = Update { parameters, gradients, first_moment, second_moment, norm };
        self.dispatch_variant(width, &launch, args, flat_grid(count, WORKGROUP), work(of));
        ((), ())
    }
}
