//! Launches of [`GlobalMax`] and its gradient.

use super::*;
use crate::backend::ops::{Differentiate, GlobalMax};
use shader::global_max::{Args, BLOCK_ROWS, Backward, Forward, WORKGROUP};

impl Run<GlobalMax<Self, Tensor>> for Gpu {
    fn forward(&self, of: &GlobalMax<Self, Tensor>) -> (Tensor, Words) {
        let (batch, total) = (of.batch(), of.columns());
        let (y, winners) = self.results(of);
        let shapes = shapes(of);
        let mut column = 0;
        for (stream, (x, rows)) in of.streams.iter().enumerate() {
            let args = Args {
                rows: x.rows() as u32,
                batch: batch as u32,
                columns: x.columns() as u32,
                column,
                total_columns: total as u32,
                accumulate: 0,
            };
            let launch = Forward { x, offsets: &rows.device_offsets, y: &y, winners: &winners };
            let width = Width::of(&[x.columns(), column as usize, total]);
            let grid = [blocks(x.columns() / width.numbers(), WORKGROUP), batch as u32, 1];
            self.dispatch_variant(width, &launch, args, grid, shapes.maximum(stream));
            column += x.columns() as u32;
        }
        (y, winners)
    }
}

impl Differentiate<GlobalMax<Self, Tensor>> for Gpu {
    fn backward(&self, of: &GlobalMax<Self, Tensor>, winners: &Words, dy: &Tensor, sinks: &GlobalMax<Self, Option<Sink<Tensor>>>) {
        let shapes = shapes(of);
        let mut column = 0;
        for (stream, ((x, rows), (dx, _))) in of.streams.iter().zip(&sinks.streams).enumerate() {
            let [total_rows, columns] = x.shape();
            if let Some(dx) = dx {
                let args = Args {
                    rows: total_rows as u32,
                    batch: rows.batch() as u32,
                    columns: columns as u32,
                    column: column as u32,
                    total_columns: dy.columns() as u32,
                    accumulate: dx.accumulates(),
                };
                let launch = Backward { y_gradient: dy, winning_rows: winners, owners: &rows.owners, x_gradient: &dx.tensor };
                let width = Width::of(&[columns, column, dy.columns()]);
                let grid = row_grid(columns / width.numbers(), WORKGROUP, total_rows, BLOCK_ROWS);
                self.dispatch_variant(width, &launch, args, grid, shapes.gradient(stream));
            }
            column += columns;
        }
    }
}
