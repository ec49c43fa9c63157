//! Launches of [`Embedding`] and its gradient.

use super::*;
use crate::backend::ops::{self, Differentiate, Embedding, Tokens};
use shader::embedding::{Args, BLOCK_ROWS, Backward, Forward, WORKGROUP};

fn arguments(table: &Tensor, tokens: &Tokens<Gpu>, accumulate: u32) -> Args {
    Args { rows: tokens.rows as u32, words: table.rows() as u32, width: table.columns() as u32, accumulate }
}

impl Run<Embedding<Self, Tensor>> for Gpu {
    fn forward(&self, of: &Embedding<Self, Tensor>) -> (Tensor, ()) {
        let Embedding { table, tokens } = of;
        let (y, ()) = self.results(of);
        let launch = Forward { table, ids: &tokens.ids, y: &y };
        let width = Width::of(&[y.columns()]);
        let grid = row_grid(y.columns() / width.numbers(), WORKGROUP, y.rows(), BLOCK_ROWS);
        self.dispatch_variant(width, &launch, arguments(table, tokens, 0), grid, work(of));
        (y, ())
    }
}

impl Differentiate<Embedding<Self, Tensor>> for Gpu {
    fn backward(&self, of: &Embedding<Self, Tensor>, (): &(), dy: &Tensor, sinks: &Embedding<Self, Option<Sink<Tensor>>>) {
        let Some(sink) = &sinks.table else { return };
        let Tokens { occurrence_offsets, occurrences, .. } = &of.tokens;
        let launch = Backward { y_gradient: dy, occurrence_offsets, occurrences, table_gradient: &sink.tensor };
        let args = arguments(&sink.tensor, &of.tokens, sink.accumulates());
        let width = Width::of(&[dy.columns()]);
        let grid = row_grid(dy.columns() / width.numbers(), WORKGROUP, sink.tensor.rows(), BLOCK_ROWS);
        self.dispatch_variant(width, &launch, args, grid, ops::backward_work(of, sinks));
    }
}
