// The inner product of a matrix multiplication by one subgroup of eight invocations: a tile of 32 rows and 64 columns in
// registers. Made for software adapters, where eight invocations are one SIMD vector: a load there is followed address by
// address and costs as much as several multiply-adds, barriers cost more, and values passed between invocations cost
// nothing. So nothing is loaded twice: an invocation keeps its own columns' factors, and hands the rows' on by broadcast.
//
// Kernels load past no end: they clamp the address and select zero, which costs less than a branch around a load.
//
// Invocation `lane` holds two fours of columns: 4·lane .. and, HALF further, HALF + 4·lane ..; those of row 8·e + i of the
// tile in `sums[e][i]`.

/// Invocations of a subgroup, which is the whole workgroup.
const SUBGROUP: u32 = 8;
const WORKGROUP: u32 = SUBGROUP;
const TILE_ROWS: u32 = 32;
const TILE_COLUMNS: u32 = 64;
/// Distance of an invocation's two fours of columns.
const HALF: u32 = TILE_COLUMNS / 2;
/// Rows of a tile by eights.
const EIGHTS: u32 = TILE_ROWS / SUBGROUP;
/// Terms of the sum that one step of a product covers.
const DEPTH: u32 = 4;
/// Rows from those that a product over rows reads to those that it has the processor fetch. Their rows lie far apart, which no processor
/// foresees, and a step's multiply-adds are too many for it to see the next step's loads; one gather asks for eight lines of the cache.
const AHEAD: u32 = 2 * DEPTH;
/// Numbers of a line of the cache.
const LINE: u32 = 16;

alias Eight = array<mat2x4<f32>, SUBGROUP>;
alias Sums = array<Eight, EIGHTS>;
/// The columns' factors: term k of both fours of columns.
alias Terms = array<mat2x4<f32>, DEPTH>;

/// The rows 8·e .. of the sums. Registers have no addresses: a loop that stores a tile selects its rows, so that its stores,
/// which cost more than anything else to compile, stand in the program once.
fn eight_of(sums: ptr<function, Sums>, e: u32) -> Eight {
    let low = either((*sums)[0], (*sums)[1], e % 2u == 1u);
    let high = either((*sums)[2], (*sums)[3], e % 2u == 1u);
    return either(low, high, e >= 2u);
}

/// The second eight rows, or the first.
fn either(first: Eight, second: Eight, is_second: bool) -> Eight {
    var rows = first;
    var other = second;
    for (var i = 0u; i < SUBGROUP; i++) {
        rows[i][0] = select(rows[i][0], other[i][0], is_second);
        rows[i][1] = select(rows[i][1], other[i][1], is_second);
    }
    return rows;
}

/// Row `i` of eight.
fn row_of(eight: Eight, i: u32) -> mat2x4<f32> {
    var rows = eight;
    var row = rows[0];
    for (var other = 1u; other < SUBGROUP; other++) {
        row[0] = select(row[0], rows[other][0], i == other);
        row[1] = select(row[1], rows[other][1], i == other);
    }
    return row;
}

/// The terms of columns that lie row by row: four terms of each of the first and of the second four columns.
fn terms_of(first: mat4x4<f32>, second: mat4x4<f32>) -> Terms {
    let a = transpose(first);
    let b = transpose(second);
    return Terms(mat2x4<f32>(a[0], b[0]), mat2x4<f32>(a[1], b[1]), mat2x4<f32>(a[2], b[2]), mat2x4<f32>(a[3], b[3]));
}

/// Adds DEPTH terms to eight rows; invocation i has the factors of row i.
fn multiply_rows(left: vec4<f32>, right: ptr<function, Terms>, sums: Eight) -> Eight {
    return Eight(
        multiply_row(subgroupBroadcast(left, 0u), right, sums[0]),
        multiply_row(subgroupBroadcast(left, 1u), right, sums[1]),
        multiply_row(subgroupBroadcast(left, 2u), right, sums[2]),
        multiply_row(subgroupBroadcast(left, 3u), right, sums[3]),
        multiply_row(subgroupBroadcast(left, 4u), right, sums[4]),
        multiply_row(subgroupBroadcast(left, 5u), right, sums[5]),
        multiply_row(subgroupBroadcast(left, 6u), right, sums[6]),
        multiply_row(subgroupBroadcast(left, 7u), right, sums[7]),
    );
}

fn multiply_row(left: vec4<f32>, right: ptr<function, Terms>, start: mat2x4<f32>) -> mat2x4<f32> {
    var first = start[0];
    var second = start[1];
    for (var k = 0u; k < DEPTH; k++) {
        first = fma(vec4<f32>(left[k]), (*right)[k][0], first);
        second = fma(vec4<f32>(left[k]), (*right)[k][1], second);
    }
    return mat2x4<f32>(first, second);
}

/// Adds DEPTH terms to the eight rows 8·e .. of a tile whose factors lie by columns: those of the rows 4·lane .. at term k are
/// `left[k]` of invocation `lane`.
fn multiply_columns(e: u32, left: mat4x4<f32>, right: ptr<function, Terms>, sums: Eight) -> Eight {
    let low = transpose(from_lane(left, 2u * e));
    let high = transpose(from_lane(left, 2u * e + 1u));
    return Eight(
        multiply_row(low[0], right, sums[0]),
        multiply_row(low[1], right, sums[1]),
        multiply_row(low[2], right, sums[2]),
        multiply_row(low[3], right, sums[3]),
        multiply_row(high[0], right, sums[4]),
        multiply_row(high[1], right, sums[5]),
        multiply_row(high[2], right, sums[6]),
        multiply_row(high[3], right, sums[7]),
    );
}

fn from_lane(own: mat4x4<f32>, lane: u32) -> mat4x4<f32> {
    return mat4x4<f32>(
        subgroupShuffle(own[0], lane),
        subgroupShuffle(own[1], lane),
        subgroupShuffle(own[2], lane),
        subgroupShuffle(own[3], lane),
    );
}
