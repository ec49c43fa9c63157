// Matrix products of the projections, the feed-forward and the LSTM's inputs:
// forward           y  = act(x · Wᵀ + b)
// backward_input    dx (+)= Σ g · W      g = dy, or 0 where the ReLU was shut; over all products of the same x
// backward_weight   dW = gᵀ · x, db = Σ g, by fixed slabs of rows that `slabs.wgsl` adds in order
// x: [rows, inputs], W: [outputs, inputs], y: [rows, outputs]
// A dispatch makes several such products, where they are of the same widths.
// The buffer of dx is called x_gradient, here and in the other kernels: DX12's compiler keeps `dx` for a namespace.

@if(software) import package::shared::words::Words;

struct Args {
    /// Of all products together
    rows: u32,
    inputs: u32,
    outputs: u32,
    has_bias: u32,
    relu: u32,
    /// Width of a row of x and of dy, which in `backward_weight` may be columns of wider matrices
    x_pitch: u32,
    y_gradient_pitch: u32,
    /// Distance of two slabs of partial sums
    slab_pitch: u32,
    /// How many products of these widths the dispatch makes, one after the other along the grid's second dimension
    products: u32,
    /// Of a part of a grid, see `shared/grid.wgsl`.
    first_group_y: u32,
    first_group_z: u32,
}

/// One of them, which the workgroups from `first_group` to the next one's make: its rows, and the elements at which its matrices
/// begin in what is bound.
struct Product {
    first_group: u32,
    rows: u32,
    slab_rows: u32,
    accumulate: u32,
    /// In `backward_input`, the first and how many of further products of the same x: their places in the table, after those that
    /// workgroups begin with
    first_more: u32,
    more: u32,
    x: u32,
    weight: u32,
    bias: u32,
    y: u32,
    y_gradient: u32,
    gate: u32,
    x_gradient: u32,
    partial: u32,
}

/// What a buffer is read by, …
@if(vec4 || matrices) alias Element = vec4<f32>;
@elif(software) alias Element = Words;
@else alias Element = f32;
/// … and one that is written: cooperative matrices are stored to numbers.
@if(matrices) alias Result = f32;
@else alias Result = Element;

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read> weight: array<Element>;
@group(0) @binding(3) var<storage, read> bias: array<Element>;
@group(0) @binding(4) var<storage, read_write> y: array<Result>;
@group(0) @binding(5) var<storage, read> y_gradient: array<Element>;
@group(0) @binding(6) var<storage, read> gate: array<Element>;
@group(0) @binding(7) var<storage, read_write> x_gradient: array<Result>;
/// Of each slab the weight's gradients, [outputs, inputs], then the bias', [outputs]
@group(0) @binding(8) var<storage, read_write> partial: array<Result>;
@group(0) @binding(9) var<storage, read> products: array<Product>;

/// Number of the product that a workgroup is of: the last that does not begin after it.
fn product_at(group_y: u32) -> u32 {
    var begin = 0u;
    var end = args.products;
    while (end - begin > 1u) {
        let middle = (begin + end) / 2u;
        if (products[middle].first_group <= group_y) {
            begin = middle;
        } else {
            end = middle;
        }
    }
    return begin;
}

/// The product that the workgroup is of.
var<private> own: Product;

/// Has `own` give the factors of a product, or of a further one of the same x.
fn take_term(product: Product, term: u32) {
    var factors = product;
    if (term > 0u) {
        factors = products[product.first_more + term - 1u];
    }
    own.weight = factors.weight;
    own.y_gradient = factors.y_gradient;
    own.gate = factors.gate;
}
