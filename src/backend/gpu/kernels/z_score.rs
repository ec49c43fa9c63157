//! Launch of [`crate::backend::Backend::z_score`].

use super::*;
use crate::backend::ZScore;
use shader::z_score::{Args, BLOCK_ROWS, Forward, WORKGROUP};

pub(in super::super) fn forward(gpu: &Gpu, x: &Tensor, rows: &Ragged<Gpu>, statistics: &ZScore<Gpu>) -> Tensor {
    let y = gpu.new_tensor(x.shape());
    let launch = Forward {
        x,
        owners: &rows.owners,
        utterance_groups: &statistics.groups,
        mean: &statistics.mean,
        reciprocal_deviation: &statistics.reciprocal_deviation,
        y: &y,
    };
    let args = Args { rows: x.rows() as u32, columns: x.columns() as u32 };
    let width = Width::of(&[x.columns()]);
    gpu.dispatch_variant(
        width,
        &launch,
        args,
        row_grid(x.columns() / width.numbers(), WORKGROUP, x.rows(), BLOCK_ROWS),
        2.0 * x.len() as f64,
    );
    y
}
