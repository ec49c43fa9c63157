// Rows and a vector for each utterance v, or one for all: the scores of attention pooling and its gradients, which are those of the
// weighted sum the other way round.
// forward   products_i (+)= v_u(i) · x_i
// spread    y_i (+)= factors_i v_u(i)
// x, y: [rows, width], vectors: [batch or 1, width], products, factors: [rows]

import package::shared::grid::{BLOCK_ROWS, first_row, flat_group};

struct Args {
    rows: u32,
    width: u32,
    /// How many vectors
    vectors: u32,
    accumulate: u32,
}

/// What an invocation reads at a time: four columns where the width is a multiple of four.
@if(vec4) alias Element = vec4<f32>;
@if(scalar) alias Element = f32;
@if(vec4) const COLUMNS: u32 = 4;
@if(scalar) const COLUMNS: u32 = 1;

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> vectors: array<Element>;
/// [rows]: the utterance of each
@group(0) @binding(2) var<storage, read> owners: array<u32>;
@group(0) @binding(3) var<storage, read> x: array<Element>;
@group(0) @binding(4) var<storage, read_write> products: array<f32>;
@group(0) @binding(5) var<storage, read> factors: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<Element>;

const WORKGROUP: u32 = 64;
/// Invocations that share a row
const GROUP: u32 = 8;
/// Rows of a workgroup
const ROWS: u32 = WORKGROUP / GROUP;
const SPREAD_WORKGROUP: u32 = 32;

var<workgroup> parts: array<f32, WORKGROUP>;

/// Where a row's vector begins.
fn first_of_vector(row: u32, width: u32) -> u32 {
    if (args.vectors == 1u) {
        return 0u;
    }
    return owners[row] * width;
}

@if(vec4) fn total(value: vec4<f32>) -> f32 {
    return (value.x + value.y) + (value.z + value.w);
}

@if(scalar) fn total(value: f32) -> f32 {
    return value;
}

@compute @workgroup_size(WORKGROUP)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = flat_group(group, groups) * ROWS + lane / GROUP;
    // Rows past the end work on nothing, but reach the barrier.
    let width = select(0u, args.width / COLUMNS, row < args.rows);
    let first = row * width;
    let first_vector = first_of_vector(min(row, args.rows - 1u), width);
    var part = Element();
    for (var c = lane % GROUP; c < width; c += GROUP) {
        part += vectors[first_vector + c] * x[first + c];
    }
    parts[lane] = total(part);
    workgroupBarrier();
    if (width > 0u && lane % GROUP == 0u) {
        var product = 0.0;
        for (var i = 0u; i < GROUP; i++) {
            product += parts[lane + i];
        }
        if (args.accumulate != 0u) {
            product += products[row];
        }
        products[row] = product;
    }
}

@compute @workgroup_size(SPREAD_WORKGROUP)
fn spread(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let width = args.width / COLUMNS;
    let c = group.x * SPREAD_WORKGROUP + lane;
    if (c >= width) {
        return;
    }
    let first = first_row(group, groups);
    // Rows of one utterance follow each other.
    var first_vector = first_of_vector(min(first, args.rows - 1u), width);
    var held = vectors[first_vector + c];
    for (var row = first; row < min(first + BLOCK_ROWS, args.rows); row++) {
        let own = first_of_vector(row, width);
        if (own != first_vector) {
            first_vector = own;
            held = vectors[own + c];
        }
        var value = factors[row] * held;
        if (args.accumulate != 0u) {
            value += y[row * width + c];
        }
        y[row * width + c] = value;
    }
}
