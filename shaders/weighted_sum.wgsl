// Weighted sums of the rows of sequences, by slabs of rows whose sums are then added in their order.
// forward   sums_slab (+)= Σ_i weights_i x_i
// add       y_u (+)= Σ_slab partial_slab
// weights: [rows], x: [rows, width], sums, partial: [slabs, width], y: [sequences, width]

struct Args {
    width: u32,
    /// How many slabs, or sequences
    sums: u32,
    accumulate: u32,
}

/// What an invocation works on: four columns where the width is a multiple of four.
@if(vec4) alias Element = vec4<f32>;
@if(scalar) alias Element = f32;
@if(vec4) const COLUMNS: u32 = 4;
@if(scalar) const COLUMNS: u32 = 1;

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<Element>;
/// [slabs] of (first row, end)
@group(0) @binding(3) var<storage, read> slabs: array<vec2<u32>>;
@group(0) @binding(4) var<storage, read_write> sums: array<Element>;
@group(0) @binding(5) var<storage, read> partial: array<Element>;
/// [sequences + 1]
@group(0) @binding(6) var<storage, read> first_slabs: array<u32>;
@group(0) @binding(7) var<storage, read_write> y: array<Element>;

const WORKGROUP: u32 = 32;

@compute @workgroup_size(WORKGROUP)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let width = args.width / COLUMNS;
    let c = group.x * WORKGROUP + lane;
    let slab = group.y + group.z * groups.y;
    if (c >= width || slab >= args.sums) {
        return;
    }
    let rows = slabs[slab];
    var total = Element();
    for (var row = rows.x; row < rows.y; row++) {
        total += weights[row] * x[row * width + c];
    }
    if (args.accumulate != 0u) {
        total += sums[slab * width + c];
    }
    sums[slab * width + c] = total;
}

@compute @workgroup_size(WORKGROUP)
fn add(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let width = args.width / COLUMNS;
    let c = group.x * WORKGROUP + lane;
    let sequence = group.y + group.z * groups.y;
    if (c >= width || sequence >= args.sums) {
        return;
    }
    var total = Element();
    for (var slab = first_slabs[sequence]; slab < first_slabs[sequence + 1u]; slab++) {
        total += partial[slab * width + c];
    }
    if (args.accumulate != 0u) {
        total += y[sequence * width + c];
    }
    y[sequence * width + c] = total;
}
