//! Launches of [`crate::backend::Backend::conv_pool`] and its gradients: as products over rows.

use super::slabs::Slabs;
use super::*;
use crate::backend::{ConvPoolSaved, ConvPoolSinks};
use crate::base::numbers::Activation;
use shader::conv_pool::{Args, BackwardInput, BackwardWeight, Forward, TAPS, TILE_COLUMNS, TILE_ROWS, WINDOWS, variant};
use shader::conv_pool_edges::{Args as EdgeArgs, BLOCK_ROWS, LANES, Pack, SPREAD_LANES, Spread};

/// Rows of a product from which on its largest tile makes enough workgroups.
const MANY_ROWS: usize = 1 << 13;

/// The variant for a product of so many rows.
fn variant_for(gpu: &Gpu, rows: usize, weight: &Tensor) -> usize {
    let channels = [weight.rows(), weight.columns() / TAPS as usize];
    match (are_quads(&channels), rows < MANY_ROWS) {
        _ if suits_lanes(gpu, &channels) => variant::LANES,
        (false, _) => variant::ONES_TILE48X64_NARROW_DOZEN,
        (true, true) => variant::QUADS_TILE48X64_NARROW_DOZEN,
        (true, false) => variant::QUADS_TILE96X128_NARROW_DOZEN,
    }
}

/// Workgroups for a product of so many rows and columns.
fn grid(variant: usize, rows: usize, columns: usize) -> [u32; 3] {
    [blocks(columns, TILE_COLUMNS[variant]), blocks(rows, TILE_ROWS[variant]), 1]
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

fn edge_arguments(args: Args) -> EdgeArgs {
    EdgeArgs { input_rows: args.input_rows, inputs: args.inputs, outputs: args.outputs, relu: args.relu }
}

/// The weights as `[outputs, 3, inputs]`, the order of the rows that a product reads.
fn pack(gpu: &Gpu, weight: &Tensor, args: Args) -> Tensor {
    let packed = gpu.new_tensor(weight.shape());
    gpu.dispatch(&Pack { weight, packed: &packed }, edge_arguments(args), flat_grid(weight.len(), LANES), 0.0);
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
    let variant = variant_for(gpu, input.rows(), weight);
    let grid = [blocks(outputs, TILE_COLUMNS[variant]), blocks(output.rows(), WINDOWS[variant]), 1];
    gpu.dispatch_variant(variant, &launch, args, grid, product_flop(input.rows(), weight));
    (y, winners)
}

pub(in super::super) fn backward(gpu: &Gpu, dy: &Tensor, saved: &ConvPoolSaved<'_, Gpu>, sinks: &ConvPoolSinks<Tensor>) {
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
        gradients: &gradients,
        edges: &edges,
    };
    let (variant, width) = quads_or_ones(&[outputs]);
    gpu.dispatch_variant(variant, &launch, edge_arguments(args), row_grid(outputs / width, SPREAD_LANES, rows, BLOCK_ROWS), 0.0);

    // The rows of this product are outputs.
    let variant = variant_for(gpu, outputs, saved.weight);
    let tiles = grid(variant, outputs, fan_in);
    let slabs = if variant == variant::LANES { Slabs::of_lanes(rows, tiles) } else { Slabs::of_product(rows, outputs * fan_in) };
    let args_of_slabs = Args { slab_rows: slabs.rows, ..args };
    slabs.sum_of(gpu, &sinks.weight, Some(&sinks.bias), outputs * (fan_in + 1), |partial| {
        let launch = BackwardWeight { x: saved.x, gradients: &gradients, edges: &edges, partial };
        gpu.dispatch_variant(variant, &launch, args_of_slabs, [tiles[0], tiles[1], slabs.count], product_flop(rows, saved.weight));
    });
    if let Some(dx) = &sinks.x {
        let packed = pack(gpu, saved.weight, args);
        let launch = BackwardInput { packed_weight: &packed, gradients: &gradients, edges: &edges, dx: &dx.tensor };
        let variant = variant_for(gpu, rows, saved.weight);
        let grid = grid(variant, rows, fan_in / TAPS as usize);
        gpu.dispatch_variant(variant, &launch, Args { accumulate: dx.accumulates(), ..args }, grid, product_flop(rows, saved.weight));
    }
}
