//! Launches of [`crate::backend::Backend::bilstm`] and its gradients: products by `linear`, the recurrence by its own
//! shader, cut into dispatches of [`STEPS`] time steps.

use super::*;
use crate::backend::{BackendError, LstmSaved, LstmWeights};
use crate::base::numbers::{Activation, MAX_LSTM_HIDDEN, Precision};
use shader::bilstm::{Args, Backward, Forward, Variant};
use shader::bilstm_edges::{Args as EdgeArgs, BLOCK_ROWS, MEAN_WORKGROUP, Mean, Pack, WORKGROUP};

/// Time steps of one dispatch: tens of milliseconds on a slow device, far below any driver's patience.
const STEPS: u32 = 128;
const DIRECTIONS: u32 = 2;

fn arguments(rows: &Ragged<Gpu>, hidden: usize) -> Args {
    Args { rows: rows.rows() as u32, batch: rows.batch() as u32, hidden: hidden as u32, first_step: 0, end_step: 0 }
}

/// The dispatches' ranges of time steps.
fn stretches(rows: &Ragged<Gpu>) -> impl DoubleEndedIterator<Item = (u32, u32)> {
    let longest = rows.longest() as u32;
    (0..longest.div_ceil(STEPS)).map(move |stretch| (stretch * STEPS, ((stretch + 1) * STEPS).min(longest)))
}

/// The variant of the recurrence for a hidden size.
fn variant_for(gpu: &Gpu, hidden: usize) -> Variant {
    if suits_software(gpu, &[hidden]) { Variant::Software } else { Variant::Graphics }
}

/// Work of one dispatch of the recurrence, all sequences counted as long as the longest.
fn flop(rows: &Ragged<Gpu>, hidden: usize, steps: u32) -> f64 {
    16.0 * (hidden * hidden * rows.batch()) as f64 * f64::from(steps)
}

pub(in super::super) fn forward(
    gpu: &Gpu,
    x: &Tensor,
    rows: &Ragged<Gpu>,
    weights: &LstmWeights<Tensor>,
    precision: Precision,
) -> (Tensor, LstmSaved<Tensor>) {
    let hidden = weights.recurrent.columns();
    if hidden > MAX_LSTM_HIDDEN {
        gpu.fail(BackendError::Limit {
            kernel: "bilstm",
            what: "the hidden size",
            needed: hidden as u64,
            limit: MAX_LSTM_HIDDEN as u64,
            remedy: "lower model.hidden",
        });
    }
    let args = arguments(rows, hidden);
    let gates = super::linear::forward(gpu, x, &weights.input, Some(&weights.bias_input), Activation::None, precision);
    let edges = EdgeArgs { rows: args.rows, hidden: args.hidden };
    let variant = variant_for(gpu, hidden);
    let recurrent = match variant {
        Variant::Graphics => pack(gpu, &weights.recurrent, edges),
        Variant::Software => weights.recurrent.clone(),
    };

    let states = [rows.rows(), 2 * hidden];
    let saved = LstmSaved { gates, cells: gpu.new_tensor(states), previous: gpu.new_tensor(states) };
    let hidden_states = gpu.new_tensor(states);
    for (first_step, end_step) in stretches(rows) {
        let launch = Forward {
            forward_recurrent: &recurrent,
            bias: &weights.bias_recurrent,
            offsets: &rows.device_offsets,
            by_length: &rows.by_length,
            gates: &saved.gates,
            cells: &saved.cells,
            previous: &saved.previous,
            hidden: &hidden_states,
        };
        let grid = [blocks(rows.batch(), variant.sequences()), DIRECTIONS, 1];
        gpu.dispatch_variant(variant, &launch, Args { first_step, end_step, ..args }, grid, flop(rows, hidden, end_step - first_step));
    }
    let y = gpu.new_tensor([rows.rows(), hidden]);
    let width = Width::of(&[hidden]);
    let grid = row_grid(hidden / width.numbers(), MEAN_WORKGROUP, y.rows(), BLOCK_ROWS);
    gpu.dispatch_variant(width, &Mean { hidden_states: &hidden_states, y: &y }, edges, grid, 2.0 * y.len() as f64);
    (y, saved)
}

/// The recurrent weights in the order in which the variant `graphics` reads them.
fn pack(gpu: &Gpu, recurrent: &Tensor, args: EdgeArgs) -> Tensor {
    let packed = gpu.new_tensor(recurrent.shape());
    let vectors = recurrent.len() / 4;
    // Both variants pack alike.
    gpu.dispatch_variant(Width::Vec4, &Pack { recurrent, packed: &packed }, args, flat_grid(vectors, WORKGROUP), vectors as f64);
    packed
}

#[allow(clippy::too_many_arguments, reason = "the arguments of `Backend::bilstm_backward`")]
pub(in super::super) fn backward(
    gpu: &Gpu,
    dy: &Tensor,
    x: &Tensor,
    rows: &Ragged<Gpu>,
    weights: &LstmWeights<Tensor>,
    saved: &LstmSaved<Tensor>,
    dx: Option<&Sink<Tensor>>,
    gradients: &LstmWeights<Sink<Tensor>>,
    precision: Precision,
) {
    let hidden = weights.recurrent.columns();
    let args = arguments(rows, hidden);
    let variant = variant_for(gpu, hidden);
    let dgates = gpu.new_tensor(saved.gates.shape());
    let carry = gpu.new_tensor([3 * rows.batch(), 2 * hidden]);
    for (first_step, end_step) in stretches(rows).rev() {
        let launch = Backward {
            recurrent: &weights.recurrent,
            offsets: &rows.device_offsets,
            by_length: &rows.by_length,
            y_gradient: dy,
            saved_gates: &saved.gates,
            saved_cells: &saved.cells,
            gates_gradient: &dgates,
            carry: &carry,
        };
        let grid = [blocks(rows.batch(), variant.sequences()), DIRECTIONS, 1];
        gpu.dispatch_variant(variant, &launch, Args { first_step, end_step, ..args }, grid, flop(rows, hidden, end_step - first_step));
    }
    super::linear::backward_weight(gpu, &dgates, None, x, &gradients.input, Some(&gradients.bias_input), precision);
    super::linear::backward_recurrent(gpu, &dgates, &saved.previous, gradients, precision);
    if let Some(dx) = dx {
        super::linear::backward_input(gpu, &dgates, None, &weights.input, dx, precision);
    }
}
