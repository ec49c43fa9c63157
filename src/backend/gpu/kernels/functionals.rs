//! Launch of [`Functionals`]: a workgroup a column of an utterance.

use super::*;
use crate::backend::ops::Functionals;
use shader::functionals::{Args, Forward};

impl Run<Functionals<Self, Tensor>> for Gpu {
    fn forward(&self, of: &Functionals<Self, Tensor>) -> (Tensor, ()) {
        let (y, ()) = self.results(of);
        let (batch, columns) = (of.rows.batch(), of.x.columns());
        let launch = Forward { offsets: &of.rows.device_offsets, x: &of.x, y: &y };
        let args = Args { batch: batch as u32, columns: columns as u32, first_group_y: 0, first_group_z: 0 };
        self.dispatch(&launch, args, flat_grid(batch * columns, 1), work(of));
        (y, ())
    }
}
