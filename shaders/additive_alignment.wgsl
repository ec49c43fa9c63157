// Additive alignment of words with frames, and its gradients. Weights live in registers and workgroup memory; of words and frames of an
// utterance a workgroup has BLOCK rows of one side and meets all of the other, in their order. With e_ji = exp(tanh(p_i + w_j)), which
// lies in [1/e, e], α_ji = e_ji / Σ_i e_ji and t_ji = α_ji (g_j · s_i - δ_j)(1 - tanh²(p_i + w_j)):
// forward                 y_j = Σ_i α_ji s_i
// backward_word_scores    δ_j = Σ_i α_ji g_j · s_i, dw_j = Σ_i t_ji
// backward_frame_scores   dp_i = Σ_j t_ji
// backward_frames         ds_i = Σ_j α_ji g_j
// w: [words], p: [frames], s, ds: [frames, width], y, g: [words, width]

import package::shared::numbers::{exponential, hyperbolic_tangent};

struct Args {
    /// How many
    blocks: u32,
    width: u32,
    accumulate: u32,
}

/// What an invocation works on: four columns where the width is a multiple of four.
@if(vec4) alias Element = vec4<f32>;
@if(scalar) alias Element = f32;
@if(vec4) const COLUMNS: u32 = 4;
@if(scalar) const COLUMNS: u32 = 1;

@group(0) @binding(0) var<uniform> args: Args;
/// (first word, end, first frame, end)
@group(0) @binding(1) var<storage, read> blocks: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> word_scores: array<f32>;
@group(0) @binding(3) var<storage, read> frame_scores: array<f32>;
@group(0) @binding(4) var<storage, read> frames: array<Element>;
@group(0) @binding(5) var<storage, read_write> y: array<Element>;
@group(0) @binding(6) var<storage, read> y_gradient: array<Element>;
@group(0) @binding(7) var<storage, read_write> word_gradient: array<f32>;
/// [words] of (Σ_i e_ji, δ_j)
@group(0) @binding(8) var<storage, read_write> statistics_out: array<vec2<f32>>;
@group(0) @binding(9) var<storage, read> statistics: array<vec2<f32>>;
@group(0) @binding(10) var<storage, read_write> frame_gradient: array<f32>;
@group(0) @binding(11) var<storage, read_write> frames_gradient: array<Element>;

const WORKGROUP: u32 = 64;
/// Rows of a workgroup
const BLOCK: u32 = 8;
/// Invocations that share a row where a row gets one number
const SHARES: u32 = WORKGROUP / BLOCK;
/// Rows of the other side whose weights are held at a time
const TILE: u32 = 32;

/// [row of the other side, row]
var<workgroup> weights: array<f32, TILE * BLOCK>;
var<workgroup> parts: array<vec4<f32>, WORKGROUP>;

/// Ranges of a workgroup's block, empty past the last: all invocations of a workgroup reach its barriers.
fn ranges_of(group: vec3<u32>, groups: vec3<u32>) -> vec4<u32> {
    let block = group.y + group.z * groups.y;
    // Older GL has no select of whole numbers.
    return blocks[min(block, args.blocks - 1u)] * u32(block < args.blocks);
}

fn tangent_of(word: u32, frame: u32) -> f32 {
    return hyperbolic_tangent(frame_scores[frame] + word_scores[word]);
}

@if(vec4) fn total(value: vec4<f32>) -> f32 {
    return (value.x + value.y) + (value.z + value.w);
}

@if(scalar) fn total(value: f32) -> f32 {
    return value;
}

/// g_j · s_i
fn gain_of(word: u32, frame: u32) -> f32 {
    let width = args.width / COLUMNS;
    var sum = Element(0.0);
    for (var c = 0u; c < width; c++) {
        sum += y_gradient[word * width + c] * frames[frame * width + c];
    }
    return total(sum);
}

