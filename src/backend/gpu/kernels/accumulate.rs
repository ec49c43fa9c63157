//! Launch of [`crate::backend::Backend::accumulate`].

use super::*;
use shader::accumulate::{Accumulate, Args, WORKGROUP};

pub(in super::super) fn accumulate(gpu: &Gpu, x: &Tensor, sink: &Sink<Tensor>) {
    let args = Args { count: x.len() as u32, accumulate: sink.accumulates() };
    gpu.dispatch(&Accumulate { x, out: &sink.tensor }, args, flat_grid(x.len(), WORKGROUP), x.len() as f64);
}
