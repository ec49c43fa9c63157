// `attention` in mixed precision by cooperative matrices, whose factors are f16 and whose sums are f32: a workgroup per block of queries
// (or keys), head of at most COLUMNS columns and utterance; the other side passes by TILE rows at a time, the next of which are on their
// way while a tile is multiplied. Invocations know no rows of fragments: what these leave of a tile's products lies in workgroup memory,
// where each invocation takes the row of its own query (or key).
//
// A query's maximum is a whole power of two, beside which its weights are rounded alike wherever the keys that came before had left it.
// Subgroups are asked which they are; each takes the fragments that are its own, none where there are more subgroups than those. naga
// refuses operations of cooperative matrices in a branch by what it does not know to be uniform, but not in a loop.

import super::interface::{args, log_sum_exp, statistics_in, begin, take_block};
import super::rows::{
    LOWEST, NO_KEY, LOG2_E, LN_2, load_q, load_k, load_v, load_y_gradient, store_o, store_q_gradient, store_k_gradient, store_v_gradient,
    power_of_two, rounded_power_of_two, put_statistics,
};
import package::shared::grid::in_grid;
import package::shared::matrices_tile::{Left, Right, Sum, SIZE};

enable f16;
enable wgpu_cooperative_matrix;

/// A head's columns, four at a time; smaller heads are filled with zeros.
const QUADS: u32 = 4;
const COLUMNS: u32 = 4 * QUADS;
/// An invocation for each query (or key) of a workgroup.
@if(size16) const WORKGROUP: u32 = 64;
@if(size8) const WORKGROUP: u32 = 32;
const BLOCK: u32 = WORKGROUP;
/// Rows of the other side in one tile.
const TILE: u32 = 16;
/// Distances of rows: fragments must start at multiples of 16 bytes, and their rows in different banks.
const PITCH: u32 = COLUMNS + 8;
const WEIGHT_PITCH: u32 = TILE + 8;
const PRODUCT_PITCH: u32 = max(TILE, COLUMNS) + 4;
/// Fragments of a block, of a tile, and of a head's columns
const DOWN: u32 = BLOCK / SIZE;
const TILE_FRAGMENTS: u32 = TILE / SIZE;
const COLUMN_FRAGMENTS: u32 = COLUMNS / SIZE;
/// Elements of a tile.
const NEXT: u32 = TILE * PITCH;

/// [row, column]: queries and gradients of what they got, or keys and values
var<workgroup> own_first: array<f16, BLOCK * PITCH>;
var<workgroup> own_second: array<f16, BLOCK * PITCH>;
/// The same of the other side, of a tile and of the next; zeros past the last row
var<workgroup> other_first: array<f16, 2 * NEXT>;
var<workgroup> other_second: array<f16, 2 * NEXT>;
var<workgroup> statistics_tile: array<vec2<f32>, 2 * TILE>;
/// [row, row of the tile]: what multiplies the rows of the first tile, and of the second
var<workgroup> first_weights: array<f16, BLOCK * WEIGHT_PITCH>;
var<workgroup> second_weights: array<f16, BLOCK * WEIGHT_PITCH>;
/// [row, row of the tile], then [row, column]
var<workgroup> first_products: array<f32, BLOCK * PRODUCT_PITCH>;
var<workgroup> second_products: array<f32, BLOCK * PRODUCT_PITCH>;

alias Row = array<vec4<f32>, QUADS>;

fn put_own_first(place: u32, values: vec4<f16>) {
    own_first[place] = values.x;
    own_first[place + 1u] = values.y;
    own_first[place + 2u] = values.z;
    own_first[place + 3u] = values.w;
}

fn put_own_second(place: u32, values: vec4<f16>) {
    own_second[place] = values.x;
    own_second[place + 1u] = values.y;
    own_second[place + 2u] = values.z;
    own_second[place + 3u] = values.w;
}

fn put_other_first(place: u32, values: vec4<f16>) {
    other_first[place] = values.x;
    other_first[place + 1u] = values.y;
    other_first[place + 2u] = values.z;
    other_first[place + 3u] = values.w;
}

fn put_other_second(place: u32, values: vec4<f16>) {
    other_second[place] = values.x;
    other_second[place + 1u] = values.y;
    other_second[place + 2u] = values.z;
    other_second[place + 3u] = values.w;
}

/// Puts a quad of the keys and values from `first` on into the tile of which `place` is the first element.
fn put_key(place: u32, part: u32, head: u32, first: u32, end: u32) {
    let key = first + part / QUADS;
    let quad = part % QUADS;
    var keys = vec4<f32>();
    var values = vec4<f32>();
    if (key < end) {
        keys = load_k(key, head, quad);
        values = load_v(key, head, quad);
    }
    let at = place + part / QUADS * PITCH + 4u * quad;
    put_other_first(at, vec4<f16>(keys));
    put_other_second(at, vec4<f16>(values));
}

