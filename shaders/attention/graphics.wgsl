// `attention` for graphics hardware: a workgroup per block of queries (or keys), head and utterance; the other side passes by in tiles
// through workgroup memory, of which the scores of eight keys are taken at a time: one maximum and one rescaling for all eight.
//
// An invocation has at most 16 columns of a row, so that no head takes more registers than the paper's: a wider head is shared by
// SHARES invocations, each of which leaves its part of every product in workgroup memory, where all add the parts in the same order.
//
// `rounded` rounds all factors to f16: mixed precision where there are no cooperative matrices. A query's maximum is then a whole power of
// two, beside which its weights are rounded alike wherever the keys that came before had left it.

import super::interface::{args, log_sum_exp, statistics_in, begin, take_block};
import super::rows::{
    LOWEST, NO_KEY, LOG2_E, LN_2, load_q, load_k, load_v, load_y_gradient, store_o, store_q_gradient, store_k_gradient, store_v_gradient,
    power_of_two, put_statistics,
};
import package::shared::grid::in_grid;
@if(rounded) import package::shared::numbers::{is_nan, round_to_f16, round_fraction};
@if(rounded) import super::rows::rounded_power_of_two;

/// A head's columns, four at a time; smaller heads are filled with zeros.
@if(head8) const QUADS: u32 = 2;
@if(head16) const QUADS: u32 = 4;
@if(head32) const QUADS: u32 = 8;
@if(head64) const QUADS: u32 = 16;
/// Those of them that an invocation has.
@if(head8) const OWN_QUADS: u32 = 2;
@else const OWN_QUADS: u32 = 4;
/// Invocations that share a row of a head.
const SHARES: u32 = QUADS / OWN_QUADS;
/// Rows of the other side in one tile.
@if(head32) const TILE: u32 = 16;
@elif(head64) const TILE: u32 = 8;
@else const TILE: u32 = 64;
const WORKGROUP: u32 = 64;
/// Queries (or keys) of a workgroup.
const BLOCK: u32 = WORKGROUP / SHARES;
/// Keys whose scores are taken at a time.
const KEYS: u32 = 8;

/// An invocation's columns of a row.
alias Own = array<vec4<f32>, OWN_QUADS>;

/// Rows of the other side, zeros past the last.
var<workgroup> first_tile: array<vec4<f32>, TILE * QUADS>;
var<workgroup> second_tile: array<vec4<f32>, TILE * QUADS>;
var<workgroup> statistics_tile: array<vec2<f32>, TILE>;
/// [row of the tile, invocation]: its part of the product with this row of the first tile, and of the second.
@if(head32 || head64) var<workgroup> first_parts: array<f32, TILE * WORKGROUP>;
@if(head32 || head64) var<workgroup> second_parts: array<f32, TILE * WORKGROUP>;

/// sum + a · b
fn add_dot(a: vec4<f32>, b: vec4<f32>, sum: f32) -> f32 {
    return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, sum))));
}

/// First quad in a tile of an invocation's columns of a row.
fn tile_place(row: u32, lane: u32) -> u32 {
    return row * QUADS + lane / BLOCK * OWN_QUADS;
}

/// Product of an invocation's columns with those of a row of the first tile.
fn first_part(own: ptr<function, Own>, lane: u32, row: u32) -> f32 {
    var sum = 0.0;
    for (var quad = 0u; quad < OWN_QUADS; quad++) {
        sum = add_dot((*own)[quad], first_tile[tile_place(row, lane) + quad], sum);
    }
    return sum;
}

/// The same with the second tile.
fn second_part(own: ptr<function, Own>, lane: u32, row: u32) -> f32 {
    var sum = 0.0;
    for (var quad = 0u; quad < OWN_QUADS; quad++) {
        sum = add_dot((*own)[quad], second_tile[tile_place(row, lane) + quad], sum);
    }
    return sum;
}

/// Product of a whole row with a row of the first tile: of all invocations that share it.
@if(head32 || head64) fn dot_first(own: ptr<function, Own>, lane: u32, row: u32) -> f32 {
    var sum = first_parts[row * WORKGROUP + lane % BLOCK];
    for (var share = 1u; share < SHARES; share++) {
        sum += first_parts[row * WORKGROUP + share * BLOCK + lane % BLOCK];
    }
    return sum;
}
@else fn dot_first(own: ptr<function, Own>, lane: u32, row: u32) -> f32 {
    return first_part(own, lane, row);
}

