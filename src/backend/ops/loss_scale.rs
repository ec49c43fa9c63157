//! Dynamic loss scaling (Micikevicius et al. 2018, 3.2), between [`super::GradientNorm`] and the optimiser: small gradients would
//! vanish in f16, so those that come here are S times too large.
//!
//! Where the norm is finite, norm and factor are divided by S, and after [`SCALE_PATIENCE`] such steps S doubles. Else the factor
//! becomes 0, which makes the optimiser leave out the step, and S is halved.

use super::{Operation, Shape, Sizes};
use crate::backend::{Matrix, Storage, Work};
use crate::base::numbers::Precision;

/// Changes both in place.
pub struct LossScale<T> {
    /// `[1, 2]`: the gradients' norm and the factor on them.
    pub norm: T,
    /// `[1, 3]`: S, the good steps since S last changed and all steps skipped; see [`loss_scaling`].
    pub scaling: T,
}

/// The loss scale that a training in mixed precision starts with, 2¹⁶.
pub const FIRST_SCALE: f32 = 65536.0;
/// Steps without an overflow after which the loss scale doubles.
pub const SCALE_PATIENCE: u32 = 2000;

/// Where a training's `scaling` starts; in f32 the loss scale is 1 and stays so.
pub fn loss_scaling(precision: Precision) -> [f32; 3] {
    match precision {
        Precision::F32 => [1.0, 0.0, 0.0],
        Precision::Mixed => [FIRST_SCALE, 0.0, 0.0],
    }
}

impl<B: Storage, T> Operation<B> for LossScale<T> {
    const KERNEL: &'static str = "loss_scale";
    const ENTRY: &'static str = "update";
    type Operand = T;
    type On<U> = LossScale<U>;
    type Output = ();
    type Kept = ();

    fn map<U>(&self, mut form: impl FnMut(&T) -> U) -> LossScale<U> {
        LossScale { norm: form(&self.norm), scaling: form(&self.scaling) }
    }

    fn results(_: &LossScale<Shape>, _: &B) -> ((), ()) {
        ((), ())
    }

    fn sizes(of: &LossScale<Shape>) -> Sizes {
        vec![("count", of.scaling.len())]
    }

    fn work(of: &LossScale<Shape>) -> Work {
        let count = of.norm.len() + of.scaling.len();
        Work::elementwise(1.0, count, 2 * count)
    }
}