/// The same with queries, the gradients of what they got, and their statistics.
fn put_query(place: u32, part: u32, head: u32, first: u32, end: u32) {
    let query = first + part / QUADS;
    let quad = part % QUADS;
    var queries = vec4<f32>();
    var gradients = vec4<f32>();
    if (query < end) {
        queries = load_q(query, head, quad);
        gradients = load_y_gradient(query, head, quad);
        if (quad == 0u) {
            let statistic = statistics_in[begin.statistics + query * args.heads + head];
            statistics_tile[place / PITCH + part / QUADS] = statistic * vec2<f32>(LOG2_E, 1.0);
        }
    }
    let at = place + part / QUADS * PITCH + 4u * quad;
    put_other_first(at, vec4<f16>(queries));
    put_other_second(at, vec4<f16>(gradients));
}

/// Fills a tile with them: a loop of one turn or two is one that compilers leave.
fn put_keys(place: u32, lane: u32, head: u32, first: u32, end: u32) {
    put_key(place, lane, head, first, end);
    @if(size8) put_key(place, lane + WORKGROUP, head, first, end);
}

fn put_queries(place: u32, lane: u32, head: u32, first: u32, end: u32) {
    put_query(place, lane, head, first, end);
    @if(size8) put_query(place, lane + WORKGROUP, head, first, end);
}

/// Products of the block's rows with those of the first tile at `place`, to `first_products`.
fn multiply_first(subgroup: u32, subgroups: u32, place: u32) {
    for (var job = subgroup; job < DOWN * TILE_FRAGMENTS; job += subgroups) {
        let row = job / TILE_FRAGMENTS * SIZE;
        let other = job % TILE_FRAGMENTS * SIZE;
        var sum = Sum();
        for (var k = 0u; k < COLUMNS; k += SIZE) {
            let left = coopLoadT<Left>(&own_first[row * PITCH + k], PITCH);
            sum = coopMultiplyAdd(left, coopLoad<Right>(&other_first[place + other * PITCH + k], PITCH), sum);
        }
        coopStoreT(sum, &first_products[row * PRODUCT_PITCH + other], PRODUCT_PITCH);
    }
}

/// The same of the second.
fn multiply_second(subgroup: u32, subgroups: u32, place: u32) {
    for (var job = subgroup; job < DOWN * TILE_FRAGMENTS; job += subgroups) {
        let row = job / TILE_FRAGMENTS * SIZE;
        let other = job % TILE_FRAGMENTS * SIZE;
        var sum = Sum();
        for (var k = 0u; k < COLUMNS; k += SIZE) {
            let left = coopLoadT<Left>(&own_second[row * PITCH + k], PITCH);
            sum = coopMultiplyAdd(left, coopLoad<Right>(&other_second[place + other * PITCH + k], PITCH), sum);
        }
        coopStoreT(sum, &second_products[row * PRODUCT_PITCH + other], PRODUCT_PITCH);
    }
}

/// Sums over the rows of the first tile under their weights, to `first_products`.
fn weigh_first(subgroup: u32, subgroups: u32, place: u32) {
    for (var job = subgroup; job < DOWN * COLUMN_FRAGMENTS; job += subgroups) {
        let row = job / COLUMN_FRAGMENTS * SIZE;
        let column = job % COLUMN_FRAGMENTS * SIZE;
        var sum = Sum();
        for (var k = 0u; k < TILE; k += SIZE) {
            let left = coopLoadT<Left>(&first_weights[row * WEIGHT_PITCH + k], WEIGHT_PITCH);
            sum = coopMultiplyAdd(left, coopLoadT<Right>(&other_first[place + k * PITCH + column], PITCH), sum);
        }
        coopStoreT(sum, &first_products[row * PRODUCT_PITCH + column], PRODUCT_PITCH);
    }
}

/// The same of the second.
fn weigh_second(subgroup: u32, subgroups: u32, place: u32) {
    for (var job = subgroup; job < DOWN * COLUMN_FRAGMENTS; job += subgroups) {
        let row = job / COLUMN_FRAGMENTS * SIZE;
        let column = job % COLUMN_FRAGMENTS * SIZE;
        var sum = Sum();
        for (var k = 0u; k < TILE; k += SIZE) {
            let left = coopLoadT<Left>(&second_weights[row * WEIGHT_PITCH + k], WEIGHT_PITCH);
            sum = coopMultiplyAdd(left, coopLoadT<Right>(&other_second[place + k * PITCH + column], PITCH), sum);
        }
        coopStoreT(sum, &second_products[row * PRODUCT_PITCH + column], PRODUCT_PITCH);
    }
}

