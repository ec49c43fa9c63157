//! Launches of [`crate::backend::Backend::residual_norm`] and its gradients.

use super::slabs::Slabs;
use super::*;
use crate::backend::{NormSaved, NormSinks};
use shader::residual_norm::{Args, Backward, BackwardParameters, Forward, Variant, WORKGROUP};

/// The variant for a width.
fn variant_for(gpu: &Gpu, width: usize) -> Variant {
    if suits_software(gpu, &[width]) { Variant::SoftwareVec4 } else { Width::of(&[width]).into() }
}

fn arguments(x: &Tensor) -> Args {
    Args { rows: x.rows() as u32, width: x.columns() as u32, accumulate_x: 0, accumulate_residual: 0, slab_rows: 0 }
}

pub(in super::super) fn forward(gpu: &Gpu, x: &Tensor, residual: &Tensor, scale: &Tensor, shift: &Tensor) -> (Tensor, NormSaved<Tensor>) {
    let variant = variant_for(gpu, x.columns());
    let y = gpu.new_tensor(x.shape());
    let saved = NormSaved { normalised: gpu.new_tensor(x.shape()), reciprocal_deviation: gpu.new_tensor([x.rows(), 1]) };
    let launch =
        Forward { x, residual, scale, shift, y: &y, normalised: &saved.normalised, reciprocal_deviation: &saved.reciprocal_deviation };
    gpu.dispatch_variant(variant, &launch, arguments(x), flat_grid(x.rows(), variant.rows()), 9.0 * x.len() as f64);
    (y, saved)
}

pub(in super::super) fn backward(gpu: &Gpu, dy: &Tensor, scale: &Tensor, saved: &NormSaved<Tensor>, sinks: &NormSinks<Tensor>) {
    let variant = variant_for(gpu, dy.columns());
    let slabs = Slabs::of(dy.rows());
    let args = Args {
        accumulate_x: sinks.x.accumulates(),
        accumulate_residual: sinks.residual.accumulates(),
        slab_rows: slabs.rows,
        ..arguments(dy)
    };
    let launch = Backward {
        scale,
        y_gradient: dy,
        saved_normalised: &saved.normalised,
        saved_reciprocal: &saved.reciprocal_deviation,
        x_gradient: &sinks.x.tensor,
        residual_gradient: &sinks.residual.tensor,
    };
    gpu.dispatch_variant(variant, &launch, args, flat_grid(dy.rows(), variant.rows()), 10.0 * dy.len() as f64);

    let width = dy.columns();
    slabs.sum_of(gpu, &sinks.scale, Some(&sinks.shift), 2 * width, |partial| {
        let launch = BackwardParameters { y_gradient: dy, saved_normalised: &saved.normalised, partial };
        gpu.dispatch_variant(
            variant,
            &launch,
            args,
            [blocks(width / variant.columns() as usize, WORKGROUP), slabs.count, 1],
            3.0 * dy.len() as f64,
        );
    });
}
