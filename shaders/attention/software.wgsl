// `attention` for software adapters: one subgroup per eight queries (or keys), head and utterance. The other
// side passes by eight rows at a time, each fetched by one invocation and handed on by shuffles; a running maximum is moved
// once for all eight. The head size must be a multiple of four.

import super::interface::{
    args, q, k, v, o, log_sum_exp, y_gradient, saved_o, saved_log_sum_exp, statistics_out, statistics_in, q_gradient, k_gradient,
    v_gradient, begin, take_block,
};
import package::shared::words::{floats, words};
import package::shared::grid::in_grid;
import package::shared::numbers::exponential;

/// A head's columns in registers, four at a time; smaller heads are filled with zeros.
@if(head8) const QUADS: u32 = 2;
@if(head16) const QUADS: u32 = 4;
@if(head32) const QUADS: u32 = 8;
@if(head64) const QUADS: u32 = 16;
/// Invocations of a subgroup, and rows of the other side that are held at a time.
const SUBGROUP: u32 = 8;
const WORKGROUP: u32 = SUBGROUP;
/// Queries (or keys) of an invocation.
const ROWS: u32 = 2;
/// Queries (or keys) of a workgroup.
const BLOCK: u32 = SUBGROUP * ROWS;
/// Less than any score, and finite: a running maximum to start from.
const LOWEST: f32 = -3e38;

alias Head = array<vec4<f32>, QUADS>;

/// Place of the first four columns of a head in a row.
fn place(row: u32, head: u32) -> u32 {
    return (row * args.width + head * args.head_size) / 4u;
}

/// Whether a head has the four columns; past its end all that is loaded counts as zero.
fn has(quad: u32) -> bool {
    return quad * 4u < args.head_size;
}

fn load_q(row: u32, head: u32) -> Head {
    var value: Head;
    for (var quad = 0u; quad < QUADS; quad++) {
        value[quad] = select(vec4<f32>(), floats(q[begin.q / 4u + place(row, head) + select(0u, quad, has(quad))]), has(quad));
    }
    return value;
}

fn load_k(row: u32, head: u32) -> Head {
    var value: Head;
    for (var quad = 0u; quad < QUADS; quad++) {
        value[quad] = select(vec4<f32>(), floats(k[begin.k / 4u + place(row, head) + select(0u, quad, has(quad))]), has(quad));
    }
    return value;
}

fn load_v(row: u32, head: u32) -> Head {
    var value: Head;
    for (var quad = 0u; quad < QUADS; quad++) {
        value[quad] = select(vec4<f32>(), floats(v[begin.v / 4u + place(row, head) + select(0u, quad, has(quad))]), has(quad));
    }
    return value;
}

fn load_y_gradient(row: u32, head: u32) -> Head {
    var value: Head;
    for (var quad = 0u; quad < QUADS; quad++) {
        value[quad] = select(vec4<f32>(), floats(y_gradient[begin.y_gradient / 4u + place(row, head) + select(0u, quad, has(quad))]), has(quad));
    }
    return value;
}

/// A row of the other side, which invocation `i` has fetched.
fn from_lane(own: Head, i: u32) -> Head {
    var value: Head;
    for (var quad = 0u; quad < QUADS; quad++) {
        value[quad] = subgroupShuffle(own[quad], i);
    }
    return value;
}

fn product(a: Head, b: Head) -> f32 {
    var sum = a[0] * b[0];
    for (var quad = 1u; quad < QUADS; quad++) {
        sum = fma(a[quad], b[quad], sum);
    }
    return (sum.x + sum.y) + (sum.z + sum.w);
}

fn scaled(factor: f32, a: Head) -> Head {
    var value: Head;
    for (var quad = 0u; quad < QUADS; quad++) {
        value[quad] = factor * a[quad];
    }
    return value;
}

/// sum + factor · a
fn add(sum: Head, factor: f32, a: Head) -> Head {
    var value: Head;
    for (var quad = 0u; quad < QUADS; quad++) {
        value[quad] = fma(vec4<f32>(factor), a[quad], sum[quad]);
    }
    return value;
}

// Registers have no addresses: a loop that stores rows selects among them, so that its stores, which cost more than anything
// else to compile, stand in the program once.

