//! Launches of [`Linear`] and its gradients. One dispatch makes all products of the same widths whose matrices lie in the same
//! buffers: one product alone has too few workgroups for a large device, and a dispatch waits for the one before it.

use bytemuck::Zeroable;

use super::super::Requirement;
use super::product::Product;
use super::slabs::SlabGradient;
use super::*;
use crate::backend::ops::{Backward, Bilstm, Differentiate, Linear, LstmWeights};
use crate::base::numbers::{Activation, Precision};
use crate::base::tiles::{Form, ProductShape};
use shader::linear::{Args, BackwardInput, BackwardWeight, Forward, Product as Row};

impl Gpu {
    /// What the device lacks of cooperative matrices for products in mixed precision, which it then computes as fast as in
    /// f32; none where it has them.
    pub(crate) fn lacks_for_mixed(&self) -> Option<Requirement> {
        if Product::matrices(self).is_some() { None } else { self.capabilities().lacks(Product::Matrices16.variant().into()) }
    }
}

impl Run<Linear<Tensor>> for Gpu {
    fn forward(&self, of: &Linear<Tensor>) -> (Tensor, Option<Tensor>) {
        let (y, kept) = self.results(of);
        Output { of, y: &y }.run(self);
        squash(self, of, &y);
        (y, kept)
    }

    fn forward_together(&self, all: &[Linear<Tensor>]) -> Option<Vec<(Tensor, Option<Tensor>)>> {
        let shapes: Vec<_> = all.iter().map(|of| [of.x.rows(), of.weight.rows()]).collect();
        let results = self.new_tensors(&shapes);
        let outputs = all.iter().zip(&results).map(|(of, y)| Output { of, y });
        in_dispatches(outputs, Output::goes_with, |_, _| false).iter().for_each(|outputs| Output::run_all(self, outputs));
        all.iter().zip(&results).for_each(|(of, y)| squash(self, of, y));
        let kept = |(of, y): (&Linear<Tensor>, Tensor)| (y.clone(), of.activation.is_there().then_some(y));
        Some(all.iter().zip(results).map(kept).collect())
    }
}

impl Differentiate<Linear<Tensor>> for Gpu {
    fn backward(&self, of: &Linear<Tensor>, kept: &Option<Tensor>, dy: &Tensor, sinks: &Linear<Option<Sink<Tensor>>>) {
        self.backward_together(&[Backward { of, kept, dy, sinks }]);
    }

