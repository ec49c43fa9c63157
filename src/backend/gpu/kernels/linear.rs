//! Launches of [`Linear`] and its gradients.

use super::super::Requirement;
use super::product::Product;
use super::*;
use crate::backend::ops::{Bilstm, Differentiate, Linear};
use crate::base::numbers::Activation;
use crate::base::tiles::{Form, ProductShape};
use shader::linear::{Args, BackwardInput, BackwardWeight, Forward};

impl Gpu {
    /// What the device lacks of cooperative matrices for products in mixed precision, which it then computes as fast as in
    /// f32; none where it has them.
    pub(crate) fn lacks_for_mixed(&self) -> Option<Requirement> {
        if Product::matrices(self).is_some() { None } else { self.capabilities().lacks(Product::Matrices16.variant().into()) }
    }
}

pub(super) fn arguments(rows: usize, weight: &Tensor) -> Args {
    let [outputs, inputs] = weight.shape().map(|size| size as u32);
    Args {
        rows: rows as u32,
        inputs,
        outputs,
        has_bias: 0,
        relu: 0,
        accumulate: 0,
        slab_rows: 0,
        x_pitch: inputs,
        x_column: 0,
        y_gradient_pitch: outputs,
        y_gradient_column: 0,
        first_group_y: 0,
        first_group_z: 0,
    }
}

impl Run<Linear<Tensor>> for Gpu {
    fn forward(&self, of: &Linear<Tensor>) -> (Tensor, Option<Tensor>) {
        let Linear { x, weight, bias, activation, precision } = of;
        let (y, kept) = self.results(of);
        let args = Args { has_bias: flag(bias.is_some()), relu: flag(*activation == Activation::Relu), ..arguments(x.rows(), weight) };
        let launch = Forward { x, weight, bias: bias.as_ref().unwrap_or(weight), y: &y };
        let shape = ProductShape::of(Form::Forward, x.rows(), weight);
        let product = Product::of(self, *precision, shape);
        let work = work(of);
        self.dispatch_variant(product.variant(), &launch, args, product.grid(shape, 1), work);
        (y, kept)
    }
}

impl Differentiate<Linear<Tensor>> for Gpu {
    fn backward(&self, of: &Linear<Tensor>, gate: &Option<Tensor>, dy: &Tensor, sinks: &Linear<Option<Sink<Tensor>>>) {
        if let Some(dx) = &sinks.x {
            backward_input(self, of, gate.as_ref(), dy, dx);
        }
        let bias = sinks.bias.as_ref().and_then(Option::as_ref);
        if sinks.weight.is_some() || bias.is_some() {
            backward_weight(self, of, gate.as_ref(), dy, &self.sink(&sinks.weight, &of.weight), bias);
        }
    }
}

fn backward_input(gpu: &Gpu, of: &Linear<Tensor>, gate: Option<&Tensor>, dy: &Tensor, dx: &Sink<Tensor>) {
    let weight = &of.weight;
    let rows = dy.rows();
    let args = Args { relu: flag(gate.is_some()), accumulate: dx.accumulates(), ..arguments(rows, weight) };
    let shape = ProductShape::of(Form::BackwardInput, rows, weight);
    let product = Product::of(gpu, of.precision, shape);
    let work = shapes(of).one_gradient();
    let launch = BackwardInput { weight, y_gradient: dy, gate: gate.unwrap_or(dy), x_gradient: &dx.tensor };
    gpu.dispatch_variant(product.variant(), &launch, args, product.grid(shape, 1), work);
}

fn backward_weight(gpu: &Gpu, of: &Linear<Tensor>, gate: Option<&Tensor>, dy: &Tensor, weight: &Sink<Tensor>, bias: Option<&Sink<Tensor>>) {
    let rows = dy.rows();
    let shape = ProductShape::of(Form::BackwardWeight, rows, &weight.tensor);
    let product = Product::of(gpu, of.precision, shape);
    let slabs = product.slabs(shape);
    let args = Args { relu: flag(gate.is_some()), slab_rows: slabs.rows, ..arguments(rows, &weight.tensor) };
    let work = shapes(of).one_gradient();
    slabs.sum_of(gpu, weight, bias, shape.outputs * (shape.inputs + 1), |partial| {
        let launch = BackwardWeight { x: &of.x, y_gradient: dy, gate: gate.unwrap_or(dy), partial };
        gpu.dispatch_variant(product.variant(), &launch, args, product.grid(shape, slabs.count), work);
    });
}

/// Gradients of an LSTM's recurrent weights: for each direction `dW_hh = dgatesᵀ · h_{t-1}`, `db_hh = Σ dgates`, where the
/// direction's gates and states are columns of `dgates: [rows, 2 · 4H]` and `previous: [rows, 2H]`.
pub(super) fn backward_recurrent(
    gpu: &Gpu,
    of: &Bilstm<Gpu, Tensor>,
    dgates: &Tensor,
    previous: &Tensor,
    weight: &Sink<Tensor>,
    bias: &Sink<Tensor>,
) {
    let rows = dgates.rows();
    let hidden = previous.columns() / 2;
    let gates = 4 * hidden;
    let shape = ProductShape { form: Form::BackwardWeight, rows, inputs: hidden, outputs: gates };
    let product = Product::of(gpu, of.precision, shape);
    let slabs = product.slabs(shape);
    let work_of_direction = shapes(of).recurrent_gradient().share(0.5);
    for direction in 0..2 {
        let partial = slabs.partial(gpu, gates * (hidden + 1));
        let args = Args {
            outputs: gates as u32,
            slab_rows: slabs.rows,
            x_pitch: previous.columns() as u32,
            x_column: (direction * hidden) as u32,
            y_gradient_pitch: dgates.columns() as u32,
            y_gradient_column: (direction * gates) as u32,
            ..arguments(rows, &weight.tensor)
        };
        let launch = BackwardWeight { x: previous, y_gradient: dgates, gate: dgates, partial: &partial };
        gpu.dispatch_variant(product.variant(), &launch, args, product.grid(shape, slabs.count), work_of_direction);
        let weights = direction * gates * hidden..(direction + 1) * gates * hidden;
        let biases = direction * gates..(direction + 1) * gates;
        slabs.sum_parts(gpu, &partial, (weight, weights), Some((bias, biases)));
    }
}
