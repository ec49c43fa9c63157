//! Launch of [`Sgd`].

use super::*;
use crate::backend::ops::Sgd;
use shader::sgd::{Args, Update, WORKGROUP};

impl Run<Sgd<Tensor>> for Gpu {
    fn forward(&self, of: &Sgd<Tensor>) -> ((), ()) {
        let Sgd { parameters, gradients, norm, size } = of;
        let count = parameters.len();
        let args = Args {
            count: count as u32,
            learning_rate: size.learning_rate as f32,
            shrink: size.shrink() as f32,
            clip_norm: size.clip_or_zero() as f32,
        };
        self.dispatch(&Update { parameters, gradients, norm }, args, flat_grid(count, WORKGROUP), work(of));
        ((), ())
    }
}
