// `attention` for graphics hardware: a workgroup per block of queries (or keys), head and utterance; the other side passes by in tiles
// through workgroup memory, of which the scores of eight keys are taken at a time: one maximum and one rescaling for all eight.
//
// An invocation has at most 16 columns of a row, so that no head takes more registers than the paper's: a wider head is shared by
// SHARES invocations, each of which leaves its part of every product in workgroup memory, where all add the parts in the same order.

import super::interface::{
    args, q, k, v, o, log_sum_exp, y_gradient, saved_o, saved_log_sum_exp, statistics_out, statistics_in, q_gradient, k_gradient,
    v_gradient, begin, take_block,
};
import package::shared::grid::in_grid;
import package::shared::numbers::is_nan;

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
/// Less than any score, and finite: a running maximum to start from.
const LOWEST: f32 = -3e38;
/// Score of what is no key: even beside LOWEST its weight is 0.
const NO_KEY: f32 = -3.4e38;
const LOG2_E: f32 = 1.44269504;
const LN_2: f32 = 0.69314718;

/// An invocation's columns of a row.
alias Own = array<vec4<f32>, OWN_QUADS>;

/// Rows of the other side, zeros past the last.
var<workgroup> first_tile: array<vec4<f32>, TILE * QUADS>;
var<workgroup> second_tile: array<vec4<f32>, TILE * QUADS>;
var<workgroup> statistics_tile: array<vec2<f32>, TILE>;
/// [row of the tile, invocation]: its part of the product with this row of the first tile, and of the second.
@if(head32 || head64) var<workgroup> first_parts: array<f32, TILE * WORKGROUP>;
@if(head32 || head64) var<workgroup> second_parts: array<f32, TILE * WORKGROUP>;

/// Element of column 4·quad of a head in a row.
fn place(row: u32, head: u32, quad: u32) -> u32 {
    return row * args.width + head * args.head_size + quad * 4u;
}

/// Columns of a head from column 4·quad on, at most four.
fn columns_of(quad: u32) -> u32 {
    return min(args.head_size, quad * 4u + 4u) - min(args.head_size, quad * 4u);
}

/// Places of four columns of a head in a row, past the head's end its last one's. Zeros are chosen afterwards: a loop that writes a
/// vector's component by the loop's variable takes FXC, DX12's older compiler, minutes to unroll.
fn places(row: u32, head: u32, quad: u32) -> vec4<u32> {
    let columns = quad * 4u + vec4<u32>(0u, 1u, 2u, 3u);
    return place(row, head, 0u) + min(columns, vec4<u32>(args.head_size - 1u));
}

/// What was loaded from these places, zero past the head's end.
fn within_head(quad: u32, values: vec4<f32>) -> vec4<f32> {
    return select(vec4<f32>(), values, vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(columns_of(quad)));
}

fn load_q(row: u32, head: u32, quad: u32) -> vec4<f32> {
    let at = begin.q + places(row, head, quad);
    return within_head(quad, vec4<f32>(q[at.x], q[at.y], q[at.z], q[at.w]));
}

fn load_k(row: u32, head: u32, quad: u32) -> vec4<f32> {
    let at = begin.k + places(row, head, quad);
    return within_head(quad, vec4<f32>(k[at.x], k[at.y], k[at.z], k[at.w]));
}

fn load_v(row: u32, head: u32, quad: u32) -> vec4<f32> {
    let at = begin.v + places(row, head, quad);
    return within_head(quad, vec4<f32>(v[at.x], v[at.y], v[at.z], v[at.w]));
}

fn load_y_gradient(row: u32, head: u32, quad: u32) -> vec4<f32> {
    let at = begin.y_gradient + places(row, head, quad);
    return within_head(quad, vec4<f32>(y_gradient[at.x], y_gradient[at.y], y_gradient[at.z], y_gradient[at.w]));
}

