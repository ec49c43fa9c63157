//! Launches of [`Bilstm`] and its gradients: products by `linear`, the recurrence by its own shader, cut into dispatches of time
//! steps. One dispatch goes over all layers of one hidden size that lie in the same buffers: each step of a sequence waits
//! for the one before, so that a layer alone leaves most of a large device idle.

use bytemuck::Zeroable;

use super::recurrence::{Placed, Schedule, Step, slices, stretches, turns_of_software};
use super::*;
use crate::backend::BackendError;
use crate::backend::ops::{Bilstm, Differentiate, Directions, Linear, LstmKept};
use crate::base::numbers::{MAX_LSTM_HIDDEN, Precision};
use crate::base::remedy::Remedy;
use shader::bilstm::{Args, Backward, Forward, Layer, Sequence, Variant};
use shader::bilstm_edges::{Args as EdgeArgs, BLOCK_ROWS, Layer as EdgeLayer, MEAN_WORKGROUP, Mean, Pack, WORKGROUP};
use shader::bilstm_rounding::{
    Args as RoundingArgs, Layer as RoundingLayer, Pack as PackRounded, RoundWeights, Variant as Rounding, WORKGROUP as ROUNDING_WORKGROUP,
};

const DIRECTIONS: u32 = 2;
/// Factors of 16 × 16 that a subgroup of 32 has of the weights of a direction, an eighth of them.
const FACTORS: u32 = 4 * 128 / 16 * 128 / 16 / 8;

fn hidden_size(of: &Bilstm<Gpu, Tensor>) -> usize {
    of.weights.recurrent.columns()
}

/// What layers must have alike to be of one dispatch.
fn kind(of: &Bilstm<Gpu, Tensor>) -> (usize, Directions, Precision) {
    (hidden_size(of), of.directions, of.precision)
}

/// The variant of the recurrence.
fn variant_for(gpu: &Gpu, of: &Bilstm<Gpu, Tensor>) -> Variant {
    let hidden = hidden_size(of);
    let holds = gpu.capabilities().has_many_registers();
    match of.precision {
        Precision::F32 if suits_software(gpu, &[hidden]) => Variant::Software,
        Precision::F32 => match hidden {
            128 if holds => Variant::GraphicsHidden128Held,
            128 => Variant::GraphicsHidden128,
            _ => Variant::Graphics,
        },
        Precision::Mixed => match hidden {
            128 => by_matrices(gpu).unwrap_or(if holds { Variant::RoundedHidden128Held } else { Variant::RoundedHidden128 }),
            _ => Variant::Rounded,
        },
    }
}

/// That by the cooperative matrices that the device has; those of 16 × 16 are held in registers.
fn by_matrices(gpu: &Gpu) -> Option<Variant> {
    let suits = |variant: &Variant| *variant == Variant::MatricesSize8 || gpu.holds_factors(FACTORS);
    let mut both = [Variant::MatricesSize16, Variant::MatricesSize8].into_iter().filter(suits);
    both.find(|&variant| gpu.can_run(&shader::bilstm::SHADER, variant.into()))
}

/// In which form a variant takes the recurrent weights as f16.
fn rounding_of(variant: Variant) -> Option<Rounding> {
    match variant {
        Variant::Graphics | Variant::GraphicsHidden128 | Variant::GraphicsHidden128Held | Variant::Software => None,
        Variant::Rounded | Variant::RoundedHidden128 | Variant::RoundedHidden128Held => Some(Rounding::Single),
        Variant::MatricesSize16 | Variant::MatricesSize8 => Some(Rounding::Halves),
    }
}

/// The recurrent weights of several layers where they lie, and at which element each layer's begin.
fn weights_of(layers: &[&Bilstm<Gpu, Tensor>]) -> (Tensor, Vec<u32>) {
    let recurrent = around(layers, |of| of.weights.recurrent.clone());
    let places = layers.iter().map(|of| of.weights.recurrent.place_in(&recurrent)).collect();
    (recurrent, places)
}

