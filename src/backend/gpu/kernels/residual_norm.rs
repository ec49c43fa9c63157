//! Launches of [`ResidualNorm`] and its gradients.

use super::slabs::{SlabGradient, Slabs};
use super::*;
use crate::backend::ops::{Differentiate, NormKept, ResidualNorm};
use shader::residual_norm::{Args, Backward, BackwardParameters, Forward, Variant, WORKGROUP};

/// The variant for a width.
fn variant_for(gpu: &Gpu, width: usize) -> Variant {
    if suits_software(gpu, &[width]) { Variant::SoftwareVec4 } else { Width::of(&[width]).into() }
}

fn arguments(x: &Tensor) -> Args {
    Args { rows: x.rows() as u32, width: x.columns() as u32, accumulate_x: 0, accumulate_residual: 0, slab_rows: 0 }
}

impl Run<ResidualNorm<Tensor>> for Gpu {
    fn forward(&self, of: &ResidualNorm<Tensor>) -> (Tensor, NormKept<Tensor>) {
        let (y, kept) = self.results(of);
        launch_forward(self, of, &y, &kept);
        (y, kept)
    }

    /// One after the other, but what they give lies together.
    fn forward_together(&self, all: &[ResidualNorm<Tensor>]) -> Option<Vec<(Tensor, NormKept<Tensor>)>> {
        let [of_rows, shapes]: [Vec<_>; 2] = [all.iter().map(|of| [of.x.rows(), 1]).collect(), all.iter().map(|of| of.x.shape()).collect()];
        let [ys, normalised, reciprocals] = [&shapes, &shapes, &of_rows].map(|shapes| self.new_tensors(shapes));
        let kept = normalised.into_iter().zip(reciprocals);
        let kept = kept.map(|(normalised, reciprocal_deviation)| NormKept { normalised, reciprocal_deviation });
        let launched = |((of, y), kept): ((&ResidualNorm<Tensor>, Tensor), NormKept<Tensor>)| {
            launch_forward(self, of, &y, &kept);
            (y, kept)
        };
        Some(all.iter().zip(ys).zip(kept).map(launched).collect())
    }
}

fn launch_forward(gpu: &Gpu, of: &ResidualNorm<Tensor>, y: &Tensor, kept: &NormKept<Tensor>) {
    let ResidualNorm { x, residual, scale, shift } = of;
    let variant = variant_for(gpu, x.columns());
    let NormKept { normalised, reciprocal_deviation } = kept;
    let launch = Forward { x, residual, scale, shift, y, normalised, reciprocal_deviation };
    gpu.dispatch_variant(variant, &launch, arguments(x), flat_grid(x.rows(), variant.rows()), work(of));
}

impl Differentiate<ResidualNorm<Tensor>> for Gpu {
    fn backward(&self, of: &ResidualNorm<Tensor>, kept: &NormKept<Tensor>, dy: &Tensor, sinks: &ResidualNorm<Option<Sink<Tensor>>>) {
        let variant = variant_for(self, dy.columns());
        let slabs = Slabs::of(self, dy.rows());
        let [dx, dresidual] = [(&sinks.x, &of.x), (&sinks.residual, &of.residual)].map(|(sink, like)| self.sink(sink, like));
        let args =
            Args { accumulate_x: dx.accumulates(), accumulate_residual: dresidual.accumulates(), slab_rows: slabs.rows, ..arguments(dy) };
        let launch = Backward {
            scale: &of.scale,
            y_gradient: dy,
            saved_normalised: &kept.normalised,
            saved_reciprocal: &kept.reciprocal_deviation,
            x_gradient: &dx.tensor,
            residual_gradient: &dresidual.tensor,
        };
        let shapes = shapes(of);
        self.dispatch_variant(variant, &launch, args, flat_grid(dy.rows(), variant.rows()), shapes.sum_gradients());

        if sinks.scale.is_none() && sinks.shift.is_none() {
            return;
        }
        let [dscale, dshift] = [(&sinks.scale, &of.scale), (&sinks.shift, &of.shift)].map(|(sink, like)| self.sink(sink, like));
        let width = dy.columns();
        slabs.sum_of(self, SlabGradient::whole(dscale, Some(dshift)), 2 * width, |partial| {
            let launch = BackwardParameters { y_gradient: dy, saved_normalised: &kept.normalised, partial };
            let grid = [blocks(width / variant.columns() as usize, WORKGROUP), slabs.count, 1];
            self.dispatch_variant(variant, &launch, args, grid, shapes.parameter_gradients());
        });
    }
}
