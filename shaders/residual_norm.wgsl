// Residual and LayerNorm (9, 11): y = x̂ · scale + shift, x̂ = (s - mean s) / √(var s + ε), s = x + residual.
// backward              ds = r (a - mean a - x̂ mean(a x̂)), a = dy · scale, r = 1 / √(var + ε); x and residual both get ds
// backward_parameters   dscale = Σ dy x̂, dshift = Σ dy by slabs of rows, which `slabs.wgsl` adds in order
// x, residual, y: [rows, width], scale, shift: [width]. GROUP invocations share a row.

import package::shared::grid::flat_group;

struct Args {
    rows: u32,
    width: u32,
    accumulate_x: u32,
    accumulate_residual: u32,
    slab_rows: u32,
}

/// What an invocation reads at a time: four columns where the width is a multiple of four.
@if(vec4) alias Element = vec4<f32>;
@if(scalar) alias Element = f32;
@if(vec4) const COLUMNS: u32 = 4;
@if(scalar) const COLUMNS: u32 = 1;

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read> residual: array<Element>;
@group(0) @binding(3) var<storage, read> scale: array<Element>;
@group(0) @binding(4) var<storage, read> shift: array<Element>;
@group(0) @binding(5) var<storage, read_write> y: array<Element>;
@group(0) @binding(6) var<storage, read_write> normalised: array<Element>;
@group(0) @binding(7) var<storage, read_write> reciprocal_deviation: array<f32>;
@group(0) @binding(8) var<storage, read> y_gradient: array<Element>;
@group(0) @binding(9) var<storage, read> saved_normalised: array<Element>;
@group(0) @binding(10) var<storage, read> saved_reciprocal: array<f32>;
@group(0) @binding(11) var<storage, read_write> x_gradient: array<Element>;
@group(0) @binding(12) var<storage, read_write> residual_gradient: array<Element>;
/// [slabs, 2, width]: dscale, then dshift
@group(0) @binding(13) var<storage, read_write> partial: array<Element>;

const WORKGROUP: u32 = 64;
/// Invocations that share a row; on software adapters, where barriers are dear, each has one of its own.
@if(software) const GROUP: u32 = 1;
@if(!software) const GROUP: u32 = 8;
/// Rows of a workgroup.
const ROWS: u32 = WORKGROUP / GROUP;
const EPSILON: f32 = 1e-5;

@if(!software) var<workgroup> parts: array<f32, WORKGROUP>;

@if(vec4) fn total(value: vec4<f32>) -> f32 {
    return (value.x + value.y) + (value.z + value.w);
}

@if(scalar) fn total(value: f32) -> f32 {
    return value;
}

/// Sum over the invocations of one row, in their order.
@if(software) fn row_sum(lane: u32, part: f32) -> f32 {
    return part;
}

@if(!software) fn row_sum(lane: u32, part: f32) -> f32 {
    workgroupBarrier();
    parts[lane] = part;
    workgroupBarrier();
    let first = lane / GROUP * GROUP;
    var sum = 0.0;
    for (var i = 0u; i < GROUP; i++) {
        sum += parts[first + i];
    }
    return sum;
}

@compute @workgroup_size(WORKGROUP)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = flat_group(group, groups) * ROWS + lane / GROUP;
    // Rows past the end work on nothing, but reach every barrier.
    let width = select(0u, args.width / COLUMNS, row < args.rows);
    let first = row * args.width / COLUMNS;
    var part = 0.0;
    for (var c = lane % GROUP; c < width; c += GROUP) {
        part += total(x[first + c] + residual[first + c]);
    }
    let mean = row_sum(lane, part) / f32(args.width);
    part = 0.0;
    for (var c = lane % GROUP; c < width; c += GROUP) {
        let centred = x[first + c] + residual[first + c] - mean;
        part += total(centred * centred);
    }
    let reciprocal = 1.0 / sqrt(row_sum(lane, part) / f32(args.width) + EPSILON);
    for (var c = lane % GROUP; c < width; c += GROUP) {
        let value = (x[first + c] + residual[first + c] - mean) * reciprocal;
        normalised[first + c] = value;
        y[first + c] = value * scale[c] + shift[c];
    }
    if (width > 0u && lane % GROUP == 0u) {
        reciprocal_deviation[row] = reciprocal;
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = flat_group(group, groups) * ROWS + lane / GROUP;
    let width = select(0u, args.width / COLUMNS, row < args.rows);
    let first = row * args.width / COLUMNS;
    var part = 0.0;
    var part_normalised = 0.0;
    for (var c = lane % GROUP; c < width; c += GROUP) {
        let a = y_gradient[first + c] * scale[c];
        part += total(a);
        part_normalised += total(a * saved_normalised[first + c]);
    }
    let mean = row_sum(lane, part) / f32(args.width);
    let mean_normalised = row_sum(lane, part_normalised) / f32(args.width);
    let reciprocal = saved_reciprocal[min(row, args.rows - 1u)];
    for (var c = lane % GROUP; c < width; c += GROUP) {
        let i = first + c;
        let ds = reciprocal * (y_gradient[i] * scale[c] - mean - saved_normalised[i] * mean_normalised);
        if (args.accumulate_x != 0u) {
            x_gradient[i] += ds;
        } else {
            x_gradient[i] = ds;
        }
        if (args.accumulate_residual != 0u) {
            residual_gradient[i] += ds;
        } else {
            residual_gradient[i] = ds;
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward_parameters(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let width = args.width / COLUMNS;
    let c = group.x * WORKGROUP + lane;
    if (c >= width) {
        return;
    }
    var dscale = Element();
    var dshift = Element();
    let end = min((group.y + 1u) * args.slab_rows, args.rows);
    for (var row = group.y * args.slab_rows; row < end; row++) {
        let g = y_gradient[row * width + c];
        dscale += g * saved_normalised[row * width + c];
        dshift += g;
    }
    partial[group.y * 2u * width + c] = dscale;
    partial[(group.y * 2u + 1u) * width + c] = dshift;
}
