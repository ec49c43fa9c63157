//! Launch of [`PositionEmbedding`].

use super::*;
use crate::backend::ops::{PositionEmbedding, position_table};
use shader::position_embedding::{Args, BLOCK_ROWS, Forward, WORKGROUP};

impl Run<PositionEmbedding<Self, Tensor>> for Gpu {
    fn forward(&self, of: &PositionEmbedding<Self, Tensor>) -> (Tensor, ()) {
        let PositionEmbedding { x, rows } = of;
        let (y, ()) = self.results(of);
        let columns = x.columns();
        let table = self.table("position", [rows.longest(), columns], |positions| position_table(positions, columns));
        let launch = Forward { x, owners: &rows.owners, offsets: &rows.device_offsets, table: &table, y: &y };
        let args = Args { rows: x.rows() as u32, columns: x.columns() as u32 };
        let width = Width::of(&[x.columns()]);
        self.dispatch_variant(width, &launch, args, row_grid(x.columns() / width.numbers(), WORKGROUP, x.rows(), BLOCK_ROWS), work(of));
        (y, ())
    }
}
