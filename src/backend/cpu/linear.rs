//! `y = act(x · Wᵀ + b)`, and its gradients `dx = g · W`, `dW = gᵀ · x`, `db = Σ_rows g`.
//!
//! g is the gradient before the activation: dy, zero where ReLU was shut, `dy (1 - y²)` before tanh. In mixed precision x, W and g are
//! rounded to f16 first. The projections of the attention (6, 13), the feed-forward layers (10) and the classifier (19) are this product.

use std::borrow::Cow;

use super::memory::{keep, unwritten};
use super::product::{Packed, View, column_sums, product, product_of, product_with_bias};
use super::wide::{CHUNK, ENOUGH, wide};
use super::{Cpu, CpuTensor, Real};
use crate::backend::ops::{Differentiate, Linear, Run};
use crate::backend::{Matrix, Sink};
use crate::base::half;
use crate::base::numbers::{Activation, Precision};
use crate::base::parallel::*;

impl<T: Real> Run<Linear<CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &Linear<CpuTensor<T>>) -> (CpuTensor<T>, Option<CpuTensor<T>>) {
        let Linear { x, weight, bias, activation, precision } = of;
        let bias = bias.as_ref().map(CpuTensor::values);
        let y = forward(&x.values(), &weight.values(), bias.as_deref(), x.columns(), *activation, *precision);
        let y = CpuTensor::new(y, [x.rows(), weight.rows()]);
        (y.clone(), activation.is_there().then_some(y))
    }
}

impl<T: Real> Differentiate<Linear<CpuTensor<T>>> for Cpu<T> {
    fn backward(
        &self,
        of: &Linear<CpuTensor<T>>,
        kept: &Option<CpuTensor<T>>,
        dy: &CpuTensor<T>,
        sinks: &Linear<Option<Sink<CpuTensor<T>>>>,
    ) {
        let result = kept.as_ref().map(CpuTensor::values);
        let dy = dy.values();
        let g = before(of.activation, &dy, result.as_deref().unwrap_or_default());
        let sizes = [of.weight.columns(), of.weight.rows()];
        if let Some(sink) = &sinks.x {
            let dx = backward_input(&g, &of.weight.values(), sizes, of.precision);
            sink.store(dx);
        }
        let bias = sinks.bias.as_ref().and_then(Option::as_ref);
        if sinks.weight.is_some() || bias.is_some() {
            let (dweight, dbias) = backward_weight(&g, &of.x.values(), sizes, of.precision);
            Sink::store_in(&sinks.weight, dweight);
            if let Some(bias) = bias {
                bias.store(dbias);
            }
        }
        if let Cow::Owned(g) = g {
            keep(g);
        }
    }
}

/// `x: [rows, inputs]`, `weight: [outputs, inputs]`, `bias: [outputs]` → `[rows, outputs]`.
pub(crate) fn forward<T: Real>(
    x: &[T],
    weight: &[T],
    bias: Option<&[T]>,
    inputs: usize,
    activation: Activation,
    precision: Precision,
) -> Vec<T> {
    let [x, weight] = [x, weight].map(|factor| rounded(factor.into(), precision));
    let weight = View::new(&weight, inputs);
    let (x, weight) = (View::new(&x, inputs), Packed::new(weight.transposed()));
    let mut y = match bias {
        Some(bias) => product_with_bias(x, &weight, bias),
        None => product_of(x, &weight),
    };
    activate(&mut y, activation);
    y
}

/// `g: [rows, outputs]`, `weight: [outputs, inputs]` → `dx: [rows, inputs]`.
pub(crate) fn backward_input<T: Real>(g: &[T], weight: &[T], [inputs, outputs]: [usize; 2], precision: Precision) -> Vec<T> {
    let [g, weight] = [g, weight].map(|factor| rounded(factor.into(), precision));
    product(View::new(&g, outputs), View::new(&weight, inputs))
}

/// `g: [rows, outputs]`, `x: [rows, inputs]` → `dW: [outputs, inputs]` and `db: [outputs]`.
pub(crate) fn backward_weight<T: Real>(g: &[T], x: &[T], [inputs, outputs]: [usize; 2], precision: Precision) -> (Vec<T>, Vec<T>) {
    let [g, x] = [g, x].map(|factor| rounded(factor.into(), precision));
    (product(View::new(&g, outputs).transposed(), View::new(&x, inputs)), column_sums(&g, outputs))
}

/// A product's factor as it is taken.
pub(super) fn rounded<T: Real>(factor: Cow<'_, [T]>, precision: Precision) -> Cow<'_, [T]> {
    match precision {
        Precision::F32 => factor,
        Precision::Mixed => factor.iter().copied().map(nearest_f16).collect(),
    }
}

/// The same of one number.
#[inline(always)]
pub(super) fn nearest_f16<T: Real>(value: T) -> T {
    T::of_f32(half::nearest(value.as_f32()))
}

/// Applies the activation in place; NaN stays NaN.
pub(super) fn activate<T: Real>(values: &mut [T], activation: Activation) {
    match activation {
        Activation::None => {}
        Activation::Relu => values.par_chunks_mut(CHUNK).with_min_len(least(CHUNK, ENOUGH)).for_each(shut_negative),
        Activation::Tanh => values.par_chunks_mut(CHUNK).with_min_len(least(CHUNK, ENOUGH)).for_each(squash),
    }
}

/// The gradient before the activation, whose result is `y`; without one nothing is read of it.
pub(super) fn before<'a, T: Real>(activation: Activation, dy: &'a [T], y: &[T]) -> Cow<'a, [T]> {
    let through = match activation {
        Activation::None => return Cow::Borrowed(dy),
        Activation::Relu => shut_where_negative,
        Activation::Tanh => flatten,
    };
    let mut g = unwritten(dy.len());
    let inputs = dy.par_chunks(CHUNK).zip(y.par_chunks(CHUNK));
    g.par_chunks_mut(CHUNK).zip(inputs).with_min_len(least(CHUNK, ENOUGH)).for_each(|(g, (dy, y))| through(dy, y, g));
    Cow::Owned(g)
}

wide! {
    fn shut_negative<T: Real>(values: &mut [T]) {
        values.iter_mut().for_each(|value| *value = if *value < T::zero() { T::zero() } else { *value });
    }

    fn shut_where_negative<T: Real>(values: &[T], gate: &[T], through: &mut [T]) {
        let inputs = values.iter().zip(gate);
        through.iter_mut().zip(inputs).for_each(|(through, (&value, &y))| *through = if y <= T::zero() { T::zero() } else { value });
    }

    fn squash<T: Real>(values: &mut [T]) {
        values.iter_mut().for_each(|value| *value = value.hyperbolic_tangent());
    }

    fn flatten<T: Real>(values: &[T], squashed: &[T], through: &mut [T]) {
        let inputs = values.iter().zip(squashed);
        through.iter_mut().zip(inputs).for_each(|(through, (&value, &y))| *through = value * (T::one() - y * y));
    }
}