/// The same with the second tile.
@if(head32 || head64) fn dot_second(own: ptr<function, Own>, lane: u32, row: u32) -> f32 {
    var sum = second_parts[row * WORKGROUP + lane % BLOCK];
    for (var share = 1u; share < SHARES; share++) {
        sum += second_parts[row * WORKGROUP + share * BLOCK + lane % BLOCK];
    }
    return sum;
}
@else fn dot_second(own: ptr<function, Own>, lane: u32, row: u32) -> f32 {
    return second_part(own, lane, row);
}

/// Fills the tiles with the keys and values from `first` on.
fn put_keys(lane: u32, head: u32, first: u32, end: u32) {
    for (var part = lane; part < TILE * QUADS; part += WORKGROUP) {
        let key = first + part / QUADS;
        first_tile[part] = vec4<f32>();
        second_tile[part] = vec4<f32>();
        if (key < end) {
            first_tile[part] = load_k(key, head, part % QUADS);
            second_tile[part] = load_v(key, head, part % QUADS);
        }
    }
}

/// Fills the tiles with the queries and the gradients of what they got, from `first` on.
fn put_queries(lane: u32, head: u32, first: u32, end: u32) {
    for (var part = lane; part < TILE * QUADS; part += WORKGROUP) {
        let query = first + part / QUADS;
        first_tile[part] = vec4<f32>();
        second_tile[part] = vec4<f32>();
        if (query < end) {
            first_tile[part] = load_q(query, head, part % QUADS);
            second_tile[part] = load_y_gradient(query, head, part % QUADS);
        }
    }
    if (lane < min(TILE, end - first)) {
        statistics_tile[lane] = statistics_in[begin.statistics + (first + lane) * args.heads + head] * vec2<f32>(LOG2_E, 1.0);
    }
}

