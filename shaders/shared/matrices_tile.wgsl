// A tile of a matrix product by cooperative matrices, whose factors are f16 and whose sums are f32.
//
// A workgroup computes it by eight blocks of 4 × 2 fragments of SIZE × SIZE, each of which a subgroup holds over the whole product. Where
// subgroups are fewer than the blocks (wider than 32 invocations), each holds two at a time, which take no more registers of an
// invocation than one does of 32; those of 128 take their four in two turns. Where they are more (down to 8 invocations), the
// others help to load, and then idle. Which subgroup it is, an invocation asks: nothing says that subgroups are invocations in a row, nor
// that they are full.
//
// Fragments are numbered by constants alone, since registers have no addresses.

@if(size16) alias Left = coop_mat16x16<f16, A>;
@if(size16) alias Right = coop_mat16x16<f16, B>;
@if(size16) alias Sum = coop_mat16x16<f32, C>;
@if(size8) alias Left = coop_mat8x8<f16, A>;
@if(size8) alias Right = coop_mat8x8<f16, B>;
@if(size8) alias Sum = coop_mat8x8<f32, C>;

/// Rows and columns of a fragment
@if(size16) const SIZE: u32 = 16;
@if(size8) const SIZE: u32 = 8;
const WORKGROUP: u32 = 256;
/// Blocks of a tile, 2 × 4
const BLOCKS: u32 = 8;
const BLOCK_ROWS: u32 = 4 * SIZE;
const BLOCK_COLUMNS: u32 = 2 * SIZE;
/// Rows and columns of a tile
const SIDE: u32 = 8 * SIZE;
const TILE_ROWS: u32 = SIDE;
const TILE_COLUMNS: u32 = SIDE;
/// Terms of the sum that one filling of the tiles covers
const DEPTH: u32 = 32;
/// Distance of two rows of a tile: fragments must start at multiples of 16 bytes, and their rows in different banks
const PITCH: u32 = DEPTH + 8;
/// Fours of terms that an invocation brings for a tile where the terms of a row lie side by side in memory, and their distance along the
/// side
const FOURS: u32 = SIDE * DEPTH / 4 / WORKGROUP;
const SIDE_STEP: u32 = SIDE / FOURS;
/// Squares of four terms by four of the side that an invocation brings where the numbers of a term lie side by side, and their distance
/// along the side, from which on none are left
const SQUARES: u32 = max(1u, SIDE * DEPTH / 16 / WORKGROUP);
const SQUARE_STEP: u32 = 16 * WORKGROUP / DEPTH;
/// A fragment of each block, or a row of fragments; and what the fours of terms of each number of the side add up to
const RESULTS: u32 = max(BLOCKS * SIZE * SIZE, SIDE * DEPTH / 4);

/// Of a block, row by row
alias Sums = array<Sum, 8>;
/// What an invocation brings of rows of terms, …
alias Brought = array<vec4<f32>, FOURS>;
/// … and of terms, a column for each term of a square.
alias BroughtSquares = array<mat4x4<f32>, SQUARES>;

/// `[side · PITCH + term]`
var<workgroup> left: array<f16, SIDE * PITCH>;
var<workgroup> right: array<f16, SIDE * PITCH>;
var<workgroup> results: array<f32, RESULTS>;

/// Which of the side, and which terms, an invocation's first four are.
fn first_four(lane: u32) -> vec2<u32> {
    return vec2<u32>(lane / (DEPTH / 4u), lane % (DEPTH / 4u) * 4u);
}

/// The same of its first square.
fn first_square(lane: u32) -> vec2<u32> {
    return 4u * vec2<u32>(lane / (DEPTH / 4u), lane % (DEPTH / 4u));
}

fn put_left(place: u32, values: vec4<f16>) {
    left[place] = values.x;
    left[place + 1u] = values.y;
    left[place + 2u] = values.z;
    left[place + 3u] = values.w;
}

fn put_right(place: u32, values: vec4<f16>) {
    right[place] = values.x;
    right[place + 1u] = values.y;
    right[place + 2u] = values.z;
    right[place + 3u] = values.w;
}

