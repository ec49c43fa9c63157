//! Launch of [`crate::backend::Backend::loss_scale`].

use super::*;
use crate::backend::SCALE_PATIENCE;
use shader::loss_scale::{Args, Update};

pub(in super::super) fn update(gpu: &Gpu, norm: &Tensor, scaling: &Tensor) {
    gpu.dispatch(&Update { norm, scaling }, Args { patience: SCALE_PATIENCE }, [1, 1, 1], 4.0);
}
