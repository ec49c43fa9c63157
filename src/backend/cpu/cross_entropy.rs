//! Softmax cross-entropy (20), PyTorch's definition with class weights w and label smoothing s:
//! `loss = Σ_u Σ_c t_uc (-log p_uc) / Σ_u w_y` with the targets `t_uc = (1-s) w_y [c = y] + s/C w_c`, and its gradient
//! `(p Σ_c t_uc - t_uc) / Σ_u w_y`; of a part of a batch the divisor is the whole batch's.

use super::attention::log_sum_exp;
use super::{Cpu, CpuTensor, Real};
use crate::backend::Matrix;
use crate::backend::ops::{CrossEntropy, Run};

impl<T: Real> Run<CrossEntropy<Self, CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &CrossEntropy<Self, CpuTensor<T>>) -> ((CpuTensor<T>, CpuTensor<T>), ()) {
        let CrossEntropy { logits, class_weights, scaling, labels, smoothing, weight, total_weight } = of;
        let weight = T::of_f32(*weight);
        let scale = weight * scaling.values()[0];
        let (loss, gradient) = forward(&logits.values(), labels, &class_weights.values(), *smoothing, *total_weight, scale);
        ((CpuTensor::new(vec![weight * loss], [1, 1]), CpuTensor::new(gradient, logits.shape())), ())
    }
}

/// `logits: [batch, classes]`, `labels: [batch]`, `class_weights: [classes]` → the loss and, times `scale`, its gradient
/// `[batch, classes]`.
pub(crate) fn forward<T: Real>(
    logits: &[T],
    labels: &[u32],
    class_weights: &[T],
    smoothing: f32,
    total_weight: Option<f32>,
    scale: T,
) -> (T, Vec<T>) {
    let classes = class_weights.len();
    let smoothing = T::of_f32(smoothing);
    let spread = smoothing / T::count(classes);
    let total = total_weight.map_or_else(|| labels.iter().map(|&label| class_weights[label as usize]).sum::<T>(), T::of_f32);
    let mut loss = T::zero();
    let mut gradient = Vec::with_capacity(logits.len());
    for (logits, &label) in logits.chunks_exact(classes).zip(labels) {
        let log_sum_exp = log_sum_exp(logits);
        let mut targets: Vec<T> = class_weights.iter().map(|&weight| spread * weight).collect();
        targets[label as usize] += (T::one() - smoothing) * class_weights[label as usize];
        let all = targets.iter().copied().sum::<T>();
        for (&logit, &target) in logits.iter().zip(&targets) {
            let log_p = logit - log_sum_exp;
            loss -= target * log_p;
            gradient.push((all * log_p.exponential() - target) / total * scale);
        }
    }
    (loss / total, gradient)
}
