//! Launch of [`PositionEmbedding`].

use super::*;
use crate::backend::ops::{PositionEmbedding, position_table};
use shader::position_embedding::{Args, BLOCK_ROWS, Forward, WORKGROUP};

impl Run<PositionEmbedding<Self, Tensor>> for Gpu {
    fn forward(&self, of: &PositionEmbedding<Self, Tensor>) -> (Tensor, ()) {
        let (y, ()) = self.results(of);
        launch(self, of, &y);
        (y, ())
    }

    /// One after the other, but what they give lies together.
    fn forward_together(&self, all: &[PositionEmbedding<Self, Tensor>]) -> Option<Vec<(Tensor, ())>> {
        let results = self.new_tensors(&all.iter().map(|of| of.x.shape()).collect::<Vec<_>>());
        all.iter().zip(&results).for_each(|(of, y)| launch(self, of, y));
        Some(results.into_iter().map(|y| (y, ())).collect())
    }
}

fn launch(gpu: &Gpu, of: &PositionEmbedding<Gpu, Tensor>, y: &Tensor) {
    let PositionEmbedding { x, rows } = of;
    let columns = x.columns();
    let table = gpu.table("position", [rows.longest(), columns], |positions| position_table(positions, columns));
    let launch = Forward { x, owners: &rows.owners, offsets: &rows.device_offsets, table: &table, y };
    let args = Args { rows: x.rows() as u32, columns: columns as u32 };
    let width = Width::of(&[columns]);
    gpu.dispatch_variant(width, &launch, args, row_grid(columns / width.numbers(), WORKGROUP, x.rows(), BLOCK_ROWS), work(of));
}
