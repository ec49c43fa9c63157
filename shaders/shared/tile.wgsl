// The inner product of a tiled matrix multiplication on graphics hardware:
//   sums[row, column] += Σ_k left[k, row] · right[k, column]
// with k rising and by fma in every variant, so that the tile's shape changes no bit of a sum.
//
// An invocation holds 8 × 8 of the sums in registers, or 8 × 4 (`narrow`), and a block or two of 4 × 4 factors on their way to the
// tiles: it issues the loads of the next blocks, multiplies this tile's factors, and only then stores them. All of these loads are
// vec4s.
//
//                  invocations   registers: sums + factors + blocks   workgroup bytes   multiply-adds per load: storage, workgroup
// 128 × 128            256                64 + 16 + 16                    16384                  256, 16
// 128 × 64             128                64 + 16 + 32                    12288                  171, 16
// 64 × 64               64                64 + 16 + 32                     8192                  128, 16
// 64 × 64, narrow      128                32 + 12 + 16                     8192                  128, 10.7
// 32 × 32, narrow       32                32 + 12 + 32                     4096                   64, 10.7
//
// Compiled for AMD's RDNA 2 (Mesa's RADV) no entry point spills, at 72 to 144 vector registers; the loads of the next blocks
// stand before the product, and what waits for them before the stores. They are loaded and stored in one turn of the loop: blocks that
// are handed from one turn to the next are moved between registers there, by NVIDIA's (NVK) one for one.
//
// Of 32 invocations in a row, 8 lie side by side and 4 one below another: their reads of one term are 8 vec4s that follow
// each other and 4 that are shared. Quads of a term are permuted (`place`) so that no two of those, and no two of the
// blocks' stores, meet in a bank.

@if(tile128x128 || tile128x64) const TILE_ROWS: u32 = 128;
@if(tile64x64) const TILE_ROWS: u32 = 64;
@if(tile32x32) const TILE_ROWS: u32 = 32;
@if(tile128x128) const TILE_COLUMNS: u32 = 128;
@if(tile128x64 || tile64x64) const TILE_COLUMNS: u32 = 64;
@if(tile32x32) const TILE_COLUMNS: u32 = 32;
/// Sums of an invocation
const OWN_ROWS: u32 = 8;
@if(narrow) const OWN_COLUMNS: u32 = 4;
@else const OWN_COLUMNS: u32 = 8;
const WORKGROUP: u32 = TILE_ROWS * TILE_COLUMNS / (OWN_ROWS * OWN_COLUMNS);
/// Terms of the sum that one filling of the tiles covers
const DEPTH: u32 = 16;

const ROW_QUADS: u32 = TILE_ROWS / 4;
const COLUMN_QUADS: u32 = TILE_COLUMNS / 4;
/// Groups of 32 invocations side by side
const GROUPS_ACROSS: u32 = TILE_COLUMNS / OWN_COLUMNS / 8;

/// Where `right` begins in `tiles`.
const RIGHT: u32 = DEPTH * ROW_QUADS;

/// `left` as [term, four rows], then `right` as [term, four columns]
var<workgroup> tiles: array<vec4<f32>, RIGHT + DEPTH * COLUMN_QUADS>;

/// An invocation's sums as blocks of four rows `[i]` of four columns: rows 0 to 3 and 4 to 7 of the first columns, then of the second
/// ones, which lie half a tile further; `narrow` has none.
alias Sums = array<mat4x4<f32>, 4>;
/// Factors on their way to the tiles, as they were loaded: `[i]` is term i of four rows or columns, or four terms of row or
/// column i. Where WORKGROUP are enough, one block for each; nothing looks at what loads bring before it is stored: a choice there
/// would wait for it.
alias Blocks = array<mat4x4<f32>, 2>;
const BLOCKS: u32 = TILE_ROWS + TILE_COLUMNS;

/// First row and first column of an invocation's sums in the tile.
fn own_corner(lane: u32) -> vec2<u32> {
    let down = lane / (32u * GROUPS_ACROSS) * 4u + lane / 8u % 4u;
    let across = lane / 32u % GROUPS_ACROSS * 8u + lane % 8u;
    return vec2<u32>(OWN_ROWS * down, 4u * across);
}

/// Whether an invocation's first block belongs to `left`; the others follow there, and in a second round.
fn brings_left(lane: u32) -> bool {
    return WORKGROUP == TILE_ROWS || lane < TILE_ROWS;
}

/// Whether there is a second block for it, which then belongs to `right`.
fn brings_second(lane: u32) -> bool {
    return BLOCKS > WORKGROUP && (BLOCKS == 2u * WORKGROUP || lane + WORKGROUP < BLOCKS);
}

/// First row of a block in `left`, and its first term.
fn left_corner(block: u32) -> vec2<u32> {
    return vec2<u32>(block / 4u * 4u, block % 4u * 4u);
}

/// First column of a block in `right`, and its first term.
fn right_corner(block: u32) -> vec2<u32> {
    return left_corner(block - TILE_ROWS);
}

// The first filling has zeros before the first term, as many as make all others whole: they need not look where the terms end.

/// Zeros of the first filling of a sum of so many terms.
fn zeros_before(terms: u32) -> u32 {
    return (0u - terms) % DEPTH;
}

/// A block of the first filling whose first term would be `first`, with its zeros; whether it `lies` says what its rows are.
fn after_zeros(block: mat4x4<f32>, lies: bool, first: u32, zeros: u32) -> mat4x4<f32> {
    let there = first + vec4<u32>(0u, 1u, 2u, 3u) >= vec4<u32>(zeros);
    let none = vec4<f32>();
    if (lies) {
        return mat4x4<f32>(
            select(none, block[0], there), select(none, block[1], there), select(none, block[2], there), select(none, block[3], there),
        );
    }
    return mat4x4<f32>(
        select(none, block[0], there.x), select(none, block[1], there.y), select(none, block[2], there.z), select(none, block[3], there.w),
    );
}

