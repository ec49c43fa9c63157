//! Launch of [`ZScore`].

use super::*;
use crate::backend::ops::ZScore;
use shader::z_score::{Args, BLOCK_ROWS, Forward, WORKGROUP};

impl Run<ZScore<Self, Tensor>> for Gpu {
    fn forward(&self, of: &ZScore<Self, Tensor>) -> (Tensor, ()) {
        let ZScore { x, first_rows, rows, statistics } = of;
        let (y, ()) = self.results(of);
        let launch = Forward {
            x,
            first_rows,
            offsets: &rows.device_offsets,
            owners: &rows.owners,
            utterance_groups: &statistics.groups,
            mean: &statistics.mean,
            reciprocal_deviation: &statistics.reciprocal_deviation,
            y: &y,
        };
        let args = Args { rows: y.rows() as u32, columns: x.columns() as u32 };
        let width = Width::of(&[x.columns()]);
        self.dispatch_variant(width, &launch, args, row_grid(x.columns() / width.numbers(), WORKGROUP, y.rows(), BLOCK_ROWS), work(of));
        (y, ())
    }
}