/// The second of an invocation's two rows, or the first.
fn own_row(rows: array<Head, ROWS>, is_second: bool) -> Head {
    var all = rows;
    var value = all[0];
    for (var quad = 0u; quad < QUADS; quad++) {
        value[quad] = select(value[quad], all[1][quad], is_second);
    }
    return value;
}

/// Four columns of a row.
fn own_quad(row: Head, quad: u32) -> vec4<f32> {
    var all = row;
    var value = all[0];
    for (var other = 1u; other < QUADS; other++) {
        value = select(value, all[other], quad == other);
    }
    return value;
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let range = take_block(group.y);
    let head = group.x;
    let first_row = range.x + lane;
    var own: array<Head, ROWS>;
    for (var r = 0u; r < ROWS; r++) {
        own[r] = scaled(args.scale, load_q(min(first_row + r * SUBGROUP, max(range.y, 1u) - 1u), head));
    }
    var sums: array<Head, ROWS>;
    var highest: array<f32, ROWS>;
    var total: array<f32, ROWS>;
    for (var r = 0u; r < ROWS; r++) {
        sums[r] = Head();
        highest[r] = LOWEST;
        total[r] = 0.0;
    }
    let end = range.w;
    for (var first = range.z; first < end; first += SUBGROUP) {
        let key_row = min(first + lane, end - 1u);
        let keys = load_k(key_row, head);
        let values = load_v(key_row, head);
        var scores: array<array<f32, ROWS>, SUBGROUP>;
        var new_highest = highest;
        for (var i = 0u; i < SUBGROUP; i++) {
            let key = from_lane(keys, i);
            for (var r = 0u; r < ROWS; r++) {
                scores[i][r] = product(own[r], key);
                if (first + i < end) {
                    new_highest[r] = max(new_highest[r], scores[i][r]);
                }
            }
        }
        for (var r = 0u; r < ROWS; r++) {
            let shrink = exponential(highest[r] - new_highest[r]);
            total[r] *= shrink;
            sums[r] = scaled(shrink, sums[r]);
        }
        highest = new_highest;
        for (var i = 0u; i < SUBGROUP; i++) {
            let value = from_lane(values, i);
            for (var r = 0u; r < ROWS; r++) {
                let p = select(0.0, exponential(scores[i][r] - highest[r]), first + i < end);
                total[r] += p;
                sums[r] = add(sums[r], p, value);
            }
        }
    }
    for (var row = first_row; row < min(range.y, first_row + BLOCK); row += SUBGROUP) {
        let is_second = row != first_row;
        let outputs = own_row(sums, is_second);
        let own_total = select(total[0], total[1], is_second);
        // Without a key the row is zero and the log of nothing is -infinity.
        let scale = select(0.0, 1.0 / own_total, own_total != 0.0);
        for (var quad = 0u; quad < args.head_size / 4u; quad++) {
            o[begin.o / 4u + place(row, head) + quad] = words(own_quad(outputs, quad) * scale);
        }
        log_sum_exp[begin.log_sum_exp + row * args.heads + head] = select(highest[0], highest[1], is_second) + log(own_total);
    }
}

