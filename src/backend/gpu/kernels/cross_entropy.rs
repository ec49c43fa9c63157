//! Launch of [`crate::backend::Backend::cross_entropy`].

use super::*;
use shader::cross_entropy::{Args, Forward};

pub(in super::super) fn forward(
    gpu: &Gpu,
    logits: &Tensor,
    labels: &Words,
    class_weights: &Tensor,
    smoothing: f32,
    total_weight: Option<f32>,
    scaling: &Tensor,
) -> (Tensor, Tensor) {
    let loss = gpu.new_tensor([1, 1]);
    let gradient = gpu.new_tensor(logits.shape());
    let args = Args { batch: logits.rows() as u32, classes: logits.columns() as u32, smoothing, total_weight: total_weight.unwrap_or(0.0) };
    let launch = Forward { logits, labels, class_weights, loss: &loss, gradient: &gradient, scaling };
    gpu.dispatch(&launch, args, [1, 1, 1], 20.0 * logits.len() as f64);
    (loss, gradient)
}
