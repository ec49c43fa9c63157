//! Launches of [`Bilstm`] and its gradients: products by `linear`, the recurrence by its own
//! shader, cut into dispatches of at most [`STEPS`] time steps.

use super::*;
use crate::backend::BackendError;
use crate::backend::ops::{Bilstm, Differentiate, Linear, LstmKept};
use crate::base::numbers::MAX_LSTM_HIDDEN;
use crate::base::remedy::Remedy;
use shader::bilstm::{Args, Backward, Forward, Variant};
use shader::bilstm_edges::{Args as EdgeArgs, BLOCK_ROWS, MEAN_WORKGROUP, Mean, Pack, WORKGROUP};

/// Most time steps of one dispatch; fewer where they would take longer than a submission is to take.
const STEPS: u32 = 128;
const DIRECTIONS: u32 = 2;

fn arguments(rows: &Ragged<Gpu>, hidden: usize) -> Args {
    Args { rows: rows.rows() as u32, batch: rows.batch() as u32, hidden: hidden as u32, first_step: 0, end_step: 0 }
}

/// The dispatches' ranges of time steps.
fn stretches(gpu: &Gpu, rows: &Ragged<Gpu>, hidden: usize) -> impl DoubleEndedIterator<Item = (u32, u32)> + use<> {
    let longest = rows.longest() as u32;
    let flop_of_step = (DIRECTIONS as usize * rows.batch() * 2 * hidden * 4 * hidden) as f64;
    let steps = gpu.part_of_submission(flop_of_step).clamp(1, STEPS);
    (0..longest.div_ceil(steps)).map(move |stretch| (stretch * steps, ((stretch + 1) * steps).min(longest)))
}

/// The variant of the recurrence for a hidden size.
fn variant_for(gpu: &Gpu, hidden: usize) -> Variant {
    match hidden {
        _ if suits_software(gpu, &[hidden]) => Variant::Software,
        128 => Variant::GraphicsHidden128,
        _ => Variant::Graphics,
    }
}

impl Run<Bilstm<Self, Tensor>> for Gpu {
    fn forward(&self, of: &Bilstm<Self, Tensor>) -> (Tensor, LstmKept<Tensor>) {
        let Bilstm { weights, rows, .. } = of;
        let hidden = weights.recurrent.columns();
        if hidden > MAX_LSTM_HIDDEN {
            self.fail(BackendError::Limit {
                kernel: "bilstm",
                what: "the hidden size",
                needed: hidden as u64,
                limit: MAX_LSTM_HIDDEN as u64,
                remedy: Remedy::Lower("model.hidden"),
            });
        }
        let args = arguments(rows, hidden);
        let (gates, _) = self.forward(&of.input_product());
        let edges = EdgeArgs { rows: args.rows, hidden: args.hidden };
        let variant = variant_for(self, hidden);
        let recurrent = match variant {
            Variant::Software => weights.recurrent.clone(),
            Variant::Graphics | Variant::GraphicsHidden128 => pack(self, &weights.recurrent, edges),
        };

        let states = [rows.rows(), 2 * hidden];
        let kept = LstmKept { gates, cells: self.new_tensor(states), previous: self.new_tensor(states) };
        let hidden_states = self.new_tensor(states);
        let shapes = shapes(of);
        for (first_step, end_step) in stretches(self, rows, hidden) {
            let launch = Forward {
                forward_recurrent: &recurrent,
                bias: &weights.bias_recurrent,
                offsets: &rows.device_offsets,
                by_length: &rows.by_length,
                gates: &kept.gates,
                cells: &kept.cells,
                previous: &kept.previous,
                hidden: &hidden_states,
            };
            let grid = [blocks(rows.batch(), variant.sequences()), DIRECTIONS, 1];
            let work = shapes.recurrence(first_step as usize..end_step as usize);
            self.dispatch_variant(variant, &launch, Args { first_step, end_step, ..args }, grid, work);
        }
        let y = self.new_tensor([rows.rows(), hidden]);
        let width = Width::of(&[hidden]);
        let grid = row_grid(hidden / width.numbers(), MEAN_WORKGROUP, y.rows(), BLOCK_ROWS);
        self.dispatch_variant(width, &Mean { hidden_states: &hidden_states, y: &y }, edges, grid, None);
        (y, kept)
    }
}

impl Differentiate<Bilstm<Self, Tensor>> for Gpu {
    fn backward(&self, of: &Bilstm<Self, Tensor>, kept: &LstmKept<Tensor>, dy: &Tensor, sinks: &Bilstm<Self, Option<Sink<Tensor>>>) {
        let Bilstm { weights, rows, .. } = of;
        let hidden = weights.recurrent.columns();
        let args = arguments(rows, hidden);
        let variant = variant_for(self, hidden);
        let dgates = self.new_tensor(kept.gates.shape());
        let carry = self.new_tensor([3 * rows.batch(), 2 * hidden]);
        let shapes = shapes(of);
        for (first_step, end_step) in stretches(self, rows, hidden).rev() {
            let launch = Backward {
                recurrent: &weights.recurrent,
                offsets: &rows.device_offsets,
                by_length: &rows.by_length,
                y_gradient: dy,
                saved_gates: &kept.gates,
                saved_cells: &kept.cells,
                gates_gradient: &dgates,
                carry: &carry,
            };
            let grid = [blocks(rows.batch(), variant.sequences()), DIRECTIONS, 1];
            let work = shapes.recurrence_back(first_step as usize..end_step as usize);
            self.dispatch_variant(variant, &launch, Args { first_step, end_step, ..args }, grid, work);
        }
        let wanted = &sinks.weights;
        if wanted.recurrent.is_some() || wanted.bias_recurrent.is_some() {
            let weight = self.sink(&wanted.recurrent, &weights.recurrent);
            let bias = self.sink(&wanted.bias_recurrent, &weights.bias_recurrent);
            super::linear::backward_recurrent(self, of, &dgates, &kept.previous, &weight, &bias);
        }
        let product = of.input_product();
        let sinks = Linear {
            x: sinks.x.clone(),
            weight: wanted.input.clone(),
            bias: Some(wanted.bias_input.clone()),
            activation: product.activation,
            precision: product.precision,
        };
        self.backward(&product, &None, &dgates, &sinks);
    }
}

/// The recurrent weights in the order in which the variants for graphics hardware read them.
fn pack(gpu: &Gpu, recurrent: &Tensor, args: EdgeArgs) -> Tensor {
    let packed = gpu.new_tensor(recurrent.shape());
    let vectors = recurrent.len() / 4;
    // Both variants pack alike.
    gpu.dispatch_variant(Width::Vec4, &Pack { recurrent, packed: &packed }, args, flat_grid(vectors, WORKGROUP), None);
    packed
}
