//! Launches of [`Windows`] and its gradient.

use super::*;
use crate::backend::ops::{Differentiate, Windows};
use shader::windows::{Args, BLOCK_ROWS, Backward, Forward, WORKGROUP};

impl Run<Windows<Self, Tensor>> for Gpu {
    fn forward(&self, of: &Windows<Self, Tensor>) -> (Tensor, ()) {
        let Windows { x, input, output, size } = of;
        let (y, ()) = self.results(of);
        let launch =
            Forward { owners: &output.owners, input_offsets: &input.device_offsets, output_offsets: &output.device_offsets, x, y: &y };
        let args = Args { rows: y.rows() as u32, width: x.columns() as u32, size: *size as u32, accumulate: 0 };
        let width = Width::of(&[x.columns()]);
        self.dispatch_variant(width, &launch, args, row_grid(y.columns() / width.numbers(), WORKGROUP, y.rows(), BLOCK_ROWS), work(of));
        (y, ())
    }
}

impl Differentiate<Windows<Self, Tensor>> for Gpu {
    fn backward(&self, of: &Windows<Self, Tensor>, (): &(), dy: &Tensor, sinks: &Windows<Self, Option<Sink<Tensor>>>) {
        let Some(sink) = &sinks.x else { return };
        let Windows { x, input, output, size } = of;
        let launch = Backward {
            owners: &input.owners,
            input_offsets: &input.device_offsets,
            output_offsets: &output.device_offsets,
            y_gradient: dy,
            x_gradient: &sink.tensor,
        };
        let args = Args { rows: x.rows() as u32, width: x.columns() as u32, size: *size as u32, accumulate: sink.accumulates() };
        let width = Width::of(&[x.columns()]);
        let grid = row_grid(x.columns() / width.numbers(), WORKGROUP, x.rows(), BLOCK_ROWS);
        self.dispatch_variant(width, &launch, args, grid, ops::backward_work(of, sinks));
    }
}