/// Leaves an invocation's parts of the products with the first rows of both tiles.
@if(head32 || head64) fn put_parts(first: ptr<function, Own>, second: ptr<function, Own>, lane: u32, count: u32) {
    for (var row = 0u; row < count; row++) {
        first_parts[row * WORKGROUP + lane] = first_part(first, lane, row);
        second_parts[row * WORKGROUP + lane] = second_part(second, lane, row);
    }
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let range = take_block(group.y);
    let head = group.x;
    let row = range.x + lane % BLOCK;
    let first_quad = lane / BLOCK * OWN_QUADS;
    let within = row < range.y;
    var own: Own;
    var sums = Own();
    if (within) {
        for (var quad = 0u; quad < OWN_QUADS; quad++) {
            own[quad] = load_q(row, head, first_quad + quad) * (args.scale * LOG2_E);
        }
    }
    var highest = LOWEST;
    var total = 0.0;
    let end = range.w;
    for (var first = range.z; first < end; first += TILE) {
        put_keys(lane, head, first, end);
        workgroupBarrier();
        let count = min(TILE, end - first);
        @if(head32 || head64) {
            for (var key = 0u; key < count; key++) {
                first_parts[key * WORKGROUP + lane] = first_part(&own, lane, key);
            }
            workgroupBarrier();
        }
        if (within) {
            for (var first_key = 0u; first_key < count; first_key += KEYS) {
                var scores: array<f32, KEYS>;
                var new_highest = highest;
                for (var i = 0u; i < KEYS; i++) {
                    scores[i] = select(NO_KEY, dot_first(&own, lane, first_key + i), first_key + i < count);
                    new_highest = max(new_highest, scores[i]);
                }
                @if(rounded) new_highest = ceil(new_highest);
                let shrink = power_of_two(highest - new_highest);
                total *= shrink;
                for (var quad = 0u; quad < OWN_QUADS; quad++) {
                    sums[quad] *= shrink;
                }
                for (var i = 0u; i < KEYS; i++) {
                    @if(rounded) let p = rounded_power_of_two(scores[i] - new_highest);
                    @else let p = power_of_two(scores[i] - new_highest);
                    total += p;
                    for (var quad = 0u; quad < OWN_QUADS; quad++) {
                        sums[quad] = fma(vec4<f32>(p), second_tile[tile_place(first_key + i, lane) + quad], sums[quad]);
                    }
                }
                highest = new_highest;
            }
        }
        workgroupBarrier();
    }
    if (within) {
        // Without a key the row is zero and the log of nothing is -infinity.
        let scale = select(0.0, 1.0 / total, total != 0.0);
        for (var quad = 0u; quad < OWN_QUADS; quad++) {
            store_o(row, head, first_quad + quad, sums[quad] * scale);
        }
        if (first_quad == 0u) {
            log_sum_exp[begin.log_sum_exp + row * args.heads + head] = fma(highest, LN_2, log(total));
        }
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
fn backward_queries(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let range = take_block(group.y);
    let head = group.x;
    let row = range.x + lane % BLOCK;
    let first_quad = lane / BLOCK * OWN_QUADS;
    let within = row < range.y;
    var own: Own;
    var own_y_gradient: Own;
    var sums = Own();
    var statistic = vec2<f32>();
    if (within) {
        for (var quad = 0u; quad < OWN_QUADS; quad++) {
            own[quad] = load_q(row, head, first_quad + quad) * (args.scale * LOG2_E);
            own_y_gradient[quad] = load_y_gradient(row, head, first_quad + quad);
        }
        statistic = statistics_in[begin.statistics + row * args.heads + head];
        statistic.x *= LOG2_E;
    }
    let end = range.w;
    for (var first = range.z; first < end; first += TILE) {
        put_keys(lane, head, first, end);
        workgroupBarrier();
        let count = min(TILE, end - first);
        @if(head32 || head64) {
            put_parts(&own, &own_y_gradient, lane, count);
            workgroupBarrier();
        }
        if (within) {
            for (var key = 0u; key < count; key++) {
                let p = power_of_two(dot_first(&own, lane, key) - statistic.x);
                @if(rounded) let ds = round_to_f16(p * (dot_second(&own_y_gradient, lane, key) - statistic.y));
                @else let ds = p * (dot_second(&own_y_gradient, lane, key) - statistic.y);
                for (var quad = 0u; quad < OWN_QUADS; quad++) {
                    sums[quad] = fma(vec4<f32>(ds), first_tile[tile_place(key, lane) + quad], sums[quad]);
                }
            }
        }
        workgroupBarrier();
    }
    if (within) {
        for (var quad = 0u; quad < OWN_QUADS; quad++) {
            store_q_gradient(row, head, first_quad + quad, sums[quad] * args.scale);
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward_keys(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let range = take_block(group.y);
    let head = group.x;
    let row = range.z + lane % BLOCK;
    let first_quad = lane / BLOCK * OWN_QUADS;
    let within = row < range.w;
    var own_k: Own;
    var own_v: Own;
    var sums_k = Own();
    var sums_v = Own();
    if (within) {
        for (var quad = 0u; quad < OWN_QUADS; quad++) {
            own_k[quad] = load_k(row, head, first_quad + quad) * (args.scale * LOG2_E);
            own_v[quad] = load_v(row, head, first_quad + quad);
        }
    }
    let end = range.y;
    for (var first = range.x; first < end; first += TILE) {
        put_queries(lane, head, first, end);
        workgroupBarrier();
        let count = min(TILE, end - first);
        @if(head32 || head64) {
            put_parts(&own_k, &own_v, lane, count);
            workgroupBarrier();
        }
        if (within) {
            for (var query = 0u; query < count; query++) {
                let statistic = statistics_tile[query];
                let weight = power_of_two(dot_first(&own_k, lane, query) - statistic.x);
                @if(rounded) let p = select(round_fraction(weight), weight, is_nan(weight));
                @else let p = weight;
                @if(rounded) let ds = round_to_f16(weight * (dot_second(&own_v, lane, query) - statistic.y));
                @else let ds = weight * (dot_second(&own_v, lane, query) - statistic.y);
                for (var quad = 0u; quad < OWN_QUADS; quad++) {
                    let place = tile_place(query, lane) + quad;
                    sums_k[quad] = fma(vec4<f32>(ds), first_tile[place], sums_k[quad]);
                    sums_v[quad] = fma(vec4<f32>(p), second_tile[place], sums_v[quad]);
                }
            }
        }
        workgroupBarrier();
    }
    if (within) {
        for (var quad = 0u; quad < OWN_QUADS; quad++) {
            store_k_gradient(row, head, first_quad + quad, sums_k[quad] * args.scale);
            store_v_gradient(row, head, first_quad + quad, sums_v[quad]);
        }
    }
}
