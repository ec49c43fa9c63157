// The cheapest path through the pitch candidates of an utterance, a workgroup each, in dispatches of steps: forwards the costs of all
// states and where each came from, backwards the states of the path and the contours.
// follow   costs of each state of a frame, the cheapest state before it
// choose   the path from its end, F0, log F0, voicing, log HNR
// What a state of a frame costs by itself, and its contours, the invocations compute a frame each; the path they all follow alike.
// candidates: [frames, 13] of hertz, voicing, decibels of four, and the root of the mean square; before: [frames], contours: [frames, 4]

import package::shared::grid::flat_group;

struct Args {
    batch: u32,
    /// Frames of each utterance that the dispatch is for.
    first_step: u32,
    end_step: u32,
}

@group(0) @binding(0) var<uniform> args: Args;
/// [batch + 1]
@group(0) @binding(1) var<storage, read> offsets: array<u32>;
@group(0) @binding(2) var<storage, read> candidates: array<f32>;
/// [frames]: of each state the one before it, three bits each, as a number
@group(0) @binding(3) var<storage, read_write> before_out: array<f32>;
/// [batch, CARRIED]: costs of four candidates and of no voice, logarithms of the candidates, the state to come to
@group(0) @binding(4) var<storage, read_write> carried: array<f32>;
@group(0) @binding(5) var<storage, read> before: array<f32>;
@group(0) @binding(6) var<storage, read_write> contours: array<f32>;

/// Invocations of a workgroup, and frames of a tile: on software adapters one vector of them, whose barriers are cheap.
@if(software) const WORKGROUP: u32 = 8;
@if(!software) const WORKGROUP: u32 = 32;
const COLUMNS: u32 = 13;
const CONTOURS: u32 = 4;
const CARRIED: u32 = 10;
/// The state without voice, behind the candidates.
const UNVOICED: u32 = 4;
/// What no path is as dear as.
const FORBIDDEN: f32 = 1e30;

/// Weight of the voicing, `-ln(voicing)`, and the least that is told from none.
const VOICING: f32 = 2.0;
const SMALLEST_VOICING: f32 = 1e-30;
/// Voicing from which a frame is taken to be voiced, and the cost of deciding otherwise, under VOICING.
const THRESHOLD: f32 = 0.7;
const AGAINST_THRESHOLD: f32 = 4.0;
/// Weight of a jump, `|ln(f / f')|`, and what it costs to begin with voice.
const JUMP: f32 = 20.0;
const BEGINNING: f32 = 10.0;
/// Cost of the beginning and of the end of voice.
const CHANGE: f32 = 10.0;
/// Cost of a further frame without voice.
const WITHOUT_VOICE: f32 = 1.0;
/// Root of the mean square below which a frame has neither pitch nor voicing.
const QUIETEST: f32 = 0.0008;
const LOWEST_NOTE: f32 = 27.5;

/// Of the frames of a tile: costs of the candidates, and of no voice; logarithms of the candidates.
var<workgroup> costs_of_frame: array<vec4<f32>, WORKGROUP>;
var<workgroup> unvoiced_of_frame: array<f32, WORKGROUP>;
var<workgroup> logarithms: array<vec4<f32>, WORKGROUP>;
var<workgroup> states_before: array<u32, WORKGROUP>;

struct Range {
    /// First row of the utterance
    row: u32,
    first: u32,
    end: u32,
    tiles: u32,
    frames: u32,
}

/// The frames of an utterance that the dispatch is for; none past the last utterance.
fn range_of(utterance: u32) -> Range {
    let known = min(utterance, args.batch - 1u);
    let row = offsets[known];
    let frames = (offsets[known + 1u] - row) * u32(utterance < args.batch);
    let end = min(args.end_step, frames);
    let first = min(args.first_step, end);
    return Range(row, first, end, (end - first + WORKGROUP - 1u) / WORKGROUP, frames);
}

fn four_at(row: u32, column: u32) -> vec4<f32> {
    let at = row * COLUMNS + column;
    return vec4<f32>(candidates[at], candidates[at + 1u], candidates[at + 2u], candidates[at + 3u]);
}

/// How unlike a voice's a frequency is: 0 from 100 to 350 Hz.
fn strangeness(hertz: vec4<f32>) -> vec4<f32> {
    let above = select((hertz - 350.0) / 250.0, vec4<f32>(1.2), hertz >= vec4<f32>(600.0));
    return max((100.0 - hertz) / 100.0, vec4<f32>(0.0)) + max(above, vec4<f32>(0.0));
}

/// What each candidate of a frame costs by itself.
fn costs_of(hertz: vec4<f32>, voicing: vec4<f32>) -> vec4<f32> {
    let against = select(vec4<f32>(0.0), vec4<f32>(AGAINST_THRESHOLD), voicing < vec4<f32>(THRESHOLD));
    let costs = VOICING * (against - log(max(voicing, vec4<f32>(SMALLEST_VOICING)))) + strangeness(hertz);
    return select(vec4<f32>(FORBIDDEN), costs, hertz > vec4<f32>(0.0));
}

/// The cheapest of five paths, the first of equals: what it costs, and its number.
fn cheapest(voiced: vec4<f32>, unvoiced: f32) -> vec2<f32> {
    var best = vec2<f32>(voiced.x, 0.0);
    if (voiced.y < best.x) {
        best = vec2<f32>(voiced.y, 1.0);
    }
    if (voiced.z < best.x) {
        best = vec2<f32>(voiced.z, 2.0);
    }
    if (voiced.w < best.x) {
        best = vec2<f32>(voiced.w, 3.0);
    }
    if (unvoiced < best.x) {
        best = vec2<f32>(unvoiced, 4.0);
    }
    return best;
}

