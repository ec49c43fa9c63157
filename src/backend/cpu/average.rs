//! `average += share · (x - average)`.

use super::{Cpu, CpuTensor, Real};
use crate::backend::ops::{Average, Run};

impl<T: Real> Run<Average<CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &Average<CpuTensor<T>>) -> ((), ()) {
        let share = T::of_f32(of.share);
        for (average, &x) in of.average.values_mut().iter_mut().zip(of.x.values().iter()) {
            *average = *average + share * (x - *average);
        }
        ((), ())
    }
}