/// An invocation's blocks of the first filling, with its zeros.
fn first_filling(lane: u32, blocks: Blocks, left_lies: bool, right_lies: bool, zeros: u32) -> Blocks {
    return Blocks(
        first_block(lane, blocks[0], left_lies, right_lies, zeros), after_zeros(blocks[1], right_lies, left_corner(lane).y, zeros),
    );
}

/// The first of them.
fn first_block(lane: u32, block: mat4x4<f32>, left_lies: bool, right_lies: bool, zeros: u32) -> mat4x4<f32> {
    return after_zeros(block, select(right_lies, left_lies, brings_left(lane)), left_corner(lane).y, zeros);
}

/// Where a quad of a term lies in a tile whose terms lie `pitch` apart.
fn place(term: u32, quad: u32, pitch: u32) -> u32 {
    return term * pitch + (quad ^ (term / 4u * 2u));
}

/// Where an invocation's blocks go.
fn places_of(lane: u32) -> vec2<u32> {
    let second = right_place(lane + WORKGROUP);
    if (brings_left(lane)) {
        return vec2<u32>(place(left_corner(lane).y, left_corner(lane).x / 4u, ROW_QUADS), second);
    }
    return vec2<u32>(right_place(lane), second);
}

fn right_place(block: u32) -> u32 {
    return RIGHT + place(right_corner(block).y, right_corner(block).x / 4u, COLUMN_QUADS);
}

/// Stores an invocation's blocks at `places`; `left_lies` and `right_lies` say whose are four terms of each row or column. A barrier
/// before and after it.
fn put_blocks(lane: u32, places: vec2<u32>, blocks: Blocks, left_lies: bool, right_lies: bool) {
    if (left_lies == right_lies || brings_left(lane)) {
        put_block(places.x, ROW_QUADS, blocks[0], left_lies);
    } else {
        put_block(places.x, COLUMN_QUADS, blocks[0], right_lies);
    }
    if (brings_second(lane)) {
        put_block(places.y, COLUMN_QUADS, blocks[1], right_lies);
    }
}

/// Stores a block term by term, `pitch` apart.
fn put_block(first: u32, pitch: u32, block: mat4x4<f32>, lies: bool) {
    var terms = block;
    if (lies) {
        terms = transpose(block);
    }
    tiles[first] = terms[0];
    tiles[first + pitch] = terms[1];
    tiles[first + 2u * pitch] = terms[2];
    tiles[first + 3u * pitch] = terms[3];
}

/// Adds the product of the two tiles to an invocation's sums, the first of whose rows and columns, in quads, are `own`. A compiler that
/// keeps loops whose bodies are long unrolls one of two turns, so that places are constants; of more turns it would compute them.
fn multiply_tiles(own: vec2<u32>, sums: ptr<function, Sums>) {
    for (var term = 0u; term < DEPTH; term += 8u) {
        multiply_terms(own, term, sums);
        multiply_terms(own, term + 4u, sums);
    }
}

/// Of four terms.
fn multiply_terms(own: vec2<u32>, term: u32, sums: ptr<function, Sums>) {
    let row = place(term, own.x, ROW_QUADS);
    let column = RIGHT + place(term, own.y, COLUMN_QUADS);
    multiply_term(row, column, sums);
    multiply_term(row + ROW_QUADS, column + COLUMN_QUADS, sums);
    multiply_term(row + 2u * ROW_QUADS, column + 2u * COLUMN_QUADS, sums);
    multiply_term(row + 3u * ROW_QUADS, column + 3u * COLUMN_QUADS, sums);
}

/// Of one term, from the places of its first rows, next to which the others lie, and of its first columns.
fn multiply_term(row: u32, column: u32, sums: ptr<function, Sums>) {
    let columns = tiles[column];
    (*sums)[0] = add_product(tiles[row], columns, (*sums)[0]);
    (*sums)[1] = add_product(tiles[row + 1u], columns, (*sums)[1]);
    if (OWN_COLUMNS == 8u) {
        let more_columns = tiles[column + COLUMN_QUADS / 2u];
        (*sums)[2] = add_product(tiles[row], more_columns, (*sums)[2]);
        (*sums)[3] = add_product(tiles[row + 1u], more_columns, (*sums)[3]);
    }
}

/// sums + rows · columnsᵀ
fn add_product(rows: vec4<f32>, columns: vec4<f32>, sums: mat4x4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(
        fma(vec4<f32>(rows.x), columns, sums[0]),
        fma(vec4<f32>(rows.y), columns, sums[1]),
        fma(vec4<f32>(rows.z), columns, sums[2]),
        fma(vec4<f32>(rows.w), columns, sums[3]),
    );
}

/// Adds the terms that an invocation has brought `left`, from their place on, to its sums of their four rows. Which terms these are no
/// tile's shape changes.
fn add_brought(first: u32, sums: vec4<f32>) -> vec4<f32> {
    return sums + tiles[first] + tiles[first + ROW_QUADS] + tiles[first + 2u * ROW_QUADS] + tiles[first + 3u * ROW_QUADS];
}

/// Leaves the sums of those that bring `left` for `brought_sum`. A barrier before and after it.
fn put_brought(lane: u32, sums: vec4<f32>) {
    if (brings_left(lane)) {
        tiles[lane] = sums;
    }
}

/// The whole sums of four rows.
fn brought_sum(quad: u32) -> vec4<f32> {
    return (tiles[4u * quad] + tiles[4u * quad + 1u]) + (tiles[4u * quad + 2u] + tiles[4u * quad + 3u]);
}
