//! Launches of [`SegmentMean`] and its gradient.

use super::*;
use crate::backend::ops::{Differentiate, SegmentMean, Segments};
use shader::segment_mean::{Args, BLOCK_ROWS, Backward, Forward, LANES, WORKGROUP};

fn arguments(x: &Tensor, accumulate: u32) -> (Width, Args) {
    (Width::of(&[x.columns()]), Args { rows: x.rows() as u32, width: x.columns() as u32, accumulate })
}

impl Run<SegmentMean<Self, Tensor>> for Gpu {
    fn forward(&self, of: &SegmentMean<Self, Tensor>) -> (Tensor, ()) {
        let (y, ()) = self.results(of);
        let (width, args) = arguments(&y, 0);
        let grid = row_grid(y.columns() / width.numbers(), LANES, y.rows(), 1);
        self.dispatch_variant(width, &Forward { bounds: &of.segments.bounds, x: &of.x, y: &y }, args, grid, work(of));
        (y, ())
    }
}

impl Differentiate<SegmentMean<Self, Tensor>> for Gpu {
    fn backward(&self, of: &SegmentMean<Self, Tensor>, (): &(), dy: &Tensor, sinks: &SegmentMean<Self, Option<Sink<Tensor>>>) {
        let Some(sink) = &sinks.x else { return };
        let (width, args) = arguments(&sink.tensor, sink.accumulates());
        let Segments { bounds, covering_offsets, covering, .. } = &of.segments;
        let launch = Backward { bounds, covering_offsets, covering, y_gradient: dy, x_gradient: &sink.tensor };
        let grid = row_grid(dy.columns() / width.numbers(), WORKGROUP, sink.tensor.rows(), BLOCK_ROWS);
        self.dispatch_variant(width, &launch, args, grid, ops::backward_work(of, sinks));
    }
}
