// `attention` for graphics hardware: one workgroup per block of queries (or keys), head and utterance; one invocation per query (or
// key); the other side passes by in tiles through workgroup memory.

import super::interface::{
    args, q, k, v, ranges, o, log_sum_exp, y_gradient, saved_o, saved_log_sum_exp, statistics_out, statistics_in, q_gradient, k_gradient,
    v_gradient,
};
import package::shared::grid::{flat_group, in_grid};
import package::shared::numbers::exponential;

/// A head's columns in registers, four at a time; smaller heads are filled with zeros.
@if(head8) const QUADS: u32 = 2;
@if(head16) const QUADS: u32 = 4;
@if(head32) const QUADS: u32 = 8;
@if(head64) const QUADS: u32 = 16;
/// Rows of the other side in one tile.
@if(head8) const TILE: u32 = 64;
@if(head16) const TILE: u32 = 64;
@if(head32) const TILE: u32 = 32;
@if(head64) const TILE: u32 = 16;
/// Queries (or keys) of a workgroup, one an invocation.
const BLOCK: u32 = 64;
const WORKGROUP: u32 = BLOCK;
/// Less than any score, and finite: a running maximum to start from.
const LOWEST: f32 = -3e38;

var<workgroup> first_tile: array<vec4<f32>, TILE * QUADS>;
var<workgroup> second_tile: array<vec4<f32>, TILE * QUADS>;
var<workgroup> statistics_tile: array<vec2<f32>, TILE>;

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
    let at = places(row, head, quad);
    return within_head(quad, vec4<f32>(q[at.x], q[at.y], q[at.z], q[at.w]));
}

fn load_k(row: u32, head: u32, quad: u32) -> vec4<f32> {
    let at = places(row, head, quad);
    return within_head(quad, vec4<f32>(k[at.x], k[at.y], k[at.z], k[at.w]));
}

fn load_v(row: u32, head: u32, quad: u32) -> vec4<f32> {
    let at = places(row, head, quad);
    return within_head(quad, vec4<f32>(v[at.x], v[at.y], v[at.z], v[at.w]));
}

fn load_y_gradient(row: u32, head: u32, quad: u32) -> vec4<f32> {
    let at = places(row, head, quad);
    return within_head(quad, vec4<f32>(y_gradient[at.x], y_gradient[at.y], y_gradient[at.z], y_gradient[at.w]));
}

/// Product of a row in registers with row `row` of the first tile.
fn dot_first(own: ptr<function, array<vec4<f32>, QUADS>>, row: u32) -> f32 {
    var sum = 0.0;
    for (var quad = 0u; quad < QUADS; quad++) {
        sum += dot((*own)[quad], first_tile[row * QUADS + quad]);
    }
    return sum;
}

/// The same with the second tile.
fn dot_second(own: ptr<function, array<vec4<f32>, QUADS>>, row: u32) -> f32 {
    var sum = 0.0;
    for (var quad = 0u; quad < QUADS; quad++) {
        sum += dot((*own)[quad], second_tile[row * QUADS + quad]);
    }
    return sum;
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let range = ranges[group.y];
    let head = group.x;
    let row = range.x + lane;
    let within = row < range.y;
    var own: array<vec4<f32>, QUADS>;
    var sums = array<vec4<f32>, QUADS>();
    if (within) {
        for (var quad = 0u; quad < QUADS; quad++) {
            own[quad] = load_q(row, head, quad) * args.scale;
        }
    }
    var highest = LOWEST;
    var total = 0.0;
    let end = range.w;
    for (var first = range.z; first < end; first += TILE) {
        for (var part = lane; part < TILE * QUADS; part += WORKGROUP) {
            let key = first + part / QUADS;
            if (key < end) {
                first_tile[part] = load_k(key, head, part % QUADS);
                second_tile[part] = load_v(key, head, part % QUADS);
            }
        }
        workgroupBarrier();
        for (var key = 0u; key < min(TILE, end - first); key++) {
            let score = dot_first(&own, key);
            let new_highest = max(highest, score);
            let shrink = exponential(highest - new_highest);
            let p = exponential(score - new_highest);
            total = total * shrink + p;
            for (var quad = 0u; quad < QUADS; quad++) {
                sums[quad] = sums[quad] * shrink + p * second_tile[key * QUADS + quad];
            }
            highest = new_highest;
        }
        workgroupBarrier();
    }
    if (within) {
        // Without a key the row is zero and the log of nothing is -infinity.
        let scale = select(0.0, 1.0 / total, total != 0.0);
        for (var quad = 0u; quad < QUADS; quad++) {
            let values = sums[quad] * scale;
            for (var c = 0u; c < columns_of(quad); c++) {
                o[place(row, head, quad) + c] = values[c];
            }
        }
        log_sum_exp[row * args.heads + head] = highest + log(total);
    }
}

