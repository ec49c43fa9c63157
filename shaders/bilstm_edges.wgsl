// What stands before and after the recurrence of `bilstm`, of several layers at once:
// pack   the recurrent weights in the order in which its forward loop reads them
// mean   y = (h_forward + h_reverse) / 2 (3, 5)

import package::shared::grid::{BLOCK_ROWS, first_row, flat_group};

struct Args {
    hidden: u32,
    layers: u32,
}

/// A layer: its rows, and the elements at which its matrices begin in what is bound.
struct Layer {
    rows: u32,
    recurrent: u32,
    states: u32,
    y: u32,
}

/// What an invocation of `mean` reads at a time: four units where their number is a multiple of four.
@if(vec4) alias Element = vec4<f32>;
@if(scalar) alias Element = f32;
@if(vec4) const UNITS: u32 = 4;
@if(scalar) const UNITS: u32 = 1;

@group(0) @binding(0) var<uniform> args: Args;
/// W_hh [2 · 4H, H] of each layer
@group(0) @binding(1) var<storage, read> recurrent: array<f32>;
/// [layer, 2, H (summed over), H (unit)] of the four gates
@group(0) @binding(2) var<storage, read_write> packed: array<vec4<f32>>;
/// [rows, 2H] of each layer
@group(0) @binding(3) var<storage, read> hidden_states: array<Element>;
@group(0) @binding(4) var<storage, read_write> y: array<Element>;
@group(0) @binding(5) var<storage, read> layers: array<Layer>;

const WORKGROUP: u32 = 128;
const MEAN_WORKGROUP: u32 = 32;

/// The third dimension of the grid are layers.
@compute @workgroup_size(WORKGROUP)
fn pack(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(group, groups) * WORKGROUP + lane;
    let h = args.hidden;
    if (i >= 2u * h * h) {
        return;
    }
    let direction = i / (h * h);
    let from_unit = i / h % h;
    let first = layers[group.z].recurrent + (direction * 4u * h + i % h) * h + from_unit;
    let row = h * h;
    packed[group.z * 2u * row + i] =
        vec4<f32>(recurrent[first], recurrent[first + row], recurrent[first + 2u * row], recurrent[first + 3u * row]);
}

/// Layers lie beside each other in the first dimension of the grid.
@compute @workgroup_size(MEAN_WORKGROUP)
fn mean(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let width = args.hidden / UNITS;
    let c = group.x / args.layers * MEAN_WORKGROUP + lane;
    if (c >= width) {
        return;
    }
    let layer = layers[group.x % args.layers];
    let first = first_row(group, groups);
    for (var row = first; row < min(first + BLOCK_ROWS, layer.rows); row++) {
        let forward_state = layer.states / UNITS + row * 2u * width + c;
        y[layer.y / UNITS + row * width + c] = 0.5 * (hidden_states[forward_state] + hidden_states[forward_state + width]);
    }
}
