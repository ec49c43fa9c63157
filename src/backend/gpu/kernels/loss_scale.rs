//! Launch of [`LossScale`].

use super::*;
use crate::backend::ops::{LossScale, SCALE_PATIENCE};
use shader::loss_scale::{Args, Update};

impl Run<LossScale<Tensor>> for Gpu {
    fn forward(&self, of: &LossScale<Tensor>) -> ((), ()) {
        let LossScale { norm, scaling } = of;
        self.dispatch(&Update { norm, scaling }, Args { patience: SCALE_PATIENCE }, [1, 1, 1], work(of));
        ((), ())
    }
}
