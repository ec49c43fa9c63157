//! Cross-entropy of each class by itself, with class weights w and label smoothing s: `Σ_u w_y mean_c h_uc / Σ_u w_y` of
//! `h = max(z, 0) - z t + log(1 + e^-|z|)` with the targets `t_c = (1-s) [c = y] + s/C`, and its gradient `w_y (σ(z) - t) / C / Σ_u w_y`;
//! of a part of a batch the divisor is the whole batch's.

use super::{Cpu, CpuTensor, Real};
use crate::backend::Matrix;
use crate::backend::ops::{Run, SigmoidCrossEntropy};

impl<T: Real> Run<SigmoidCrossEntropy<Self, CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &SigmoidCrossEntropy<Self, CpuTensor<T>>) -> ((CpuTensor<T>, CpuTensor<T>), ()) {
        let SigmoidCrossEntropy { logits, class_weights, scaling, labels, smoothing, weight, total_weight } = of;
        let weight = T::of_f32(*weight);
        let scale = weight * scaling.values()[0];
        let (loss, gradient) = forward(&logits.values(), labels, &class_weights.values(), *smoothing, *total_weight, scale);
        ((CpuTensor::new(vec![weight * loss], [1, 1]), CpuTensor::new(gradient, logits.shape())), ())
    }
}

/// `logits: [batch, classes]`, `labels: [batch]`, `class_weights: [classes]` → the loss and, times `scale`, its gradient
/// `[batch, classes]`.
fn forward<T: Real>(logits: &[T], labels: &[u32], class_weights: &[T], smoothing: f32, total_weight: Option<f32>, scale: T) -> (T, Vec<T>) {
    let classes = class_weights.len();
    let smoothing = T::of_f32(smoothing);
    let total = total_weight.map_or_else(|| labels.iter().map(|&label| class_weights[label as usize]).sum::<T>(), T::of_f32);
    let mut loss = T::zero();
    let mut gradient = Vec::with_capacity(logits.len());
    for (logits, &label) in logits.chunks_exact(classes).zip(labels) {
        let share = class_weights[label as usize] / T::count(classes);
        for (class, &logit) in logits.iter().enumerate() {
            let spread = smoothing / T::count(classes);
            let target = if class == label as usize { T::one() - smoothing + spread } else { spread };
            let decay = (-logit.abs()).exponential();
            loss += share * (logit.max(T::zero()) - logit * target + decay.ln_1p());
            let probability = if logit < T::zero() { decay } else { T::one() } / (T::one() + decay);
            gradient.push(share * (probability - target) / total * scale);
        }
    }
    (loss / total, gradient)
}
