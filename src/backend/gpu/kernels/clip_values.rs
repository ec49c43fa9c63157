//! Launch of [`ClipValues`].

use super::*;
use crate::backend::ops::ClipValues;
use shader::clip_values::{Args, Clip, WORKGROUP};

impl Run<ClipValues<Tensor>> for Gpu {
    fn forward(&self, of: &ClipValues<Tensor>) -> ((), ()) {
        let ClipValues { gradients, limit } = of;
        let args = Args { count: gradients.len() as u32, limit: *limit };
        self.dispatch(&Clip { gradients }, args, flat_grid(gradients.len(), WORKGROUP), work(of));
        ((), ())
    }
}
