// Matrix products of the projections, the feed-forward and the LSTM's inputs:
// forward           y  = act(x · Wᵀ + b)
// backward_input    dx (+)= g · W        g = dy, or 0 where the ReLU was shut
// backward_weight   dW = gᵀ · x, db = Σ g, by fixed slabs of rows that `slabs.wgsl` adds in order
// x: [rows, inputs], W: [outputs, inputs], y: [rows, outputs]
// The buffer of dx is called x_gradient, here and in the other kernels: DX12's compiler keeps `dx` for a namespace.

@if(software) import package::shared::words::Words;

struct Args {
    rows: u32,
    inputs: u32,
    outputs: u32,
    has_bias: u32,
    relu: u32,
    accumulate: u32,
    slab_rows: u32,
    /// In `backward_weight`, x and dy may be columns of wider matrices: width of a row and first column of each
    x_pitch: u32,
    x_column: u32,
    y_gradient_pitch: u32,
    y_gradient_column: u32,
    /// Of a part of a grid, see `shared/grid.wgsl`.
    first_group_y: u32,
    first_group_z: u32,
}

/// What a buffer is read and written by.
@if(vec4) alias Element = vec4<f32>;
@elif(software) alias Element = Words;
@else alias Element = f32;

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read> weight: array<Element>;
@group(0) @binding(3) var<storage, read> bias: array<Element>;
@group(0) @binding(4) var<storage, read_write> y: array<Element>;
@group(0) @binding(5) var<storage, read> y_gradient: array<Element>;
@group(0) @binding(6) var<storage, read> gate: array<Element>;
@group(0) @binding(7) var<storage, read_write> x_gradient: array<Element>;
/// [slabs, outputs · inputs + outputs]: weight gradients, then bias gradients, of each slab
@group(0) @binding(8) var<storage, read_write> partial: array<Element>;
