// The recurrent weights of several layers of `bilstm` as its products in mixed precision take them: rounded to f16, as numbers of f32 or,
// for cooperative matrices, of f16.
// round_weights   as they lie
// pack            in the order in which the forward loop reads them without matrices, as `bilstm_edges` has it

import package::shared::grid::flat_group;
@if(single) import package::shared::numbers::round_to_f16;

@if(halves) enable f16;

struct Args {
    hidden: u32,
}

/// A layer: the element at which its W_hh begins.
struct Layer {
    recurrent: u32,
}

@if(single) alias Element = f32;
@if(halves) alias Element = f16;

@group(0) @binding(0) var<uniform> args: Args;
/// W_hh [2 · 4H, H] of each layer
@group(0) @binding(1) var<storage, read> recurrent: array<f32>;
/// The same, one layer after the other
@group(0) @binding(2) var<storage, read_write> rounded: array<Element>;
@group(0) @binding(3) var<storage, read> layers: array<Layer>;
/// [layer, 2, H (summed over), H (unit)] of the four gates
@group(0) @binding(4) var<storage, read_write> packed: array<vec4<f32>>;

const WORKGROUP: u32 = 128;

fn nearest(value: f32) -> Element {
    @if(single) return round_to_f16(value);
    @if(halves) return f16(value);
}

/// The third dimension of the grid are layers.
@compute @workgroup_size(WORKGROUP)
fn round_weights(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(group, groups) * WORKGROUP + lane;
    let weights = 8u * args.hidden * args.hidden;
    if (i < weights) {
        rounded[group.z * weights + i] = nearest(recurrent[layers[group.z].recurrent + i]);
    }
}

/// The same.
@compute @workgroup_size(WORKGROUP)
fn pack(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(group, groups) * WORKGROUP + lane;
    let h = args.hidden;
    let row = h * h;
    if (i < 2u * row) {
        let first = layers[group.z].recurrent + (i / row * 4u * h + i % h) * h + i / h % h;
        packed[group.z * 2u * row + i] =
            vec4<f32>(rounded_at(first), rounded_at(first + row), rounded_at(first + 2u * row), rounded_at(first + 3u * row));
    }
}

fn rounded_at(place: u32) -> f32 {
    return f32(nearest(recurrent[place]));
}
