// What stands before the recurrence of `gru`, of several layers at once:
// pack   the recurrent weights in the order in which its loops read them

import package::shared::grid::flat_group;
import package::shared::packed::fours_of;

struct Args {
    hidden: u32,
    directions: u32,
    /// Whether sums go over the gates' units, as those of the way back
    transposed: u32,
}

/// A layer: the element at which its matrix begins in what is bound.
struct Layer {
    recurrent: u32,
}

@group(0) @binding(0) var<uniform> args: Args;
/// W_h [D · 3H, H] of each layer
@group(0) @binding(1) var<storage, read> recurrent: array<f32>;
/// [layer, D, 3, fours of terms, H]
@group(0) @binding(2) var<storage, read_write> packed: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> layers: array<Layer>;

const WORKGROUP: u32 = 128;

/// The third dimension of the grid are layers.
@compute @workgroup_size(WORKGROUP)
fn pack(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(group, groups) * WORKGROUP + lane;
    let h = args.hidden;
    let of_matrix = fours_of(h) * h;
    let of_layer = args.directions * 3u * of_matrix;
    if (i >= of_layer) {
        return;
    }
    let first = layers[group.z].recurrent + i / of_matrix * h * h;
    let term = i % of_matrix / h * 4u;
    let unit = i % h;
    packed[group.z * of_layer + i] = vec4<f32>(
        weight(first, term, unit), weight(first, term + 1u, unit), weight(first, term + 2u, unit), weight(first, term + 3u, unit),
    );
}

/// What a term counts for a unit in a matrix [H, H]; past the last nothing.
fn weight(first: u32, term: u32, unit: u32) -> f32 {
    let h = args.hidden;
    let some = min(term, h - 1u);
    let place = select(unit * h + some, some * h + unit, args.transposed != 0u);
    return select(recurrent[first + place], 0.0, term >= h);
}
