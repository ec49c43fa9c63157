// `shaders/attention.wgsl` for software adapters: one subgroup per eight queries (or keys), head and utterance. The other
// side passes by eight rows at a time, each fetched by one invocation and handed on by shuffles; a running maximum is moved
// once for all eight. The head size must be a multiple of four.

import package::shared::grid::flat_group;
import package::shared::numbers::exponential;

struct Args {
    query_rows: u32,
    heads: u32,
    head_size: u32,
    width: u32,
    scale: f32,
    accumulate_first: u32,
    accumulate_second: u32,
}

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> k: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> v: array<vec4<f32>>;
/// [batch] of (first query row, end, first key row, end)
@group(0) @binding(4) var<storage, read> ranges: array<vec4<u32>>;
@group(0) @binding(5) var<storage, read_write> o: array<vec4<f32>>;
/// [query rows, heads]
@group(0) @binding(6) var<storage, read_write> log_sum_exp: array<f32>;
@group(0) @binding(7) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read> saved_o: array<vec4<f32>>;
@group(0) @binding(9) var<storage, read> saved_log_sum_exp: array<f32>;
/// [query rows, heads] of (log-sum-exp, δ)
@group(0) @binding(10) var<storage, read_write> statistics_out: array<vec2<f32>>;
@group(0) @binding(11) var<storage, read> statistics_in: array<vec2<f32>>;
@group(0) @binding(12) var<storage, read_write> dq: array<vec4<f32>>;
@group(0) @binding(13) var<storage, read_write> dk: array<vec4<f32>>;
@group(0) @binding(14) var<storage, read_write> dv: array<vec4<f32>>;

/// A head's columns in registers, four at a time; smaller heads are filled with zeros.
@if(head8) const QUADS: u32 = 2;
@if(head16) const QUADS: u32 = 4;
@if(head32) const QUADS: u32 = 8;
@if(head64) const QUADS: u32 = 16;
/// Queries (or keys) of a workgroup, and rows of the other side that are held at a time.
const LANES: u32 = 8;
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
        value[quad] = select(vec4<f32>(), q[place(row, head) + select(0u, quad, has(quad))], has(quad));
    }
    return value;
}

fn load_k(row: u32, head: u32) -> Head {
    var value: Head;
    for (var quad = 0u; quad < QUADS; quad++) {
        value[quad] = select(vec4<f32>(), k[place(row, head) + select(0u, quad, has(quad))], has(quad));
    }
    return value;
}

fn load_v(row: u32, head: u32) -> Head {
    var value: Head;
    for (var quad = 0u; quad < QUADS; quad++) {
        value[quad] = select(vec4<f32>(), v[place(row, head) + select(0u, quad, has(quad))], has(quad));
    }
    return value;
}

fn load_dy(row: u32, head: u32) -> Head {
    var value: Head;
    for (var quad = 0u; quad < QUADS; quad++) {
        value[quad] = select(vec4<f32>(), dy[place(row, head) + select(0u, quad, has(quad))], has(quad));
    }
    return value;
}

/// A row of the other side, which invocation `i` has fetched.
fn from_lane(own: ptr<function, Head>, i: u32) -> Head {
    var value: Head;
    for (var quad = 0u; quad < QUADS; quad++) {
        value[quad] = subgroupShuffle((*own)[quad], i);
    }
    return value;
}

fn product(a: ptr<function, Head>, b: ptr<function, Head>) -> f32 {
    var sum = vec4<f32>();
    for (var quad = 0u; quad < QUADS; quad++) {
        sum = fma((*a)[quad], (*b)[quad], sum);
    }
    return (sum.x + sum.y) + (sum.z + sum.w);
}

fn scaled(factor: f32, a: ptr<function, Head>) {
    for (var quad = 0u; quad < QUADS; quad++) {
        (*a)[quad] *= factor;
    }
}

/// sums += factor · b
fn add(factor: f32, b: ptr<function, Head>, sums: ptr<function, Head>) {
    for (var quad = 0u; quad < QUADS; quad++) {
        (*sums)[quad] = fma(vec4<f32>(factor), (*b)[quad], (*sums)[quad]);
    }
}