/// Four of an invocation's own.
fn first_product(lane: u32, quad: u32) -> vec4<f32> {
    let at = lane * PRODUCT_PITCH + 4u * quad;
    return vec4<f32>(first_products[at], first_products[at + 1u], first_products[at + 2u], first_products[at + 3u]);
}

fn second_product(lane: u32, quad: u32) -> vec4<f32> {
    let at = lane * PRODUCT_PITCH + 4u * quad;
    return vec4<f32>(second_products[at], second_products[at + 1u], second_products[at + 2u], second_products[at + 3u]);
}

fn put_first_weights(lane: u32, quad: u32, weights: vec4<f16>) {
    let at = lane * WEIGHT_PITCH + 4u * quad;
    first_weights[at] = weights.x;
    first_weights[at + 1u] = weights.y;
    first_weights[at + 2u] = weights.z;
    first_weights[at + 3u] = weights.w;
}

fn put_second_weights(lane: u32, quad: u32, weights: vec4<f16>) {
    let at = lane * WEIGHT_PITCH + 4u * quad;
    second_weights[at] = weights.x;
    second_weights[at + 1u] = weights.y;
    second_weights[at + 2u] = weights.z;
    second_weights[at + 3u] = weights.w;
}

/// Which of four rows of the other side from `row` on are before the end.
fn are_there(row: u32, end: u32) -> vec4<bool> {
    return row + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(end);
}

fn powers_of_two(x: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(power_of_two(x.x), power_of_two(x.y), power_of_two(x.z), power_of_two(x.w));
}

fn rounded_powers_of_two(x: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(rounded_power_of_two(x.x), rounded_power_of_two(x.y), rounded_power_of_two(x.z), rounded_power_of_two(x.w));
}

@compute @workgroup_size(WORKGROUP)
fn forward(
    @builtin(workgroup_id) group_of_part: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
) {
    let group = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let range = take_block(group.y);
    let head = group.x;
    let row = range.x + lane;
    let within = row < range.y;
    for (var quad = 0u; quad < QUADS; quad++) {
        var queries = vec4<f32>();
        if (within) {
            queries = load_q(row, head, quad);
        }
        put_own_first(lane * PITCH + 4u * quad, vec4<f16>(queries));
    }
    var sums = Row();
    var highest = LOWEST;
    var total = 0.0;
    var place = 0u;
    let end = range.w;
    put_keys(place, lane, head, range.z, end);
    workgroupBarrier();
    for (var first = range.z; first < end; first += TILE) {
        multiply_first(subgroup, subgroups, place);
        workgroupBarrier();
        var scores: Row;
        var new_highest = highest;
        for (var quad = 0u; quad < QUADS; quad++) {
            let own = first_product(lane, quad) * (args.scale * LOG2_E);
            scores[quad] = select(vec4<f32>(NO_KEY), own, are_there(first + 4u * quad, end));
            let pairs = max(scores[quad].xy, scores[quad].zw);
            new_highest = max(new_highest, max(pairs.x, pairs.y));
        }
        new_highest = ceil(new_highest);
        let shrink = power_of_two(highest - new_highest);
        total *= shrink;
        for (var quad = 0u; quad < QUADS; quad++) {
            let weights = rounded_powers_of_two(scores[quad] - new_highest);
            total += (weights.x + weights.y) + (weights.z + weights.w);
            put_second_weights(lane, quad, vec4<f16>(weights));
        }
        highest = new_highest;
        workgroupBarrier();
        weigh_second(subgroup, subgroups, place);
        place = NEXT - place;
        put_keys(place, lane, head, first + TILE, end);
        workgroupBarrier();
        for (var quad = 0u; quad < QUADS; quad++) {
            sums[quad] = fma(sums[quad], vec4<f32>(shrink), second_product(lane, quad));
        }
    }
    if (within) {
        // Without a key the row is zero and the log of nothing is -infinity.
        let scale = select(0.0, 1.0 / total, total != 0.0);
        for (var quad = 0u; quad < QUADS; quad++) {
            store_o(row, head, quad, sums[quad] * scale);
        }
        log_sum_exp[begin.log_sum_exp + row * args.heads + head] = fma(highest, LN_2, log(total));
    }
}