/// Puts what was brought of the left factor. Of terms past the last, which `terms` says how many are left, zeros take the place.
fn put_left_fours(lane: u32, values: Brought, terms: u32) {
    let at = first_four(lane);
    let place = at.x * PITCH + at.y;
    for (var four = 0u; four < FOURS; four++) {
        put_left(place + four * SIDE_STEP * PITCH, vec4<f16>(values[four]));
    }
    if (at.y >= terms) {
        for (var four = 0u; four < FOURS; four++) {
            put_left(place + four * SIDE_STEP * PITCH, vec4<f16>());
        }
    }
}

fn put_right_fours(lane: u32, values: Brought, terms: u32) {
    let at = first_four(lane);
    let place = at.x * PITCH + at.y;
    for (var four = 0u; four < FOURS; four++) {
        put_right(place + four * SIDE_STEP * PITCH, vec4<f16>(values[four]));
    }
    if (at.y >= terms) {
        for (var four = 0u; four < FOURS; four++) {
            put_right(place + four * SIDE_STEP * PITCH, vec4<f16>());
        }
    }
}

fn put_left_squares(lane: u32, squares: BroughtSquares, terms: u32) {
    let at = first_square(lane);
    for (var square = 0u; square < SQUARES; square++) {
        let side = at.x + square * SQUARE_STEP;
        if (side < SIDE) {
            let rows = transpose(squares[square]);
            let place = side * PITCH + at.y;
            put_left(place, vec4<f16>(rows[0]));
            put_left(place + PITCH, vec4<f16>(rows[1]));
            put_left(place + 2u * PITCH, vec4<f16>(rows[2]));
            put_left(place + 3u * PITCH, vec4<f16>(rows[3]));
            for (var term = terms - min(at.y, terms); term < 4u; term++) {
                left[place + term] = 0.0h;
                left[place + PITCH + term] = 0.0h;
                left[place + 2u * PITCH + term] = 0.0h;
                left[place + 3u * PITCH + term] = 0.0h;
            }
        }
    }
}

fn put_right_squares(lane: u32, squares: BroughtSquares, terms: u32) {
    let at = first_square(lane);
    for (var square = 0u; square < SQUARES; square++) {
        let side = at.x + square * SQUARE_STEP;
        if (side < SIDE) {
            let rows = transpose(squares[square]);
            let place = side * PITCH + at.y;
            put_right(place, vec4<f16>(rows[0]));
            put_right(place + PITCH, vec4<f16>(rows[1]));
            put_right(place + 2u * PITCH, vec4<f16>(rows[2]));
            put_right(place + 3u * PITCH, vec4<f16>(rows[3]));
            for (var term = terms - min(at.y, terms); term < 4u; term++) {
                right[place + term] = 0.0h;
                right[place + PITCH + term] = 0.0h;
                right[place + 2u * PITCH + term] = 0.0h;
                right[place + 3u * PITCH + term] = 0.0h;
            }
        }
    }
}

/// Adds up the four terms of each row of a square of the left factor, of a number of the side and the three after it. They are read back,
/// since compilers may leave out a conversion to f16 and back.
fn sums_of_left(side: u32, term: u32) -> vec4<f32> {
    let place = side * PITCH + term;
    return vec4<f32>(sum_at(place), sum_at(place + PITCH), sum_at(place + 2u * PITCH), sum_at(place + 3u * PITCH));
}

fn sum_at(place: u32) -> f32 {
    return f32(left[place]) + f32(left[place + 1u]) + f32(left[place + 2u]) + f32(left[place + 3u]);
}

/// The block that a subgroup has of those from `first` on, or the last.
fn block_of(first: u32, subgroup: u32) -> u32 {
    return min(first + subgroup, BLOCKS - 1u);
}

/// 1 where all blocks are others', else 0. Matrices of 16 are of devices whose subgroups have at least 32 invocations.
fn idles(subgroup: u32) -> u32 {
    @if(size8) return u32(subgroup >= BLOCKS);
    @else return 0u;
}

