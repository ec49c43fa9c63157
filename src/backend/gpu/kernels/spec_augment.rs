//! Launch of [`SpecAugment`].

use super::*;
use crate::backend::ops::SpecAugment;
use shader::spec_augment::{Args, BLOCK_ROWS, Cover, WORKGROUP};

impl Run<SpecAugment<Self, Tensor>> for Gpu {
    fn forward(&self, of: &SpecAugment<Self, Tensor>) -> ((), ()) {
        let SpecAugment { x, rows, masks } = of;
        let args = Args {
            rows: x.rows() as u32,
            columns: x.columns() as u32,
            frame_masks: masks.frames as u32,
            column_masks: masks.columns as u32,
        };
        let launch = Cover { offsets: &rows.device_offsets, owners: &rows.owners, masks: &masks.bounds, x };
        self.dispatch(&launch, args, row_grid(x.columns(), WORKGROUP, x.rows(), BLOCK_ROWS), work(of));
        ((), ())
    }
}
