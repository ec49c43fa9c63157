// Pitch candidates of a frame, a workgroup each: window → FFT → magnitudes → what lies around their peaks → octaves → sums over harmonics
// → the four highest peaks, and beside them magnitudes → squares → FFT → autocorrelation → its maximum nearest to each candidate's period.
// samples: [total], candidates: [frames, 13] of hertz, voicing, decibels of four, and the root of the mean square

import package::shared::grid::{flat_group, in_grid};
import package::shared::transform::{bins_of, butterfly, place_of_pair, spectrum, turn_of};

struct Args {
    frames: u32,
    /// Octaves from the first point to the last, by the steps between points.
    octaves_a_point: f32,
    /// Of a part of a grid, see `shared/grid.wgsl`.
    first_group_y: u32,
    first_group_z: u32,
}

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> samples: array<f32>;
/// [batch] of (first sample, end, first frame, end)
@group(0) @binding(2) var<storage, read> ranges: array<vec4<u32>>;
/// [frames]: utterance of a frame
@group(0) @binding(3) var<storage, read> frame_owners: array<u32>;
/// [TRANSFORM], zeros behind the frame
@group(0) @binding(4) var<storage, read> window: array<f32>;
/// [TRANSFORM / 2] of e^(-2πik / TRANSFORM)
@group(0) @binding(5) var<storage, read> twiddles: array<vec2<f32>>;
/// [BAND, POINTS]
@group(0) @binding(6) var<storage, read> octaves: array<f32>;
/// [POINTS] first bins, [HARMONICS] points above the fundamental
@group(0) @binding(7) var<storage, read> places: array<u32>;
@group(0) @binding(8) var<storage, read_write> candidates: array<f32>;

/// Invocations of a workgroup: on software adapters one vector of them, whose barriers are cheap.
@if(software) const WORKGROUP: u32 = 8;
@if(!software) const WORKGROUP: u32 = 64;
const RATE: f32 = 16000.0;
const HOP: u32 = 160;
/// Samples of a frame.
const FRAME: f32 = 880.0;
const LOG2_TRANSFORM: u32 = 10;
const TRANSFORM: u32 = 1024;
const PAIRS: u32 = TRANSFORM / 2;
/// Bins of the spectrum, and as many points of the octaves.
const POINTS: u32 = PAIRS + 1u;
const BAND: u32 = 32;
const HARMONICS: u32 = 15;
/// A harmonic's weight by that of the one below.
const COMPRESSION: f32 = 0.85;
const LOWEST: f32 = 25.0;
/// Where pitch is sought, in hertz.
const LOW: f32 = 52.0;
const HIGH: f32 = 620.0;
/// Greatest and, negative, smallest ratio in decibels; 10 log10(x) = DECIBELS_PER_OCTAVE · log2(x)
const LIMIT: f32 = 100.0;
const DECIBELS_PER_OCTAVE: f32 = 3.0102999566;
/// Largest sample of a frame that counts as silent.
const SILENT: f32 = 1e-30;
const COLUMNS: u32 = 13;
const LARGEST: f32 = 3.4028234e38;
/// More than any place, by which distances from a period are told apart from places.
const PLACES: f32 = 1024.0;

/// Magnitudes, then points of the octaves.
var<workgroup> points: array<f32, POINTS>;
/// What lies around peaks, then sums over harmonics.
var<workgroup> sums: array<f32, POINTS>;
var<workgroup> correlation: array<f32, POINTS>;
var<workgroup> lanes: array<vec4<f32>, WORKGROUP>;

/// A sample under the window; zeros follow a recording.
fn windowed(begin: u32, n: u32, end: u32) -> f32 {
    if (begin + n >= end) {
        return 0.0;
    }
    return samples[begin + n] * window[n];
}

/// Over the workgroup the sum of x, and the least of the others. What was gathered before must be read behind an earlier barrier.
fn gathered(lane: u32, own: vec4<f32>) -> vec4<f32> {
    lanes[lane] = own;
    workgroupBarrier();
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        if (lane < half) {
            let other = lanes[lane + half];
            let these = lanes[lane];
            lanes[lane] = vec4<f32>(these.x + other.x, min(these.yzw, other.yzw));
        }
        workgroupBarrier();
    }
    return lanes[0];
}

/// Whether a peak (height, place) comes before another one: the higher one, and the first of equals.
fn is_before(a: vec2<f32>, b: vec2<f32>) -> bool {
    return a.x > b.x || (a.x == b.x && a.y < b.y);
}

