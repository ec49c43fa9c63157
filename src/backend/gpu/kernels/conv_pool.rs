//! Launches of [`crate::backend::Backend::conv_pool`] and its gradients: as products over rows.

use super::slabs::Slabs;
use super::*;
use crate::backend::{Activation, ConvPoolSaved, ConvPoolSinks};
use shader::conv_pool::{
    Args, BackwardInput, BackwardWeight, FLAT_LANES, Forward, Pack, Spread, TAPS, TILE_COLUMNS, TILE_ROWS, WINDOWS, variant,
};

/// Rows of the convolution from which on its largest tile makes enough workgroups.
const MANY_ROWS: usize = 1 << 13;

/// The variant for so many rows of the convolution.
fn by_rows(rows: usize, weight: &Tensor) -> usize {
    match (takes_quads(weight), rows < MANY_ROWS) {
        (false, _) => variant::ONES_TILE48X64_NARROW_DOZEN,
        (true, true) => variant::QUADS_TILE48X64_NARROW_DOZEN,
        (true, false) => variant::QUADS_TILE96X128_NARROW_DOZEN,
    }
}

/// The variant for the gradient of a weight, whose rows are outputs: few.
fn by_outputs(weight: &Tensor) -> usize {
    if takes_quads(weight) { variant::QUADS_TILE48X64_NARROW_DOZEN } else { variant::ONES_TILE48X64_NARROW_DOZEN }
}

fn takes_quads(weight: &Tensor) -> bool {
    are_quads(&[weight.rows(), weight.columns() / TAPS as usize])
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
    let args = arguments(input, output, weight, activation);
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
    let variant = by_rows(input.rows(), weight);
    let grid = [blocks(outputs, TILE_COLUMNS[variant]), blocks(output.rows(), WINDOWS[variant]), 1];
    gpu.dispatch_variant(variant, &launch, args, grid, product_flop(input.rows(), weight));
    (y, winners)
}

pub(in super::super) fn backward(gpu: &Gpu, dy: &Tensor, saved: &ConvPoolSaved<'_, Gpu>, sinks: &ConvPoolSinks<Tensor>) {
    if conv_pool_lanes::fit(gpu, saved.weight) {
        return conv_pool_lanes::backward(gpu, dy, saved, sinks);
    }
    let args = arguments(saved.input, saved.output, saved.weight, saved.activation);
    let rows = saved.input.rows();
    let [outputs, fan_in] = saved.weight.shape();
    let gradients = gpu.new_tensor([rows, outputs]);
    let edges = gpu.new_words(rows);
    let launch = Spread {
        dy,
        gate: saved.y,
        won: saved.winners,
        input_offsets: &saved.input.device_offsets,
        output_offsets: &saved.output.device_offsets,
        input_owners: &saved.input.owners,
        spread_out: &gradients,
        edges_out: &edges,
    };
    gpu.dispatch(&launch, args, flat_grid(gradients.len(), FLAT_LANES), 0.0);

    let slabs = Slabs::of_product(rows, outputs * fan_in);
    let partial = gpu.new_tensor([slabs.count as usize, outputs * (fan_in + 1)]);
    let launch = BackwardWeight { x: saved.x, gradients: &gradients, edges: &edges, partial: &partial };
    let variant = by_outputs(saved.weight);
    let grid = [blocks(fan_in, TILE_COLUMNS[variant]), blocks(outputs, TILE_ROWS[variant]), slabs.count];
    gpu.dispatch_variant(variant, &launch, Args { slab_rows: slabs.rows, ..args }, grid, product_flop(rows, saved.weight));
    slabs.sum(gpu, &partial, &sinks.weight, Some(&sinks.bias));
    if let Some(dx) = &sinks.x {
        let packed = pack(gpu, saved.weight, args);
        let launch = BackwardInput { packed_weight: &packed, gradients: &gradients, edges: &edges, dx: &dx.tensor };
        let variant = by_rows(rows, saved.weight);
        let grid = [args.inputs.div_ceil(TILE_COLUMNS[variant]), blocks(rows, TILE_ROWS[variant]), 1];
        gpu.dispatch_variant(variant, &launch, Args { accumulate: dx.accumulates(), ..args }, grid, product_flop(rows, saved.weight));
    }
}
