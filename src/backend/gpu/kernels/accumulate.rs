//! Launch of [`Accumulate`].

use super::*;
use crate::backend::ops::Accumulate;
use shader::accumulate::{self, Args, WORKGROUP};

impl Run<Accumulate<Tensor>> for Gpu {
    fn forward(&self, of: &Accumulate<Tensor>) -> ((), ()) {
        let args = Args { count: of.x.len() as u32, accumulate: flag(of.write == Write::Add) };
        self.dispatch(&accumulate::Accumulate { x: &of.x, out: &of.sum }, args, flat_grid(of.x.len(), WORKGROUP), work(of));
        ((), ())
    }
}