    fn backward_together(&self, all: &[Backward<'_, Self, Linear<Tensor>>]) {
        let arrived = arrived(self, all);
        let mut inputs: Vec<InputGradient<'_>> = Vec::new();
        for (&Backward { of, sinks, .. }, Arrived { gate, dy }) in all.iter().zip(&arrived) {
            let Some(dx) = &sinks.x else { continue };
            let term = Term { of, gate: gate.as_ref(), dy };
            match inputs.iter_mut().find(|sum| sum.takes(&term, dx)) {
                Some(sum) => sum.terms.push(term),
                None => inputs.push(InputGradient { terms: vec![term], dx }),
            }
        }
        // What adds to a gradient waits for what sets it.
        let meets = |one: &InputGradient<'_>, other: &InputGradient<'_>| one.dx.tensor.buffer().meets(other.dx.tensor.buffer());
        in_dispatches(inputs, InputGradient::goes_with, meets).iter().for_each(|inputs| InputGradient::run_all(self, inputs));

        let weights = all.iter().zip(&arrived).filter_map(|(&Backward { of, sinks, .. }, Arrived { gate, dy })| {
            let bias = sinks.bias.as_ref().and_then(Option::as_ref);
            if sinks.weight.is_none() && bias.is_none() {
                return None;
            }
            let weight = self.sink(&sinks.weight, &of.weight);
            Some(WeightGradient {
                x: (&of.x, 0),
                dy: (dy, 0),
                gate: gate.as_ref(),
                widths: of.weight.shape(),
                precision: of.precision,
                gradient: SlabGradient::whole(weight, bias.cloned()),
                work: shapes(of).one_gradient(),
            })
        });
        WeightGradient::run_each(self, weights);
    }
}

/// Applies tanh, which a product has not applied.
fn squash(gpu: &Gpu, of: &Linear<Tensor>, y: &Tensor) {
    if of.activation == Activation::Tanh {
        tangent::squash(gpu, y);
    }
}

/// What the gradients of a product begin with.
struct Arrived {
    /// The result of a ReLU.
    gate: Option<Tensor>,
    dy: Tensor,
}

/// Gradients of results, those before a tanh as they are before it.
fn arrived(gpu: &Gpu, all: &[Backward<'_, Gpu, Linear<Tensor>>]) -> Vec<Arrived> {
    let has_tangent = |one: &&Backward<'_, Gpu, Linear<Tensor>>| one.of.activation == Activation::Tanh;
    let squashed: Vec<_> = all.iter().filter(has_tangent).filter_map(|one| Some((one.kept.as_ref()?, one.dy))).collect();
    let mut before = tangent::gradients(gpu, &squashed).into_iter();
    let arrived = |one: &Backward<'_, Gpu, Linear<Tensor>>| {
        let before = if has_tangent(&one) { before.next() } else { None };
        let gate = if before.is_some() { None } else { one.kept.clone() };
        Arrived { gate, dy: before.unwrap_or_else(|| one.dy.clone()) }
    };
    all.iter().map(arrived).collect()
}

/// Gradients of LSTMs' recurrent weights: for each direction `dW_hh = dgatesᵀ · h_{t-1}`, `db_hh = Σ dgates`, where the
/// direction's gates and states are columns of `dgates: [rows, 2 · 4H]` and of `previous: [rows, 2H]` in what was kept.
pub(super) fn backward_recurrent(gpu: &Gpu, all: &[&Backward<'_, Gpu, Bilstm<Gpu, Tensor>>], dgates: &[Tensor]) {
    let mut weights = Vec::new();
    for (Backward { of, kept, sinks, .. }, dgates) in all.iter().zip(dgates) {
        let LstmWeights { recurrent, bias_recurrent, .. } = &sinks.weights;
        if recurrent.is_none() && bias_recurrent.is_none() {
            continue;
        }
        let weight = gpu.sink(recurrent, &of.weights.recurrent);
        let bias = gpu.sink(bias_recurrent, &of.weights.bias_recurrent);
        let hidden = kept.previous.columns() / 2;
        let gates = 4 * hidden;
        let of_direction = |direction: usize| {
            let weights = direction * gates * hidden..(direction + 1) * gates * hidden;
            let biases = direction * gates..(direction + 1) * gates;
            WeightGradient {
                x: (&kept.previous, direction * hidden),
                dy: (dgates, direction * gates),
                gate: None,
                widths: [gates, hidden],
                precision: of.precision,
                gradient: SlabGradient { weight: (weight.clone(), weights), bias: Some((bias.clone(), biases)) },
                work: shapes(*of).recurrent_gradient().share(0.5),
            }
        };
        weights.extend([0, 1].map(of_direction));
    }
    WeightGradient::run_each(gpu, weights);
}

fn arguments([outputs, inputs]: [usize; 2]) -> Args {
    Args { inputs: inputs as u32, outputs: outputs as u32, x_pitch: inputs as u32, y_gradient_pitch: outputs as u32, ..Args::zeroed() }
}

/// Whether two products can be of one dispatch, by what they are.
fn alike(one: &Linear<Tensor>, other: &Linear<Tensor>) -> bool {
    let kind = |of: &Linear<Tensor>| (of.weight.shape(), of.activation, of.precision, of.bias.is_some());
    kind(one) == kind(other) && one.weight.is_beside(&other.weight)
}

/// The same of tensors that both have or neither.
fn both_beside(one: Option<&Tensor>, other: Option<&Tensor>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.is_beside(other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

/// Rows of a dispatch's table, each beginning after the workgroups of those before it; and all workgroups.
fn table<P>(products: &[P], groups: impl Fn(&P) -> u32, row: impl Fn(&P) -> Row) -> (Vec<Row>, u32) {
    let mut first_group = 0;
    let row = |product| {
        let row = Row { first_group, ..row(product) };
        first_group += groups(product);
        row
    };
    (products.iter().map(row).collect(), first_group)
}

/// `y = act(x · Wᵀ + b)`.
pub(super) struct Output<'a> {
    pub of: &'a Linear<Tensor>,
    pub y: &'a Tensor,
}

impl Output<'_> {
    fn goes_with(&self, other: &Self) -> bool {
        alike(self.of, other.of)
            && both_beside(self.of.bias.as_ref(), other.of.bias.as_ref())
            && self.of.x.is_beside(&other.of.x)
            && self.y.is_beside(other.y)
    }

    fn run(self, gpu: &Gpu) {
        Self::run_all(gpu, &[self]);
    }

    /// By what is chosen for all together.
    fn run_all(gpu: &Gpu, all: &[Self]) {
        let of = all[0].of;
        let shape = ProductShape::of(Form::Forward, all.iter().map(|output| output.of.x.rows()).sum(), of.weight.shape());
        Self::run_by(gpu, Product::of(gpu, of.precision, shape), all);
    }

    pub(super) fn run_by(gpu: &Gpu, product: Product, all: &[Self]) {
        let of = all[0].of;
        let bias_of = |of: &'_ Linear<Tensor>| of.bias.clone().unwrap_or_else(|| of.weight.clone());
        let [x, weight, bias, y] = [
            around(all, |output| output.of.x.clone()),
            around(all, |output| output.of.weight.clone()),
            around(all, |output| bias_of(output.of)),
            around(all, |output| output.y.clone()),
        ];
        let variant = product.variant();
        let (rows, groups) = table(
            all,
            |output| blocks(output.of.x.rows(), variant.tile_rows()),
            |output| Row {
                rows: output.of.x.rows() as u32,
                x: output.of.x.place_in(&x),
                weight: output.of.weight.place_in(&weight),
                bias: bias_of(output.of).place_in(&bias),
                y: output.y.place_in(&y),
                ..Row::zeroed()
            },
        );
        let args = Args {
            rows: rows.iter().map(|row| row.rows).sum(),
            has_bias: flag(of.bias.is_some()),
            relu: flag(of.activation == Activation::Relu),
            products: rows.len() as u32,
            ..arguments(of.weight.shape())
        };
        let launch = Forward { x: &x, weight: &weight, bias: &bias, y: &y, products: &gpu.upload_table(&rows) };
        let work: Work = all.iter().map(|output| work(output.of)).sum();
        gpu.dispatch_variant(variant, &launch, args, [blocks(of.weight.rows(), variant.tile_columns()), groups, 1], work);
    }
}

/// `g · W`
#[derive(Clone, Copy)]
pub(super) struct Term<'a> {
    pub of: &'a Linear<Tensor>,
    /// The result of a ReLU.
    pub gate: Option<&'a Tensor>,
    pub dy: &'a Tensor,
}

impl Term<'_> {
    fn goes_with(&self, other: &Self) -> bool {
        alike(self.of, other.of) && both_beside(self.gate, other.gate) && self.dy.is_beside(other.dy)
    }

