//! Launches of [`crate::backend::Backend::linear`] and its gradients.

use super::super::Requirement;
use super::product::{Product, Shape};
use super::*;
use crate::backend::LstmWeights;
use crate::base::numbers::{Activation, Precision};
use crate::base::tiles::Form;
use shader::linear::{Args, BackwardInput, BackwardWeight, Forward};

impl Gpu {
    /// What the device lacks of cooperative matrices for products in mixed precision, which it then computes as fast as in
    /// f32; none where it has them.
    pub fn lacks_for_mixed(&self) -> Option<Requirement> {
        if Product::matrices(self).is_some() { None } else { self.capabilities.lacks(Product::Matrices16.variant().into()) }
    }
}

fn arguments(rows: usize, weight: &Tensor) -> Args {
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
    }
}

pub(in super::super) fn forward(
    gpu: &Gpu,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    activation: Activation,
    precision: Precision,
) -> Tensor {
    let rows = x.rows();
    let y = gpu.new_tensor([rows, weight.rows()]);
    let args = Args { has_bias: flag(bias.is_some()), relu: flag(activation == Activation::Relu), ..arguments(rows, weight) };
    let launch = Forward { x, weight, bias: bias.unwrap_or(weight), y: &y };
    let shape = Shape::new(Form::Forward, rows, weight);
    let product = Product::of(gpu, precision, shape);
    let record = |product: Product| {
        gpu.dispatch_variant(product.variant(), &launch, args, product.grid(shape, 1), product_flop(rows, weight));
    };
    record(product.tuned(gpu, shape, record));
    y
}

pub(in super::super) fn backward_input(
    gpu: &Gpu,
    dy: &Tensor,
    gate: Option<&Tensor>,
    weight: &Tensor,
    dx: &Sink<Tensor>,
    precision: Precision,
) {
    let rows = dy.rows();
    let args = Args { relu: flag(gate.is_some()), accumulate: dx.accumulates(), ..arguments(rows, weight) };
    let shape = Shape::new(Form::BackwardInput, rows, weight);
    let product = Product::of(gpu, precision, shape);
    let record = |product: Product, dx: &Tensor| {
        let launch = BackwardInput { weight, y_gradient: dy, gate: gate.unwrap_or(dy), x_gradient: dx };
        gpu.dispatch_variant(product.variant(), &launch, args, product.grid(shape, 1), product_flop(rows, weight));
    };
    // A trial must not add to what is there.
    let product = product.tuned(gpu, shape, |product| record(product, &gpu.new_tensor(dx.tensor.shape())));
    record(product, &dx.tensor);
}

pub(in super::super) fn backward_weight(
    gpu: &Gpu,
    dy: &Tensor,
    gate: Option<&Tensor>,
    x: &Tensor,
    weight: &Sink<Tensor>,
    bias: Option<&Sink<Tensor>>,
    precision: Precision,
) {
    let rows = dy.rows();
    let shape = Shape::new(Form::BackwardWeight, rows, &weight.tensor);
    let product = Product::of(gpu, precision, shape);
    let slabs = product.slabs(shape);
    let args = Args { relu: flag(gate.is_some()), slab_rows: slabs.rows, ..arguments(rows, &weight.tensor) };
    slabs.sum_of(gpu, weight, bias, shape.outputs * (shape.inputs + 1), |partial| {
        let launch = BackwardWeight { x, y_gradient: dy, gate: gate.unwrap_or(dy), partial };
        let record = |product: Product| {
            let grid = product.grid(shape, slabs.count);
            gpu.dispatch_variant(product.variant(), &launch, args, grid, product_flop(rows, &weight.tensor));
        };
        record(product.tuned(gpu, shape, record));
    });
}

/// Gradients of an LSTM's recurrent weights: for each direction `dW_hh = dgatesᵀ · h_{t-1}`, `db_hh = Σ dgates`, where the
/// direction's gates and states are columns of `dgates: [rows, 2 · 4H]` and `previous: [rows, 2H]`.
pub(super) fn backward_recurrent(
    gpu: &Gpu,
    dgates: &Tensor,
    previous: &Tensor,
    gradients: &LstmWeights<Sink<Tensor>>,
    precision: Precision,
) {
    let rows = dgates.rows();
    let hidden = previous.columns() / 2;
    let gates = 4 * hidden;
    let shape = Shape { form: Form::BackwardWeight, rows, inputs: hidden, outputs: gates };
    let product = Product::of(gpu, precision, shape);
    let slabs = product.slabs(shape);
    for direction in 0..2 {
        let partial = gpu.new_tensor([slabs.count as usize, gates * (hidden + 1)]);
        let args = Args {
            outputs: gates as u32,
            slab_rows: slabs.rows,
            x_pitch: previous.columns() as u32,
            x_column: (direction * hidden) as u32,
            y_gradient_pitch: dgates.columns() as u32,
            y_gradient_column: (direction * gates) as u32,
            ..arguments(rows, &gradients.recurrent.tensor)
        };
        let launch = BackwardWeight { x: previous, y_gradient: dgates, gate: dgates, partial: &partial };
        let flop = 2.0 * (rows * gates * hidden) as f64;
        let record = |product: Product| {
            gpu.dispatch_variant(product.variant(), &launch, args, product.grid(shape, slabs.count), flop);
        };
        record(product.tuned(gpu, shape, record));
        let weights = direction * gates * hidden..(direction + 1) * gates * hidden;
        let biases = direction * gates..(direction + 1) * gates;
        slabs.sum_parts(gpu, &partial, (&gradients.recurrent, weights), Some((&gradients.bias_recurrent, biases)));
    }
}
