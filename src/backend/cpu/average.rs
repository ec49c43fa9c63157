//! `average += share · (x - average)`.

use super::wide::{CHUNK, ENOUGH, wide};
use super::{Cpu, CpuTensor, Real};
use crate::backend::ops::{Average, Run};
use crate::base::parallel::*;

impl<T: Real> Run<Average<CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &Average<CpuTensor<T>>) -> ((), ()) {
        let share = T::of_f32(of.share);
        let (mut average, x) = (of.average.values_mut(), of.x.values());
        let chunks = average.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).with_min_len(least(CHUNK, ENOUGH));
        chunks.for_each(|(average, x)| approach(average, x, share));
        ((), ())
    }
}

wide! {
    fn approach<T: Real>(average: &mut [T], x: &[T], share: T) {
        for (average, &x) in average.iter_mut().zip(x) {
            *average = *average + share * (x - *average);
        }
    }
}