    fn row(&self, weight: &Tensor, dy: &Tensor, gate: &Tensor) -> Row {
        Row {
            rows: self.dy.rows() as u32,
            weight: self.of.weight.place_in(weight),
            y_gradient: self.dy.place_in(dy),
            gate: self.gate.unwrap_or(self.dy).place_in(gate),
            ..Row::zeroed()
        }
    }
}

/// `dx (+)= Σ g · W`, over all products of the same x.
pub(super) struct InputGradient<'a> {
    /// At least one.
    pub terms: Vec<Term<'a>>,
    pub dx: &'a Sink<Tensor>,
}

impl InputGradient<'_> {
    /// Whether a term of a gradient can be one of this sum.
    fn takes(&self, term: &Term<'_>, dx: &Sink<Tensor>) -> bool {
        dx.write == Write::Add && dx.tensor.buffer() == self.dx.tensor.buffer() && self.terms[0].goes_with(term)
    }

    fn goes_with(&self, other: &Self) -> bool {
        self.terms[0].goes_with(&other.terms[0]) && self.dx.tensor.is_beside(&other.dx.tensor)
    }

    fn run_all(gpu: &Gpu, all: &[Self]) {
        let of = all[0].terms[0].of;
        let shape = ProductShape::of(Form::BackwardInput, all.iter().map(|input| input.dx.tensor.rows()).sum(), of.weight.shape());
        Self::run_by(gpu, Product::of(gpu, of.precision, shape), all);
    }

    pub(super) fn run_by(gpu: &Gpu, product: Product, all: &[Self]) {
        let terms: Vec<Term<'_>> = all.iter().flat_map(|input| input.terms.iter().copied()).collect();
        let first = terms[0];
        let [weight, dy, gate] = [
            around(&terms, |term| term.of.weight.clone()),
            around(&terms, |term| term.dy.clone()),
            around(&terms, |term| term.gate.unwrap_or(term.dy).clone()),
        ];
        let dx = around(all, |input| input.dx.tensor.clone());
        let variant = product.variant();
        let mut further = Vec::new();
        let (mut rows, groups) = table(
            all,
            |input| blocks(input.dx.tensor.rows(), variant.tile_rows()),
            |input| Row {
                accumulate: input.dx.accumulates(),
                more: input.terms.len() as u32 - 1,
                x_gradient: input.dx.tensor.place_in(&dx),
                ..input.terms[0].row(&weight, &dy, &gate)
            },
        );
        for (place, input) in all.iter().enumerate() {
            rows[place].first_more = (all.len() + further.len()) as u32;
            further.extend(input.terms[1..].iter().map(|term| term.row(&weight, &dy, &gate)));
        }
        let args = Args {
            rows: terms.iter().map(|term| term.dy.rows() as u32).sum(),
            relu: flag(first.gate.is_some()),
            products: rows.len() as u32,
            ..arguments(first.of.weight.shape())
        };
        rows.extend(further);
        let launch = BackwardInput { weight: &weight, y_gradient: &dy, gate: &gate, x_gradient: &dx, products: &gpu.upload_table(&rows) };
        let work: Work = terms.iter().map(|term| shapes(term.of).one_gradient()).sum();
        gpu.dispatch_variant(variant, &launch, args, [blocks(first.of.weight.columns(), variant.tile_columns()), groups, 1], work);
    }
}

