// Residual and LayerNorm (9, 11): y = x̂ · scale + shift, x̂ = (s - mean s) / √(var s + ε), s = x + residual.
// backward              ds = r (a - mean a - x̂ mean(a x̂)), a = dy · scale, r = 1 / √(var + ε); x and residual both get ds
// backward_parameters   dscale = Σ dy x̂, dshift = Σ dy by slabs of rows, which `slabs.wgsl` adds in order
// x, residual, y: [rows, width], scale, shift: [width]. GROUP invocations share a row. A dispatch goes over several matrices of one width.

import package::shared::grid::flat_group;
@if(software) import package::shared::words::{Words, floats, words};

struct Args {
    /// Of all matrices together
    rows: u32,
    width: u32,
    /// Most rows of a slab, whose loads follow each other
    slab_rows: u32,
    /// Distance of two slabs of partial sums
    slab_pitch: u32,
    /// How many matrices
    norms: u32,
}

/// One of them: workgroups from `first_group` to the next one's go over its rows. What it reads and writes begins at these elements of
/// what is bound.
struct Norm {
    first_group: u32,
    rows: u32,
    slab_rows: u32,
    accumulate_x: u32,
    accumulate_residual: u32,
    x: u32,
    residual: u32,
    scale: u32,
    shift: u32,
    y: u32,
    normalised: u32,
    reciprocal: u32,
    y_gradient: u32,
    x_gradient: u32,
    residual_gradient: u32,
    partial: u32,
}

/// What an invocation reads at a time, four columns where the width is a multiple of four, …
@if(vec4) alias Columns = vec4<f32>;
@if(scalar) alias Columns = f32;
/// … and how they lie in memory.
@if(software) alias Element = Words;
@if(!software) alias Element = Columns;
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
/// Of each slab dscale, then dshift
@group(0) @binding(13) var<storage, read_write> partial: array<Element>;
@group(0) @binding(14) var<storage, read> norms: array<Norm>;

const WORKGROUP: u32 = 64;
/// Invocations that share a row; on software adapters, where barriers are dear, each has one of its own.
@if(software) const GROUP: u32 = 1;
@if(!software) const GROUP: u32 = 8;
/// Rows of a workgroup.
const ROWS: u32 = WORKGROUP / GROUP;
const EPSILON: f32 = 1e-5;

@if(!software) var<workgroup> parts: array<f32, WORKGROUP>;

/// The matrix that a workgroup goes over: the last that does not begin after it.
fn norm_of(group: u32) -> Norm {
    var number = 0u;
    while (number + 1u < args.norms && norms[number + 1u].first_group <= group) {
        number++;
    }
    return norms[number];
}

@if(software) fn columns(element: Element) -> Columns {
    return floats(element);
}

@if(!software) fn columns(element: Element) -> Columns {
    return element;
}

@if(software) fn element(columns: Columns) -> Element {
    return words(columns);
}

@if(!software) fn element(columns: Columns) -> Element {
    return columns;
}

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
    @builtin(workgroup_id) group_id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = flat_group(group_id, groups);
    let own = norm_of(group);
    let row = (group - own.first_group) * ROWS + lane / GROUP;
    // Rows past the end work on nothing, but reach every barrier.
    let width = select(0u, args.width / COLUMNS, row < own.rows);
    let first = row * args.width;
    let first_x = (own.x + first) / COLUMNS;
    let first_residual = (own.residual + first) / COLUMNS;
    var part = 0.0;
    for (var c = lane % GROUP; c < width; c += GROUP) {
        part += total(columns(x[first_x + c]) + columns(residual[first_residual + c]));
    }
    let mean = row_sum(lane, part) / f32(args.width);
    part = 0.0;
    for (var c = lane % GROUP; c < width; c += GROUP) {
        let centred = columns(x[first_x + c]) + columns(residual[first_residual + c]) - mean;
        part += total(centred * centred);
    }
    let reciprocal = 1.0 / sqrt(row_sum(lane, part) / f32(args.width) + EPSILON);
    for (var c = lane % GROUP; c < width; c += GROUP) {
        let value = (columns(x[first_x + c]) + columns(residual[first_residual + c]) - mean) * reciprocal;
        normalised[(own.normalised + first) / COLUMNS + c] = element(value);
        let scaled = value * columns(scale[own.scale / COLUMNS + c]) + columns(shift[own.shift / COLUMNS + c]);
        y[(own.y + first) / COLUMNS + c] = element(scaled);
    }
    if (width > 0u && lane % GROUP == 0u) {
        reciprocal_deviation[own.reciprocal + row] = reciprocal;
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward(
    @builtin(workgroup_id) group_id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = flat_group(group_id, groups);
    let own = norm_of(group);
    let row = (group - own.first_group) * ROWS + lane / GROUP;
    let width = select(0u, args.width / COLUMNS, row < own.rows);
    let first = row * args.width;
    let first_gradient = (own.y_gradient + first) / COLUMNS;
    let first_normalised = (own.normalised + first) / COLUMNS;
    var part = 0.0;
    var part_normalised = 0.0;
    for (var c = lane % GROUP; c < width; c += GROUP) {
        let a = columns(y_gradient[first_gradient + c]) * columns(scale[own.scale / COLUMNS + c]);
        part += total(a);
        part_normalised += total(a * columns(saved_normalised[first_normalised + c]));
    }
    let mean = row_sum(lane, part) / f32(args.width);
    let mean_normalised = row_sum(lane, part_normalised) / f32(args.width);
    let reciprocal = saved_reciprocal[own.reciprocal + min(row, own.rows - 1u)];
    for (var c = lane % GROUP; c < width; c += GROUP) {
        let a = columns(y_gradient[first_gradient + c]) * columns(scale[own.scale / COLUMNS + c]);
        let ds = reciprocal * (a - mean - columns(saved_normalised[first_normalised + c]) * mean_normalised);
        let to_x = (own.x_gradient + first) / COLUMNS + c;
        if (own.accumulate_x != 0u) {
            x_gradient[to_x] = element(columns(x_gradient[to_x]) + ds);
        } else {
            x_gradient[to_x] = element(ds);
        }
        let to_residual = (own.residual_gradient + first) / COLUMNS + c;
        if (own.accumulate_residual != 0u) {
            residual_gradient[to_residual] = element(columns(residual_gradient[to_residual]) + ds);
        } else {
            residual_gradient[to_residual] = element(ds);
        }
    }
}

/// The third dimension of the grid are matrices.
@compute @workgroup_size(WORKGROUP)
fn backward_parameters(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let width = args.width / COLUMNS;
    let c = group.x * WORKGROUP + lane;
    if (c >= width) {
        return;
    }
    let own = norms[group.z];
    let first_gradient = own.y_gradient / COLUMNS + c;
    let first_normalised = own.normalised / COLUMNS + c;
    var dscale = Columns();
    var dshift = Columns();
    let end = min((group.y + 1u) * own.slab_rows, own.rows);
    for (var row = group.y * own.slab_rows; row < end; row++) {
        let g = columns(y_gradient[first_gradient + row * width]);
        dscale += g * columns(saved_normalised[first_normalised + row * width]);
        dshift += g;
    }
    let place = (own.partial + group.y * args.slab_pitch) / COLUMNS + c;
    partial[place] = element(dscale);
    partial[place + width] = element(dshift);
}
