//! Launches of [`GradientNorm`].

use super::*;
use crate::backend::ops::GradientNorm;
use shader::gradient_norm::{Args, CHUNK, Finish, Squares};

impl Run<GradientNorm<Tensor>> for Gpu {
    fn forward(&self, of: &GradientNorm<Tensor>) -> (Tensor, ()) {
        let gradients = &of.gradients;
        let chunks = blocks(gradients.len(), CHUNK);
        let args = Args { count: gradients.len() as u32, chunks };
        let partial = self.new_tensor([1, chunks as usize]);
        let (norm, ()) = self.results(of);
        self.dispatch(&Squares { gradients, partial: &partial }, args, [chunks, 1, 1], work(of));
        self.dispatch(&Finish { chunk_sums: &partial, norm: &norm }, args, [1, 1, 1], None);
        (norm, ())
    }
}
