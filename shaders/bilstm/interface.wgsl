// The recurrence of bidirectional LSTMs (2–5), their time loop inside the kernel: a workgroup runs a slice, some sequences of one layer
// and of similar length, in one direction.
// forward   i, f, o = σ(a), g = tanh(a), a = x·W_ihᵀ + b_ih (by `linear`) + b_hh + h_{t-1}·W_hhᵀ;
//           c_t = f c_{t-1} + i g,  h_t = o tanh(c_t)
// backward  the gradients of a, walking back; everything else is a product of them (`linear`)
// In mixed precision h_{t-1}, the gradients of a and W_hh are rounded to f16 before they are multiplied; previous has h_{t-1} so.
// gates: [rows, 2 · 4H] (directions, then i f g o, then units), cells, previous, hidden: [rows, 2H]

@if(software) import package::shared::words::Words;

struct Args {
    /// How many `sequences` there are
    sequences: u32,
    hidden: u32,
    /// The dispatch covers steps first_step .. end_step, so that long sequences stay within a driver's patience.
    first_step: u32,
    end_step: u32,
    /// Of a result's rows: their columns, how far the reverse direction's lie from the forward ones, and what a state counts in them
    y_columns: u32,
    y_step: u32,
    y_share: f32,
}

/// A sequence, in the order of `sequences`: slices in the order of their workgroups, within each the longest first.
struct Sequence {
    /// Its first row in its layer.
    first_row: u32,
    /// None where a slice is short.
    length: u32,
    /// The same in all of a slice.
    layer: u32,
}

/// A layer: its rows, and the elements at which its matrices begin in what is bound.
struct Layer {
    rows: u32,
    recurrent: u32,
    bias: u32,
    /// Of all [rows, 8H] matrices
    gates: u32,
    /// Of all [rows, 2H] matrices
    states: u32,
    y_gradient: u32,
}

/// What the matrices are read and written by.
@if(software) alias Element = Words;
@else alias Element = f32;
/// The same of `recurrent`.
@if(software) alias Recurrent = Words;
@elif(hidden128) alias Recurrent = vec4<f32>;
@elif(matrices) alias Recurrent = f16;
@else alias Recurrent = f32;
/// The same of `forward_recurrent`.
@if(software) alias Weights = Words;
@elif(matrices) alias Weights = f16;
@else alias Weights = vec4<f32>;

@group(0) @binding(0) var<uniform> args: Args;
/// W_hh [2 · 4H, H] of each layer, in mixed precision as f16 has it
@group(0) @binding(1) var<storage, read> recurrent: array<Recurrent>;
/// W_hh as the forward loop reads it: [layer, 2, H (summed over), H (unit)] of the four gates; in `software` and `matrices` W_hh itself
@group(0) @binding(2) var<storage, read> forward_recurrent: array<Weights>;
@group(0) @binding(3) var<storage, read> bias: array<Element>;
@group(0) @binding(4) var<storage, read> sequences: array<Sequence>;
@group(0) @binding(5) var<storage, read> layers: array<Layer>;
@group(0) @binding(6) var<storage, read_write> gates: array<Element>;
@group(0) @binding(7) var<storage, read_write> cells: array<Element>;
@group(0) @binding(8) var<storage, read_write> previous: array<Element>;
@group(0) @binding(9) var<storage, read_write> hidden: array<Element>;
@group(0) @binding(10) var<storage, read> y_gradient: array<Element>;
@group(0) @binding(11) var<storage, read> saved_gates: array<Element>;
@group(0) @binding(12) var<storage, read> saved_cells: array<Element>;
@group(0) @binding(13) var<storage, read_write> gates_gradient: array<Element>;
/// What the step after hands back: [3, sequences, 2H]: the cells' gradients, then the states' for even and odd steps
@group(0) @binding(14) var<storage, read_write> carry: array<Element>;
