//! `y = act(x · Wᵀ + b)`, and its gradients `dx = g · W`, `dW = gᵀ · x`, `db = Σ_rows g`.
//!
//! g is the gradient before the activation: dy, or zero where ReLU was shut. The projections of the attention (6, 13),
//! the feed-forward layers (10) and the classifier (19) are this product.

use std::borrow::Cow;

use super::Real;
use super::product::{View, column_sums, product};
use crate::backend::Activation;

/// `x: [rows, inputs]`, `weight: [outputs, inputs]`, `bias: [outputs]` → `[rows, outputs]`.
pub fn forward<T: Real>(x: &[T], weight: &[T], bias: Option<&[T]>, inputs: usize, activation: Activation) -> Vec<T> {
    let weight = View::new(weight, inputs);
    let [outputs, _] = weight.shape();
    let mut y = product(View::new(x, inputs), weight.transposed());
    for row in y.chunks_exact_mut(outputs.max(1)) {
        if let Some(bias) = bias {
            row.iter_mut().zip(bias).for_each(|(value, &bias)| *value += bias);
        }
        activate(row, activation);
    }
    y
}

/// `dy: [rows, outputs]`, `weight: [outputs, inputs]` → `dx: [rows, inputs]`. `gate` is the forward result of a ReLU.
pub fn backward_input<T: Real>(dy: &[T], gate: Option<&[T]>, weight: &[T], [inputs, outputs]: [usize; 2]) -> Vec<T> {
    product(View::new(&gated(dy, gate), outputs), View::new(weight, inputs))
}

/// `dy: [rows, outputs]`, `x: [rows, inputs]` → `dW: [outputs, inputs]` and `db: [outputs]`.
pub fn backward_weight<T: Real>(dy: &[T], gate: Option<&[T]>, x: &[T], [inputs, outputs]: [usize; 2]) -> (Vec<T>, Vec<T>) {
    let g = gated(dy, gate);
    (product(View::new(&g, outputs).transposed(), View::new(x, inputs)), column_sums(&g, outputs))
}

/// Applies the activation in place; NaN stays NaN.
pub(super) fn activate<T: Real>(values: &mut [T], activation: Activation) {
    match activation {
        Activation::None => {}
        Activation::Relu => values.iter_mut().filter(|value| **value < T::zero()).for_each(|value| *value = T::zero()),
    }
}

/// The gradient before the activation: dy where ReLU's result was positive.
pub(super) fn gated<'a, T: Real>(dy: &'a [T], gate: Option<&[T]>) -> Cow<'a, [T]> {
    let Some(gate) = gate else { return Cow::Borrowed(dy) };
    Cow::Owned(dy.iter().zip(gate).map(|(&dy, &y)| if y <= T::zero() { T::zero() } else { dy }).collect())
}
