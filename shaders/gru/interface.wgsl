// The recurrence of GRUs whose reset gate stands before the product, their time loop inside the kernel: a workgroup runs a slice, some
// sequences of one layer and of similar length, in one direction.
// forward   r, u = σ(a), c = tanh(a), a = x·Wᵀ + b (by `linear`) + h_{t-1}·W_hᵀ, for c with r h_{t-1} in the place of h_{t-1};
//           h_t = u h_{t-1} + (1 - u) c
// backward  the gradients of a, walking back: with g that of h_t, da_c = g (1 - u) (1 - c²), da_u = g (h_{t-1} - c) u (1 - u),
//           q = da_c·W_c, da_r = q h_{t-1} r (1 - r), and h_{t-1} is left g u + q r + da_r·W_r + da_u·W_u;
//           everything else is a product of them (`linear`)
// gates: [rows, D · 3H] (directions, then r u c, then units), previous, reset, y: [rows, D · H]

@if(software) import package::shared::words::Words;

struct Args {
    /// How many `sequences` there are
    sequences: u32,
    hidden: u32,
    directions: u32,
    /// The dispatch covers steps first_step .. end_step, so that long sequences stay within a driver's patience.
    first_step: u32,
    end_step: u32,
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
    /// Of all [rows, D · 3H] matrices
    gates: u32,
    /// Of all [rows, D · H] matrices but the gradient
    states: u32,
    y_gradient: u32,
}

/// What the matrices are read and written by.
@if(software) alias Element = Words;
@else alias Element = f32;
/// The same of `recurrent`.
@if(software) alias Weights = Words;
@else alias Weights = vec4<f32>;

@group(0) @binding(0) var<uniform> args: Args;
/// W_h as `gru_edges` packs it; in `software` W_h itself, [D · 3H, H] of each layer
@group(0) @binding(1) var<storage, read> recurrent: array<Weights>;
@group(0) @binding(2) var<storage, read> sequences: array<Sequence>;
@group(0) @binding(3) var<storage, read> layers: array<Layer>;
@group(0) @binding(4) var<storage, read_write> gates: array<Element>;
/// h_{t-1} of each row
@group(0) @binding(5) var<storage, read_write> previous: array<Element>;
/// r h_{t-1} of each row
@group(0) @binding(6) var<storage, read_write> reset: array<Element>;
@group(0) @binding(7) var<storage, read_write> y: array<Element>;
@group(0) @binding(8) var<storage, read> y_gradient: array<Element>;
@group(0) @binding(9) var<storage, read> saved_gates: array<Element>;
@group(0) @binding(10) var<storage, read> saved_previous: array<Element>;
@group(0) @binding(11) var<storage, read_write> gates_gradient: array<Element>;
/// What the step after hands back: [sequences, D · H]
@group(0) @binding(12) var<storage, read_write> carry: array<Element>;
