//! Launch of [`crate::backend::Backend::z_score`].

use super::*;
use crate::backend::ZScore;
use shader::z_score::{Args, BLOCK_ROWS, Forward, LANES};

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
    let (variant, width) = quads_or_ones(&[x.columns()]);
    gpu.dispatch_variant(variant, &launch, args, row_grid(x.columns() / width, LANES, x.rows(), BLOCK_ROWS), 2.0 * x.len() as f64);
    y
}
