// Means of segments of rows. A workgroup has a segment and LANES elements of its columns; its invocations take every STRIDE-th row and
// leave their sums to the first ones, which add them in order. The gradient of a row sums the shares of the segments it lies in.
// x, dx: [rows, width], y, dy: [segments, width]

import package::shared::grid::{BLOCK_ROWS, first_row};

struct Args {
    /// Of the matrix that is written
    rows: u32,
    width: u32,
    accumulate: u32,
}

/// What an invocation works on: four columns where the width is a multiple of four.
@if(vec4) alias Element = vec4<f32>;
@if(scalar) alias Element = f32;
@if(vec4) const COLUMNS: u32 = 4;
@if(scalar) const COLUMNS: u32 = 1;

@group(0) @binding(0) var<uniform> args: Args;
/// [segments] of (first row, end)
@group(0) @binding(1) var<storage, read> bounds: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read> x: array<Element>;
@group(0) @binding(3) var<storage, read_write> y: array<Element>;
/// [rows + 1]: range of a row in `covering`, which are the segments that it lies in
@group(0) @binding(4) var<storage, read> covering_offsets: array<u32>;
@group(0) @binding(5) var<storage, read> covering: array<u32>;
@group(0) @binding(6) var<storage, read> y_gradient: array<Element>;
@group(0) @binding(7) var<storage, read_write> x_gradient: array<Element>;

const WORKGROUP: u32 = 64;
/// Elements side by side
const LANES: u32 = 8;
/// Rows that are read at once
const STRIDE: u32 = WORKGROUP / LANES;

var<workgroup> parts: array<Element, WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let width = args.width / COLUMNS;
    let c = group.x * LANES + lane % LANES;
    let segment = group.y + group.z * groups.y;
    // Groups past the last segment and invocations past the last column work on nothing, but reach the barrier.
    let is_there = c < width && segment < args.rows;
    let rows = bounds[min(segment, args.rows - 1u)];
    let end = select(rows.x, rows.y, is_there);
    var part = Element();
    for (var row = rows.x + lane / LANES; row < end; row += STRIDE) {
        part += x[row * width + c];
    }
    parts[lane] = part;
    workgroupBarrier();
    if (lane >= LANES || !is_there) {
        return;
    }
    var total = Element();
    for (var i = lane; i < WORKGROUP; i += LANES) {
        total += parts[i];
    }
    y[segment * width + c] = total / f32(max(rows.y - rows.x, 1u));
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
        var total = Element();
        for (var place = covering_offsets[row]; place < covering_offsets[row + 1u]; place++) {
            let segment = covering[place];
            total += y_gradient[segment * width + c] / f32(bounds[segment].y - bounds[segment].x);
        }
        if (args.accumulate != 0u) {
            total += x_gradient[row * width + c];
        }
        x_gradient[row * width + c] = total;
    }
}
