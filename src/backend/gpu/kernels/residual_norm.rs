//! Launches of [`crate::backend::Backend::residual_norm`] and its gradients.

use super::slabs::Slabs;
use super::*;
use crate::backend::{NormSaved, NormSinks};
use shader::residual_norm::{Args, Backward, BackwardParameters, Forward, LANES, ROWS, variant};

/// The variant for a width, and how many numbers it works on.
fn variant_for(gpu: &Gpu, width: usize) -> (usize, usize) {
    if suits_lanes(gpu, &[width]) { (variant::LANES_QUADS, 4) } else { quads_or_ones(&[width]) }
}

fn arguments(x: &Tensor) -> Args {
    Args { rows: x.rows() as u32, width: x.columns() as u32, accumulate_x: 0, accumulate_residual: 0, slab_rows: 0 }
}

pub(in super::super) fn forward(gpu: &Gpu, x: &Tensor, residual: &Tensor, scale: &Tensor, shift: &Tensor) -> (Tensor, NormSaved<Tensor>) {
    let (variant, _) = variant_for(gpu, x.columns());
    let y = gpu.new_tensor(x.shape());
    let saved = NormSaved { normalised: gpu.new_tensor(x.shape()), reciprocal_deviation: gpu.new_tensor([x.rows(), 1]) };
    let launch =
        Forward { x, residual, scale, shift, y: &y, normalised: &saved.normalised, reciprocal_deviation: &saved.reciprocal_deviation };
    gpu.dispatch_variant(variant, &launch, arguments(x), flat_grid(x.rows(), ROWS[variant]), 9.0 * x.len() as f64);
    (y, saved)
}

pub(in super::super) fn backward(gpu: &Gpu, dy: &Tensor, scale: &Tensor, saved: &NormSaved<Tensor>, sinks: &NormSinks<Tensor>) {
    let (variant, columns) = variant_for(gpu, dy.columns());
    let slabs = Slabs::of(dy.rows());
    let args = Args {
        accumulate_x: sinks.x.accumulates(),
        accumulate_residual: sinks.residual.accumulates(),
        slab_rows: slabs.rows,
        ..arguments(dy)
    };
    let launch = Backward {
        scale,
        dy,
        saved_normalised: &saved.normalised,
        saved_reciprocal: &saved.reciprocal_deviation,
        dx: &sinks.x.tensor,
        dresidual: &sinks.residual.tensor,
    };
    gpu.dispatch_variant(variant, &launch, args, flat_grid(dy.rows(), ROWS[variant]), 10.0 * dy.len() as f64);

    let width = dy.columns();
    slabs.sum_of(gpu, &sinks.scale, Some(&sinks.shift), 2 * width, |partial| {
        let launch = BackwardParameters { dy, saved_normalised: &saved.normalised, partial };
        gpu.dispatch_variant(variant, &launch, args, [blocks(width / columns, LANES), slabs.count, 1], 3.0 * dy.len() as f64);
    });
}