/// First row and column of a block in its tile.
fn corner(block: u32) -> vec2<u32> {
    return vec2<u32>(block / 4u * BLOCK_ROWS, block % 4u * BLOCK_COLUMNS);
}

fn left_fragment(row: u32, term: u32) -> Left {
    return coopLoadT<Left>(&left[row * PITCH + term], PITCH);
}

fn right_fragment(column: u32, term: u32) -> Right {
    return coopLoad<Right>(&right[column * PITCH + term], PITCH);
}

/// Adds a block's part of the product of the two tiles to its sums.
fn multiply_tiles(block: u32, subgroup: u32, sums: ptr<function, Sums>) {
    let at = corner(block);
    for (var k = idles(subgroup) * DEPTH; k < DEPTH; k += SIZE) {
        let near = right_fragment(at.y, k);
        let far = right_fragment(at.y + SIZE, k);
        let row0 = left_fragment(at.x, k);
        let row1 = left_fragment(at.x + SIZE, k);
        let row2 = left_fragment(at.x + 2u * SIZE, k);
        let row3 = left_fragment(at.x + 3u * SIZE, k);
        (*sums)[0] = coopMultiplyAdd(row0, near, (*sums)[0]);
        (*sums)[1] = coopMultiplyAdd(row0, far, (*sums)[1]);
        (*sums)[2] = coopMultiplyAdd(row1, near, (*sums)[2]);
        (*sums)[3] = coopMultiplyAdd(row1, far, (*sums)[3]);
        (*sums)[4] = coopMultiplyAdd(row2, near, (*sums)[4]);
        (*sums)[5] = coopMultiplyAdd(row2, far, (*sums)[5]);
        (*sums)[6] = coopMultiplyAdd(row3, near, (*sums)[6]);
        (*sums)[7] = coopMultiplyAdd(row3, far, (*sums)[7]);
    }
}

/// Puts the first fragment of a subgroup's sums where all invocations can read it, and has the next be the first.
fn show(subgroup: u32, sums: ptr<function, Sums>) {
    for (var turn = idles(subgroup); turn < 1u; turn++) {
        coopStoreT((*sums)[0], &results[min(subgroup, BLOCKS - 1u) * SIZE * SIZE], SIZE);
    }
    (*sums)[0] = (*sums)[1];
    (*sums)[1] = (*sums)[2];
    (*sums)[2] = (*sums)[3];
    (*sums)[3] = (*sums)[4];
    (*sums)[4] = (*sums)[5];
    (*sums)[5] = (*sums)[6];
    (*sums)[6] = (*sums)[7];
}

/// Row and column in the tile of element `part` of what is shown, the first of which belong to block `first`.
fn place_of(part: u32, first: u32, fragment: u32) -> vec2<u32> {
    let within = vec2<u32>(fragment / 2u, fragment % 2u) * SIZE + vec2<u32>(part / SIZE % SIZE, part % SIZE);
    return corner(first + part / (SIZE * SIZE)) + within;
}

/// Four shown numbers.
fn shown(part: u32) -> vec4<f32> {
    return vec4<f32>(results[part], results[part + 1u], results[part + 2u], results[part + 3u]);
}

fn put_results(place: u32, values: vec4<f32>) {
    results[place] = values.x;
    results[place + 1u] = values.y;
    results[place + 2u] = values.z;
    results[place + 3u] = values.w;
}

/// End of what is shown of blocks from `first` on.
fn shown_end(first: u32, subgroups: u32) -> u32 {
    return min(subgroups, BLOCKS - first) * SIZE * SIZE;
}

/// Has all rows of a block begin with the row of which `results` has a row of fragments.
fn begin_with_row(block: u32, sums: ptr<function, Sums>) {
    let column = corner(block).y;
    let near = coopLoadT<Sum>(&results[column], SIDE);
    let far = coopLoadT<Sum>(&results[column + SIZE], SIDE);
    *sums = Sums(near, far, near, far, near, far, near, far);
}
