//! Launch of [`Deltas`].

use super::*;
use crate::backend::ops::{Deltas, Edges};
use shader::deltas::{Args, Forward, WORKGROUP};

impl Run<Deltas<Self, Tensor>> for Gpu {
    fn forward(&self, of: &Deltas<Self, Tensor>) -> (Tensor, ()) {
        let Deltas { x, frames, filter } = of;
        let (y, ()) = self.results(of);
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
        self.dispatch(&launch, args, flat_grid(x.len(), WORKGROUP), work(of));
        (y, ())
    }
}