@compute @workgroup_size(WORKGROUP)
fn follow(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let utterance = flat_group(group, groups);
    let range = range_of(utterance);
    var costs = vec4<f32>(0.0);
    var unvoiced = 0.0;
    var last = vec4<f32>(0.0);
    let at = min(utterance, args.batch - 1u) * CARRIED;
    if (range.first > 0u) {
        costs = vec4<f32>(carried[at], carried[at + 1u], carried[at + 2u], carried[at + 3u]);
        unvoiced = carried[at + 4u];
        last = vec4<f32>(carried[at + 5u], carried[at + 6u], carried[at + 7u], carried[at + 8u]);
    }
    for (var tile = 0u; tile < range.tiles; tile++) {
        let begin = range.first + tile * WORKGROUP;
        let step = begin + lane;
        if (step < range.end) {
            let hertz = four_at(range.row + step, 0u);
            let voicing = four_at(range.row + step, 4u);
            costs_of_frame[lane] = costs_of(hertz, voicing);
            let is_voiced = any((hertz > vec4<f32>(0.0)) & (voicing >= vec4<f32>(THRESHOLD)));
            unvoiced_of_frame[lane] = select(0.0, VOICING * AGAINST_THRESHOLD, is_voiced);
            logarithms[lane] = log(max(hertz, vec4<f32>(1.0)));
        }
        workgroupBarrier();
        var own = 0.0;
        for (var i = 0u; i < min(WORKGROUP, range.end - begin); i++) {
            let now = logarithms[i];
            let starts = begin + i == 0u;
            let a = cheapest(costs + JUMP * abs(last - now.x), unvoiced + CHANGE);
            let b = cheapest(costs + JUMP * abs(last - now.y), unvoiced + CHANGE);
            let c = cheapest(costs + JUMP * abs(last - now.z), unvoiced + CHANGE);
            let d = cheapest(costs + JUMP * abs(last - now.w), unvoiced + CHANGE);
            let none = cheapest(costs + CHANGE, unvoiced + WITHOUT_VOICE);
            costs = costs_of_frame[i] + select(vec4<f32>(a.x, b.x, c.x, d.x), vec4<f32>(BEGINNING), starts);
            unvoiced = unvoiced_of_frame[i] + select(none.x, 0.0, starts);
            // From the cheapest on, so that costs do not grow with the utterance.
            let least = cheapest(costs, unvoiced).x;
            costs -= least;
            unvoiced -= least;
            last = now;
            if (i == lane) {
                own = a.y + 8.0 * (b.y + 8.0 * (c.y + 8.0 * (d.y + 8.0 * none.y)));
            }
        }
        workgroupBarrier();
        if (step < range.end) {
            before_out[range.row + step] = own;
        }
    }
    if (lane == 0u && range.tiles > 0u) {
        carried[at] = costs.x;
        carried[at + 1u] = costs.y;
        carried[at + 2u] = costs.z;
        carried[at + 3u] = costs.w;
        carried[at + 4u] = unvoiced;
        carried[at + 5u] = last.x;
        carried[at + 6u] = last.y;
        carried[at + 7u] = last.z;
        carried[at + 8u] = last.w;
    }
}

/// F0, log F0, voicing and log HNR of a frame.
fn contours_of(row: u32, state: u32) -> vec4<f32> {
    let voicing = four_at(row, 4u);
    let is_quiet = candidates[row * COLUMNS + 12u] < QUIETEST;
    if (state >= UNVOICED) {
        let best = max(max(voicing.x, voicing.y), max(voicing.z, voicing.w));
        return vec4<f32>(0.0, 0.0, select(max(best, 0.0), 0.0, is_quiet), 0.0);
    }
    let at = row * COLUMNS + state;
    let decibels = candidates[at + 8u];
    if (is_quiet) {
        return vec4<f32>(0.0, 0.0, 0.0, decibels);
    }
    let hertz = candidates[at];
    return vec4<f32>(hertz, max(12.0 * log2(hertz / LOWEST_NOTE), 1.0), candidates[at + 4u], decibels);
}

@compute @workgroup_size(WORKGROUP)
fn choose(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let utterance = flat_group(group, groups);
    let range = range_of(utterance);
    let at = min(utterance, args.batch - 1u) * CARRIED;
    let costs = vec4<f32>(carried[at], carried[at + 1u], carried[at + 2u], carried[at + 3u]);
    var state = u32(cheapest(costs, carried[at + 4u]).y);
    if (range.end < range.frames) {
        state = u32(carried[at + 9u]);
    }
    for (var tile = range.tiles; tile > 0u; tile--) {
        let begin = range.first + (tile - 1u) * WORKGROUP;
        let step = begin + lane;
        let steps = min(WORKGROUP, range.end - begin);
        if (step < range.end) {
            states_before[lane] = u32(before[range.row + step]);
        }
        workgroupBarrier();
        var own = UNVOICED;
        for (var back = 1u; back <= steps; back++) {
            let i = steps - back;
            if (i == lane) {
                own = state;
            }
            state = (states_before[i] >> (3u * state)) & 7u;
        }
        workgroupBarrier();
        if (step < range.end) {
            let values = contours_of(range.row + step, own);
            let row = (range.row + step) * CONTOURS;
            contours[row] = values.x;
            contours[row + 1u] = values.y;
            contours[row + 2u] = values.z;
            contours[row + 3u] = values.w;
        }
    }
    if (lane == 0u && range.tiles > 0u) {
        carried[at + 9u] = f32(state);
    }
}
