//! Launches of [`ClipTensors`].

use super::*;
use crate::backend::ops::ClipTensors;
use shader::clip_tensors::{Args, Clip, Squares};

impl Run<ClipTensors<Self, Tensor>> for Gpu {
    fn forward(&self, of: &ClipTensors<Self, Tensor>) -> ((), ()) {
        let ClipTensors { gradients, tensors, limit } = of;
        let args = Args { chunks: tensors.count as u32, limit: *limit };
        let partial = self.new_tensor([1, tensors.count]);
        let grid = flat_grid(tensors.count, 1);
        self.dispatch(&Squares { chunks: &tensors.chunks, gradients, partial: &partial }, args, grid, None);
        self.dispatch(&Clip { chunks: &tensors.chunks, chunk_sums: &partial, clipped: gradients }, args, grid, work(of));
        ((), ())
    }
}
