//! Launch of [`crate::backend::Backend::z_score`].

use super::*;
use crate::backend::ZScore;
use shader::z_score::{Args, Forward, LANES};

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
    gpu.dispatch(&launch, args, flat_grid(x.len(), LANES), 2.0 * x.len() as f64);
    y
}
