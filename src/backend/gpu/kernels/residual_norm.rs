//! Launches of [`ResidualNorm`] and its gradients. One dispatch goes over all matrices of one width that lie in the same buffers.

use bytemuck::Zeroable;

use super::slabs::{SlabGradient, Slabs};
use super::*;
use crate::backend::ops::{Differentiate, NormKept, ResidualNorm};
use shader::residual_norm::{Args, Backward, BackwardParameters, Forward, Norm, Variant, WORKGROUP};

/// The variant for a width.
fn variant_for(gpu: &Gpu, width: usize) -> Variant {
    if suits_software(gpu, &[width]) { Variant::SoftwareVec4 } else { Width::of(&[width]).into() }
}

/// The table of a dispatch over matrices of so many rows, its arguments, and its grid.
fn dispatch(variant: Variant, width: usize, norms: impl Iterator<Item = (usize, Norm)>) -> (Vec<Norm>, Args, [u32; 3]) {
    let mut first_group = 0;
    let begin = |(rows, norm): (usize, Norm)| {
        let norm = Norm { first_group, rows: rows as u32, ..norm };
        first_group += blocks(rows, variant.rows());
        norm
    };
    let norms: Vec<Norm> = norms.map(begin).collect();
    let rows = norms.iter().map(|norm| norm.rows).sum();
    let args = Args { rows, width: width as u32, norms: norms.len() as u32, ..Args::zeroed() };
    (norms, args, flat_grid(first_group as usize, 1))
}

impl Run<ResidualNorm<Tensor>> for Gpu {
    fn forward(&self, of: &ResidualNorm<Tensor>) -> (Tensor, NormKept<Tensor>) {
        let (y, kept) = self.results(of);
        launch_forward(self, &[(of, &y, &kept)]);
        (y, kept)
    }

    fn forward_together(&self, all: &[ResidualNorm<Tensor>]) -> Option<Vec<(Tensor, NormKept<Tensor>)>> {
        let of_shape = |shape: &dyn Fn(&ResidualNorm<Tensor>) -> [usize; 2]| self.new_tensors(&all.iter().map(shape).collect::<Vec<_>>());
        let normalised = of_shape(&|of| of.x.shape()).into_iter().zip(of_shape(&|of| [of.x.rows(), 1]));
        let kept = normalised.map(|(normalised, reciprocal_deviation)| NormKept { normalised, reciprocal_deviation });
        let results: Vec<_> = of_shape(&|of| of.x.shape()).into_iter().zip(kept).collect();
        let norms = all.iter().zip(&results).map(|(of, (y, kept))| (of, y, kept));
        let goes_with =
            |one: &Forth<'_>, other: &Forth<'_>| alike(one.0, other.0) && one.1.is_beside(other.1) && kept_beside(one.2, other.2);
        in_dispatches(norms, goes_with, |_, _| false).iter().for_each(|norms| launch_forward(self, norms));
        Some(results)
    }
}

/// A way forward and where its results go.
type Forth<'a> = (&'a ResidualNorm<Tensor>, &'a Tensor, &'a NormKept<Tensor>);

fn kept_beside(one: &NormKept<Tensor>, other: &NormKept<Tensor>) -> bool {
    one.normalised.is_beside(&other.normalised) && one.reciprocal_deviation.is_beside(&other.reciprocal_deviation)
}

/// Whether two can be of one dispatch, by what they take.
fn alike(one: &ResidualNorm<Tensor>, other: &ResidualNorm<Tensor>) -> bool {
    let operands = |of: &ResidualNorm<Tensor>| [&of.x, &of.residual, &of.scale, &of.shift].map(Tensor::clone);
    one.x.columns() == other.x.columns() && operands(one).iter().zip(&operands(other)).all(|(one, other)| one.is_beside(other))
}

