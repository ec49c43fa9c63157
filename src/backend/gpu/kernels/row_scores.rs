//! Launches of [`RowScores`] and its gradient, which are those of [`WeightedSum`](ops::WeightedSum) the other way round.

use super::weighted_sum::{Sums, sum_rows};
use super::*;
use crate::backend::ops::{Differentiate, RowScores};
use shader::row_scores::{Args, BLOCK_ROWS, Forward, ROWS, SPREAD_WORKGROUP, Spread};

impl Run<RowScores<Self, Tensor>> for Gpu {
    fn forward(&self, of: &RowScores<Self, Tensor>) -> (Tensor, ()) {
        let (scores, ()) = self.results(of);
        let sink = Sink { tensor: scores.clone(), write: Write::Set };
        dot_rows(self, [&of.x, &of.query], &of.rows, &sink, work(of));
        (scores, ())
    }
}

impl Differentiate<RowScores<Self, Tensor>> for Gpu {
    fn backward(&self, of: &RowScores<Self, Tensor>, (): &(), dy: &Tensor, sinks: &RowScores<Self, Option<Sink<Tensor>>>) {
        if let Some(sink) = &sinks.x {
            spread(self, [dy, &of.query], &of.rows, sink, shapes(of).of_x());
        }
        if let Some(sink) = &sinks.query {
            let sums = if of.query.rows() == of.rows.batch() { Sums::OfSequences } else { Sums::OfAll };
            sum_rows(self, [dy, &of.x], &of.rows, sums, sink, shapes(of).of_query());
        }
    }
}

fn arguments(vectors: &Tensor, rows: &Ragged<Gpu>, sink: &Sink<Tensor>) -> (Width, Args) {
    let width = vectors.columns();
    let args = Args { rows: rows.rows() as u32, width: width as u32, vectors: vectors.rows() as u32, accumulate: sink.accumulates() };
    (Width::of(&[width]), args)
}

/// `y_i (+)= v_u(i) · x_i`
pub(super) fn dot_rows(gpu: &Gpu, [x, vectors]: [&Tensor; 2], rows: &Ragged<Gpu>, sink: &Sink<Tensor>, work: Work) {
    let (width, args) = arguments(vectors, rows, sink);
    let launch = Forward { vectors, owners: &rows.owners, x, products: &sink.tensor };
    gpu.dispatch_variant(width, &launch, args, flat_grid(rows.rows(), ROWS), work);
}

/// `y_i (+)= f_i v_u(i)`
pub(super) fn spread(gpu: &Gpu, [factors, vectors]: [&Tensor; 2], rows: &Ragged<Gpu>, sink: &Sink<Tensor>, work: Work) {
    let (width, args) = arguments(vectors, rows, sink);
    let launch = Spread { vectors, owners: &rows.owners, factors, y: &sink.tensor };
    let grid = row_grid(vectors.columns() / width.numbers(), SPREAD_WORKGROUP, rows.rows(), BLOCK_ROWS);
    gpu.dispatch_variant(width, &launch, args, grid, work);
}