/// The same as a variant's products take them in the order of W_hh.
fn factors_of(gpu: &Gpu, variant: Variant, layers: &[&Bilstm<Gpu, Tensor>]) -> (Tensor, Vec<u32>) {
    let (recurrent, places) = weights_of(layers);
    let Some(rounding) = rounding_of(variant) else { return (recurrent, places) };
    let of_layer = layers[0].weights.recurrent.len();
    // Two numbers of f16 take the place of one.
    let columns = if rounding == Rounding::Halves { of_layer / 2 } else { of_layer };
    let rounded = gpu.new_tensor([layers.len(), columns]);
    let table: Vec<_> = places.iter().map(|&recurrent| RoundingLayer { recurrent }).collect();
    let launch = RoundWeights { recurrent: &recurrent, rounded: &rounded, layers: &gpu.upload_table(&table) };
    let [first, second, _] = flat_grid(of_layer, ROUNDING_WORKGROUP);
    let args = RoundingArgs { hidden: hidden_size(layers[0]) as u32 };
    gpu.dispatch_variant(rounding, &launch, args, [first, second, layers.len() as u32], None);
    (rounded, (0..layers.len()).map(|layer| (layer * of_layer) as u32).collect())
}

/// The dispatches of a recurrence over layers.
struct Recurrence<'a> {
    variant: Variant,
    args: Args,
    grid: [u32; 3],
    layers: Vec<&'a Bilstm<Gpu, Tensor>>,
    sequences: Words,
}

impl<'a> Recurrence<'a> {
    fn of(gpu: &Gpu, layers: Vec<&'a Bilstm<Gpu, Tensor>>) -> Self {
        let hidden = hidden_size(layers[0]);
        let variant = variant_for(gpu, layers[0]);
        let rows: Vec<_> = layers.iter().map(|of| &of.rows).collect();
        let schedule = Schedule::of(variant == Variant::Software);
        let placed = slices(&rows, variant.sequences() as usize, schedule).into_iter();
        let sequences: Vec<_> = placed.map(|Placed { first_row, length, layer }| Sequence { first_row, length, layer }).collect();
        let directions = layers[0].directions;
        let args = Args {
            sequences: sequences.len() as u32,
            hidden: hidden as u32,
            y_columns: directions.columns(hidden) as u32,
            y_step: directions.step(hidden) as u32,
            y_share: directions.share(),
            ..Args::zeroed()
        };
        let grid = schedule.grid(DIRECTIONS, blocks(sequences.len(), variant.sequences()));
        Self { variant, args, grid, layers, sequences: gpu.upload_table(&sequences) }
    }

    /// The dispatches' ranges of time steps.
    fn stretches(&self, gpu: &Gpu) -> impl DoubleEndedIterator<Item = (u32, u32)> + use<> {
        let rows: Vec<_> = self.layers.iter().map(|of| &of.rows).collect();
        let flop = self.layers.iter().map(|of| (of.rows.batch() * 2 * of.weights.recurrent.len()) as f64).sum();
        let turns = (self.variant == Variant::Software).then(|| turns_of_software(self.args.hidden as usize, 4, 1));
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

/// A layer's way forward: its results, and the states of both directions `[rows, 2H]`.
struct Forth<'a> {
    of: &'a Bilstm<Gpu, Tensor>,
    kept: LstmKept<Tensor>,
    hidden_states: Tensor,
    y: Tensor,
}

impl<'a> Forth<'a> {
    /// With memory for the results, and the gates before the recurrence.
    fn all(gpu: &Gpu, layers: &'a [Bilstm<Gpu, Tensor>]) -> Vec<Self> {
        let products: Vec<_> = layers.iter().map(Bilstm::input_product).collect();
        let gates = gpu.forward_together(&products).into_iter().flatten().map(|(gates, _)| gates);
        let shapes: Vec<_> = layers.iter().map(|of| [of.rows.rows(), 2 * hidden_size(of)]).collect();
        let matrices = || gpu.new_tensors(&shapes);
        let [cells, previous, hidden_states] = [(); 3].map(|()| matrices().into_iter());
        let kept = gates.zip(cells).zip(previous).map(|((gates, cells), previous)| LstmKept { gates, cells, previous });
        let is_mean = |of: &&Bilstm<Gpu, Tensor>| of.directions == Directions::Mean;
        let means: Vec<_> = layers.iter().filter(is_mean).map(|of| [of.rows.rows(), hidden_size(of)]).collect();
        let mut means = gpu.new_tensors(&means).into_iter();
        let forth = |((kept, hidden_states), of): ((LstmKept<Tensor>, Tensor), &'a Bilstm<Gpu, Tensor>)| {
            let mean = if is_mean(&of) { means.next() } else { None };
            let y = mean.unwrap_or_else(|| hidden_states.clone());
            Self { of, kept, hidden_states, y }
        };
        kept.zip(hidden_states).zip(layers).map(forth).collect()
    }

    fn goes_with(&self, other: &Self) -> bool {
        let matrices = |one: &Self| {
            let weights = &one.of.weights;
            let LstmKept { gates, cells, previous } = &one.kept;
            [&weights.recurrent, &weights.bias_recurrent, gates, cells, previous, &one.hidden_states, &one.y].map(Tensor::clone)
        };
        kind(self.of) == kind(other.of) && matrices(self).iter().zip(&matrices(other)).all(|(one, other)| one.is_beside(other))
    }

