//! Launch of [`crate::backend::Backend::sgd`].

use super::*;
use crate::backend::StepSize;
use shader::sgd::{Args, Update, WORKGROUP};

pub(in super::super) fn update(gpu: &Gpu, parameters: &Tensor, gradients: &Tensor, norm: &Tensor, size: StepSize) {
    let count = parameters.len();
    let args = Args {
        count: count as u32,
        learning_rate: size.learning_rate as f32,
        shrink: size.shrink() as f32,
        clip_norm: size.clip_or_zero() as f32,
    };
    gpu.dispatch(&Update { parameters, gradients, norm }, args, flat_grid(count, WORKGROUP), 4.0 * count as f64);
}
