//! Launches of [`crate::backend::Backend::embedding`] and its gradient.

use super::*;
use crate::backend::{Tokens, Work};
use shader::embedding::{Args, BLOCK_ROWS, Backward, Forward, WORKGROUP};

fn arguments(table: &Tensor, tokens: &Tokens<Gpu>, accumulate: u32) -> Args {
    Args { rows: tokens.rows as u32, words: table.rows() as u32, width: table.columns() as u32, accumulate }
}

pub(in super::super) fn forward(gpu: &Gpu, table: &Tensor, tokens: &Tokens<Gpu>) -> Tensor {
    let y = gpu.new_tensor([tokens.rows, table.columns()]);
    let launch = Forward { table, ids: &tokens.ids, y: &y };
    // Of the table only the rows that occur.
    let work = Work::touching(y.len() as f64, 4.0 * (tokens.rows + 2 * y.len()) as f64);
    let width = Width::of(&[y.columns()]);
    let grid = row_grid(y.columns() / width.numbers(), WORKGROUP, y.rows(), BLOCK_ROWS);
    gpu.dispatch_variant(width, &launch, arguments(table, tokens, 0), grid, work);
    y
}

pub(in super::super) fn backward(gpu: &Gpu, dy: &Tensor, tokens: &Tokens<Gpu>, sink: &Sink<Tensor>) {
    let launch = Backward {
        y_gradient: dy,
        occurrence_offsets: &tokens.occurrence_offsets,
        occurrences: &tokens.occurrences,
        table_gradient: &sink.tensor,
    };
    let args = arguments(&sink.tensor, tokens, sink.accumulates());
    let width = Width::of(&[dy.columns()]);
    let grid = row_grid(dy.columns() / width.numbers(), WORKGROUP, sink.tensor.rows(), BLOCK_ROWS);
    gpu.dispatch_variant(width, &launch, args, grid, (dy.len() + sink.tensor.len()) as f64);
}
