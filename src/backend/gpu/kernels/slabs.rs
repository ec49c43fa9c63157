//! Sums over rows in two passes of fixed shape: partial sums of slabs of rows, then their sum in order.

use std::ops::Range;

use super::*;
use crate::backend::Work;
use shader::slabs::{Args, LANES, Sum};

/// Most slabs of a sum for the variants `tiles` and `lanes`, which bounds the memory of the partial sums; a software adapter
/// has few workgroups to keep busy.
const MOST_SLABS: [usize; 2] = [32, 4];
/// Fewest rows of a slab, so that a workgroup has something to do.
const FEWEST_ROWS: usize = 64;

/// How rows are cut into slabs; depends on their number and the variant alone, so sums have the same order every time.
pub(super) struct Slabs {
    pub rows: u32,
    pub count: u32,
}

impl Slabs {
    pub(super) fn of(rows: usize, variant: usize) -> Self {
        let slab = rows.div_ceil(MOST_SLABS[variant]).next_multiple_of(16).max(FEWEST_ROWS);
        Self { rows: slab as u32, count: rows.div_ceil(slab).max(1) as u32 }
    }

    /// The grid of one slab, for each of them.
    pub(super) fn of_each(&self, grid: [u32; 3]) -> [u32; 3] {
        [grid[0], grid[1], self.count]
    }

    /// `sink (+)= Σ_slab partial[slab, offset ..]`. `partial: [slabs, stride]`.
    pub(super) fn sum(&self, gpu: &Gpu, partial: &Tensor, offset: usize, sink: &Sink<Tensor>) {
        self.sum_part(gpu, partial, offset, sink, 0..sink.tensor.len());
    }

    /// The same for some of the sink's elements.
    pub(super) fn sum_part(&self, gpu: &Gpu, partial: &Tensor, offset: usize, sink: &Sink<Tensor>, part: Range<usize>) {
        let args = Args {
            count: part.len() as u32,
            slabs: self.count,
            stride: partial.columns() as u32,
            offset: offset as u32,
            out_offset: part.start as u32,
            accumulate: sink.accumulates(),
        };
        let flop = part.len() as f64 * f64::from(self.count);
        let work = Work::touching(flop, 4.0 * part.len() as f64 * f64::from(self.count + 1 + sink.accumulates()));
        gpu.dispatch(&Sum { partial, out: &sink.tensor }, args, flat_grid(part.len(), LANES), work);
    }
}
