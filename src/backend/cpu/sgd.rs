//! Stochastic gradient descent with decoupled weight decay λ: `p = (1 - lr λ) p - lr g`.

use super::gradient_norm::clip_factor;
use super::wide::{CHUNK, ENOUGH, wide};
use super::{Cpu, CpuTensor, Real};
use crate::backend::ops::{Run, Sgd, StepSize};
use crate::base::parallel::*;

impl<T: Real> Run<Sgd<CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &Sgd<CpuTensor<T>>) -> ((), ()) {
        update(&mut of.parameters.values_mut(), &of.gradients.values(), &of.norm.values(), of.size);
        ((), ())
    }
}

/// One step in place; `norm` is that of all gradients and the factor on them.
pub(crate) fn update<T: Real>(parameters: &mut [T], gradients: &[T], norm: &[T], size: StepSize) {
    let rate = T::of(size.learning_rate);
    let Some(clip) = clip_factor(norm, size.clip_norm) else { return };
    let shrink = T::of(1.0 - size.learning_rate * size.weight_decay);
    let chunks = parameters.par_chunks_mut(CHUNK).zip(gradients.par_chunks(CHUNK)).with_min_len(least(CHUNK, ENOUGH));
    chunks.for_each(|(parameters, gradients)| update_chunk(parameters, gradients, [clip, rate, shrink]));
}

wide! {
    fn update_chunk<T: Real>(parameters: &mut [T], gradients: &[T], numbers: [T; 3]) {
        let [clip, rate, shrink] = numbers;
        for (p, &g) in parameters.iter_mut().zip(gradients) {
            *p = *p * shrink - rate * (g * clip);
        }
    }
}
