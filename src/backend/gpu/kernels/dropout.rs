//! Launch of [`Dropout`].

use super::*;
use crate::backend::ops::Dropout;
use shader::dropout::{Args, Forward, WORKGROUP};

impl Run<Dropout<Tensor>> for Gpu {
    fn forward(&self, of: &Dropout<Tensor>) -> (Tensor, ()) {
        let &Dropout { ref x, rate, stream, first } = of;
        let (y, ()) = self.results(of);
        let args = Args {
            count: x.len() as u32,
            rate,
            first: first as u32,
            seed_low: stream.seed as u32,
            seed_high: (stream.seed >> 32) as u32,
            stream_low: stream.stream as u32,
            stream_high: (stream.stream >> 32) as u32,
        };
        self.dispatch(&Forward { x, y: &y }, args, flat_grid((first % 4 + x.len()).div_ceil(4), WORKGROUP), work(of));
        (y, ())
    }
}
