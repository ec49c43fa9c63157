//! Launches of [`crate::backend::Backend::conv_pool`] and its gradients.

use super::slabs::Slabs;
use super::*;
use crate::backend::{Activation, ConvPoolSaved, ConvPoolSinks};
use shader::conv_pool::{Args, BackwardInput, BackwardWeight, Forward, TAPS, TILE, WINDOWS};

fn arguments(input: &Ragged<Gpu>, output: &Ragged<Gpu>, weight: &Tensor, activation: Activation) -> Args {
    Args {
        input_rows: input.rows() as u32,
        output_rows: output.rows() as u32,
        inputs: weight.columns() as u32 / TAPS,
        outputs: weight.rows() as u32,
        relu: flag(activation == Activation::Relu),
        accumulate: 0,
        slab_rows: 0,
    }
}

pub(in super::super) fn forward(
    gpu: &Gpu,
    x: &Tensor,
    input: &Ragged<Gpu>,
    output: &Ragged<Gpu>,
    weight: &Tensor,
    bias: &Tensor,
    activation: Activation,
) -> (Tensor, Words) {
    let outputs = weight.rows();
    if conv_pool_lanes::fit(gpu, weight) {
        return conv_pool_lanes::forward(gpu, x, input, output, weight, bias, activation);
    }
    let y = gpu.new_tensor([output.rows(), outputs]);
    let winners = gpu.new_words(output.rows() * outputs.div_ceil(16));
    let launch = Forward {
        x,
        weight,
        bias,
        input_offsets: &input.device_offsets,
        output_offsets: &output.device_offsets,
        output_owners: &output.owners,
        y: &y,
        winners: &winners,
    };
    let grid = [blocks(outputs, TILE), blocks(output.rows(), WINDOWS), 1];
    gpu.dispatch(&launch, arguments(input, output, weight, activation), grid, product_flop(input.rows(), weight));
    (y, winners)
}

pub(in super::super) fn backward(gpu: &Gpu, dy: &Tensor, saved: &ConvPoolSaved<'_, Gpu>, sinks: &ConvPoolSinks<Tensor>) {
    if conv_pool_lanes::fit(gpu, saved.weight) {
        return conv_pool_lanes::backward(gpu, dy, saved, sinks);
    }
    let args = arguments(saved.input, saved.output, saved.weight, saved.activation);
    let rows = saved.input.rows();
    let [outputs, fan_in] = saved.weight.shape();
    let slabs = Slabs::of(rows, 0);
    let partial = gpu.new_tensor([slabs.count as usize, outputs * (fan_in + 1)]);
    let launch = BackwardWeight {
        x: saved.x,
        input_offsets: &saved.input.device_offsets,
        output_offsets: &saved.output.device_offsets,
        dy,
        gate: saved.y,
        won: saved.winners,
        input_owners: &saved.input.owners,
        partial: &partial,
    };
    let grid = [args.inputs.div_ceil(TILE), args.outputs.div_ceil(TILE), slabs.count];
    gpu.dispatch(&launch, Args { slab_rows: slabs.rows, ..args }, grid, product_flop(rows, saved.weight));
    slabs.sum(gpu, &partial, &sinks.weight, Some(&sinks.bias));
    if let Some(dx) = &sinks.x {
        let launch = BackwardInput {
            weight: saved.weight,
            input_offsets: &saved.input.device_offsets,
            output_offsets: &saved.output.device_offsets,
            dy,
            gate: saved.y,
            won: saved.winners,
            input_owners: &saved.input.owners,
            dx: &dx.tensor,
        };
        let grid = [args.inputs.div_ceil(TILE), blocks(rows, TILE), 1];
        gpu.dispatch(&launch, Args { accumulate: dx.accumulates(), ..args }, grid, product_flop(rows, saved.weight));
    }
}
