//! Launches of [`Gru`] and its gradients: products by `linear`, the recurrence by its own shader, cut into dispatches of time steps. One
//! dispatch goes over all layers of one hidden size and as many directions that lie in the same buffers: each step of a sequence waits
//! for the one before, so that a layer alone leaves most of a large device idle.

use bytemuck::Zeroable;

use super::linear::WeightGradient;
use super::recurrence::{Placed, Schedule, Step, slices, stretches, turns_of_software};
use super::slabs::SlabGradient;
use super::*;
use crate::backend::BackendError;
use crate::backend::ops::{Differentiate, Gru, GruKept, Linear};
use crate::base::numbers::MAX_GRU_HIDDEN;
use crate::base::remedy::Remedy;
use shader::gru::{Args, Backward, Forward, Layer, Sequence, Variant};
use shader::gru_edges::{Args as PackArgs, Layer as PackLayer, Pack, TERMS, WORKGROUP};

/// The variant of the recurrence for a hidden size.
fn variant_for(gpu: &Gpu, hidden: usize) -> Variant {
    match hidden {
        _ if suits_software(gpu, &[hidden]) => Variant::Software,
        ..=128 => Variant::GraphicsTo128,
        129..=256 => Variant::GraphicsTo256,
        _ => Variant::Graphics,
    }
}

/// Hidden size and directions.
fn sizes(of: &Gru<Gpu, Tensor>) -> [usize; 2] {
    [of.weights.hidden(), of.weights.directions()]
}

/// The recurrent weights as a recurrence over layers reads them.
struct Weights {
    weights: Tensor,
    /// Elements at which each layer's begin.
    places: Vec<u32>,
}

/// Which product reads the recurrent weights.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Forward,
    Back,
}

/// The dispatches of a recurrence over layers.
struct Recurrence<'a> {
    variant: Variant,
    args: Args,
    grid: [u32; 3],
    layers: Vec<&'a Gru<Gpu, Tensor>>,
    sequences: Words,
}

impl<'a> Recurrence<'a> {
    fn of(gpu: &Gpu, layers: Vec<&'a Gru<Gpu, Tensor>>) -> Self {
        let [hidden, directions] = sizes(layers[0]);
        let variant = variant_for(gpu, hidden);
        let rows: Vec<_> = layers.iter().map(|of| &of.rows).collect();
        let schedule = Schedule::of(variant == Variant::Software);
        let placed = slices(&rows, variant.sequences() as usize, schedule);
        let sequences = placed.iter().map(|&Placed { first_row, length, layer }| Sequence { first_row, length, layer });
        let sequences = gpu.upload_table(&sequences.collect::<Vec<_>>());
        let [hidden, directions] = [hidden as u32, directions as u32];
        let args = Args { sequences: placed.len() as u32, hidden, directions, ..Args::zeroed() };
        let grid = schedule.grid(directions, blocks(placed.len(), variant.sequences()));
        Self { variant, args, grid, layers, sequences }
    }

    /// The recurrent weights: packed, but where software adapters read them as they are.
    fn weights(&self, gpu: &Gpu, way: Way) -> Weights {
        let recurrent = around(&self.layers, |of| of.weights.recurrent.clone());
        let places: Vec<u32> = self.layers.iter().map(|of| of.weights.recurrent.place_in(&recurrent)).collect();
        if self.variant == Variant::Software {
            return Weights { weights: recurrent, places };
        }
        let Args { hidden, directions, .. } = self.args;
        let of_layer = (directions * 3 * hidden.next_multiple_of(TERMS) * hidden) as usize;
        let packed = gpu.new_tensor([places.len(), of_layer]);
        let layers: Vec<_> = places.iter().map(|&recurrent| PackLayer { recurrent }).collect();
        let args = PackArgs { hidden, directions, transposed: flag(way == Way::Back) };
        let [first, second, _] = flat_grid(of_layer / 4, WORKGROUP);
        let launch = Pack { recurrent: &recurrent, packed: &packed, layers: &gpu.upload_table(&layers) };
        gpu.dispatch(&launch, args, [first, second, places.len() as u32], None);
        let places = (0..places.len()).map(|layer| (layer * of_layer) as u32).collect();
        Weights { weights: packed, places }
    }

    /// The dispatches' ranges of time steps.
    fn stretches(&self, gpu: &Gpu) -> impl DoubleEndedIterator<Item = (u32, u32)> + use<> {
        let rows: Vec<_> = self.layers.iter().map(|of| &of.rows).collect();
        let flop = self.layers.iter().map(|of| (of.rows.batch() * 2 * of.weights.recurrent.len()) as f64).sum();
        let turns = (self.variant == Variant::Software).then(|| turns_of_software(self.args.hidden as usize, 3, 2));
        stretches(gpu, &rows, &Step { flop, turns })
    }

