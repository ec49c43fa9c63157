//! Launches of [`Mse`].

use super::*;
use crate::backend::ops::Mse;
use shader::mse::{Args, CHUNK, Finish, Forward};

impl Run<Mse<Tensor>> for Gpu {
    fn forward(&self, of: &Mse<Tensor>) -> ((Tensor, Tensor), ()) {
        let Mse { x, target, scaling, .. } = of;
        let ((loss, gradient), ()) = self.results(of);
        let chunks = blocks(x.len(), CHUNK);
        let partial = self.new_tensor([1, chunks as usize]);
        let args = Args { count: x.len() as u32, chunks, share: of.share() as f32 };
        let launch = Forward { x, wanted: target, scaling, gradient: &gradient, partial: &partial };
        self.dispatch(&launch, args, flat_grid(chunks as usize, 1), work(of));
        self.dispatch(&Finish { chunk_sums: &partial, loss: &loss }, args, [1, 1, 1], None);
        ((loss, gradient), ())
    }
}
