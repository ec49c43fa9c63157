//! Launches of [`crate::backend::Backend::gradient_norm`].

use super::*;
use shader::gradient_norm::{Args, CHUNK, Finish, Squares};

pub(in super::super) fn forward(gpu: &Gpu, gradients: &Tensor) -> Tensor {
    let chunks = blocks(gradients.len(), CHUNK);
    let args = Args { count: gradients.len() as u32, chunks };
    let partial = gpu.new_tensor([1, chunks as usize]);
    let norm = gpu.new_tensor([1, 2]);
    gpu.dispatch(&Squares { gradients, partial: &partial }, args, [chunks, 1, 1], 2.0 * gradients.len() as f64);
    gpu.dispatch(&Finish { chunk_sums: &partial, norm: &norm }, args, [1, 1, 1], f64::from(chunks));
    norm
}