fn launch_forward(gpu: &Gpu, norms: &[Forth<'_>]) {
    let width = norms[0].0.x.columns();
    let variant = variant_for(gpu, width);
    let [x, residual, scale, shift] = [
        around(norms, |(of, ..)| of.x.clone()),
        around(norms, |(of, ..)| of.residual.clone()),
        around(norms, |(of, ..)| of.scale.clone()),
        around(norms, |(of, ..)| of.shift.clone()),
    ];
    let [y, normalised, reciprocal] = [
        around(norms, |(_, y, _)| (*y).clone()),
        around(norms, |(.., kept)| kept.normalised.clone()),
        around(norms, |(.., kept)| kept.reciprocal_deviation.clone()),
    ];
    let row = |(of, own, kept): &Forth<'_>| Norm {
        x: of.x.place_in(&x),
        residual: of.residual.place_in(&residual),
        scale: of.scale.place_in(&scale),
        shift: of.shift.place_in(&shift),
        y: own.place_in(&y),
        normalised: kept.normalised.place_in(&normalised),
        reciprocal: kept.reciprocal_deviation.place_in(&reciprocal),
        ..Norm::zeroed()
    };
    let (table, args, grid) = dispatch(variant, width, norms.iter().map(|norm| (norm.0.x.rows(), row(norm))));
    let launch = Forward {
        x: &x,
        residual: &residual,
        scale: &scale,
        shift: &shift,
        y: &y,
        normalised: &normalised,
        reciprocal_deviation: &reciprocal,
        norms: &gpu.upload_table(&table),
    };
    gpu.dispatch_variant(variant, &launch, args, grid, norms.iter().map(|(of, ..)| work(*of)).sum::<Work>());
}

/// A way back, with a place for the gradients of x and residual whether they are wanted or not.
struct NormBack<'a> {
    back: &'a ops::Backward<'a, Gpu, ResidualNorm<Tensor>>,
    dx: Sink<Tensor>,
    dresidual: Sink<Tensor>,
}

impl<'a> NormBack<'a> {
    fn new(gpu: &Gpu, back: &'a ops::Backward<'a, Gpu, ResidualNorm<Tensor>>) -> Self {
        let ops::Backward { of, sinks, .. } = back;
        let [dx, dresidual] = [(&sinks.x, &of.x), (&sinks.residual, &of.residual)].map(|(sink, like)| gpu.sink(sink, like));
        Self { back, dx, dresidual }
    }

    fn goes_with(&self, other: &Self) -> bool {
        alike(self.back.of, other.back.of)
            && self.back.dy.is_beside(other.back.dy)
            && kept_beside(self.back.kept, other.back.kept)
            && self.dx.tensor.is_beside(&other.dx.tensor)
            && self.dresidual.tensor.is_beside(&other.dresidual.tensor)
    }

    /// Whether one adds to what the other writes.
    fn meets(&self, other: &Self) -> bool {
        let sinks = |one: &Self| [&one.dx, &one.dresidual].map(|sink| sink.tensor.buffer());
        sinks(self).iter().any(|one| sinks(other).iter().any(|other| one.meets(*other)))
    }
}

impl Differentiate<ResidualNorm<Tensor>> for Gpu {
    fn backward(&self, of: &ResidualNorm<Tensor>, kept: &NormKept<Tensor>, dy: &Tensor, sinks: &ResidualNorm<Option<Sink<Tensor>>>) {
        self.backward_together(&[ops::Backward { of, kept, dy, sinks }]);
    }

