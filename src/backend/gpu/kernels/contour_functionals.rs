//! Launches of [`ContourFunctionals`]: contours smoothed, then a workgroup a column of an utterance.

use super::*;
use crate::backend::ops::ContourFunctionals;
use shader::contour_functionals::{Args, Average, ELEMENTS, Forward};

impl Run<ContourFunctionals<Self, Tensor>> for Gpu {
    fn forward(&self, of: &ContourFunctionals<Self, Tensor>) -> (Tensor, ()) {
        let ContourFunctionals { x, rows, skips_zeros } = of;
        let (y, ()) = self.results(of);
        let (batch, columns) = (rows.batch(), x.columns());
        let smoothed = self.new_tensor(x.shape());
        let offsets = &rows.device_offsets;
        let args = Args {
            batch: batch as u32,
            columns: columns as u32,
            skips_zeros: flag(*skips_zeros),
            rows: x.rows() as u32,
            first_group_y: 0,
            first_group_z: 0,
        };
        let launch = Average { offsets, owners: &rows.owners, x, smoothed_out: &smoothed };
        self.dispatch(&launch, args, flat_grid(x.len(), ELEMENTS), None);
        let launch = Forward { offsets, smoothed: &smoothed, y: &y };
        self.dispatch(&launch, args, flat_grid(batch * columns, 1), work(of));
        (y, ())
    }
}