@compute @workgroup_size(WORKGROUP)
fn statistics(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let range = take_block(group.y);
    for (var row = range.x + lane; row < range.y; row += WORKGROUP) {
        let first = place(row, group.x);
        var delta = 0.0;
        for (var quad = 0u; quad < args.head_size / 4u; quad++) {
            delta += dot(floats(y_gradient[begin.y_gradient / 4u + first + quad]), floats(saved_o[begin.o / 4u + first + quad]));
        }
        let i = row * args.heads + group.x;
        statistics_out[begin.statistics + i] = vec2<f32>(saved_log_sum_exp[begin.log_sum_exp + i], delta);
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward_queries(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let range = take_block(group.y);
    let head = group.x;
    let first_row = range.x + lane;
    var own: array<Head, ROWS>;
    var own_y_gradient: array<Head, ROWS>;
    var statistic: array<vec2<f32>, ROWS>;
    var sums: array<Head, ROWS>;
    for (var r = 0u; r < ROWS; r++) {
        let row = min(first_row + r * SUBGROUP, max(range.y, 1u) - 1u);
        own[r] = scaled(args.scale, load_q(row, head));
        own_y_gradient[r] = load_y_gradient(row, head);
        statistic[r] = statistics_in[begin.statistics + row * args.heads + head];
        sums[r] = Head();
    }
    let end = range.w;
    for (var first = range.z; first < end; first += SUBGROUP) {
        let key_row = min(first + lane, end - 1u);
        let keys = load_k(key_row, head);
        let values = load_v(key_row, head);
        var ds: array<array<f32, ROWS>, SUBGROUP>;
        for (var i = 0u; i < SUBGROUP; i++) {
            let key = from_lane(keys, i);
            let value = from_lane(values, i);
            for (var r = 0u; r < ROWS; r++) {
                let p = exponential(product(own[r], key) - statistic[r].x);
                ds[i][r] = select(0.0, p * (product(own_y_gradient[r], value) - statistic[r].y), first + i < end);
            }
        }
        for (var i = 0u; i < SUBGROUP; i++) {
            let key = from_lane(keys, i);
            for (var r = 0u; r < ROWS; r++) {
                sums[r] = add(sums[r], ds[i][r], key);
            }
        }
    }
    for (var row = first_row; row < min(range.y, first_row + BLOCK); row += SUBGROUP) {
        let queries = own_row(sums, row != first_row);
        for (var quad = 0u; quad < args.head_size / 4u; quad++) {
            let at = begin.q_gradient / 4u + place(row, head) + quad;
            var sum = own_quad(queries, quad) * args.scale;
            if (begin.accumulate_first) {
                sum += floats(q_gradient[at]);
            }
            q_gradient[at] = words(sum);
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward_keys(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let range = take_block(group.y);
    let head = group.x;
    let first_row = range.z + lane;
    var own_k: array<Head, ROWS>;
    var own_v: array<Head, ROWS>;
    var sums_k: array<Head, ROWS>;
    var sums_v: array<Head, ROWS>;
    for (var r = 0u; r < ROWS; r++) {
        let row = min(first_row + r * SUBGROUP, max(range.w, 1u) - 1u);
        own_k[r] = scaled(args.scale, load_k(row, head));
        own_v[r] = load_v(row, head);
        sums_k[r] = Head();
        sums_v[r] = Head();
    }
    let end = range.y;
    for (var first = range.x; first < end; first += SUBGROUP) {
        let query_row = min(first + lane, end - 1u);
        let queries = load_q(query_row, head);
        let gradients = load_y_gradient(query_row, head);
        let statistics = statistics_in[begin.statistics + query_row * args.heads + head];
        var p: array<array<f32, ROWS>, SUBGROUP>;
        var ds: array<array<f32, ROWS>, SUBGROUP>;
        for (var i = 0u; i < SUBGROUP; i++) {
            let query = from_lane(queries, i);
            let gradient = from_lane(gradients, i);
            let statistic = subgroupShuffle(statistics, i);
            let within = first + i < end;
            for (var r = 0u; r < ROWS; r++) {
                p[i][r] = select(0.0, exponential(product(own_k[r], query) - statistic.x), within);
                ds[i][r] = select(0.0, p[i][r] * (product(own_v[r], gradient) - statistic.y), within);
            }
        }
        for (var i = 0u; i < SUBGROUP; i++) {
            let query = from_lane(queries, i);
            let gradient = from_lane(gradients, i);
            for (var r = 0u; r < ROWS; r++) {
                sums_k[r] = add(sums_k[r], ds[i][r], query);
                sums_v[r] = add(sums_v[r], p[i][r], gradient);
            }
        }
    }
    for (var row = first_row; row < min(range.w, first_row + BLOCK); row += SUBGROUP) {
        let keys = own_row(sums_k, row != first_row);
        let values = own_row(sums_v, row != first_row);
        for (var quad = 0u; quad < args.head_size / 4u; quad++) {
            let to_k = begin.k_gradient / 4u + place(row, head) + quad;
            let to_v = begin.v_gradient / 4u + place(row, head) + quad;
            var key_gradient = own_quad(keys, quad) * args.scale;
            if (begin.accumulate_first) {
                key_gradient += floats(k_gradient[to_k]);
            }
            k_gradient[to_k] = words(key_gradient);
            var value_gradient = own_quad(values, quad);
            if (begin.accumulate_second) {
                value_gradient += floats(v_gradient[to_v]);
            }
            v_gradient[to_v] = words(value_gradient);
        }
    }
}
