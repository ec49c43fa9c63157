// The inner product of a tiled matrix multiplication: 256 invocations, a 64 × 64 tile, 4 × 4 results each.
//
// Invocation (lane.x, lane.y) of 16 × 16 holds rows `4·lane.y + i` and columns `lane.x + 16·j`, so neighbours read and
// write neighbouring columns. A kernel fills `left` and `right`, places its barriers and calls `multiply_tiles`.

const TILE_ROWS: u32 = 64;
const TILE_COLUMNS: u32 = 64;
/// Terms of the sum that one filling of the tiles covers.
const DEPTH: u32 = 16;
/// Distance of two rows of a tile: one more than its width, so that transposing writes hit different banks.
const PITCH: u32 = TILE_ROWS + 1;

/// `left[k · PITCH + row]`
var<workgroup> left: array<f32, DEPTH * PITCH>;
/// `right[k · PITCH + column]`
var<workgroup> right: array<f32, DEPTH * PITCH>;

/// Adds the product of the two tiles to `sums`, whose element i is row `4·lane.y + i`.
fn multiply_tiles(lane: vec2<u32>, sums: ptr<function, array<vec4<f32>, 4>>) {
    for (var k = 0u; k < DEPTH; k++) {
        let l = k * PITCH + lane.y * 4u;
        let r = k * PITCH + lane.x;
        let columns = vec4<f32>(right[r], right[r + 16u], right[r + 32u], right[r + 48u]);
        (*sums)[0] += left[l] * columns;
        (*sums)[1] += left[l + 1u] * columns;
        (*sums)[2] += left[l + 2u] * columns;
        (*sums)[3] += left[l + 3u] * columns;
    }
}