/// `dW (+)= gᵀ · x`, `db (+)= Σ g`.
pub(super) struct WeightGradient<'a> {
    /// Matrix and first column, here and of `dy`.
    pub x: (&'a Tensor, usize),
    pub dy: (&'a Tensor, usize),
    /// The result of a ReLU.
    pub gate: Option<&'a Tensor>,
    /// `[outputs, inputs]`
    pub widths: [usize; 2],
    pub precision: Precision,
    pub gradient: SlabGradient,
    pub work: Work,
}

impl WeightGradient<'_> {
    /// Those whose widths are no multiples of four have dispatches of their own.
    fn goes_with(&self, other: &Self) -> bool {
        let kind = |one: &Self| (one.widths, one.precision, one.x.0.columns(), one.dy.0.columns());
        kind(self) == kind(other)
            && Width::of(&self.widths) == Width::Vec4
            && both_beside(self.gate, other.gate)
            && self.x.0.is_beside(other.x.0)
            && self.dy.0.is_beside(other.dy.0)
    }

    /// Rows of the longest, and its widths, the outputs of all one below the other.
    fn shape(all: &[Self]) -> ProductShape {
        let [outputs, inputs] = all[0].widths;
        let rows = all.iter().map(|weight| weight.dy.0.rows()).max().unwrap_or(0);
        ProductShape::of(Form::BackwardWeight, rows, [all.len() * outputs, inputs])
    }

    /// All of them, those together that can be.
    pub(super) fn run_each(gpu: &Gpu, weights: impl IntoIterator<Item = Self>) {
        in_dispatches(weights, Self::goes_with, |_, _| false).iter().for_each(|weights| Self::run_all(gpu, weights));
    }

    fn run_all(gpu: &Gpu, all: &[Self]) {
        let shape = Self::shape(all);
        Self::run_by(gpu, Product::of(gpu, all[0].precision, shape), all);
    }

    pub(super) fn run_by(gpu: &Gpu, product: Product, all: &[Self]) {
        let [outputs, inputs] = all[0].widths;
        let gate_of = |weight: &Self| weight.gate.unwrap_or(weight.dy.0).clone();
        let [x, dy, gate] = [around(all, |weight| weight.x.0.clone()), around(all, |weight| weight.dy.0.clone()), around(all, gate_of)];
        let variant = product.variant();
        let slabs = product.slabs(Self::shape(all));
        let gradients: Vec<&SlabGradient> = all.iter().map(|weight| &weight.gradient).collect();
        slabs.sum_all(gpu, &gradients, outputs * (inputs + 1), |partial| {
            let tiles = [blocks(inputs, variant.tile_columns()), blocks(outputs, variant.tile_rows())];
            let (mut rows, groups) = table(
                all,
                |_| tiles[1],
                |weight| Row {
                    rows: weight.dy.0.rows() as u32,
                    slab_rows: slabs.rows_of(weight.dy.0.rows()),
                    x: weight.x.0.place_in(&x) + weight.x.1 as u32,
                    y_gradient: weight.dy.0.place_in(&dy) + weight.dy.1 as u32,
                    gate: gate_of(weight).place_in(&gate) + weight.dy.1 as u32,
                    ..Row::zeroed()
                },
            );
            rows.iter_mut().zip(&partial.places).for_each(|(row, &place)| row.partial = place as u32);
            let args = Args {
                rows: rows.iter().map(|row| row.rows).sum(),
                relu: flag(all[0].gate.is_some()),
                products: rows.len() as u32,
                x_pitch: all[0].x.0.columns() as u32,
                y_gradient_pitch: all[0].dy.0.columns() as u32,
                slab_pitch: partial.pitch as u32,
                ..arguments(all[0].widths)
            };
            let products = gpu.upload_table(&rows);
            let launch = BackwardWeight { x: &x, y_gradient: &dy, gate: &gate, partial: &partial.sums, products: &products };
            let work: Work = all.iter().map(|weight| weight.work).sum();
            gpu.dispatch_variant(variant, &launch, args, [tiles[0], groups, slabs.count], work);
        });
    }
}
