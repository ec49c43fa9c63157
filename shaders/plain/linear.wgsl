// `shaders/linear.wgsl` for matrices a few columns wide, such as the classifier's last: an invocation computes one result.
// A tile would be empty for the most part, and takes long to compile.

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

/// Results of a workgroup, one an invocation.
const TILE_ROWS: u32 = 8;
const TILE_COLUMNS: u32 = 8;
const LANES: u32 = TILE_ROWS * TILE_COLUMNS;

/// A value before the activation, none where the ReLU was shut.
fn gradient(place: u32) -> f32 {
    if (args.relu != 0u && gate[place] <= 0.0) {
        return 0.0;
    }
    return dy[place];
}

/// Row and column of the invocation's result.
fn result_at(group: vec3<u32>, lane: u32) -> vec2<u32> {
    return vec2<u32>(group.y * TILE_ROWS + lane / TILE_COLUMNS, group.x * TILE_COLUMNS + lane % TILE_COLUMNS);
}

@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = result_at(group, lane).x;
    let output = result_at(group, lane).y;
    if (row >= args.rows || output >= args.outputs) {
        return;
    }
    var sum = 0.0;
    for (var k = 0u; k < args.inputs; k++) {
        sum += x[row * args.inputs + k] * weight[output * args.inputs + k];
    }
    if (args.has_bias != 0u) {
        sum += bias[output];
    }
    y[row * args.outputs + output] = select(sum, 0.0, args.relu != 0u && sum < 0.0);
}

@compute @workgroup_size(LANES)
fn backward_input(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = result_at(group, lane).x;
    let input = result_at(group, lane).y;
    if (row >= args.rows || input >= args.inputs) {
        return;
    }
    var sum = 0.0;
    for (var k = 0u; k < args.outputs; k++) {
        sum += gradient(row * args.outputs + k) * weight[k * args.inputs + input];
    }
    let place = row * args.inputs + input;
    if (args.accumulate != 0u) {
        dx[place] += sum;
    } else {
        dx[place] = sum;
    }
}

@compute @workgroup_size(LANES)
fn backward_weight(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let output = result_at(group, lane).x;
    let input = result_at(group, lane).y;
    if (output >= args.outputs || input >= args.inputs) {
        return;
    }
    let first_row = group.z * args.slab_rows;
    var sum = 0.0;
    var bias_sum = 0.0;
    for (var row = first_row; row < min(first_row + args.slab_rows, args.rows); row++) {
        let factor = gradient(row * args.dy_pitch + args.dy_column + output);
        sum += factor * x[row * args.x_pitch + args.x_column + input];
        bias_sum += factor;
    }
    let slab = group.z * args.outputs * (args.inputs + 1u);
    partial[slab + output * args.inputs + input] = sum;
    if (input == 0u) {
        partial[slab + args.outputs * args.inputs + output] = bias_sum;
    }
}
