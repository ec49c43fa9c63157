//! Launch of [`crate::backend::Backend::position_embedding`].

use super::*;
use crate::backend::position_table;
use shader::position_embedding::{Args, BLOCK_ROWS, Forward, WORKGROUP};

pub(in super::super) fn forward(gpu: &Gpu, x: &Tensor, rows: &Ragged<Gpu>) -> Tensor {
    let y = gpu.new_tensor(x.shape());
    let table = table(gpu, rows.longest(), x.columns());
    let launch = Forward { x, owners: &rows.owners, offsets: &rows.device_offsets, table: &table, y: &y };
    let args = Args { rows: x.rows() as u32, columns: x.columns() as u32 };
    let width = Width::of(&[x.columns()]);
    gpu.dispatch_variant(width, &launch, args, row_grid(x.columns() / width.numbers(), WORKGROUP, x.rows(), BLOCK_ROWS), x.len() as f64);
    y
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
