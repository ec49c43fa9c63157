//! Launches of [`ConvPool`] and its gradients: as products over rows.

use super::product::ENOUGH;
use super::slabs::{SlabGradient, Slabs};
use super::*;
use crate::backend::ops::{ConvPool, ConvPoolKept, Differentiate, PackedConvPool};
use crate::base::numbers::Activation;
use crate::base::tiles::Tile;
use shader::conv_pool::{Args, BackwardInput, BackwardWeight, Forward, OUTPUTS_OF_WORD, TAPS, Variant};
use shader::conv_pool_edges::{Args as EdgeArgs, Pack, WORKGROUP};

/// The variant for sums of so many rows and columns: the large tile where registers hold it and it makes enough invocations.
fn variant_for(gpu: &Gpu, weight: &Tensor, [rows, columns]: [usize; 2], slabs: u32) -> Variant {
    let channels = [weight.rows(), weight.columns() / TAPS as usize];
    match Width::of(&channels) {
        Width::Scalar => Variant::ScalarTile64x64Narrow,
        Width::Vec4 if gpu.is_software() => Variant::Software,
        Width::Vec4 => {
            let large = Variant::Vec4Tile128x128;
            let groups = grid(large, rows, columns).map(u64::from).iter().product::<u64>() * u64::from(slabs);
            let is_enough = groups * u64::from(large.workgroup()) >= ENOUGH;
            if is_enough && gpu.holds(Tile::Large) { large } else { Variant::Vec4Tile64x64Narrow }
        }
    }
}

/// Workgroups for a product of so many rows and columns.
fn grid(variant: Variant, rows: usize, columns: usize) -> [u32; 3] {
    [blocks(columns, variant.tile_columns()), blocks(rows, variant.tile_rows()), 1]
}

fn arguments(of: &ConvPool<Gpu, Tensor>) -> Args {
    Args {
        input_rows: of.input.rows() as u32,
        output_rows: of.output.rows() as u32,
        inputs: of.weight.columns() as u32 / TAPS,
        outputs: of.weight.rows() as u32,
        relu: flag(of.activation == Activation::Relu),
        accumulate: 0,
        slab_windows: 0,
        first_group_y: 0,
        first_group_z: 0,
    }
}

/// What both ways read: the weights as `[outputs, 3, inputs]`, the order of the rows that a product reads, and where windows lie.
fn pack(gpu: &Gpu, of: &ConvPool<Gpu, Tensor>) -> PackedConvPool<Gpu> {
    let ConvPool { weight, input, output, .. } = of;
    let [outputs, fan_in] = weight.shape();
    let packed = gpu.new_tensor([outputs.next_multiple_of(OUTPUTS_OF_WORD as usize), fan_in]);
    let windows = gpu.new_words(output.rows());
    let launch = Pack {
        weight,
        packed: &packed,
        input_offsets: &input.device_offsets,
        output_offsets: &output.device_offsets,
        output_owners: &output.owners,
        windows: &windows,
    };
    let args = EdgeArgs { output_rows: output.rows() as u32, inputs: fan_in as u32 / TAPS, outputs: outputs as u32 };
    gpu.dispatch(&launch, args, flat_grid(packed.len().max(output.rows()), WORKGROUP), None);
    PackedConvPool { weight: packed, windows }
}

impl Run<ConvPool<Self, Tensor>> for Gpu {
    fn forward(&self, of: &ConvPool<Self, Tensor>) -> (Tensor, ConvPoolKept<Self>) {
        let ConvPool { x, weight, bias, input, output, .. } = of;
        let args = arguments(of);
        let (y, kept) = self.results(of);
        let packed = pack(self, of);
        let launch = Forward { x, packed_weight: &packed.weight, bias, windows: &packed.windows, y: &y, winners: &kept.winners };
        let variant = variant_for(self, weight, [input.rows(), weight.rows()], 1);
        let grid = [blocks(weight.rows(), variant.tile_columns()), blocks(output.rows(), variant.windows()), 1];
        self.dispatch_variant(variant, &launch, args, grid, work(of));
        if of.activation == Activation::Tanh {
            tangent::squash(self, &y);
        }
        (y, ConvPoolKept { packed: Some(packed), ..kept })
    }
}

impl Differentiate<ConvPool<Self, Tensor>> for Gpu {
    fn backward(&self, of: &ConvPool<Self, Tensor>, kept: &ConvPoolKept<Self>, dy: &Tensor, sinks: &ConvPool<Self, Option<Sink<Tensor>>>) {
        let [rows, windows] = [of.input.rows(), of.output.rows()];
        if windows == 0 {
            let all = [&sinks.x, &sinks.weight, &sinks.bias];
            return all.into_iter().flatten().filter(|sink| sink.write == Write::Set).for_each(|sink| self.clear(&sink.tensor));
        }
        let args = arguments(of);
        let [outputs, fan_in] = of.weight.shape();
        let before = match of.activation {
            Activation::Tanh => tangent::gradients(self, &[(&kept.y, dy)]).pop(),
            Activation::None | Activation::Relu => None,
        };
        let (y_gradient, won) = (before.as_ref().unwrap_or(dy), &kept.winners);
        let packed = match &kept.packed {
            Some(packed) => packed,
            None => &pack(self, of),
        };
        let product = shapes(of).one_gradient();
        if sinks.weight.is_some() || sinks.bias.is_some() {
            // The same for all tiles.
            let slabs = Slabs::of_product(windows, outputs * fan_in);
            let variant = variant_for(self, &of.weight, [outputs, fan_in], slabs.count);
            let tiles = grid(variant, outputs, fan_in);
            let slabs = if variant == Variant::Software { Slabs::of_software(windows, tiles) } else { slabs };
            let args_of_slabs = Args { slab_windows: slabs.rows, ..args };
            let [dweight, dbias] = [(&sinks.weight, &of.weight), (&sinks.bias, &of.bias)].map(|(sink, like)| self.sink(sink, like));
            slabs.sum_of(self, SlabGradient::whole(dweight, Some(dbias)), outputs * (fan_in + 1), |partial| {
                let launch = BackwardWeight { x: &of.x, windows: &packed.windows, y_gradient, won, partial };
                self.dispatch_variant(variant, &launch, args_of_slabs, [tiles[0], tiles[1], slabs.count], product);
            });
        }
        if let Some(dx) = &sinks.x {
            let launch = BackwardInput {
                packed_weight: &packed.weight,
                y_gradient,
                won,
                input_offsets: &of.input.device_offsets,
                output_offsets: &of.output.device_offsets,
                input_owners: &of.input.owners,
                x_gradient: &dx.tensor,
            };
            let sums = [rows, fan_in / TAPS as usize];
            let variant = variant_for(self, &of.weight, sums, 1);
            let grid = grid(variant, sums[0], sums[1]);
            self.dispatch_variant(variant, &launch, Args { accumulate: dx.accumulates(), ..args }, grid, product);
        }
    }
}