/// Stores the columns of a head that there are of four.
fn store_o(row: u32, head: u32, quad: u32, values: vec4<f32>) {
    let at = begin.o + place(row, head, quad);
    let columns = columns_of(quad);
    if (columns > 0u) {
        o[at] = values.x;
    }
    if (columns > 1u) {
        o[at + 1u] = values.y;
    }
    if (columns > 2u) {
        o[at + 2u] = values.z;
    }
    if (columns > 3u) {
        o[at + 3u] = values.w;
    }
}

/// 2^x of x <= 0 by the hardware: WGSL allows 3 + 2 |x| units in the last place, which are at most three of 2^0, the greatest weight.
fn power_of_two(x: f32) -> f32 {
    return select(exp2(x), x, is_nan(x));
}

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
                let shrink = power_of_two(highest - new_highest);
                total *= shrink;
                for (var quad = 0u; quad < OWN_QUADS; quad++) {
                    sums[quad] *= shrink;
                }
                for (var i = 0u; i < KEYS; i++) {
                    let p = power_of_two(scores[i] - new_highest);
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
        let first = row * args.width + group.x * args.head_size;
        var delta = 0.0;
        for (var column = 0u; column < args.head_size; column++) {
            delta += y_gradient[begin.y_gradient + first + column] * saved_o[begin.o + first + column];
        }
        let i = row * args.heads + group.x;
        statistics_out[begin.statistics + i] = vec2<f32>(saved_log_sum_exp[begin.log_sum_exp + i], delta);
    }
}

/// Stores the columns of a head that there are of four, added to what is there where the gradient accumulates.
fn store_q_gradient(row: u32, head: u32, quad: u32, values: vec4<f32>) {
    var sum = values;
    if (begin.accumulate_first) {
        let at = begin.q_gradient + places(row, head, quad);
        sum += vec4<f32>(q_gradient[at.x], q_gradient[at.y], q_gradient[at.z], q_gradient[at.w]);
    }
    let at = begin.q_gradient + place(row, head, quad);
    let columns = columns_of(quad);
    if (columns > 0u) {
        q_gradient[at] = sum.x;
    }
    if (columns > 1u) {
        q_gradient[at + 1u] = sum.y;
    }
    if (columns > 2u) {
        q_gradient[at + 2u] = sum.z;
    }
    if (columns > 3u) {
        q_gradient[at + 3u] = sum.w;
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
                let ds = p * (dot_second(&own_y_gradient, lane, key) - statistic.y);
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

/// The same of a key.
fn store_k_gradient(row: u32, head: u32, quad: u32, values: vec4<f32>) {
    var sum = values;
    if (begin.accumulate_first) {
        let at = begin.k_gradient + places(row, head, quad);
        sum += vec4<f32>(k_gradient[at.x], k_gradient[at.y], k_gradient[at.z], k_gradient[at.w]);
    }
    let at = begin.k_gradient + place(row, head, quad);
    let columns = columns_of(quad);
    if (columns > 0u) {
        k_gradient[at] = sum.x;
    }
    if (columns > 1u) {
        k_gradient[at + 1u] = sum.y;
    }
    if (columns > 2u) {
        k_gradient[at + 2u] = sum.z;
    }
    if (columns > 3u) {
        k_gradient[at + 3u] = sum.w;
    }
}

/// The same of a value.
fn store_v_gradient(row: u32, head: u32, quad: u32, values: vec4<f32>) {
    var sum = values;
    if (begin.accumulate_second) {
        let at = begin.v_gradient + places(row, head, quad);
        sum += vec4<f32>(v_gradient[at.x], v_gradient[at.y], v_gradient[at.z], v_gradient[at.w]);
    }
    let at = begin.v_gradient + place(row, head, quad);
    let columns = columns_of(quad);
    if (columns > 0u) {
        v_gradient[at] = sum.x;
    }
    if (columns > 1u) {
        v_gradient[at + 1u] = sum.y;
    }
    if (columns > 2u) {
        v_gradient[at + 2u] = sum.z;
    }
    if (columns > 3u) {
        v_gradient[at + 3u] = sum.w;
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
                let p = power_of_two(dot_first(&own_k, lane, query) - statistic.x);
                let ds = p * (dot_second(&own_v, lane, query) - statistic.y);
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
