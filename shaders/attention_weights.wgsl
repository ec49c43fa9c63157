// The weights of multi-head attention by themselves: p = softmax(scale · q kᵀ). One workgroup per query row and head;
// its invocations take the utterance's keys in turn, keep the scores where the weights will stand, and share the maximum
// and the sum.
// q: [query rows, width], k: [key rows, width]; head h is the columns h·head_size ..; weights: utterance after utterance
// [heads, queries, keys]

import package::shared::grid::flat_group;
import package::shared::numbers::exponential;

struct Args {
    query_rows: u32,
    heads: u32,
    head_size: u32,
    width: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read> k: array<f32>;
/// [batch] of (first query row, end, first key row, end)
@group(0) @binding(3) var<storage, read> ranges: array<vec4<u32>>;
/// [query rows]: the utterance of each
@group(0) @binding(4) var<storage, read> owners: array<u32>;
/// [batch + 1]: where each utterance's weights start
@group(0) @binding(5) var<storage, read> starts: array<u32>;
@group(0) @binding(6) var<storage, read_write> weights: array<f32>;

/// Invocations of a workgroup.
const WORKGROUP: u32 = 64;
/// Less than any score, and finite: a running maximum to start from.
const LOWEST: f32 = -3e38;

var<workgroup> shares: array<f32, WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = flat_group(group, groups);
    // Groups past the last row work on the last row without writing, so that all come to every barrier.
    let within = index < args.query_rows * args.heads;
    let row = min(index / args.heads, args.query_rows - 1u);
    let head = index % args.heads;
    let utterance = owners[row];
    let range = ranges[utterance];
    let keys = range.w - range.z;
    let first = starts[utterance] + (head * (range.y - range.x) + row - range.x) * keys;
    let own = row * args.width + head * args.head_size;

    var highest = LOWEST;
    for (var key = lane; key < keys; key += WORKGROUP) {
        let other = (range.z + key) * args.width + head * args.head_size;
        var score = 0.0;
        for (var column = 0u; column < args.head_size; column++) {
            score += q[own + column] * k[other + column];
        }
        score *= args.scale;
        if (within) {
            weights[first + key] = score;
        }
        highest = max(highest, score);
    }
    shares[lane] = highest;
    workgroupBarrier();
    for (var other = 0u; other < WORKGROUP; other++) {
        highest = max(highest, shares[other]);
    }
    workgroupBarrier();

    var total = 0.0;
    if (within) {
        for (var key = lane; key < keys; key += WORKGROUP) {
            let p = exponential(weights[first + key] - highest);
            weights[first + key] = p;
            total += p;
        }
    }
    shares[lane] = total;
    workgroupBarrier();
    total = 0.0;
    for (var other = 0u; other < WORKGROUP; other++) {
        total += shares[other];
    }
    if (within) {
        for (var key = lane; key < keys; key += WORKGROUP) {
            weights[first + key] = weights[first + key] / total;
        }
    }
}
