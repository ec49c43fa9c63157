//! Launches of [`crate::backend::Backend::global_max`] and its gradient.

use super::*;
use crate::backend::Work;
use shader::global_max::{Args, BLOCK_ROWS, Backward, Forward, WORKGROUP};

pub(in super::super) fn forward(gpu: &Gpu, streams: &[(&Tensor, &Ragged<Gpu>)]) -> (Tensor, Words) {
    let batch = streams.first().map_or(0, |(_, rows)| rows.batch());
    let total: usize = streams.iter().map(|(x, _)| x.columns()).sum();
    let y = gpu.new_tensor([batch, total]);
    let winners = gpu.new_words(batch * total);
    let mut column = 0;
    for (x, rows) in streams {
        let args = Args {
            rows: x.rows() as u32,
            batch: batch as u32,
            columns: x.columns() as u32,
            column,
            total_columns: total as u32,
            accumulate: 0,
        };
        let launch = Forward { x, offsets: &rows.device_offsets, y: &y, winners: &winners };
        // Of the result only this stream's columns.
        let work = Work::touching(x.len() as f64, 4.0 * (x.len() + 2 * batch * x.columns()) as f64);
        let width = Width::of(&[x.columns(), column as usize, total]);
        gpu.dispatch_variant(width, &launch, args, [blocks(x.columns() / width.numbers(), WORKGROUP), batch as u32, 1], work);
        column += x.columns() as u32;
    }
    (y, winners)
}

pub(in super::super) fn backward(gpu: &Gpu, dy: &Tensor, winners: &Words, rows: &Ragged<Gpu>, column: usize, dx: &Sink<Tensor>) {
    let [total_rows, columns] = dx.tensor.shape();
    let args = Args {
        rows: total_rows as u32,
        batch: rows.batch() as u32,
        columns: columns as u32,
        column: column as u32,
        total_columns: dy.columns() as u32,
        accumulate: dx.accumulates(),
    };
    let launch = Backward { y_gradient: dy, winning_rows: winners, owners: &rows.owners, x_gradient: &dx.tensor };
    let (written, read) = (dx.tensor.len(), total_rows + 2 * rows.batch() * columns);
    let work = Work::touching(written as f64, 4.0 * (written * (1 + dx.accumulates() as usize) + read) as f64);
    let width = Width::of(&[columns, column, dy.columns()]);
    gpu.dispatch_variant(width, &launch, args, row_grid(columns / width.numbers(), WORKGROUP, total_rows, BLOCK_ROWS), work);
}
