//! `y = act(x · Wᵀ + b)`, and its gradients `dx = g · W`, `dW = gᵀ · x`, `db = Σ_rows g`.
//!
//! g is the gradient before the activation: dy, or zero where ReLU was shut. The projections of the attention (6, 13),
//! the feed-forward layers (10) and the classifier (19) are this product.

use std::borrow::Cow;

use rayon::prelude::*;

use super::Real;
use super::product::{Packed, View, add_product, column_sums, product};
use super::wide::wide;
use crate::backend::Activation;

/// Elements of one task: enough to outweigh handing it out.
const CHUNK: usize = 16_384;

/// `x: [rows, inputs]`, `weight: [outputs, inputs]`, `bias: [outputs]` → `[rows, outputs]`.
pub fn forward<T: Real>(x: &[T], weight: &[T], bias: Option<&[T]>, inputs: usize, activation: Activation) -> Vec<T> {
    let weight = View::new(weight, inputs);
    let [outputs, _] = weight.shape();
    let rows = x.len().checked_div(inputs).unwrap_or(0);
    let mut y = bias.map_or_else(|| vec![T::zero(); rows * outputs], |bias| bias.repeat(rows));
    add_product(View::new(x, inputs), &Packed::new(weight.transposed()), &mut y);
    activate(&mut y, activation);
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
        Activation::Relu => values.par_chunks_mut(CHUNK).for_each(shut_negative),
    }
}

/// The gradient before the activation: dy where ReLU's result was positive.
pub(super) fn gated<'a, T: Real>(dy: &'a [T], gate: Option<&[T]>) -> Cow<'a, [T]> {
    let Some(gate) = gate else { return Cow::Borrowed(dy) };
    let mut g = dy.to_vec();
    g.par_chunks_mut(CHUNK).zip(gate.par_chunks(CHUNK)).for_each(|(g, y)| shut_where_negative(g, y));
    Cow::Owned(g)
}

wide! {
    fn shut_negative<T: Real>(values: &mut [T]) {
        values.iter_mut().for_each(|value| *value = if *value < T::zero() { T::zero() } else { *value });
    }

    fn shut_where_negative<T: Real>(values: &mut [T], gate: &[T]) {
        values.iter_mut().zip(gate).for_each(|(value, &y)| *value = if y <= T::zero() { T::zero() } else { *value });
    }
}