    fn run<L: shader::Launch<Variant = Variant, Args = Args>>(
        &self,
        gpu: &Gpu,
        launch: &L,
        (first_step, end_step): (u32, u32),
        work: Work,
    ) {
        gpu.dispatch_variant(self.variant, launch, Args { first_step, end_step, ..self.args }, self.grid, work);
    }
}

/// A layer's way forward: its results.
struct Forth<'a> {
    of: &'a Gru<Gpu, Tensor>,
    kept: GruKept<Tensor>,
    y: Tensor,
}

impl<'a> Forth<'a> {
    /// With memory for the results, and the gates before the recurrence.
    fn all(gpu: &Gpu, layers: &'a [Gru<Gpu, Tensor>]) -> Vec<Self> {
        let products: Vec<_> = layers.iter().map(Gru::input_product).collect();
        let gates = gpu.forward_together(&products).into_iter().flatten().map(|(gates, _)| gates);
        let shapes: Vec<_> = layers.iter().map(|of| [of.rows.rows(), sizes(of).into_iter().product()]).collect();
        let states = || gpu.new_tensors(&shapes);
        let results = gates.zip(states()).zip(states().into_iter().zip(states())).zip(layers);
        results.map(|(((gates, previous), (reset, y)), of)| Self { of, kept: GruKept { gates, previous, reset }, y }).collect()
    }

    fn goes_with(&self, other: &Self) -> bool {
        let matrices = |one: &Self| {
            let GruKept { gates, previous, reset } = &one.kept;
            [&one.of.weights.recurrent, gates, previous, reset, &one.y].map(Tensor::clone)
        };
        sizes(self.of) == sizes(other.of) && matrices(self).iter().zip(&matrices(other)).all(|(one, other)| one.is_beside(other))
    }

    fn run_all(gpu: &Gpu, all: &[Self]) {
        let recurrence = Recurrence::of(gpu, all.iter().map(|one| one.of).collect());
        let [gates, previous, reset, y] = [
            around(all, |one| one.kept.gates.clone()),
            around(all, |one| one.kept.previous.clone()),
            around(all, |one| one.kept.reset.clone()),
            around(all, |one| one.y.clone()),
        ];
        let Weights { weights, places } = recurrence.weights(gpu, Way::Forward);
        let table = all.iter().zip(places).map(|(one, recurrent)| Layer {
            rows: one.of.rows.rows() as u32,
            recurrent,
            gates: one.kept.gates.place_in(&gates),
            states: one.kept.previous.place_in(&previous),
            ..Layer::zeroed()
        });
        let launch = Forward {
            recurrent: &weights,
            sequences: &recurrence.sequences,
            layers: &gpu.upload_table(&table.collect::<Vec<_>>()),
            gates: &gates,
            previous: &previous,
            reset: &reset,
            y: &y,
        };
        for steps in recurrence.stretches(gpu) {
            let work = all.iter().map(|one| shapes(one.of).recurrence(steps.0 as usize..steps.1 as usize)).sum();
            recurrence.run(gpu, &launch, steps, work);
        }
    }
}

impl Run<Gru<Self, Tensor>> for Gpu {
    fn forward(&self, of: &Gru<Self, Tensor>) -> (Tensor, GruKept<Tensor>) {
        forward(self, std::slice::from_ref(of)).swap_remove(0)
    }

    fn forward_together(&self, all: &[Gru<Self, Tensor>]) -> Option<Vec<(Tensor, GruKept<Tensor>)>> {
        Some(forward(self, all))
    }
}

fn forward(gpu: &Gpu, layers: &[Gru<Gpu, Tensor>]) -> Vec<(Tensor, GruKept<Tensor>)> {
    let hidden = layers.iter().map(|of| of.weights.hidden()).max().unwrap_or(0);
    if hidden > MAX_GRU_HIDDEN {
        gpu.fail(BackendError::Limit {
            kernel: "gru",
            what: "the hidden size",
            needed: hidden as u64,
            limit: MAX_GRU_HIDDEN as u64,
            remedy: Remedy::Lower("the GRU's hidden size"),
        });
    }
    let all = Forth::all(gpu, layers);
    let results = all.iter().map(|one| (one.y.clone(), one.kept.clone())).collect();
    in_dispatches(all, Forth::goes_with, |_, _| false).iter().for_each(|together| Forth::run_all(gpu, together));
    results
}

/// A layer's way back.
type Back<'a> = ops::Backward<'a, Gpu, Gru<Gpu, Tensor>>;

