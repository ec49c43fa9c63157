//! Dropout: element i stays where number first + i of the stream is at least `rate`, divided by `1 - rate`. The numbers depend on
//! (seed, stream, first + i) alone, so the gradient is the same map.

use super::{Cpu, CpuTensor, Real};
use crate::backend::Matrix;
use crate::backend::ops::{Dropout, Run};
use crate::base::philox::{Stream, unit};

impl<T: Real> Run<Dropout<CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &Dropout<CpuTensor<T>>) -> (CpuTensor<T>, ()) {
        (CpuTensor::new(forward(&of.x.values(), of.rate, of.stream, of.first), of.x.shape()), ())
    }
}

/// `x` of any shape → the same shape.
pub(crate) fn forward<T: Real>(x: &[T], rate: f32, stream: Stream, first: usize) -> Vec<T> {
    let kept = T::one() - T::of_f32(rate);
    // A block of the generator serves four elements.
    let blocks = (first / 4) as u64..(first + x.len()).div_ceil(4) as u64;
    let words = blocks.flat_map(|block| stream.block(block)).skip(first % 4);
    x.iter().zip(words).map(|(&x, word)| if unit(word) >= rate { x / kept } else { T::zero() }).collect()
}
