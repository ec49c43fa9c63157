//! tanh after a product and its gradient before one: passes of their own, so that the loops and the ends of products, which hardly ever
//! have it, take no registers and instructions for it.

use super::*;
use shader::tangent::{Args, Backward, Forward, WORKGROUP};

/// `y = tanh y`, in place.
pub(super) fn squash(gpu: &Gpu, y: &Tensor) {
    gpu.dispatch(&Forward { y }, Args { count: y.len() as u32 }, flat_grid(y.len(), WORKGROUP), None);
}

/// `dy (1 - y²)` of each result and its gradient, beside each other.
pub(super) fn gradients(gpu: &Gpu, all: &[(&Tensor, &Tensor)]) -> Vec<Tensor> {
    let shapes: Vec<_> = all.iter().map(|(y, _)| y.shape()).collect();
    let gradients = gpu.new_tensors(&shapes);
    for ((y, dy), dz) in all.iter().zip(&gradients) {
        let launch = Backward { saved_y: y, y_gradient: dy, z_gradient: dz };
        gpu.dispatch(&launch, Args { count: y.len() as u32 }, flat_grid(y.len(), WORKGROUP), None);
    }
    gradients
}
