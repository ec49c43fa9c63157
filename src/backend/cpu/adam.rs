//! Adam (Kingma & Ba 2015, algorithm 1) in PyTorch's form, with decoupled weight decay λ (Loshchilov & Hutter 2019):
//! `p -= lr λ p`; `m = β₁ m + (1-β₁) g`; `v = β₂ v + (1-β₂) g²`; `p -= lr/(1-β₁ᵗ) · m / (√v/√(1-β₂ᵗ) + ε)`.

use super::gradient_norm::clip_factor;
use super::wide::{CHUNK, ENOUGH, wide};
use super::{Cpu, CpuTensor, Real};
use crate::backend::ops::{Adam, AdamStep, Run};
use crate::base::parallel::*;

impl<T: Real> Run<Adam<CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &Adam<CpuTensor<T>>) -> ((), ()) {
        let moments = [&mut *of.first_moment.values_mut(), &mut *of.second_moment.values_mut()];
        update(&mut of.parameters.values_mut(), &of.gradients.values(), moments, &of.norm.values(), of.step);
        ((), ())
    }
}

/// One step in place; all slices are of one length but `norm`, which is that of all gradients and the factor on them.
pub(crate) fn update<T: Real>(parameters: &mut [T], gradients: &[T], [first, second]: [&mut [T]; 2], norm: &[T], step: AdamStep) {
    let Some(clip) = clip_factor(norm, step.size.clip_norm) else { return };
    // 1 - β in float64: the difference of float32 numbers would lose the digits that matter.
    let betas = [step.beta1, 1.0 - step.beta1, step.beta2, 1.0 - step.beta2].map(T::of);
    let corrections = [step.beta1, step.beta2].map(|beta| 1.0 - beta.powf(f64::from(step.step)));
    let [rate, root] = [step.size.learning_rate / corrections[0], corrections[1].sqrt()].map(T::of);
    let [shrink, epsilon] = [1.0 - step.size.learning_rate * step.size.weight_decay, step.epsilon].map(T::of);
    let moments = first.par_chunks_mut(CHUNK).zip(second.par_chunks_mut(CHUNK));
    let chunks = parameters.par_chunks_mut(CHUNK).zip(gradients.par_chunks(CHUNK)).zip(moments);
    let chunks = chunks.with_min_len(least(CHUNK, ENOUGH));
    chunks.for_each(|((parameters, gradients), (first, second))| {
        update_chunk(parameters, gradients, [first, second], betas, [clip, rate, root, shrink, epsilon]);
    });
}

wide! {
    fn update_chunk<T: Real>(parameters: &mut [T], gradients: &[T], moments: [&mut [T]; 2], betas: [T; 4], numbers: [T; 5]) {
        let [beta1, rest1, beta2, rest2] = betas;
        let [clip, rate, root, shrink, epsilon] = numbers;
        let [first, second] = moments;
        for (((p, &g), m), v) in parameters.iter_mut().zip(gradients).zip(first).zip(second) {
            let g = g * clip;
            *m = beta1 * *m + rest1 * g;
            *v = beta2 * *v + rest2 * g * g;
            *p = *p * shrink - rate * *m / (v.sqrt() / root + epsilon);
        }
    }
}
