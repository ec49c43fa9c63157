//! Launches of [`crate::backend::Backend::conv_pool`] and its gradients on software adapters: as products over rows.

use super::slabs::Slabs;
use super::*;
use crate::backend::{Activation, ConvPoolSaved, ConvPoolSinks};
use shader::conv_pool_lanes::{
    Args, BLOCK_ROWS, BackwardInput, BackwardWeight, FLAT_LANES, Forward, Pack, SPREAD_LANES, Spread, TAPS, TILE_COLUMNS, TILE_ROWS,
    WINDOWS,
};

/// Whether the device is one that these shaders are made for, and the convolution has whole vec4s of channels.
pub(super) fn fit(gpu: &Gpu, weight: &Tensor) -> bool {
    lanes_or_tiles(gpu, &[weight.rows(), weight.columns() / TAPS as usize]) == LANES_VARIANT
}

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

/// The weights as `[outputs, 3, inputs]`, the order of the rows that a product reads.
fn pack(gpu: &Gpu, weight: &Tensor, args: Args) -> Tensor {
    let packed = gpu.new_tensor(weight.shape());
    gpu.dispatch(&Pack { weight, packed: &packed }, args, flat_grid(weight.len(), FLAT_LANES), 0.0);
    packed
}

pub(super) fn forward(
    gpu: &Gpu,
    x: &Tensor,
    input: &Ragged<Gpu>,
    output: &Ragged<Gpu>,
    weight: &Tensor,
    bias: &Tensor,
    activation: Activation,
) -> (Tensor, Words) {
    let args = arguments(input, output, weight, activation);
    let outputs = weight.rows();
    let y = gpu.new_tensor([output.rows(), outputs]);
    let winners = gpu.new_words(output.rows() * outputs.div_ceil(16));
    let launch = Forward {
        x,
        packed_weight: &pack(gpu, weight, args),
        bias,
        input_offsets: &input.device_offsets,
        output_offsets: &output.device_offsets,
        output_owners: &output.owners,
        y: &y,
        winners: &winners,
    };
    let grid = [blocks(outputs, TILE_COLUMNS), blocks(output.rows(), WINDOWS), 1];
    gpu.dispatch(&launch, args, grid, product_flop(input.rows(), weight));
    (y, winners)
}

pub(super) fn backward(gpu: &Gpu, dy: &Tensor, saved: &ConvPoolSaved<'_, Gpu>, sinks: &ConvPoolSinks<Tensor>) {
    let args = arguments(saved.input, saved.output, saved.weight, saved.activation);
    let rows = saved.input.rows();
    let [outputs, fan_in] = saved.weight.shape();
    let gradients = gpu.new_tensor([rows, outputs]);
    let launch = Spread {
        dy,
        gate: saved.y,
        won: saved.winners,
        input_offsets: &saved.input.device_offsets,
        output_offsets: &saved.output.device_offsets,
        input_owners: &saved.input.owners,
        spread_out: &gradients,
    };
    gpu.dispatch(&launch, args, row_grid(outputs / 4, SPREAD_LANES, rows, BLOCK_ROWS), 0.0);

    let grid = [blocks(fan_in, TILE_COLUMNS), blocks(outputs, TILE_ROWS), 1];
    let slabs = Slabs::of_lanes(rows, grid);
    let partial = gpu.new_tensor([slabs.count as usize, outputs * (fan_in + 1)]);
    let (input_offsets, input_owners) = (&saved.input.device_offsets, &saved.input.owners);
    let launch = BackwardWeight { x: saved.x, input_offsets, input_owners, gradients: &gradients, partial: &partial };
    let grid = [grid[0], grid[1], slabs.count];
    gpu.dispatch(&launch, Args { slab_rows: slabs.rows, ..args }, grid, product_flop(rows, saved.weight));
    slabs.sum(gpu, &partial, &sinks.weight, Some(&sinks.bias));
    if let Some(dx) = &sinks.x {
        let packed = pack(gpu, saved.weight, args);
        let launch = BackwardInput { packed_weight: &packed, input_offsets, input_owners, gradients: &gradients, dx: &dx.tensor };
        let grid = [args.inputs.div_ceil(TILE_COLUMNS), blocks(rows, TILE_ROWS), 1];
        gpu.dispatch(&launch, Args { accumulate: dx.accumulates(), ..args }, grid, product_flop(rows, saved.weight));
    }
}
