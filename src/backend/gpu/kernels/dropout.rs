//! Launch of [`crate::backend::Backend::dropout`].

use super::*;
use crate::base::philox::Stream;
use shader::dropout::{Args, Forward, WORKGROUP};

pub(in super::super) fn forward(gpu: &Gpu, x: &Tensor, rate: f32, stream: Stream, first: usize) -> Tensor {
    let y = gpu.new_tensor(x.shape());
    let args = Args {
        count: x.len() as u32,
        rate,
        first: first as u32,
        seed_low: stream.seed as u32,
        seed_high: (stream.seed >> 32) as u32,
        stream_low: stream.stream as u32,
        stream_high: (stream.stream >> 32) as u32,
    };
    gpu.dispatch(&Forward { x, y: &y }, args, flat_grid((first % 4 + x.len()).div_ceil(4), WORKGROUP), 20.0 * x.len() as f64);
    y
}
