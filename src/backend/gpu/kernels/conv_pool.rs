//! Launches of [`crate::backend::Backend::conv_pool`] and its gradients: as products over rows.

use super::slabs::Slabs;
use super::*;
use crate::backend::{ConvPoolSaved, ConvPoolSinks};
use crate::base::numbers::Activation;
use shader::conv_pool::{Args, BackwardInput, BackwardWeight, Forward, TAPS, Variant};
use shader::conv_pool_edges::{Args as EdgeArgs, BLOCK_ROWS, Pack, SPREAD_WORKGROUP, Spread, WORKGROUP};

/// Rows of a product from which on its largest tile makes enough workgroups.
const MANY_ROWS: usize = 1 << 13;

/// The variant for a product of so many rows.
fn variant_for(gpu: &Gpu, rows: usize, weight: &Tensor) -> Variant {
    let channels = [weight.rows(), weight.columns() / TAPS as usize];
    match Width::of(&channels) {
        Width::Scalar => Variant::ScalarTile48x64NarrowDozen,
        Width::Vec4 if gpu.is_software() => Variant::Software,
        Width::Vec4 if rows < MANY_ROWS => Variant::Vec4Tile48x64NarrowDozen,
        Width::Vec4 => Variant::Vec4Tile96x128NarrowDozen,
    }
}

/// Workgroups for a product of so many rows and columns.
fn grid(variant: Variant, rows: usize, columns: usize) -> [u32; 3] {
    [blocks(columns, variant.tile_columns()), blocks(rows, variant.tile_rows()), 1]
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
    // Both variants pack alike.
    gpu.dispatch_variant(Width::Vec4, &Pack { weight, packed: &packed }, edge_arguments(args), flat_grid(weight.len(), WORKGROUP), 0.0);
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
    let grid = [blocks(outputs, variant.tile_columns()), blocks(output.rows(), variant.windows()), 1];
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
        y_gradient: dy,
        gate: saved.y,
        won: saved.winners,
        input_offsets: &saved.input.device_offsets,
        output_offsets: &saved.output.device_offsets,
        input_owners: &saved.input.owners,
        gradients: &gradients,
        edges: &edges,
    };
    let width = Width::of(&[outputs]);
    let grid_of_rows = row_grid(outputs / width.numbers(), SPREAD_WORKGROUP, rows, BLOCK_ROWS);
    gpu.dispatch_variant(width, &launch, edge_arguments(args), grid_of_rows, 0.0);

    // The rows of this product are outputs.
    let variant = variant_for(gpu, outputs, saved.weight);
    let tiles = grid(variant, outputs, fan_in);
    let slabs = if variant == Variant::Software { Slabs::of_software(rows, tiles) } else { Slabs::of_product(rows, outputs * fan_in) };
    let args_of_slabs = Args { slab_rows: slabs.rows, ..args };
    slabs.sum_of(gpu, &sinks.weight, Some(&sinks.bias), outputs * (fan_in + 1), |partial| {
        let launch = BackwardWeight { x: saved.x, gradients: &gradients, edges: &edges, partial };
        gpu.dispatch_variant(variant, &launch, args_of_slabs, [tiles[0], tiles[1], slabs.count], product_flop(rows, saved.weight));
    });
    if let Some(dx) = &sinks.x {
        let packed = pack(gpu, saved.weight, args);
        let launch = BackwardInput { packed_weight: &packed, gradients: &gradients, edges: &edges, x_gradient: &dx.tensor };
        let variant = variant_for(gpu, rows, saved.weight);
        let grid = grid(variant, rows, fan_in / TAPS as usize);
        gpu.dispatch_variant(variant, &launch, Args { accumulate: dx.accumulates(), ..args }, grid, product_flop(rows, saved.weight));
    }
}