/// The highest peak of `sums` after another one; its height is negative where there is none.
fn next_peak(lane: u32, last: vec2<f32>) -> vec2<f32> {
    var own = vec2<f32>(-1.0, 0.0);
    for (var point = lane + 1u; point < POINTS - 1u; point += WORKGROUP) {
        let peak = vec2<f32>(sums[point], f32(point));
        if (sums[point - 1u] < peak.x && peak.x > sums[point + 1u] && is_before(last, peak) && is_before(peak, own)) {
            own = peak;
        }
    }
    workgroupBarrier();
    lanes[lane] = vec4<f32>(own, 0.0, 0.0);
    workgroupBarrier();
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        if (lane < half && is_before(lanes[lane + half].xy, lanes[lane].xy)) {
            lanes[lane] = lanes[lane + half];
        }
        workgroupBarrier();
    }
    return lanes[0].xy;
}

fn transform(lane: u32) {
    for (var stage = 0u; stage + 1u < LOG2_TRANSFORM; stage++) {
        for (var number = lane; number < PAIRS / 2u; number += WORKGROUP) {
            butterfly(number, stage, twiddles[turn_of(number, stage, LOG2_TRANSFORM)]);
        }
        workgroupBarrier();
    }
}

/// Whether a magnitude is a peak; the last is none.
fn is_peak(bin: u32) -> bool {
    if (bin >= PAIRS) {
        return false;
    }
    return (bin == 0u || points[max(bin, 1u) - 1u] < points[bin]) && points[bin] > points[bin + 1u];
}

/// Whether a bin is a peak or one of the two beside one.
fn is_beside_peak(bin: u32) -> bool {
    let is_above = is_peak(bin) || is_peak(bin + 1u) || is_peak(bin + 2u);
    return is_above || (bin >= 1u && is_peak(max(bin, 1u) - 1u)) || (bin >= 2u && is_peak(max(bin, 2u) - 2u));
}

/// The square of a magnitude, of which the spectrum's other half is the mirror.
fn power_at(bin: u32) -> f32 {
    let magnitude = points[min(bin, TRANSFORM - bin)];
    return magnitude * magnitude;
}

/// Hertz and voicing of a peak, by the parabola through it and the points beside it; zeros where it is no candidate.
fn candidate_of(peak: vec2<f32>, mean: f32) -> vec2<f32> {
    let point = clamp(u32(peak.y), 1u, POINTS - 2u);
    let left = sums[point - 1u];
    let right = sums[point + 1u];
    let aside = 0.5 * (left - right) / ((left - peak.x) + (right - peak.x));
    let height = peak.x - 0.25 * (left - right) * aside;
    let hertz = LOWEST * exp2((peak.y + aside) * args.octaves_a_point);
    if (peak.x > 0.0 && hertz >= LOW && hertz <= HIGH) {
        return vec2<f32>(hertz, 1.0 - mean / height);
    }
    return vec2<f32>(0.0, 0.0);
}

/// Decibels of what repeats over what does not, at the maximum of a (distance, place) that was found, or at the period.
fn decibels_at(found: f32, period: f32) -> f32 {
    let place = select(found % PLACES, period, found >= PLACES * PLACES);
    let periodic = correlation[min(u32(place), POINTS - 1u)];
    let rest = correlation[0] - periodic;
    if (periodic <= 0.0) {
        return -LIMIT;
    }
    if (rest <= 0.0) {
        return LIMIT;
    }
    return clamp(DECIBELS_PER_OCTAVE * (log2(periodic) - log2(rest)), -LIMIT, LIMIT);
}

