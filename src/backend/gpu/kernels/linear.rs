//! Launches of [`crate::backend::Backend::linear`] and its gradients.

use super::super::Need;
use super::slabs::Slabs;
use super::*;
use crate::backend::{Activation, LstmWeights, Precision};
use shader::linear::{Args, BackwardInput, BackwardWeight, Forward, SHADER, TILE_COLUMNS, TILE_ROWS};

/// Places of the variants in mixed precision: for any device, and, the preferred first, with cooperative matrices.
const ROUNDED: usize = 2;
const MATRICES: [usize; 2] = [3, 4];

/// The variant for a precision and the matrices' widths.
fn variant_for(gpu: &Gpu, precision: Precision, widths: &[usize]) -> usize {
    match precision {
        Precision::F32 => lanes_or_tiles(gpu, widths),
        Precision::Mixed => matrices(gpu).unwrap_or(ROUNDED),
    }
}

/// The variant with cooperative matrices that the device can run.
fn matrices(gpu: &Gpu) -> Option<usize> {
    MATRICES.into_iter().find(|&variant| gpu.offer.lacks(&SHADER.variants[variant]).is_none())
}

impl Gpu {
    /// What the device lacks of cooperative matrices for products in mixed precision, which it then computes as fast as in
    /// f32; none where it has them.
    pub fn lacks_for_mixed(&self) -> Option<Need> {
        if matrices(self).is_some() { None } else { self.offer.lacks(&SHADER.variants[MATRICES[0]]) }
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
        dy_pitch: outputs,
        dy_column: 0,
    }
}

/// Workgroups for a product of so many rows and columns.
fn grid(variant: usize, rows: usize, columns: usize) -> [u32; 3] {
    [blocks(columns, TILE_COLUMNS), blocks(rows, TILE_ROWS[variant]), 1]
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
    let variant = variant_for(gpu, precision, &weight.shape());
    gpu.dispatch_variant(variant, &launch, args, grid(variant, rows, weight.rows()), product_flop(rows, weight));
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
    let launch = BackwardInput { weight, dy, gate: gate.unwrap_or(dy), dx: &dx.tensor };
    let variant = variant_for(gpu, precision, &weight.shape());
    gpu.dispatch_variant(variant, &launch, args, grid(variant, rows, weight.columns()), product_flop(rows, weight));
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
    let [outputs, inputs] = weight.tensor.shape();
    let variant = variant_for(gpu, precision, &[outputs, inputs]);
    let slabs = Slabs::of(rows, variant);
    let partial = gpu.new_tensor([slabs.count as usize, outputs * (inputs + 1)]);
    let args = Args { relu: flag(gate.is_some()), slab_rows: slabs.rows, ..arguments(rows, &weight.tensor) };
    let launch = BackwardWeight { x, dy, gate: gate.unwrap_or(dy), partial: &partial };
    gpu.dispatch_variant(variant, &launch, args, slabs.of_each(grid(variant, outputs, inputs)), product_flop(rows, &weight.tensor));
    slabs.sum(gpu, &partial, weight, bias);
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
    let variant = variant_for(gpu, precision, &[hidden]);
    let slabs = Slabs::of(rows, variant);
    for direction in 0..2 {
        let partial = gpu.new_tensor([slabs.count as usize, gates * (hidden + 1)]);
        let args = Args {
            outputs: gates as u32,
            slab_rows: slabs.rows,
            x_pitch: previous.columns() as u32,
            x_column: (direction * hidden) as u32,
            dy_pitch: dgates.columns() as u32,
            dy_column: (direction * gates) as u32,
            ..arguments(rows, &gradients.recurrent.tensor)
        };
        let launch = BackwardWeight { x: previous, dy: dgates, gate: dgates, partial: &partial };
        let flop = 2.0 * (rows * gates * hidden) as f64;
        gpu.dispatch_variant(variant, &launch, args, slabs.of_each(grid(variant, gates, hidden)), flop);
        let weights = direction * gates * hidden..(direction + 1) * gates * hidden;
        let biases = direction * gates..(direction + 1) * gates;
        slabs.sum_parts(gpu, &partial, (&gradients.recurrent, weights), Some((&gradients.bias_recurrent, biases)));
    }
}