@compute @workgroup_size(WORKGROUP)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let width = args.width / COLUMNS;
    let c = group.x * WORKGROUP + lane;
    let column = min(c, width - 1u);
    let ranges = ranges_of(group, groups);
    var sums: array<Element, BLOCK>;
    var totals: array<f32, BLOCK>;
    for (var first = ranges.z; first < ranges.w; first += TILE) {
        workgroupBarrier();
        for (var pair = lane; pair < TILE * BLOCK; pair += WORKGROUP) {
            let word = ranges.x + pair % BLOCK;
            let frame = first + pair / BLOCK;
            var weight = 0.0;
            if (word < ranges.y && frame < ranges.w) {
                weight = exponential(tangent_of(word, frame));
            }
            weights[pair] = weight;
        }
        workgroupBarrier();
        let count = min(TILE, ranges.w - first);
        for (var i = 0u; i < count; i++) {
            let value = frames[(first + i) * width + column];
            for (var row = 0u; row < BLOCK; row++) {
                let weight = weights[i * BLOCK + row];
                totals[row] += weight;
                sums[row] += weight * value;
            }
        }
    }
    for (var row = 0u; row < BLOCK; row++) {
        let word = ranges.x + row;
        if (c < width && word < ranges.y) {
            y[word * width + c] = select(sums[row] / totals[row], Element(0.0), ranges.z == ranges.w);
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward_word_scores(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let ranges = ranges_of(group, groups);
    let word = ranges.x + lane / SHARES;
    let is_there = word < ranges.y;
    // Sums of e, e (1 - a²), e g·s and e g·s (1 - a²): nothing need be known of the others before.
    var part = vec4<f32>(0.0);
    if (is_there) {
        for (var frame = ranges.z + lane % SHARES; frame < ranges.w; frame += SHARES) {
            let tangent = tangent_of(word, frame);
            let slope = 1.0 - tangent * tangent;
            let gain = gain_of(word, frame);
            part += exponential(tangent) * vec4<f32>(1.0, slope, gain, gain * slope);
        }
    }
    parts[lane] = part;
    workgroupBarrier();
    if (!is_there || lane % SHARES != 0u) {
        return;
    }
    for (var share = 1u; share < SHARES; share++) {
        part += parts[lane + share];
    }
    if (ranges.z == ranges.w) {
        part = vec4<f32>(1.0, 0.0, 0.0, 0.0);
    }
    let mean = part.z / part.x;
    statistics_out[word] = vec2<f32>(part.x, mean);
    var gradient = (part.w - mean * part.y) / part.x;
    if (args.accumulate != 0u) {
        gradient += word_gradient[word];
    }
    word_gradient[word] = gradient;
}

@compute @workgroup_size(WORKGROUP)
fn backward_frame_scores(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let ranges = ranges_of(group, groups);
    let frame = ranges.z + lane / SHARES;
    let is_there = frame < ranges.w;
    var part = 0.0;
    if (is_there) {
        for (var word = ranges.x + lane % SHARES; word < ranges.y; word += SHARES) {
            let tangent = tangent_of(word, frame);
            let of_word = statistics[word];
            let weight = exponential(tangent) / of_word.x;
            part += weight * (gain_of(word, frame) - of_word.y) * (1.0 - tangent * tangent);
        }
    }
    parts[lane] = vec4<f32>(part);
    workgroupBarrier();
    if (!is_there || lane % SHARES != 0u) {
        return;
    }
    for (var share = 1u; share < SHARES; share++) {
        part += parts[lane + share].x;
    }
    if (args.accumulate != 0u) {
        part += frame_gradient[frame];
    }
    frame_gradient[frame] = part;
}

@compute @workgroup_size(WORKGROUP)
fn backward_frames(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let width = args.width / COLUMNS;
    let c = group.x * WORKGROUP + lane;
    let column = min(c, width - 1u);
    let ranges = ranges_of(group, groups);
    var sums: array<Element, BLOCK>;
    for (var first = ranges.x; first < ranges.y; first += TILE) {
        workgroupBarrier();
        for (var pair = lane; pair < TILE * BLOCK; pair += WORKGROUP) {
            let word = first + pair / BLOCK;
            let frame = ranges.z + pair % BLOCK;
            var weight = 0.0;
            if (word < ranges.y && frame < ranges.w) {
                weight = exponential(tangent_of(word, frame)) / statistics[word].x;
            }
            weights[pair] = weight;
        }
        workgroupBarrier();
        let count = min(TILE, ranges.y - first);
        for (var j = 0u; j < count; j++) {
            let gradient = y_gradient[(first + j) * width + column];
            for (var row = 0u; row < BLOCK; row++) {
                sums[row] += weights[j * BLOCK + row] * gradient;
            }
        }
    }
    for (var row = 0u; row < BLOCK; row++) {
        let frame = ranges.z + row;
        if (c < width && frame < ranges.w) {
            var gradient = sums[row];
            if (args.accumulate != 0u) {
                gradient += frames_gradient[frame * width + c];
            }
            frames_gradient[frame * width + c] = gradient;
        }
    }
}
