//! `y = act(x · Wᵀ + b)`, and its gradients `dx = g · W`, `dW = gᵀ · x`, `db = Σ_rows g`.
//!
//! In mixed precision x, W and g are rounded to f16 first. g is the gradient before the activation: dy, or zero where ReLU was shut. The projections of the attention (6, 13),
//! the feed-forward layers (10) and the classifier (19) are this product.

use std::borrow::Cow;

use super::Real;
use super::product::{View, column_sums, product};
use crate::backend::{Activation, Precision};

/// `x: [rows, inputs]`, `weight: [outputs, inputs]`, `bias: [outputs]` → `[rows, outputs]`.
pub fn forward<T: Real>(x: &[T], weight: &[T], bias: Option<&[T]>, inputs: usize, activation: Activation, precision: Precision) -> Vec<T> {
    let [x, weight] = [x, weight].map(|factor| rounded(factor.into(), precision));
    let weight = View::new(&weight, inputs);
    let [outputs, _] = weight.shape();
    let mut y = product(View::new(&x, inputs), weight.transposed());
    for row in y.chunks_exact_mut(outputs.max(1)) {
        if let Some(bias) = bias {
            row.iter_mut().zip(bias).for_each(|(value, &bias)| *value += bias);
        }
        activate(row, activation);
    }
    y
}

/// `dy: [rows, outputs]`, `weight: [outputs, inputs]` → `dx: [rows, inputs]`. `gate` is the forward result of a ReLU.
pub fn backward_input<T: Real>(dy: &[T], gate: Option<&[T]>, weight: &[T], [inputs, outputs]: [usize; 2], precision: Precision) -> Vec<T> {
    let [g, weight] = [gated(dy, gate), weight.into()].map(|factor| rounded(factor, precision));
    product(View::new(&g, outputs), View::new(&weight, inputs))
}

/// `dy: [rows, outputs]`, `x: [rows, inputs]` → `dW: [outputs, inputs]` and `db: [outputs]`.
pub fn backward_weight<T: Real>(
    dy: &[T],
    gate: Option<&[T]>,
    x: &[T],
    [inputs, outputs]: [usize; 2],
    precision: Precision,
) -> (Vec<T>, Vec<T>) {
    let [g, x] = [gated(dy, gate), x.into()].map(|factor| rounded(factor, precision));
    (product(View::new(&g, outputs).transposed(), View::new(&x, inputs)), column_sums(&g, outputs))
}

/// A product's factor as it is taken.
pub(super) fn rounded<T: Real>(factor: Cow<'_, [T]>, precision: Precision) -> Cow<'_, [T]> {
    match precision {
        Precision::F32 => factor,
        Precision::Mixed => factor.iter().map(|value| T::of_f32(round_to_f16(value.as_f32()))).collect(),
    }
}

/// The nearest f16, ties to even; infinite from 65520 on.
fn round_to_f16(value: f32) -> f32 {
    const SMALLEST_NORMAL: f32 = 1.0 / 16384.0;
    let size = value.abs();
    let rounded = if size < SMALLEST_NORMAL {
        // The steps of denormal numbers are 2^-24, as are those of f32 from 0.5 on.
        size + 0.5 - 0.5
    } else {
        // f32 has 13 bits more; a carry goes into the exponent, as it should.
        let bits = size.to_bits();
        f32::from_bits((bits + 0xfff + (bits >> 13 & 1)) & !0x1fff)
    };
    let overflows = size.is_finite() && rounded > 65504.0;
    (if size.is_nan() || overflows { size * f32::INFINITY } else { rounded }).copysign(value)
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

#[cfg(test)]
mod tests {
    use super::round_to_f16;

    #[test]
    fn f16_is_rounded_to_nearest_even_and_overflows() {
        let tiny = 2f32.powi(-24);
        for (value, expected) in [
            (1.0 + 2f32.powi(-11), 1.0),
            (1.0 + 3.0 * 2f32.powi(-11), 1.0 + 2f32.powi(-9)),
            (-0.1, -0.099_975_586),
            (65519.0, 65504.0),
            (65520.0, f32::INFINITY),
            (-1e30, f32::NEG_INFINITY),
            (f32::NEG_INFINITY, f32::NEG_INFINITY),
            (0.5 * tiny, 0.0),
            (1.5 * tiny, 2.0 * tiny),
            (-0.75 * tiny, -tiny),
            (2f32.powi(-14) - 0.25 * tiny, 2f32.powi(-14)),
            (-0.0, -0.0),
        ] {
            assert_eq!(round_to_f16(value).to_bits(), expected.to_bits(), "{value:e}");
        }
        assert!(round_to_f16(f32::NAN).is_nan());
    }
}
