// MFCC front-end (MODEL.md "Acoustic features"), three passes and a fourth where it is wanted, or one:
// mel_bands        frame → pre-emphasis → window → FFT → power spectrum → mel bands → 10 log10(max(1e-10, ·))
// peak             loudest band of each utterance
// cepstrum         floor `top_db` below the peak, then the orthonormal DCT-II, liftered
// energy           ln of the sum of squares of a frame's samples, in place of c0
// power_spectrum   as far as the power spectrum
// samples: [total], decibels: [frames, mel_bands], result: [frames, coefficients], of spectra [frames, transform / 2 + 1]

import package::shared::components::component;
import package::shared::grid::{flat_group, in_grid};
import package::shared::transform::{MAX_TRANSFORM, bins_of, butterfly, place_of_pair, spectrum, turn_of};

struct Args {
    frames: u32,
    transform: u32,
    log2_transform: u32,
    hop: u32,
    /// The window's samples within the transform: the first, and how many.
    window_begin: u32,
    window_length: u32,
    mel_bands: u32,
    coefficients: u32,
    top_db: f32,
    /// What stands around a recording: 0 zeros, 1 the recording mirrored.
    mirrored: u32,
    /// c of x[n] - c x[n - 1]
    pre_emphasis: f32,
    /// The first sample becomes own · x[0] + next · x[1].
    first_own: f32,
    first_next: f32,
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
@group(0) @binding(4) var<storage, read> window: array<f32>;
/// [transform / 2] of e^(-2πik / transform)
@group(0) @binding(5) var<storage, read> twiddles: array<vec2<f32>>;
/// [mel_bands, transform / 2 + 1]
@group(0) @binding(6) var<storage, read> mel: array<f32>;
/// [mel_bands] of (first bin, end bin)
@group(0) @binding(7) var<storage, read> mel_ranges: array<vec2<u32>>;
@group(0) @binding(8) var<storage, read_write> decibels: array<f32>;
@group(0) @binding(9) var<storage, read> mel_decibels: array<f32>;
/// [batch]
@group(0) @binding(10) var<storage, read_write> peaks: array<f32>;
@group(0) @binding(11) var<storage, read> utterance_peaks: array<f32>;
/// [coefficients, mel_bands], liftered
@group(0) @binding(12) var<storage, read> dct: array<f32>;
@group(0) @binding(13) var<storage, read_write> result: array<f32>;

/// Invocations of a workgroup: on software adapters one vector of them, whose barriers are cheap.
@if(software) const WORKGROUP: u32 = 8;
@if(!software) const WORKGROUP: u32 = 128;
const MAX_MEL_BANDS: u32 = 256;
const SMALLEST_POWER: f32 = 1e-10;
/// 10 log10(x) = DECIBELS_PER_OCTAVE · log2(x)
const DECIBELS_PER_OCTAVE: f32 = 3.0102999566;

/// Frames of a workgroup of `cepstrum`, which share what it reads of the transform.
const CEPSTRA: u32 = 4;
/// Invocations of a workgroup of `peak`, each of which takes four bands a turn: so many that llvmpipe, which leaves every loop after
/// 65,535 turns of an invocation, takes whatever fits a buffer of it.
const PEAKS: u32 = 256;
/// Frames of a workgroup of `energy`, one an invocation.
const ENERGIES: u32 = 64;

var<workgroup> power: array<f32, MAX_TRANSFORM / 2 + 1>;
/// Bands of the frames of a workgroup.
var<workgroup> floored: array<vec4<f32>, MAX_MEL_BANDS>;
var<workgroup> lane_peaks: array<f32, PEAKS>;

/// A recording's sample after the pre-emphasis; `n` is within it, `range` its samples' (first, end).
fn emphasised(n: u32, range: vec2<u32>) -> f32 {
    let i = range.x + n;
    if (n > 0u) {
        return samples[i] - args.pre_emphasis * samples[i - 1u];
    }
    // A recording of one sample has no second one to lean on.
    if (range.y - range.x == 1u) {
        return samples[i];
    }
    return args.first_own * samples[i] + args.first_next * samples[i + 1u];
}

/// Which of a recording's samples stands at `place`, which may lie outside of it; negative for a zero.
fn sample_at(place: i32, range: vec2<u32>) -> i32 {
    let last = i32(range.y - range.x) - 1;
    if (place >= 0 && place <= last) {
        return place;
    }
    if (args.mirrored == 0u) {
        return -1;
    }
    let around = abs(place) % max(2 * last, 1);
    return min(around, 2 * last - around);
}

/// The sample at `place` after the pre-emphasis.
fn padded(place: i32, range: vec2<u32>) -> f32 {
    let n = sample_at(place, range);
    if (n < 0) {
        return 0.0;
    }
    return emphasised(u32(n), range);
}

/// Where the transform of a frame, centred on its sample, begins; `first` is its utterance's first frame.
fn begin_of(frame: u32, first: u32) -> i32 {
    return i32((frame - first) * args.hop) - i32(args.transform / 2u);
}

/// Puts a frame's power spectrum into `power`. All invocations of the workgroup call it.
fn transform_frame(frame: u32, lane: u32) {
    let range = ranges[frame_owners[frame]];
    let begin = begin_of(frame, range.z);
    let length = args.transform / 2u;
    for (var i = lane; i < length; i += WORKGROUP) {
        let at = begin + 2 * i32(i);
        let pair = vec2<f32>(padded(at, range.xy), padded(at + 1, range.xy));
        spectrum[place_of_pair(i, args.log2_transform)] = pair * vec2<f32>(window[2u * i], window[2u * i + 1u]);
    }
    workgroupBarrier();
    for (var stage = 0u; stage + 1u < args.log2_transform; stage++) {
        for (var number = lane; number < length / 2u; number += WORKGROUP) {
            butterfly(number, stage, twiddles[turn_of(number, stage, args.log2_transform)]);
        }
        workgroupBarrier();
    }
    for (var k = lane; k <= length / 2u; k += WORKGROUP) {
        let bins = bins_of(k, length, twiddles[k]);
        power[k] = dot(bins.xy, bins.xy);
        power[length - k] = dot(bins.zw, bins.zw);
    }
    workgroupBarrier();
}

@compute @workgroup_size(WORKGROUP)
fn mel_bands(
    @builtin(workgroup_id) group_of_part: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    // Workgroups past the end repeat the last frame and store nothing, so that every invocation reaches every barrier.
    let place = flat_group(group, groups);
    let frame = min(place, args.frames - 1u);
    transform_frame(frame, lane);
    let bins = args.transform / 2u + 1u;
    for (var band = lane; band < args.mel_bands && place < args.frames; band += WORKGROUP) {
        var energy = 0.0;
        for (var bin = mel_ranges[band].x; bin < mel_ranges[band].y; bin++) {
            energy += mel[band * bins + bin] * power[bin];
        }
        decibels[frame * args.mel_bands + band] = DECIBELS_PER_OCTAVE * log2(max(SMALLEST_POWER, energy));
    }
}

@compute @workgroup_size(WORKGROUP)
fn power_spectrum(
    @builtin(workgroup_id) group_of_part: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let place = flat_group(group, groups);
    let frame = min(place, args.frames - 1u);
    transform_frame(frame, lane);
    let bins = args.transform / 2u + 1u;
    for (var bin = lane; bin < bins && place < args.frames; bin += WORKGROUP) {
        result[frame * bins + bin] = power[bin];
    }
}

@compute @workgroup_size(ENERGIES)
fn energy(
    @builtin(workgroup_id) group_of_part: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let frame = flat_group(group, groups) * ENERGIES + lane;
    if (frame >= args.frames) {
        return;
    }
    let range = ranges[frame_owners[frame]];
    let begin = begin_of(frame, range.z) + i32(args.window_begin);
    var squares = 0.0;
    for (var i = 0u; i < args.window_length; i++) {
        let n = sample_at(begin + i32(i), range.xy);
        if (n >= 0) {
            let x = samples[range.x + u32(n)];
            squares += x * x;
        }
    }
    result[frame * args.coefficients] = log(max(SMALLEST_POWER, squares));
}

@compute @workgroup_size(PEAKS)
fn peak(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let range = ranges[group.x];
    // No band is below 10 log10(1e-10) = -100 dB.
    var highest = -100.0;
    let end = range.w * args.mel_bands;
    for (var i = range.z * args.mel_bands + lane; i < end; i += 4u * PEAKS) {
        let first = max(mel_decibels[i], mel_decibels[min(i + PEAKS, end - 1u)]);
        let second = max(mel_decibels[min(i + 2u * PEAKS, end - 1u)], mel_decibels[min(i + 3u * PEAKS, end - 1u)]);
        highest = max(highest, max(first, second));
    }
    lane_peaks[lane] = highest;
    workgroupBarrier();
    if (lane == 0u) {
        for (var other = 1u; other < PEAKS; other++) {
            highest = max(highest, lane_peaks[other]);
        }
        peaks[group.x] = highest;
    }
}

/// Loudest band of a frame's utterance.
fn peak_of(frame: u32) -> f32 {
    return utterance_peaks[frame_owners[frame]];
}

@compute @workgroup_size(WORKGROUP)
fn cepstrum(
    @builtin(workgroup_id) group_of_part: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let first = flat_group(group, groups) * CEPSTRA;
    let frames = min(vec4<u32>(first, first + 1u, first + 2u, first + 3u), vec4<u32>(args.frames - 1u));
    let lowest = vec4<f32>(peak_of(frames.x), peak_of(frames.y), peak_of(frames.z), peak_of(frames.w)) - args.top_db;
    for (var band = lane; band < args.mel_bands; band += WORKGROUP) {
        let places = frames * args.mel_bands + band;
        let bands = vec4<f32>(mel_decibels[places.x], mel_decibels[places.y], mel_decibels[places.z], mel_decibels[places.w]);
        floored[band] = max(bands, lowest);
    }
    workgroupBarrier();
    for (var coefficient = lane; coefficient < args.coefficients; coefficient += WORKGROUP) {
        var sums = vec4<f32>();
        for (var band = 0u; band < args.mel_bands; band++) {
            sums += dct[coefficient * args.mel_bands + band] * floored[band];
        }
        for (var i = 0u; i < CEPSTRA; i++) {
            if (first + i < args.frames) {
                result[(first + i) * args.coefficients + coefficient] = component(sums, i);
            }
        }
    }
}
