//! Launch of [`PositionEmbedding`].

use super::*;
use crate::backend::ops::{PositionEmbedding, position_table};
use shader::position_embedding::{Args, BLOCK_ROWS, Forward, WORKGROUP};

impl Run<PositionEmbedding<Self, Tensor>> for Gpu {
    fn forward(&self, of: &PositionEmbedding<Self, Tensor>) -> (Tensor, ()) {
        let PositionEmbedding { x, rows } = of;
        let (y, ()) = self.results(of);
        let table = table(self, rows.longest(), x.columns());
        let launch = Forward { x, owners: &rows.owners, offsets: &rows.device_offsets, table: &table, y: &y };
        let args = Args { rows: x.rows() as u32, columns: x.columns() as u32 };
        let width = Width::of(&[x.columns()]);
        self.dispatch_variant(width, &launch, args, row_grid(x.columns() / width.numbers(), WORKGROUP, x.rows(), BLOCK_ROWS), work(of));
        (y, ())
    }
}

/// The table on the device, made anew (twice as long) when a longer sequence comes.
fn table(gpu: &Gpu, positions: usize, columns: usize) -> Tensor {
    let mut tables = gpu.tables.borrow_mut();
    if let Some(table) = tables.get(&("position", columns)).filter(|table| table.rows() >= positions) {
        return table.clone();
    }
    let positions = positions.next_power_of_two().max(128);
    let table = gpu.upload_tensor(&position_table(positions, columns), [positions, columns]);
    tables.insert(("position", columns), table.clone());
    table
}
