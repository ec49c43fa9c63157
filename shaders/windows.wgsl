// Windows of rows: y_i = [x_i, …, x_{i+k-1}], zeros behind the sequence's end; the gradient of a row sums its places in windows, the last
// window first.
// x, dx: [input rows, width], y, dy: [output rows, k · width]

import package::shared::grid::{BLOCK_ROWS, first_row};

struct Args {
    /// Of the matrix that is written
    rows: u32,
    width: u32,
    /// k
    size: u32,
    accumulate: u32,
}

/// What an invocation works on: four columns where the width is a multiple of four.
@if(vec4) alias Element = vec4<f32>;
@if(scalar) alias Element = f32;
@if(vec4) const COLUMNS: u32 = 4;
@if(scalar) const COLUMNS: u32 = 1;

@group(0) @binding(0) var<uniform> args: Args;
/// [written rows]: the sequence of each
@group(0) @binding(1) var<storage, read> owners: array<u32>;
/// [batch + 1]
@group(0) @binding(2) var<storage, read> input_offsets: array<u32>;
@group(0) @binding(3) var<storage, read> output_offsets: array<u32>;
@group(0) @binding(4) var<storage, read> x: array<Element>;
@group(0) @binding(5) var<storage, read_write> y: array<Element>;
@group(0) @binding(6) var<storage, read> y_gradient: array<Element>;
@group(0) @binding(7) var<storage, read_write> x_gradient: array<Element>;

const WORKGROUP: u32 = 32;

@compute @workgroup_size(WORKGROUP)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let width = args.width / COLUMNS;
    let c = group.x * WORKGROUP + lane;
    if (c >= args.size * width) {
        return;
    }
    let first = first_row(group, groups);
    for (var row = first; row < min(first + BLOCK_ROWS, args.rows); row++) {
        let owner = owners[row];
        // A window's rows follow each other as they do in x.
        let place = (input_offsets[owner] + row - output_offsets[owner]) * width + c;
        var value = Element();
        if (place < input_offsets[owner + 1u] * width) {
            value = x[place];
        }
        y[row * args.size * width + c] = value;
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let width = args.width / COLUMNS;
    let c = group.x * WORKGROUP + lane;
    if (c >= width) {
        return;
    }
    let first = first_row(group, groups);
    for (var row = first; row < min(first + BLOCK_ROWS, args.rows); row++) {
        let owner = owners[row];
        let within = row - input_offsets[owner];
        let last = output_offsets[owner + 1u] - output_offsets[owner] - 1u;
        var total = Element();
        // In window within - block the row is the one of number `block`.
        for (var block = within - min(within, last); block < min(args.size, within + 1u); block++) {
            let other = output_offsets[owner] + within - block;
            total += y_gradient[(other * args.size + block) * width + c];
        }
        if (args.accumulate != 0u) {
            total += x_gradient[row * width + c];
        }
        x_gradient[row * width + c] = total;
    }
}
