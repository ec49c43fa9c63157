// Matrix products of the projections, the feed-forward and the LSTM's inputs:
// forward           y  = act(x · Wᵀ + b)
// backward_input    dx (+)= g · W        g = dy, or 0 where the ReLU was shut
// backward_weight   dW = gᵀ · x, db = Σ g, by fixed slabs of rows that `slabs.wgsl` adds in order
// x: [rows, inputs], W: [outputs, inputs], y: [rows, outputs]
// The variant `rounded` rounds x, W and g to f16 first: mixed precision where there are no cooperative matrices.

@if(rounded) import package::shared::numbers::round_to_f16;
import package::shared::tile::{TILE_ROWS, TILE_COLUMNS, DEPTH, PITCH, left, right, multiply_tiles};

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
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read> dy: array<f32>;
@group(0) @binding(6) var<storage, read> gate: array<f32>;
@group(0) @binding(7) var<storage, read_write> dx: array<f32>;
/// [slabs, outputs · inputs + outputs]: weight gradients, then bias gradients, of each slab
@group(0) @binding(8) var<storage, read_write> partial: array<f32>;

/// A factor as the product takes it.
fn factor(value: f32) -> f32 {
    @if(rounded) return round_to_f16(value);
    @else return value;
}

/// Gradient before the activation, zero outside the matrix.
fn gradient(row: u32, output: u32, end: u32) -> f32 {
    if (row >= end || output >= args.outputs) {
        return 0.0;
    }
    let i = row * args.dy_pitch + args.dy_column + output;
    return factor(select(dy[i], 0.0, args.relu != 0u && gate[i] <= 0.0));
}

fn weight_at(output: u32, input: u32) -> f32 {
    if (output >= args.outputs || input >= args.inputs) {
        return 0.0;
    }
    return factor(weight[output * args.inputs + input]);
}

fn input_at(row: u32, input: u32, end: u32) -> f32 {
    if (row >= end || input >= args.inputs) {
        return 0.0;
    }
    return factor(x[row * args.x_pitch + args.x_column + input]);
}

@compute @workgroup_size(16, 16)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) lane: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let first_output = group.x * TILE_COLUMNS;
    let first_row = group.y * TILE_ROWS;
    var sums = array<vec4<f32>, 4>();
    for (var k = 0u; k < args.inputs; k += DEPTH) {
        for (var part = index; part < TILE_ROWS * DEPTH; part += 256u) {
            let inner = part % DEPTH;
            let outer = part / DEPTH;
            left[inner * PITCH + outer] = input_at(first_row + outer, k + inner, args.rows);
            right[inner * PITCH + outer] = weight_at(first_output + outer, k + inner);
        }
        workgroupBarrier();
        multiply_tiles(lane.xy, &sums);
        workgroupBarrier();
    }
    for (var i = 0u; i < 4u; i++) {
        let row = first_row + lane.y * 4u + i;
        for (var j = 0u; j < 4u; j++) {
            let output = first_output + lane.x + j * 16u;
            if (row < args.rows && output < args.outputs) {
                var value = sums[i][j];
                if (args.has_bias != 0u) {
                    value += bias[output];
                }
                if (args.relu != 0u && value < 0.0) {
                    value = 0.0;
                }
                y[row * args.outputs + output] = value;
            }
        }
    }
}

@compute @workgroup_size(16, 16)
fn backward_input(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) lane: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let first_input = group.x * TILE_COLUMNS;
    let first_row = group.y * TILE_ROWS;
    var sums = array<vec4<f32>, 4>();
    for (var k = 0u; k < args.outputs; k += DEPTH) {
        for (var part = index; part < TILE_ROWS * DEPTH; part += 256u) {
            left[(part % DEPTH) * PITCH + part / DEPTH] = gradient(first_row + part / DEPTH, k + part % DEPTH, args.rows);
            right[(part / TILE_COLUMNS) * PITCH + part % TILE_COLUMNS] = weight_at(k + part / TILE_COLUMNS, first_input + part % TILE_COLUMNS);
        }
        workgroupBarrier();
        multiply_tiles(lane.xy, &sums);
        workgroupBarrier();
    }
    for (var i = 0u; i < 4u; i++) {
        let row = first_row + lane.y * 4u + i;
        for (var j = 0u; j < 4u; j++) {
            let input = first_input + lane.x + j * 16u;
            if (row < args.rows && input < args.inputs) {
                let place = row * args.inputs + input;
                if (args.accumulate != 0u) {
                    dx[place] += sums[i][j];
                } else {
                    dx[place] = sums[i][j];
                }
            }
        }
    }
}

@compute @workgroup_size(16, 16)
fn backward_weight(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) lane: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let first_input = group.x * TILE_COLUMNS;
    let first_output = group.y * TILE_ROWS;
    let first_row = group.z * args.slab_rows;
    let end = min(first_row + args.slab_rows, args.rows);
    var sums = array<vec4<f32>, 4>();
    var bias_sums = vec4<f32>();
    for (var k = first_row; k < end; k += DEPTH) {
        for (var part = index; part < TILE_ROWS * DEPTH; part += 256u) {
            let place = (part / TILE_COLUMNS) * PITCH + part % TILE_COLUMNS;
            left[place] = gradient(k + part / TILE_COLUMNS, first_output + part % TILE_COLUMNS, end);
            right[place] = input_at(k + part / TILE_COLUMNS, first_input + part % TILE_COLUMNS, end);
        }
        workgroupBarrier();
        multiply_tiles(lane.xy, &sums);
        if (first_input == 0u) {
            for (var inner = 0u; inner < DEPTH; inner++) {
                let l = inner * PITCH + lane.y * 4u;
                bias_sums += vec4<f32>(left[l], left[l + 1u], left[l + 2u], left[l + 3u]);
            }
        }
        workgroupBarrier();
    }
    let slab = group.z * args.outputs * (args.inputs + 1u);
    for (var i = 0u; i < 4u; i++) {
        let output = first_output + lane.y * 4u + i;
        for (var j = 0u; j < 4u; j++) {
            let input = first_input + lane.x + j * 16u;
            if (output < args.outputs && input < args.inputs) {
                partial[slab + output * args.inputs + input] = sums[i][j];
            }
        }
        if (first_input == 0u && lane.x == 0u && output < args.outputs) {
            partial[slab + args.outputs * args.inputs + output] = bias_sums[i];
        }
    }
}
