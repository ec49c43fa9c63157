// Loudness of a frame, a workgroup each: window → FFT → power spectrum → bands under the ear's curve → sum of each to the power of 0.33.
// samples: [total], loudness: [frames]

import package::shared::grid::{flat_group, in_grid};
import package::shared::transform::{bins_of, butterfly, place_of_pair, spectrum, turn_of};

struct Args {
    frames: u32,
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
/// [BANDS, BINS]
@group(0) @binding(6) var<storage, read> bands: array<f32>;
/// [BANDS] of (first bin, end bin)
@group(0) @binding(7) var<storage, read> band_ranges: array<vec2<u32>>;
@group(0) @binding(8) var<storage, read_write> loudness: array<f32>;

/// Invocations of a workgroup: on software adapters one vector of them, whose barriers are cheap.
@if(software) const WORKGROUP: u32 = 8;
@if(!software) const WORKGROUP: u32 = 64;
const HOP: u32 = 160;
const LOG2_TRANSFORM: u32 = 9;
const PAIRS: u32 = 256;
const BINS: u32 = PAIRS + 1u;
const BANDS: u32 = 26;
const COMPRESSION: f32 = 0.33;
/// The smallest number that devices tell from zero.
const SMALLEST_POWER: f32 = 1.1754944e-38;

var<workgroup> power: array<f32, BINS>;
var<workgroup> heard: array<f32, BANDS>;

/// A sample under the window; zeros follow a recording.
fn windowed(begin: u32, n: u32, end: u32) -> f32 {
    if (begin + n >= end) {
        return 0.0;
    }
    return samples[begin + n] * window[n];
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
    for (var i = lane; i < PAIRS; i += WORKGROUP) {
        spectrum[place_of_pair(i, LOG2_TRANSFORM)] = vec2<f32>(windowed(begin, 2u * i, range.y), windowed(begin, 2u * i + 1u, range.y));
    }
    workgroupBarrier();
    for (var stage = 0u; stage + 1u < LOG2_TRANSFORM; stage++) {
        for (var number = lane; number < PAIRS / 2u; number += WORKGROUP) {
            butterfly(number, stage, twiddles[turn_of(number, stage, LOG2_TRANSFORM)]);
        }
        workgroupBarrier();
    }
    for (var k = lane; k <= PAIRS / 2u; k += WORKGROUP) {
        let bins = bins_of(k, PAIRS, twiddles[k]);
        power[k] = dot(bins.xy, bins.xy);
        power[PAIRS - k] = dot(bins.zw, bins.zw);
    }
    workgroupBarrier();
    for (var band = lane; band < BANDS; band += WORKGROUP) {
        var energy = 0.0;
        for (var bin = band_ranges[band].x; bin < band_ranges[band].y; bin++) {
            energy += bands[band * BINS + bin] * power[bin];
        }
        // Of silence 2^(0.33 log₂ 0), which drivers may make of anything.
        heard[band] = select(0.0, exp2(COMPRESSION * log2(max(energy, SMALLEST_POWER))), energy > 0.0);
    }
    workgroupBarrier();
    if (lane == 0u && place < args.frames) {
        var sum = 0.0;
        for (var band = 0u; band < BANDS; band++) {
            sum += heard[band];
        }
        loudness[frame] = sum;
    }
}