@compute @workgroup_size(WORKGROUP)
fn statistics(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let range = take_block(group.y);
    for (var row = range.x + lane; row < range.y; row += WORKGROUP) {
        put_statistics(row, group.x);
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward_queries(
    @builtin(workgroup_id) group_of_part: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
) {
    let group = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let range = take_block(group.y);
    let head = group.x;
    let row = range.x + lane;
    let within = row < range.y;
    var statistic = vec2<f32>();
    if (within) {
        statistic = statistics_in[begin.statistics + row * args.heads + head] * vec2<f32>(LOG2_E, 1.0);
    }
    for (var quad = 0u; quad < QUADS; quad++) {
        var queries = vec4<f32>();
        var gradients = vec4<f32>();
        if (within) {
            queries = load_q(row, head, quad);
            gradients = load_y_gradient(row, head, quad);
        }
        put_own_first(lane * PITCH + 4u * quad, vec4<f16>(queries));
        put_own_second(lane * PITCH + 4u * quad, vec4<f16>(gradients));
    }
    var sums = Row();
    var place = 0u;
    let end = range.w;
    put_keys(place, lane, head, range.z, end);
    workgroupBarrier();
    for (var first = range.z; first < end; first += TILE) {
        multiply_first(subgroup, subgroups, place);
        multiply_second(subgroup, subgroups, place);
        workgroupBarrier();
        for (var quad = 0u; quad < QUADS; quad++) {
            let weights = powers_of_two(first_product(lane, quad) * (args.scale * LOG2_E) - statistic.x);
            let ds = weights * (second_product(lane, quad) - statistic.y);
            put_first_weights(lane, quad, vec4<f16>(select(vec4<f32>(), ds, are_there(first + 4u * quad, end))));
        }
        workgroupBarrier();
        weigh_first(subgroup, subgroups, place);
        place = NEXT - place;
        put_keys(place, lane, head, first + TILE, end);
        workgroupBarrier();
        for (var quad = 0u; quad < QUADS; quad++) {
            sums[quad] += first_product(lane, quad);
        }
        // The products of the next tile take the place of these sums.
        workgroupBarrier();
    }
    if (within) {
        for (var quad = 0u; quad < QUADS; quad++) {
            store_q_gradient(row, head, quad, sums[quad] * args.scale);
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward_keys(
    @builtin(workgroup_id) group_of_part: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
) {
    let group = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let range = take_block(group.y);
    let head = group.x;
    let row = range.z + lane;
    let within = row < range.w;
    for (var quad = 0u; quad < QUADS; quad++) {
        var keys = vec4<f32>();
        var values = vec4<f32>();
        if (within) {
            keys = load_k(row, head, quad);
            values = load_v(row, head, quad);
        }
        put_own_first(lane * PITCH + 4u * quad, vec4<f16>(keys));
        put_own_second(lane * PITCH + 4u * quad, vec4<f16>(values));
    }
    var sums_k = Row();
    var sums_v = Row();
    var place = 0u;
    let end = range.y;
    put_queries(place, lane, head, range.x, end);
    workgroupBarrier();
    for (var first = range.x; first < end; first += TILE) {
        multiply_first(subgroup, subgroups, place);
        multiply_second(subgroup, subgroups, place);
        workgroupBarrier();
        for (var quad = 0u; quad < QUADS; quad++) {
            let at = place / PITCH + 4u * quad;
            let one = statistics_tile[at];
            let two = statistics_tile[at + 1u];
            let three = statistics_tile[at + 2u];
            let four = statistics_tile[at + 3u];
            let are = are_there(first + 4u * quad, end);
            let highest = vec4<f32>(one.x, two.x, three.x, four.x);
            let weights = powers_of_two(first_product(lane, quad) * (args.scale * LOG2_E) - highest);
            let ds = weights * (second_product(lane, quad) - vec4<f32>(one.y, two.y, three.y, four.y));
            put_first_weights(lane, quad, vec4<f16>(select(vec4<f32>(), ds, are)));
            put_second_weights(lane, quad, vec4<f16>(select(vec4<f32>(), weights, are)));
        }
        workgroupBarrier();
        weigh_first(subgroup, subgroups, place);
        weigh_second(subgroup, subgroups, place);
        place = NEXT - place;
        put_queries(place, lane, head, first + TILE, end);
        workgroupBarrier();
        for (var quad = 0u; quad < QUADS; quad++) {
            sums_k[quad] += first_product(lane, quad);
            sums_v[quad] += second_product(lane, quad);
        }
        // The products of the next tile take the place of these sums.
        workgroupBarrier();
    }
    if (within) {
        for (var quad = 0u; quad < QUADS; quad++) {
            store_k_gradient(row, head, quad, sums_k[quad] * args.scale);
            store_v_gradient(row, head, quad, sums_v[quad]);
        }
    }
}
