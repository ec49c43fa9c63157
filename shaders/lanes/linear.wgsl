// `shaders/linear.wgsl` for software adapters: the same products by `lanes/product.wgsl`. All matrices are seen as vec4s, so
// their widths and columns must be multiples of four.

import package::lanes::product::{
    LANES, TILE_ROWS, TILE_COLUMNS, HALF, EIGHTS, DEPTH, Sums, Terms, multiply_rows, multiply_columns, terms_of, eight_of,
    row_of
};
import package::lanes::words::{Words, floats, words};

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
    dy_pitch: u32,
    dy_column: u32,
}

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> x: array<Words>;
@group(0) @binding(2) var<storage, read> weight: array<Words>;
@group(0) @binding(3) var<storage, read> bias: array<Words>;
@group(0) @binding(4) var<storage, read_write> y: array<Words>;
@group(0) @binding(5) var<storage, read> dy: array<Words>;
@group(0) @binding(6) var<storage, read> gate: array<Words>;
@group(0) @binding(7) var<storage, read_write> dx: array<Words>;
/// [slabs, outputs · inputs + outputs]: weight gradients, then bias gradients, of each slab
@group(0) @binding(8) var<storage, read_write> partial: array<Words>;

/// Four values before the activation, none where the ReLU was shut.
fn gradients(place: u32) -> vec4<f32> {
    let value = floats(dy[place]);
    if (args.relu == 0u) {
        return value;
    }
    return select(value, vec4<f32>(), floats(gate[place]) <= vec4<f32>());
}

/// Four rows of weights, as many inputs of each.
fn weights_at(output: u32, k: u32) -> mat4x4<f32> {
    let pitch = args.inputs / 4u;
    let first = output * pitch + k;
    return mat4x4<f32>(
        floats(weight[first]),
        floats(weight[first + pitch]),
        floats(weight[first + 2u * pitch]),
        floats(weight[first + 3u * pitch]),
    );
}

/// Bias of four outputs.
fn bias_at(output: u32) -> vec4<f32> {
    return select(vec4<f32>(), floats(bias[select(0u, output / 4u, args.has_bias != 0u)]), args.has_bias != 0u);
}

/// Stores four outputs of a row; past the matrix' end there are none.
fn store_output(row: u32, output: u32, before: vec4<f32>) {
    var values = before;
    if (args.relu != 0u) {
        values = select(values, vec4<f32>(), values < vec4<f32>());
    }
    if (output < args.outputs) {
        y[(row * args.outputs + output) / 4u] = words(values);
    }
}

@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let output = group.x * TILE_COLUMNS + 4u * lane;
    let first = min(output, args.outputs - 4u);
    let second = min(output + HALF, args.outputs - 4u);
    let first_row = group.y * TILE_ROWS;
    let pitch = args.inputs / 4u;
    var sums = Sums();
    for (var k = 0u; k < pitch; k++) {
        var weights = terms_of(weights_at(first, k), weights_at(second, k));
        for (var e = 0u; e < EIGHTS; e++) {
            let row = min(first_row + 8u * e + lane, args.rows - 1u);
            sums[e] = multiply_rows(floats(x[row * pitch + k]), &weights, sums[e]);
        }
    }
    let first_bias = bias_at(first);
    let second_bias = bias_at(second);
    let stored = min(TILE_ROWS, args.rows - first_row);
    for (var e = 0u; LANES * e < stored; e++) {
        let rows = eight_of(&sums, e);
        for (var i = 0u; i < min(LANES, stored - LANES * e); i++) {
            let row = row_of(rows, i);
            store_output(first_row + LANES * e + i, output, row[0] + first_bias);
            store_output(first_row + LANES * e + i, output + HALF, row[1] + second_bias);
        }
    }
}

fn store_input_gradient(row: u32, input: u32, sum: vec4<f32>) {
    if (input < args.inputs) {
        let place = (row * args.inputs + input) / 4u;
        if (args.accumulate != 0u) {
            dx[place] = words(floats(dx[place]) + sum);
        } else {
            dx[place] = words(sum);
        }
    }
}

@compute @workgroup_size(LANES)
fn backward_input(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let input = group.x * TILE_COLUMNS + 4u * lane;
    let first = min(input, args.inputs - 4u) / 4u;
    let second = min(input + HALF, args.inputs - 4u) / 4u;
    let first_row = group.y * TILE_ROWS;
    let pitch = args.inputs / 4u;
    var sums = Sums();
    for (var k = 0u; k < args.outputs; k += DEPTH) {
        var weights: Terms;
        for (var i = 0u; i < DEPTH; i++) {
            let row = (k + i) * pitch;
            weights[i] = mat2x4<f32>(floats(weight[row + first]), floats(weight[row + second]));
        }
        for (var e = 0u; e < EIGHTS; e++) {
            let row = min(first_row + 8u * e + lane, args.rows - 1u);
            sums[e] = multiply_rows(gradients((row * args.outputs + k) / 4u), &weights, sums[e]);
        }
    }
    let stored = min(TILE_ROWS, args.rows - first_row);
    for (var e = 0u; LANES * e < stored; e++) {
        let rows = eight_of(&sums, e);
        for (var i = 0u; i < min(LANES, stored - LANES * e); i++) {
            let row = row_of(rows, i);
            store_input_gradient(first_row + LANES * e + i, input, row[0]);
            store_input_gradient(first_row + LANES * e + i, input + HALF, row[1]);
        }
    }
}

fn store_weight_gradient(slab: u32, output: u32, input: u32, sum: vec4<f32>) {
    if (input < args.inputs) {
        partial[(slab + output * args.inputs + input) / 4u] = words(sum);
    }
}

@compute @workgroup_size(LANES)
fn backward_weight(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let input = group.x * TILE_COLUMNS + 4u * lane;
    let first = (args.x_column + min(input, args.inputs - 4u)) / 4u;
    let second = (args.x_column + min(input + HALF, args.inputs - 4u)) / 4u;
    let first_output = group.y * TILE_ROWS;
    let output = min(first_output + 4u * lane, args.outputs - 4u);
    let first_row = group.z * args.slab_rows;
    let end = min(first_row + args.slab_rows, args.rows);
    var sums = Sums();
    var bias_sums = vec4<f32>();
    for (var k = first_row; k < end; k += DEPTH) {
        var left: mat4x4<f32>;
        var right: Terms;
        for (var i = 0u; i < DEPTH; i++) {
            let row = min(k + i, end - 1u);
            let x_row = row * args.x_pitch / 4u;
            left[i] = select(vec4<f32>(), gradients((row * args.dy_pitch + args.dy_column + output) / 4u), k + i < end);
            right[i] = mat2x4<f32>(floats(x[x_row + first]), floats(x[x_row + second]));
            bias_sums += left[i];
        }
        for (var e = 0u; e < EIGHTS; e++) {
            sums[e] = multiply_columns(e, left, &right, sums[e]);
        }
    }
    let slab = group.z * args.outputs * (args.inputs + 1u);
    let stored = min(TILE_ROWS, args.outputs - first_output);
    for (var e = 0u; LANES * e < stored; e++) {
        let rows = eight_of(&sums, e);
        for (var i = 0u; i < min(LANES, stored - LANES * e); i++) {
            let row = row_of(rows, i);
            store_weight_gradient(slab, first_output + LANES * e + i, input, row[0]);
            store_weight_gradient(slab, first_output + LANES * e + i, input + HALF, row[1]);
        }
    }
    if (group.x == 0u && first_output + 4u * lane < args.outputs) {
        partial[(slab + args.outputs * args.inputs + output) / 4u] = words(bias_sums);
    }
}
