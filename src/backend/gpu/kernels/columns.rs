//! Launches of [`Columns`] and its gradient.

use super::*;
use crate::backend::ops::{self, Columns, Differentiate};
use shader::columns::{Args, BLOCK_ROWS, Copy, WORKGROUP};

impl Run<Columns<Tensor>> for Gpu {
    fn forward(&self, of: &Columns<Tensor>) -> (Tensor, ()) {
        let (y, ()) = self.results(of);
        let sink = Sink { tensor: y.clone(), write: Write::Set };
        copy_columns(self, (&of.x, of.first), (&sink, 0), of.columns, work(of));
        (y, ())
    }
}

impl Differentiate<Columns<Tensor>> for Gpu {
    fn backward(&self, of: &Columns<Tensor>, (): &(), dy: &Tensor, sinks: &Columns<Option<Sink<Tensor>>>) {
        let Some(sink) = &sinks.x else { return };
        if sink.write == Write::Set {
            self.clear(&sink.tensor);
        }
        copy_columns(self, (dy, 0), (sink, of.first), of.columns, ops::backward_work::<Self, _>(of, sinks));
    }
}

/// `target[.., columns] (+)= source[.., columns]`, each from a first column on.
pub(super) fn copy_columns(
    gpu: &Gpu,
    (source, first): (&Tensor, usize),
    (target, target_first): (&Sink<Tensor>, usize),
    columns: usize,
    work: Work,
) {
    let sizes = [columns, source.columns(), first, target.tensor.columns(), target_first];
    let width = Width::of(&sizes);
    let [columns, source_width, source_first, target_width, target_first] = sizes.map(|size| size as u32);
    let args = Args {
        rows: source.rows() as u32,
        columns,
        source_width,
        source_first,
        target_width,
        target_first,
        accumulate: target.accumulates(),
    };
    let grid = row_grid(columns as usize / width.numbers(), WORKGROUP, source.rows(), BLOCK_ROWS);
    gpu.dispatch_variant(width, &Copy { source, out: &target.tensor }, args, grid, work);
}