@compute @workgroup_size(WORKGROUP)
fn forward(
    @builtin(workgroup_id) group_of_part: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    // Workgroups past the end repeat the last frame and store nothing, so that every invocation reaches every barrier.
    let place = flat_group(in_grid(group_of_part, args.first_group_y, args.first_group_z), groups);
    let frame = min(place, args.frames - 1u);
    let range = ranges[frame_owners[frame]];
    let begin = range.x + (frame - range.z) * HOP;

    var own = vec4<f32>(0.0);
    for (var i = lane; i < PAIRS; i += WORKGROUP) {
        let pair = vec2<f32>(windowed(begin, 2u * i, range.y), windowed(begin, 2u * i + 1u, range.y));
        spectrum[place_of_pair(i, LOG2_TRANSFORM)] = pair;
        own.x += dot(pair, pair);
        own.y = min(own.y, -max(abs(pair.x), abs(pair.y)));
    }
    let size = gathered(lane, own);
    let mean_square = size.x / FRAME;
    let loudest = -size.y;
    transform(lane);
    // Of a frame whose largest sample is 1: squares of squares stay within the range of numbers.
    let is_silent = loudest < SILENT;
    let scale = select(loudest, 1.0, is_silent);
    for (var k = lane; k <= PAIRS / 2u; k += WORKGROUP) {
        let bins = bins_of(k, PAIRS, twiddles[k]) / scale;
        points[k] = select(sqrt(dot(bins.xy, bins.xy)), 0.0, is_silent);
        points[PAIRS - k] = select(sqrt(dot(bins.zw, bins.zw)), 0.0, is_silent);
    }
    workgroupBarrier();

    // Between the first peak and the last only what lies beside one is kept.
    own = vec4<f32>(0.0, PLACES, 1.0, 0.0);
    for (var bin = lane; bin < PAIRS; bin += WORKGROUP) {
        if (is_peak(bin)) {
            own.y = min(own.y, f32(bin));
            own.z = min(own.z, -f32(bin));
        }
    }
    let ends = gathered(lane, own);
    for (var bin = lane; bin < POINTS; bin += WORKGROUP) {
        let is_outside = f32(bin) < ends.y || f32(bin) > -ends.z;
        sums[bin] = select(0.0, points[bin], is_outside || is_beside_peak(bin));
    }
    for (var i = lane; i < PAIRS; i += WORKGROUP) {
        spectrum[place_of_pair(i, LOG2_TRANSFORM)] = vec2<f32>(power_at(2u * i), power_at(2u * i + 1u));
    }
    workgroupBarrier();
    for (var point = lane; point < POINTS; point += WORKGROUP) {
        let first = places[point];
        var value = 0.0;
        for (var behind = 0u; behind < BAND; behind++) {
            value += octaves[behind * POINTS + point] * sums[first + behind];
        }
        points[point] = max(value, 0.0);
    }
    transform(lane);
    for (var k = lane; k <= PAIRS / 2u; k += WORKGROUP) {
        let bins = bins_of(k, PAIRS, twiddles[k]);
        correlation[k] = bins.x;
        correlation[PAIRS - k] = bins.z;
    }
    own = vec4<f32>(0.0);
    for (var point = lane; point < POINTS; point += WORKGROUP) {
        var sum = 0.0;
        var weight = 1.0;
        for (var harmonic = 0u; harmonic < HARMONICS; harmonic++) {
            let at = point + places[POINTS + harmonic];
            if (at < POINTS) {
                sum += weight * points[at];
            }
            weight *= COMPRESSION;
        }
        sums[point] = sum;
        own.x += sum;
    }
    let mean = gathered(lane, own).x / f32(POINTS);

    let first = next_peak(lane, vec2<f32>(LARGEST, 0.0));
    let second = next_peak(lane, first);
    let third = next_peak(lane, second);
    let fourth = next_peak(lane, third);
    let a = candidate_of(first, mean);
    let b = candidate_of(second, mean);
    let c = candidate_of(third, mean);
    let d = candidate_of(fourth, mean);
    let hertz = vec4<f32>(a.x, b.x, c.x, d.x);
    let periods = floor(RATE / max(hertz, vec4<f32>(LOW)));
    var nearest = vec4<f32>(PLACES * PLACES);
    for (var at = lane + 1u; at < POINTS - 1u; at += WORKGROUP) {
        if (correlation[at - 1u] < correlation[at] && correlation[at] > correlation[at + 1u]) {
            nearest = min(nearest, abs(f32(at) - periods) * PLACES + f32(at));
        }
    }
    workgroupBarrier();
    lanes[lane] = nearest;
    workgroupBarrier();
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        if (lane < half) {
            lanes[lane] = min(lanes[lane], lanes[lane + half]);
        }
        workgroupBarrier();
    }
    if (lane > 0u || place >= args.frames) {
        return;
    }
    nearest = lanes[0];
    let row = frame * COLUMNS;
    candidates[row] = a.x;
    candidates[row + 1u] = b.x;
    candidates[row + 2u] = c.x;
    candidates[row + 3u] = d.x;
    candidates[row + 4u] = a.y;
    candidates[row + 5u] = b.y;
    candidates[row + 6u] = c.y;
    candidates[row + 7u] = d.y;
    candidates[row + 8u] = select(0.0, decibels_at(nearest.x, periods.x), a.x > 0.0);
    candidates[row + 9u] = select(0.0, decibels_at(nearest.y, periods.y), b.x > 0.0);
    candidates[row + 10u] = select(0.0, decibels_at(nearest.z, periods.z), c.x > 0.0);
    candidates[row + 11u] = select(0.0, decibels_at(nearest.w, periods.w), d.x > 0.0);
    candidates[row + 12u] = sqrt(mean_square);
}