    fn run_all(gpu: &Gpu, all: &[Self]) {
        let [bias, y] = [around(all, |one| one.of.weights.bias_recurrent.clone()), around(all, |one| one.y.clone())];
        let [gates, cells, previous, hidden] = [
            around(all, |one| one.kept.gates.clone()),
            around(all, |one| one.kept.cells.clone()),
            around(all, |one| one.kept.previous.clone()),
            around(all, |one| one.hidden_states.clone()),
        ];
        let recurrence = Recurrence::of(gpu, all.iter().map(|one| one.of).collect());
        let (recurrent, places) = weights_of(&recurrence.layers);
        let edges = all.iter().zip(&places).map(|(one, &recurrent)| EdgeLayer {
            rows: one.of.rows.rows() as u32,
            recurrent,
            states: one.hidden_states.place_in(&hidden),
            y: one.y.place_in(&y),
        });
        let edges = gpu.upload_table(&edges.collect::<Vec<_>>());
        let edge_args = EdgeArgs { hidden: recurrence.args.hidden, layers: all.len() as u32 };
        let of_layer = recurrence.layers[0].weights.recurrent.len();
        let packed = || gpu.new_tensor([all.len(), of_layer]);
        let grid = |workgroup| {
            let [first, second, _] = flat_grid(of_layer / 4, workgroup);
            [first, second, all.len() as u32]
        };
        let forward_recurrent = match (recurrence.variant, rounding_of(recurrence.variant)) {
            (Variant::Software, _) => recurrent,
            (variant, Some(Rounding::Halves)) => factors_of(gpu, variant, &recurrence.layers).0,
            (_, Some(Rounding::Single)) => {
                let packed = packed();
                let table: Vec<_> = places.iter().map(|&recurrent| RoundingLayer { recurrent }).collect();
                let launch = PackRounded { recurrent: &recurrent, packed: &packed, layers: &gpu.upload_table(&table) };
                let args = RoundingArgs { hidden: recurrence.args.hidden };
                gpu.dispatch_variant(Rounding::Single, &launch, args, grid(ROUNDING_WORKGROUP), None);
                packed
            }
            (_, None) => {
                let packed = packed();
                let launch = Pack { recurrent: &recurrent, packed: &packed, layers: &edges };
                // Both variants pack alike.
                gpu.dispatch_variant(Width::Vec4, &launch, edge_args, grid(WORKGROUP), None);
                packed
            }
        };

        let table = all.iter().zip(&places).map(|(one, &recurrent)| Layer {
            rows: one.of.rows.rows() as u32,
            recurrent,
            bias: one.of.weights.bias_recurrent.place_in(&bias),
            gates: one.kept.gates.place_in(&gates),
            states: one.kept.cells.place_in(&cells),
            ..Layer::zeroed()
        });
        let launch = Forward {
            forward_recurrent: &forward_recurrent,
            bias: &bias,
            sequences: &recurrence.sequences,
            layers: &gpu.upload_table(&table.collect::<Vec<_>>()),
            gates: &gates,
            cells: &cells,
            previous: &previous,
            hidden: &hidden,
        };
        for steps in recurrence.stretches(gpu) {
            let work = recurrence.layers.iter().map(|of| shapes(*of).recurrence(steps.0 as usize..steps.1 as usize)).sum();
            recurrence.run(gpu, &launch, steps, work);
        }

        if recurrence.layers[0].directions == Directions::Joined {
            return;
        }
        let width = Width::of(&[hidden_size(recurrence.layers[0])]);
        let rows = recurrence.layers.iter().map(|of| of.rows.rows()).max().unwrap_or(0);
        let [columns, first, second] = row_grid(hidden_size(recurrence.layers[0]) / width.numbers(), MEAN_WORKGROUP, rows, BLOCK_ROWS);
        let launch = Mean { hidden_states: &hidden, y: &y, layers: &edges };
        gpu.dispatch_variant(width, &launch, edge_args, [columns * edge_args.layers, first, second], None);
    }
}

impl Run<Bilstm<Self, Tensor>> for Gpu {
    fn forward(&self, of: &Bilstm<Self, Tensor>) -> (Tensor, LstmKept<Tensor>) {
        forward(self, std::slice::from_ref(of)).swap_remove(0)
    }

