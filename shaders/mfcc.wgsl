// MFCC front-end (MODEL.md "Acoustic features"), three passes:
// mel        frame → pre-emphasis → window → FFT → power spectrum → mel bands → 10 log10(max(1e-10, ·))
// peak       loudest band of each utterance
// cepstrum   floor `top_db` below the peak, then the orthonormal DCT-II
// samples: [total], decibels: [frames, mel_bands], result: [frames, coefficients]

import package::shared::grid::flat_group;

struct Args {
    frames: u32,
    transform: u32,
    log2_transform: u32,
    hop: u32,
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
/// [coefficients, mel_bands]
@group(0) @binding(12) var<storage, read> dct: array<f32>;
@group(0) @binding(13) var<storage, read_write> result: array<f32>;

const LANES: u32 = 128;
const MAX_TRANSFORM: u32 = 1024;
const MAX_MEL_BANDS: u32 = 256;
const SMALLEST_POWER: f32 = 1e-10;
/// 10 log10(x) = DECIBELS_PER_OCTAVE · log2(x)
const DECIBELS_PER_OCTAVE: f32 = 3.0102999566;

/// Real and imaginary parts of the transform.
var<workgroup> spectrum: array<vec2<f32>, MAX_TRANSFORM>;
var<workgroup> floored: array<f32, MAX_MEL_BANDS>;
var<workgroup> lane_peaks: array<f32, LANES>;

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

/// The sample at `place`, which may lie outside the recording.
fn padded(place: i32, range: vec2<u32>) -> f32 {
    let last = i32(range.y - range.x) - 1;
    if (place >= 0 && place <= last) {
        return emphasised(u32(place), range);
    }
    if (args.mirrored == 0u) {
        return 0.0;
    }
    let around = abs(place) % max(2 * last, 1);
    return emphasised(u32(min(around, 2 * last - around)), range);
}

@compute @workgroup_size(LANES)
fn mel_bands(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    // Workgroups past the end repeat the last frame and store nothing, so that every invocation reaches every barrier.
    let place = flat_group(group, groups);
    let frame = min(place, args.frames - 1u);
    let range = ranges[frame_owners[frame]];
    // The frame is centred on its sample.
    let begin = i32((frame - range.z) * args.hop) - i32(args.transform / 2u);
    for (var i = lane; i < args.transform; i += LANES) {
        let value = padded(begin + i32(i), range.xy) * window[i];
        spectrum[reverseBits(i) >> (32u - args.log2_transform)] = vec2<f32>(value, 0.0);
    }
    workgroupBarrier();
    for (var half = 1u; half < args.transform; half *= 2u) {
        for (var butterfly = lane; butterfly < args.transform / 2u; butterfly += LANES) {
            let k = butterfly % half;
            let upper = butterfly / half * half * 2u + k;
            let w = twiddles[k * (args.transform / 2u / half)];
            let a = spectrum[upper];
            let b = spectrum[upper + half];
            let turned = vec2<f32>(b.x * w.x - b.y * w.y, b.x * w.y + b.y * w.x);
            spectrum[upper] = a + turned;
            spectrum[upper + half] = a - turned;
        }
        workgroupBarrier();
    }
    let bins = args.transform / 2u + 1u;
    for (var band = lane; band < args.mel_bands && place < args.frames; band += LANES) {
        var energy = 0.0;
        for (var bin = mel_ranges[band].x; bin < mel_ranges[band].y; bin++) {
            energy += mel[band * bins + bin] * dot(spectrum[bin], spectrum[bin]);
        }
        decibels[frame * args.mel_bands + band] = DECIBELS_PER_OCTAVE * log2(max(SMALLEST_POWER, energy));
    }
}

@compute @workgroup_size(LANES)
fn peak(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let range = ranges[group.x];
    // No band is below 10 log10(1e-10) = -100 dB.
    var highest = -100.0;
    for (var i = range.z * args.mel_bands + lane; i < range.w * args.mel_bands; i += LANES) {
        highest = max(highest, mel_decibels[i]);
    }
    lane_peaks[lane] = highest;
    workgroupBarrier();
    if (lane == 0u) {
        for (var other = 1u; other < LANES; other++) {
            highest = max(highest, lane_peaks[other]);
        }
        peaks[group.x] = highest;
    }
}

@compute @workgroup_size(LANES)
fn cepstrum(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let place = flat_group(group, groups);
    let frame = min(place, args.frames - 1u);
    let lowest = utterance_peaks[frame_owners[frame]] - args.top_db;
    for (var band = lane; band < args.mel_bands; band += LANES) {
        floored[band] = max(mel_decibels[frame * args.mel_bands + band], lowest);
    }
    workgroupBarrier();
    for (var coefficient = lane; coefficient < args.coefficients && place < args.frames; coefficient += LANES) {
        var sum = 0.0;
        for (var band = 0u; band < args.mel_bands; band++) {
            sum += dct[coefficient * args.mel_bands + band] * floored[band];
        }
        result[frame * args.coefficients + coefficient] = sum;
    }
}
