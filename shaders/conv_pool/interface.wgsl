// ConvBlock (1): MaxPool1d(3, stride 3) of Conv1d(kernel 3, zero padding 1), over ragged rows. A row of the convolution reads the
// three rows t - 1, t, t + 1 of x, which lie one after another: 3 · inputs numbers from x[t - 1] on. So with the weights in the
// order of those numbers the convolution is a product over rows, and so are its gradients. Rows outside the utterance count as zero.
// forward           y[p] = act(max over the rows r = 0, 1, 2 of a window of Σ_k W_k x[start(p) + r + k - 1] + b)
// backward_input    dx[t] (+)= Σ_k W_kᵀ g[t + 1 - k]
// backward_weight   dW_k = Σ_t g[t] x[t + k - 1]ᵀ, db = Σ_t g[t], by slabs of windows that `slabs.wgsl` adds in order
// where g is dy at the rows that won their window, zero at the others, and the weights are those that `conv_pool_edges.wgsl` packs.
// x: [input rows, inputs], W: [outputs, inputs, 3], y: [output rows, outputs], winners: 2 bits each, see `Backend`

@if(software) import package::shared::words::Words;

struct Args {
    input_rows: u32,
    output_rows: u32,
    inputs: u32,
    outputs: u32,
    relu: u32,
    accumulate: u32,
    slab_windows: u32,
    /// Of a part of a grid, see `shared/grid.wgsl`.
    first_group_y: u32,
    first_group_z: u32,
}

/// What a matrix is read and written by.
@if(vec4) alias Element = vec4<f32>;
@elif(software) alias Element = Words;
@else alias Element = f32;

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> x: array<Element>;
/// [outputs and zeros, 3, inputs]
@group(0) @binding(2) var<storage, read> packed_weight: array<Element>;
@group(0) @binding(3) var<storage, read> bias: array<Element>;
/// [output rows]: where each lies, see `conv_pool_edges.wgsl`
@group(0) @binding(4) var<storage, read> windows: array<u32>;
@group(0) @binding(5) var<storage, read_write> y: array<Element>;
@group(0) @binding(6) var<storage, read_write> winners: array<u32>;
@group(0) @binding(7) var<storage, read> y_gradient: array<Element>;
/// The winners, on the way back.
@group(0) @binding(8) var<storage, read> won: array<u32>;
@group(0) @binding(9) var<storage, read> input_offsets: array<u32>;
@group(0) @binding(10) var<storage, read> output_offsets: array<u32>;
/// [input rows]: utterance of a row
@group(0) @binding(11) var<storage, read> input_owners: array<u32>;
@group(0) @binding(12) var<storage, read_write> x_gradient: array<Element>;
/// [slabs, outputs · inputs · 3 + outputs]
@group(0) @binding(13) var<storage, read_write> partial: array<f32>;