fn goes_back_with(one: &&Back<'_>, other: &&Back<'_>) -> bool {
    let matrices = |one: &Back<'_>| [&one.of.weights.recurrent, one.dy, &one.kept.gates, &one.kept.previous].map(Tensor::clone);
    sizes(one.of) == sizes(other.of) && matrices(one).iter().zip(&matrices(other)).all(|(one, other)| one.is_beside(other))
}

/// The gradients of the layers' gates, `[rows, D · 3H]` each.
fn gate_gradients(gpu: &Gpu, all: &[&Back<'_>]) -> Vec<Tensor> {
    let recurrence = Recurrence::of(gpu, all.iter().map(|one| one.of).collect());
    let [dy, gates, previous] =
        [around(all, |one| one.dy.clone()), around(all, |one| one.kept.gates.clone()), around(all, |one| one.kept.previous.clone())];
    let Weights { weights, places } = recurrence.weights(gpu, Way::Back);
    let table = all.iter().zip(places).map(|(one, recurrent)| Layer {
        rows: one.of.rows.rows() as u32,
        recurrent,
        gates: one.kept.gates.place_in(&gates),
        states: one.kept.previous.place_in(&previous),
        y_gradient: one.dy.place_in(&dy),
    });
    let table: Vec<Layer> = table.collect();
    let dgates = gpu.new_tensor(gates.shape());
    let carry = gpu.new_tensor([recurrence.args.sequences as usize, sizes(all[0].of).into_iter().product()]);
    let launch = Backward {
        recurrent: &weights,
        sequences: &recurrence.sequences,
        layers: &gpu.upload_table(&table),
        y_gradient: &dy,
        saved_gates: &gates,
        saved_previous: &previous,
        gates_gradient: &dgates,
        carry: &carry,
    };
    for steps in recurrence.stretches(gpu).rev() {
        let work = all.iter().map(|one| shapes(one.of).recurrence_back(steps.0 as usize..steps.1 as usize)).sum();
        recurrence.run(gpu, &launch, steps, work);
    }
    table.iter().zip(all).map(|(layer, one)| dgates.slice(layer.gates as usize, one.kept.gates.shape())).collect()
}

/// Gradients of the recurrent weights: for each direction those of r and u are `dgatesᵀ · h_{t-1}`, those of c `dgatesᵀ · (r h_{t-1})`,
/// where the direction's gates and states are columns of `dgates: [rows, D · 3H]` and of what was kept.
fn recurrent_gradients<'a>(all: &'a [&Back<'_>], dgates: &'a [Tensor]) -> Vec<WeightGradient<'a>> {
    let mut gradients = Vec::new();
    for (one, dgates) in all.iter().zip(dgates) {
        let Some(sink) = &one.sinks.weights.recurrent else { continue };
        let [hidden, directions] = sizes(one.of);
        let work = shapes(one.of).recurrent_gradient();
        for direction in 0..directions {
            let GruKept { previous, reset, .. } = &one.kept;
            for (states, first, gates) in [(previous, 0, 2), (reset, 2, 1)] {
                let first = (3 * direction + first) * hidden;
                let gates = gates * hidden;
                gradients.push(WeightGradient {
                    x: (states, direction * hidden),
                    dy: (dgates, first),
                    gate: None,
                    widths: [gates, hidden],
                    precision: one.of.precision,
                    gradient: SlabGradient { weight: (sink.clone(), first * hidden..(first + gates) * hidden), bias: None },
                    work: work.share(gates as f64 / (3 * directions * hidden) as f64),
                });
            }
        }
    }
    gradients
}

impl Differentiate<Gru<Self, Tensor>> for Gpu {
    fn backward(&self, of: &Gru<Self, Tensor>, kept: &GruKept<Tensor>, dy: &Tensor, sinks: &Gru<Self, Option<Sink<Tensor>>>) {
        self.backward_together(&[ops::Backward { of, kept, dy, sinks }]);
    }

    fn backward_together(&self, all: &[Back<'_>]) {
        for together in in_dispatches(all, goes_back_with, |_, _| false) {
            let dgates = gate_gradients(self, &together);
            WeightGradient::run_each(self, recurrent_gradients(&together, &dgates));

            let products: Vec<_> = together.iter().map(|one| one.of.input_product()).collect();
            let sinks = together.iter().zip(&products).map(|(one, product)| Linear {
                x: one.sinks.x.clone(),
                weight: one.sinks.weights.input.clone(),
                bias: Some(one.sinks.weights.bias.clone()),
                activation: product.activation,
                precision: product.precision,
            });
            let sinks: Vec<_> = sinks.collect();
            let back = |((of, sinks), dy)| ops::Backward { of, kept: &None, dy, sinks };
            self.backward_together(&products.iter().zip(&sinks).zip(&dgates).map(back).collect::<Vec<_>>());
        }
    }
}