    fn backward_together(&self, all: &[ops::Backward<'_, Self, ResidualNorm<Tensor>>]) {
        let norms: Vec<NormBack<'_>> = all.iter().map(|back| NormBack::new(self, back)).collect();
        let wants_parameters = |norm: &&NormBack<'_>| norm.back.sinks.scale.is_some() || norm.back.sinks.shift.is_some();
        let with_parameters = norms.iter().filter(wants_parameters);
        let goes_with = |one: &&NormBack<'_>, other: &&NormBack<'_>| one.goes_with(other);
        in_dispatches(norms.iter(), goes_with, |one, other| one.meets(other)).iter().for_each(|norms| launch_backward(self, norms));
        in_dispatches(with_parameters, goes_with, |_, _| false).iter().for_each(|norms| launch_parameters(self, norms));
    }
}

fn launch_backward(gpu: &Gpu, norms: &[&NormBack<'_>]) {
    let width = norms[0].back.dy.columns();
    let variant = variant_for(gpu, width);
    let [scale, dy, normalised, reciprocal, dx, dresidual] = [
        around(norms, |norm| norm.back.of.scale.clone()),
        around(norms, |norm| norm.back.dy.clone()),
        around(norms, |norm| norm.back.kept.normalised.clone()),
        around(norms, |norm| norm.back.kept.reciprocal_deviation.clone()),
        around(norms, |norm| norm.dx.tensor.clone()),
        around(norms, |norm| norm.dresidual.tensor.clone()),
    ];
    let row = |norm: &NormBack<'_>| Norm {
        accumulate_x: norm.dx.accumulates(),
        accumulate_residual: norm.dresidual.accumulates(),
        scale: norm.back.of.scale.place_in(&scale),
        y_gradient: norm.back.dy.place_in(&dy),
        normalised: norm.back.kept.normalised.place_in(&normalised),
        reciprocal: norm.back.kept.reciprocal_deviation.place_in(&reciprocal),
        x_gradient: norm.dx.tensor.place_in(&dx),
        residual_gradient: norm.dresidual.tensor.place_in(&dresidual),
        ..Norm::zeroed()
    };
    let (table, args, grid) = dispatch(variant, width, norms.iter().map(|norm| (norm.back.dy.rows(), row(norm))));
    let launch = Backward {
        scale: &scale,
        y_gradient: &dy,
        saved_normalised: &normalised,
        saved_reciprocal: &reciprocal,
        x_gradient: &dx,
        residual_gradient: &dresidual,
        norms: &gpu.upload_table(&table),
    };
    gpu.dispatch_variant(variant, &launch, args, grid, norms.iter().map(|norm| shapes(norm.back.of).sum_gradients()).sum::<Work>());
}

fn launch_parameters(gpu: &Gpu, norms: &[&NormBack<'_>]) {
    let width = norms[0].back.dy.columns();
    let variant = variant_for(gpu, width);
    let slabs = Slabs::of(gpu, norms.iter().map(|norm| norm.back.dy.rows()).max().unwrap_or(0));
    let [dy, normalised] = [around(norms, |norm| norm.back.dy.clone()), around(norms, |norm| norm.back.kept.normalised.clone())];
    let gradient = |norm: &&NormBack<'_>| {
        let ops::Backward { of, sinks, .. } = norm.back;
        let [dscale, dshift] = [(&sinks.scale, &of.scale), (&sinks.shift, &of.shift)].map(|(sink, like)| gpu.sink(sink, like));
        SlabGradient::whole(dscale, Some(dshift))
    };
    let gradients: Vec<SlabGradient> = norms.iter().map(gradient).collect();
    slabs.sum_all(gpu, &gradients.iter().collect::<Vec<_>>(), 2 * width, |partial| {
        let row = |(norm, &place): (&&NormBack<'_>, &usize)| {
            let rows = norm.back.dy.rows();
            let norm = Norm {
                slab_rows: slabs.rows_of(rows),
                y_gradient: norm.back.dy.place_in(&dy),
                normalised: norm.back.kept.normalised.place_in(&normalised),
                partial: place as u32,
                ..Norm::zeroed()
            };
            (rows, norm)
        };
        let (table, args, _) = dispatch(variant, width, norms.iter().zip(&partial.places).map(row));
        let launch =
            BackwardParameters { y_gradient: &dy, saved_normalised: &normalised, partial: &partial.sums, norms: &gpu.upload_table(&table) };
        let grid = [blocks(width / variant.columns() as usize, WORKGROUP), slabs.count, norms.len() as u32];
        let args = Args { slab_rows: slabs.rows, slab_pitch: partial.pitch as u32, ..args };
        let work: Work = norms.iter().map(|norm| shapes(norm.back.of).parameter_gradients()).sum();
        gpu.dispatch_variant(variant, &launch, args, grid, work);
    });
}
