// `shaders/linear.wgsl` for software adapters: the same products by `lanes/product.wgsl`. All matrices are seen as vec4s, so
// their widths and columns must be multiples of four.

import package::lanes::product::{LANES, TILE_ROWS, TILE_COLUMNS, QUADS, DEPTH, Sums, Terms, multiply_quad, multiply_columns, terms_of};

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
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> gate: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> dx: array<vec4<f32>>;
/// [slabs, outputs · inputs + outputs]: weight gradients, then bias gradients, of each slab
@group(0) @binding(8) var<storage, read_write> partial: array<vec4<f32>>;

/// Four values before the activation, none where the ReLU was shut.
fn gradients(place: u32) -> vec4<f32> {
    let value = dy[place];
    if (args.relu == 0u) {
        return value;
    }
    return select(value, vec4<f32>(), gate[place] <= vec4<f32>());
}

@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let output = min(group.x * TILE_COLUMNS + 4u * lane, args.outputs - 4u);
    let first_row = group.y * TILE_ROWS;
    let pitch = args.inputs / 4u;
    var sums = Sums();
    for (var k = 0u; k < pitch; k += 2u) {
        // Past the last input both factors are zero.
        let more = k + 1u < pitch;
        let first = output * pitch + k;
        let next = output * pitch + min(k + 1u, pitch - 1u);
        let low = mat4x4<f32>(weight[first], weight[first + pitch], weight[first + 2u * pitch], weight[first + 3u * pitch]);
        let high = mat4x4<f32>(
            select(vec4<f32>(), weight[next], more),
            select(vec4<f32>(), weight[next + pitch], more),
            select(vec4<f32>(), weight[next + 2u * pitch], more),
            select(vec4<f32>(), weight[next + 3u * pitch], more),
        );
        var weights = terms_of(low, high);
        let own = k + lane % 2u;
        for (var quad = 0u; quad < QUADS; quad++) {
            let row = min(first_row + 4u * quad + lane / 2u, args.rows - 1u);
            let values = select(vec4<f32>(), x[row * pitch + min(own, pitch - 1u)], own < pitch);
            sums[quad] = multiply_quad(values, &weights, sums[quad]);
        }
    }
    var start = vec4<f32>();
    if (args.has_bias != 0u) {
        start = bias[output / 4u];
    }
    for (var quad = 0u; quad < QUADS; quad++) {
        for (var i = 0u; i < 4u; i++) {
            let row = first_row + 4u * quad + i;
            var values = sums[quad][i] + start;
            if (args.relu != 0u) {
                values = select(values, vec4<f32>(), values < vec4<f32>());
            }
            if (row < args.rows && group.x * TILE_COLUMNS + 4u * lane < args.outputs) {
                y[(row * args.outputs + output) / 4u] = values;
            }
        }
    }
}

@compute @workgroup_size(LANES)
fn backward_input(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let input = min(group.x * TILE_COLUMNS + 4u * lane, args.inputs - 4u);
    let first_row = group.y * TILE_ROWS;
    var sums = Sums();
    for (var k = 0u; k < args.outputs; k += DEPTH) {
        var weights: Terms;
        for (var i = 0u; i < DEPTH; i++) {
            let place = (min(k + i, args.outputs - 1u) * args.inputs + input) / 4u;
            weights[i] = select(vec4<f32>(), weight[place], k + i < args.outputs);
        }
        let own = k + 4u * (lane % 2u);
        for (var quad = 0u; quad < QUADS; quad++) {
            let row = min(first_row + 4u * quad + lane / 2u, args.rows - 1u);
            let place = (row * args.outputs + min(own, args.outputs - 4u)) / 4u;
            let values = select(vec4<f32>(), gradients(place), own < args.outputs);
            sums[quad] = multiply_quad(values, &weights, sums[quad]);
        }
    }
    for (var quad = 0u; quad < QUADS; quad++) {
        for (var i = 0u; i < 4u; i++) {
            let row = first_row + 4u * quad + i;
            if (row < args.rows && group.x * TILE_COLUMNS + 4u * lane < args.inputs) {
                let place = (row * args.inputs + input) / 4u;
                if (args.accumulate != 0u) {
                    dx[place] += sums[quad][i];
                } else {
                    dx[place] = sums[quad][i];
                }
            }
        }
    }
}

@compute @workgroup_size(LANES)
fn backward_weight(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let input = min(group.x * TILE_COLUMNS + 4u * lane, args.inputs - 4u);
    let first_output = group.y * TILE_ROWS;
    let output = min(first_output + 4u * lane, args.outputs - 4u);
    let first_row = group.z * args.slab_rows;
    let end = min(first_row + args.slab_rows, args.rows);
    var sums = Sums();
    var bias_sums = vec4<f32>();
    for (var k = first_row; k < end; k += DEPTH) {
        var left: Terms;
        var right: Terms;
        for (var i = 0u; i < DEPTH; i++) {
            let row = min(k + i, end - 1u);
            let dy_place = (row * args.dy_pitch + args.dy_column + output) / 4u;
            left[i] = select(vec4<f32>(), gradients(dy_place), k + i < end);
            right[i] = select(vec4<f32>(), x[(row * args.x_pitch + args.x_column + input) / 4u], k + i < end);
            bias_sums += left[i];
        }
        for (var quad = 0u; quad < QUADS; quad++) {
            sums[quad] = multiply_columns(quad, &left, &right, sums[quad]);
        }
    }
    let slab = group.z * args.outputs * (args.inputs + 1u);
    for (var quad = 0u; quad < QUADS; quad++) {
        for (var i = 0u; i < 4u; i++) {
            let row = first_output + 4u * quad + i;
            if (row < args.outputs && group.x * TILE_COLUMNS + 4u * lane < args.inputs) {
                partial[(slab + row * args.inputs + input) / 4u] = sums[quad][i];
            }
        }
    }
    if (group.x == 0u && first_output + 4u * lane < args.outputs) {
        partial[(slab + args.outputs * args.inputs + output) / 4u] = bias_sums;
    }
}
