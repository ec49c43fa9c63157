// The inner product of a matrix multiplication by one subgroup of eight invocations: a tile of 32 rows and 32 columns in
// registers. Made for software adapters, where eight invocations are one SIMD vector: a load there is followed address by
// address and costs as much as several multiply-adds, barriers cost more, and values passed between invocations cost
// nothing. So nothing is loaded twice: an invocation keeps its own columns' factors, and hands the rows' on by broadcast.
//
// Kernels load past no end: they clamp the address and select zero, which costs less than a branch around a load.
//
// Invocation `lane` holds columns 4·lane .. 4·lane + 3 of the tile, row 4·quad + i of them in `sums[quad][i]`.

const LANES: u32 = 8;
const TILE_ROWS: u32 = 32;
const TILE_COLUMNS: u32 = 32;
/// Rows of a tile by fours.
const QUADS: u32 = TILE_ROWS / 4;
/// Terms of the sum that one step of a product covers.
const DEPTH: u32 = 8;

alias Sums = array<mat4x4<f32>, QUADS>;
/// The columns' factors: term k, then column.
alias Terms = array<vec4<f32>, DEPTH>;

/// The terms of four columns that lie row by row, terms 0 to 3 and then 4 to 7 of each.
fn terms_of(low: mat4x4<f32>, high: mat4x4<f32>) -> Terms {
    let first = transpose(low);
    let second = transpose(high);
    return Terms(first[0], first[1], first[2], first[3], second[0], second[1], second[2], second[3]);
}

/// Adds DEPTH terms to four rows. Row i of them has its factors in the invocations 2i (terms 0 to 3) and 2i + 1.
fn multiply_quad(left: vec4<f32>, right: ptr<function, Terms>, sums: mat4x4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(
        multiply_row(subgroupBroadcast(left, 0u), subgroupBroadcast(left, 1u), right, sums[0]),
        multiply_row(subgroupBroadcast(left, 2u), subgroupBroadcast(left, 3u), right, sums[1]),
        multiply_row(subgroupBroadcast(left, 4u), subgroupBroadcast(left, 5u), right, sums[2]),
        multiply_row(subgroupBroadcast(left, 6u), subgroupBroadcast(left, 7u), right, sums[3]),
    );
}

fn multiply_row(low: vec4<f32>, high: vec4<f32>, right: ptr<function, Terms>, start: vec4<f32>) -> vec4<f32> {
    var sum = fma(vec4<f32>(low.x), (*right)[0], start);
    sum = fma(vec4<f32>(low.y), (*right)[1], sum);
    sum = fma(vec4<f32>(low.z), (*right)[2], sum);
    sum = fma(vec4<f32>(low.w), (*right)[3], sum);
    sum = fma(vec4<f32>(high.x), (*right)[4], sum);
    sum = fma(vec4<f32>(high.y), (*right)[5], sum);
    sum = fma(vec4<f32>(high.z), (*right)[6], sum);
    return fma(vec4<f32>(high.w), (*right)[7], sum);
}

/// Adds DEPTH terms to four rows. Term k of row i has its factor in component i of `left[k]` of invocation `lane`.
fn multiply_columns(lane: u32, left: ptr<function, Terms>, right: ptr<function, Terms>, sums: mat4x4<f32>) -> mat4x4<f32> {
    let low = transpose(mat4x4<f32>(
        subgroupShuffle((*left)[0], lane),
        subgroupShuffle((*left)[1], lane),
        subgroupShuffle((*left)[2], lane),
        subgroupShuffle((*left)[3], lane),
    ));
    let high = transpose(mat4x4<f32>(
        subgroupShuffle((*left)[4], lane),
        subgroupShuffle((*left)[5], lane),
        subgroupShuffle((*left)[6], lane),
        subgroupShuffle((*left)[7], lane),
    ));
    return mat4x4<f32>(
        multiply_row(low[0], high[0], right, sums[0]),
        multiply_row(low[1], high[1], right, sums[1]),
        multiply_row(low[2], high[2], right, sums[2]),
        multiply_row(low[3], high[3], right, sums[3]),
    );
}
