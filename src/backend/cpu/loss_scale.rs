//! Dynamic loss scaling: gradients that are S times too large become true again, or, where they overflowed, the step is
//! left out; S follows.

use super::{Cpu, CpuTensor, Real};
use crate::backend::ops::{LossScale, Run, SCALE_PATIENCE};

impl<T: Real> Run<LossScale<CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &LossScale<CpuTensor<T>>) -> ((), ()) {
        update(&mut of.norm.values_mut(), &mut of.scaling.values_mut());
        ((), ())
    }
}

/// `norm`: of the gradients and the factor on them; `scaling`: S, good steps since it changed, steps skipped.
pub(crate) fn update<T: Real>(norm: &mut [T], scaling: &mut [T]) {
    let (half, two) = (T::of(0.5), T::of(2.0));
    let [scale, good, skipped] = [scaling[0], scaling[1] + T::one(), scaling[2]];
    let state = if norm[0].as_f32().is_finite() {
        norm.iter_mut().for_each(|value| *value /= scale);
        if good < T::of(SCALE_PATIENCE.into()) { [scale, good, skipped] } else { [scale * two, T::zero(), skipped] }
    } else {
        norm[1] = T::zero();
        [scale * half, T::zero(), skipped + T::one()]
    };
    scaling.copy_from_slice(&state);
}