@compute @workgroup_size(WORKGROUP)
fn statistics(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(group, groups) * WORKGROUP + lane;
    if (i >= args.query_rows * args.heads) {
        return;
    }
    let first = i / args.heads * args.width + i % args.heads * args.head_size;
    var delta = 0.0;
    for (var column = 0u; column < args.head_size; column++) {
        delta += y_gradient[first + column] * saved_o[first + column];
    }
    statistics_out[i] = vec2<f32>(saved_log_sum_exp[i], delta);
}

@compute @workgroup_size(WORKGROUP)
fn backward_queries(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let range = ranges[group.y];
    let head = group.x;
    let row = range.x + lane;
    let within = row < range.y;
    var own: array<vec4<f32>, QUADS>;
    var own_y_gradient: array<vec4<f32>, QUADS>;
    var sums = array<vec4<f32>, QUADS>();
    var statistic = vec2<f32>();
    if (within) {
        for (var quad = 0u; quad < QUADS; quad++) {
            own[quad] = load_q(row, head, quad) * args.scale;
            own_y_gradient[quad] = load_y_gradient(row, head, quad);
        }
        statistic = statistics_in[row * args.heads + head];
    }
    let end = range.w;
    for (var first = range.z; first < end; first += TILE) {
        for (var part = lane; part < TILE * QUADS; part += WORKGROUP) {
            let key = first + part / QUADS;
            if (key < end) {
                first_tile[part] = load_k(key, head, part % QUADS);
                second_tile[part] = load_v(key, head, part % QUADS);
            }
        }
        workgroupBarrier();
        if (within) {
            for (var key = 0u; key < min(TILE, end - first); key++) {
                let p = exponential(dot_first(&own, key) - statistic.x);
                let ds = p * (dot_second(&own_y_gradient, key) - statistic.y);
                for (var quad = 0u; quad < QUADS; quad++) {
                    sums[quad] += ds * first_tile[key * QUADS + quad];
                }
            }
        }
        workgroupBarrier();
    }
    if (within) {
        for (var quad = 0u; quad < QUADS; quad++) {
            let values = sums[quad] * args.scale;
            for (var c = 0u; c < columns_of(quad); c++) {
                let at = place(row, head, quad) + c;
                if (args.accumulate_first != 0u) {
                    q_gradient[at] += values[c];
                } else {
                    q_gradient[at] = values[c];
                }
            }
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward_keys(@builtin(workgroup_id) group_of_part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let range = ranges[group.y];
    let head = group.x;
    let row = range.z + lane;
    let within = row < range.w;
    var own_k: array<vec4<f32>, QUADS>;
    var own_v: array<vec4<f32>, QUADS>;
    var sums_k = array<vec4<f32>, QUADS>();
    var sums_v = array<vec4<f32>, QUADS>();
    if (within) {
        for (var quad = 0u; quad < QUADS; quad++) {
            own_k[quad] = load_k(row, head, quad) * args.scale;
            own_v[quad] = load_v(row, head, quad);
        }
    }
    let end = range.y;
    for (var first = range.x; first < end; first += TILE) {
        for (var part = lane; part < TILE * QUADS; part += WORKGROUP) {
            let query = first + part / QUADS;
            if (query < end) {
                first_tile[part] = load_q(query, head, part % QUADS);
                second_tile[part] = load_y_gradient(query, head, part % QUADS);
            }
        }
        if (lane < min(TILE, end - first)) {
            statistics_tile[lane] = statistics_in[(first + lane) * args.heads + head];
        }
        workgroupBarrier();
        if (within) {
            for (var query = 0u; query < min(TILE, end - first); query++) {
                let p = exponential(dot_first(&own_k, query) - statistics_tile[query].x);
                let ds = p * (dot_second(&own_v, query) - statistics_tile[query].y);
                for (var quad = 0u; quad < QUADS; quad++) {
                    sums_k[quad] += ds * first_tile[query * QUADS + quad];
                    sums_v[quad] += p * second_tile[query * QUADS + quad];
                }
            }
        }
        workgroupBarrier();
    }
    if (within) {
        for (var quad = 0u; quad < QUADS; quad++) {
            let key_gradient = sums_k[quad] * args.scale;
            let value_gradient = sums_v[quad];
            for (var c = 0u; c < columns_of(quad); c++) {
                let at = place(row, head, quad) + c;
                if (args.accumulate_first != 0u) {
                    k_gradient[at] += key_gradient[c];
                } else {
                    k_gradient[at] = key_gradient[c];
                }
                if (args.accumulate_second != 0u) {
                    v_gradient[at] += value_gradient[c];
                } else {
                    v_gradient[at] = value_gradient[c];
                }
            }
        }
    }
}
