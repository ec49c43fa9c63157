//! Launch of [`crate::backend::Backend::deltas`].

use super::*;
use crate::backend::{DeltaFilter, Edges};
use shader::deltas::{Args, Forward, WORKGROUP};

pub(in super::super) fn forward(gpu: &Gpu, x: &Tensor, frames: &Ragged<Gpu>, filter: &DeltaFilter<Gpu>) -> Tensor {
    let y = gpu.new_tensor([x.rows(), (1 + filter.orders) * x.columns()]);
    let launch = Forward { x, offsets: &frames.device_offsets, owners: &frames.owners, taps: &filter.taps, y: &y };
    let [filters, width] = filter.taps.shape();
    let args = Args {
        frames: x.rows() as u32,
        columns: x.columns() as u32,
        orders: filter.orders as u32,
        filters: filters as u32,
        width: width as u32,
        shifted: flag(filter.edges == Edges::Shifted),
    };
    gpu.dispatch(&launch, args, flat_grid(x.len(), WORKGROUP), 2.0 * (y.len() * width) as f64);
    y
}