@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let range = ranges[group.z];
    let head = group.y;
    let row = range.x + group.x * LANES + lane;
    var own = load_q(min(row, max(range.y, 1u) - 1u), head);
    scaled(args.scale, &own);
    var sums = Head();
    var highest = LOWEST;
    var total = 0.0;
    let end = select(range.z, range.w, range.x + group.x * LANES < range.y);
    for (var first = range.z; first < end; first += LANES) {
        let key_row = min(first + lane, end - 1u);
        var keys = load_k(key_row, head);
        var values = load_v(key_row, head);
        var scores: array<f32, LANES>;
        var new_highest = highest;
        for (var i = 0u; i < LANES; i++) {
            var key = from_lane(&keys, i);
            scores[i] = product(&own, &key);
            if (first + i < end) {
                new_highest = max(new_highest, scores[i]);
            }
        }
        let shrink = exponential(highest - new_highest);
        total *= shrink;
        scaled(shrink, &sums);
        for (var i = 0u; i < LANES; i++) {
            let p = select(0.0, exponential(scores[i] - new_highest), first + i < end);
            total += p;
            var value = from_lane(&values, i);
            add(p, &value, &sums);
        }
        highest = new_highest;
    }
    if (row < range.y) {
        // Without a key the row is zero and the log of nothing is -infinity.
        let scale = select(0.0, 1.0 / total, total != 0.0);
        for (var quad = 0u; quad < QUADS; quad++) {
            if (has(quad)) {
                o[place(row, head) + quad] = sums[quad] * scale;
            }
        }
        log_sum_exp[row * args.heads + head] = highest + log(total);
    }
}

@compute @workgroup_size(LANES)
fn statistics(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(group, groups) * LANES + lane;
    if (i >= args.query_rows * args.heads) {
        return;
    }
    let first = place(i / args.heads, i % args.heads);
    var delta = 0.0;
    for (var quad = 0u; quad < args.head_size / 4u; quad++) {
        delta += dot(dy[first + quad], saved_o[first + quad]);
    }
    statistics_out[i] = vec2<f32>(saved_log_sum_exp[i], delta);
}

@compute @workgroup_size(LANES)
fn backward_queries(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let range = ranges[group.z];
    let head = group.y;
    let row = range.x + group.x * LANES + lane;
    let safe = min(row, max(range.y, 1u) - 1u);
    var own = load_q(safe, head);
    scaled(args.scale, &own);
    var own_dy = load_dy(safe, head);
    let statistic = statistics_in[safe * args.heads + head];
    var sums = Head();
    let end = select(range.z, range.w, range.x + group.x * LANES < range.y);
    for (var first = range.z; first < end; first += LANES) {
        let key_row = min(first + lane, end - 1u);
        var keys = load_k(key_row, head);
        var values = load_v(key_row, head);
        for (var i = 0u; i < LANES; i++) {
            var key = from_lane(&keys, i);
            var value = from_lane(&values, i);
            let p = exponential(product(&own, &key) - statistic.x);
            let ds = p * (product(&own_dy, &value) - statistic.y);
            add(select(0.0, ds, first + i < end), &key, &sums);
        }
    }
    if (row < range.y) {
        for (var quad = 0u; quad < QUADS; quad++) {
            if (has(quad)) {
                let value = sums[quad] * args.scale;
                if (args.accumulate_first != 0u) {
                    dq[place(row, head) + quad] += value;
                } else {
                    dq[place(row, head) + quad] = value;
                }
            }
        }
    }
}

@compute @workgroup_size(LANES)
fn backward_keys(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let range = ranges[group.z];
    let head = group.y;
    let row = range.z + group.x * LANES + lane;
    let safe = min(row, max(range.w, 1u) - 1u);
    var own_k = load_k(safe, head);
    scaled(args.scale, &own_k);
    var own_v = load_v(safe, head);
    var sums_k = Head();
    var sums_v = Head();
    let end = select(range.x, range.y, range.z + group.x * LANES < range.w);
    for (var first = range.x; first < end; first += LANES) {
        let query_row = min(first + lane, end - 1u);
        var queries = load_q(query_row, head);
        var gradients = load_dy(query_row, head);
        let statistics = statistics_in[query_row * args.heads + head];
        for (var i = 0u; i < LANES; i++) {
            var query = from_lane(&queries, i);
            var gradient = from_lane(&gradients, i);
            let statistic = subgroupShuffle(statistics, i);
            let within = first + i < end;
            let p = select(0.0, exponential(product(&own_k, &query) - statistic.x), within);
            let ds = select(0.0, p * (product(&own_v, &gradient) - statistic.y), within);
            add(ds, &query, &sums_k);
            add(p, &gradient, &sums_v);
        }
    }
    if (row < range.w) {
        for (var quad = 0u; quad < QUADS; quad++) {
            if (has(quad)) {
                let at = place(row, head) + quad;
                let key_gradient = sums_k[quad] * args.scale;
                if (args.accumulate_first != 0u) {
                    dk[at] += key_gradient;
                } else {
                    dk[at] = key_gradient;
                }
                if (args.accumulate_second != 0u) {
                    dv[at] += sums_v[quad];
                } else {
                    dv[at] = sums_v[quad];
                }
            }
        }
    }
}
