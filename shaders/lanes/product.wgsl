// The inner product of a matrix multiplication by one subgroup of eight invocations: a tile of 32 rows and 32 columns in
// registers. Made for software adapters, where eight invocations are one SIMD vector: a load there is followed address by
// address and costs as much as several multiply-adds, barriers cost more, and values passed between invocations cost
// nothing. So nothing is loaded twice: an invocation keeps its own columns' factors, and hands the rows' on by broadcast.
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

/// Adds one term to all rows: row 4·quad + i has its factor in component i of invocation `quad`.
fn multiply_outer(left: vec4<f32>, right: vec4<f32>, sums: ptr<function, Sums>) {
    (*sums)[0] = add_outer(subgroupBroadcast(left, 0u), right, (*sums)[0]);
    (*sums)[1] = add_outer(subgroupBroadcast(left, 1u), right, (*sums)[1]);
    (*sums)[2] = add_outer(subgroupBroadcast(left, 2u), right, (*sums)[2]);
    (*sums)[3] = add_outer(subgroupBroadcast(left, 3u), right, (*sums)[3]);
    (*sums)[4] = add_outer(subgroupBroadcast(left, 4u), right, (*sums)[4]);
    (*sums)[5] = add_outer(subgroupBroadcast(left, 5u), right, (*sums)[5]);
    (*sums)[6] = add_outer(subgroupBroadcast(left, 6u), right, (*sums)[6]);
    (*sums)[7] = add_outer(subgroupBroadcast(left, 7u), right, (*sums)[7]);
}

fn add_outer(left: vec4<f32>, right: vec4<f32>, start: mat4x4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(
        fma(vec4<f32>(left.x), right, start[0]),
        fma(vec4<f32>(left.y), right, start[1]),
        fma(vec4<f32>(left.z), right, start[2]),
        fma(vec4<f32>(left.w), right, start[3]),
    );
}
