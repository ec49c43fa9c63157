//! Launch of [`Average`].

use super::*;
use crate::backend::ops::Average;
use shader::average::{self, Args, WORKGROUP};

impl Run<Average<Tensor>> for Gpu {
    fn forward(&self, of: &Average<Tensor>) -> ((), ()) {
        let Average { x, average, share } = of;
        let args = Args { count: x.len() as u32, share: *share };
        self.dispatch(&average::Average { x, mean: average }, args, flat_grid(x.len(), WORKGROUP), work(of));
        ((), ())
    }
}