    fn forward_together(&self, all: &[Bilstm<Self, Tensor>]) -> Option<Vec<(Tensor, LstmKept<Tensor>)>> {
        Some(forward(self, all))
    }
}

fn forward(gpu: &Gpu, layers: &[Bilstm<Gpu, Tensor>]) -> Vec<(Tensor, LstmKept<Tensor>)> {
    let hidden = layers.iter().map(hidden_size).max().unwrap_or(0);
    if hidden > MAX_LSTM_HIDDEN {
        gpu.fail(BackendError::Limit {
            kernel: "bilstm",
            what: "the hidden size",
            needed: hidden as u64,
            limit: MAX_LSTM_HIDDEN as u64,
            remedy: Remedy::Lower("model.hidden"),
        });
    }
    let all = Forth::all(gpu, layers);
    let results = all.iter().map(|one| (one.y.clone(), one.kept.clone())).collect();
    in_dispatches(all, Forth::goes_with, |_, _| false).iter().for_each(|together| Forth::run_all(gpu, together));
    results
}

/// A layer's way back.
type Back<'a> = ops::Backward<'a, Gpu, Bilstm<Gpu, Tensor>>;

fn goes_back_with(one: &&Back<'_>, other: &&Back<'_>) -> bool {
    let matrices = |one: &Back<'_>| [&one.of.weights.recurrent, one.dy, &one.kept.gates, &one.kept.cells].map(Tensor::clone);
    kind(one.of) == kind(other.of) && matrices(one).iter().zip(&matrices(other)).all(|(one, other)| one.is_beside(other))
}

/// The gradients of the layers' gates, `[rows, 2 · 4H]` each.
fn gate_gradients(gpu: &Gpu, all: &[&Back<'_>]) -> Vec<Tensor> {
    let [dy, gates, cells] =
        [around(all, |one| one.dy.clone()), around(all, |one| one.kept.gates.clone()), around(all, |one| one.kept.cells.clone())];
    let recurrence = Recurrence::of(gpu, all.iter().map(|one| one.of).collect());
    let (recurrent, places) = factors_of(gpu, recurrence.variant, &recurrence.layers);
    let table = all.iter().zip(&places).map(|(one, &recurrent)| Layer {
        rows: one.of.rows.rows() as u32,
        recurrent,
        gates: one.kept.gates.place_in(&gates),
        states: one.kept.cells.place_in(&cells),
        y_gradient: one.dy.place_in(&dy),
        ..Layer::zeroed()
    });
    let table: Vec<Layer> = table.collect();
    let dgates = gpu.new_tensor(gates.shape());
    let carry = gpu.new_tensor([3 * recurrence.args.sequences as usize, 2 * hidden_size(recurrence.layers[0])]);
    let launch = Backward {
        recurrent: &recurrent,
        sequences: &recurrence.sequences,
        layers: &gpu.upload_table(&table),
        y_gradient: &dy,
        saved_gates: &gates,
        saved_cells: &cells,
        gates_gradient: &dgates,
        carry: &carry,
    };
    for steps in recurrence.stretches(gpu).rev() {
        let work = recurrence.layers.iter().map(|of| shapes(*of).recurrence_back(steps.0 as usize..steps.1 as usize)).sum();
        recurrence.run(gpu, &launch, steps, work);
    }
    table.iter().zip(all).map(|(layer, one)| dgates.slice(layer.gates as usize, one.kept.gates.shape())).collect()
}

impl Differentiate<Bilstm<Self, Tensor>> for Gpu {
    fn backward(&self, of: &Bilstm<Self, Tensor>, kept: &LstmKept<Tensor>, dy: &Tensor, sinks: &Bilstm<Self, Option<Sink<Tensor>>>) {
        self.backward_together(&[ops::Backward { of, kept, dy, sinks }]);
    }

    fn backward_together(&self, all: &[Back<'_>]) {
        for together in in_dispatches(all, goes_back_with, |_, _| false) {
            let dgates = gate_gradients(self, &together);
            super::linear::backward_recurrent(self, &together, &dgates);

            let products: Vec<_> = together.iter().map(|one| one.of.input_product()).collect();
            let sinks = together.iter().zip(&products).map(|(one, product)| Linear {
                x: one.sinks.x.clone(),
                weight: one.sinks.weights.input.clone(),
                bias: Some(one.sinks.weights.bias_input.clone()),
                activation: product.activation,
                precision: product.precision,
            });
            let sinks: Vec<_> = sinks.collect();
            let back = |((of, sinks), dy)| ops::Backward { of, kept: &None, dy, sinks };
            self.backward_together(&products.iter().zip(&sinks).zip(&dgates).map(back).collect::<Vec<_>>());
        }
    }
}
