// Functionals of contours: deviation, mean, slope, centroid, percentiles at a tenth and nine tenths, what lies between them; of each column
// in turn. Contours are smoothed first, then a workgroup has a column of an utterance, of which each invocation takes rows that follow
// each other: how many of them take part says where those of the next begin. Percentiles are found two bits at a time, from the number
// of values below. Sums are added by halves, in the same order on every device.
// average   the mean of three neighbours
// forward   what is taken of each
// x, smoothed: [rows, columns], y: [batch, columns, 7]

import package::shared::grid::{flat_group, in_grid};

struct Args {
    batch: u32,
    columns: u32,
    /// Whether zeros take no part.
    skips_zeros: u32,
    rows: u32,
    /// Of a part of a grid, see `shared/grid.wgsl`.
    first_group_y: u32,
    first_group_z: u32,
}

@group(0) @binding(0) var<uniform> args: Args;
/// [batch + 1]
@group(0) @binding(1) var<storage, read> offsets: array<u32>;
/// [rows]: utterance of a row
@group(0) @binding(2) var<storage, read> owners: array<u32>;
@group(0) @binding(3) var<storage, read> x: array<f32>;
@group(0) @binding(4) var<storage, read_write> smoothed_out: array<f32>;
@group(0) @binding(5) var<storage, read> smoothed: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<f32>;

/// So many that llvmpipe, which leaves every loop after 65,535 turns of an invocation, takes a recording of an hour.
const WORKGROUP: u32 = 128;
const ELEMENTS: u32 = 64;
const FUNCTIONALS: u32 = 7;
const SIGN: u32 = 0x80000000u;
const ALL: u32 = 0xffffffffu;

var<workgroup> numbers: array<vec4<f32>, WORKGROUP>;
/// Of two percentiles.
var<workgroup> counts: array<vec4<u32>, WORKGROUP>;
var<workgroup> more_counts: array<vec2<u32>, WORKGROUP>;

fn takes_part(value: f32) -> bool {
    return args.skips_zeros == 0u || value != 0.0;
}

@compute @workgroup_size(ELEMENTS)
fn average(
    @builtin(workgroup_id) group_of_part: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let at = flat_group(group, groups) * ELEMENTS + lane;
    if (at >= args.rows * args.columns) {
        return;
    }
    let row = at / args.columns;
    let column = at % args.columns;
    let first = offsets[owners[row]];
    let end = offsets[owners[row] + 1u];
    let value = x[at];
    let before = x[(max(row, first + 1u) - 1u) * args.columns + column];
    let after = x[min(row + 1u, end - 1u) * args.columns + column];
    let sum = before + value + after;
    let count = f32(takes_part(before)) + 1.0 + f32(takes_part(after));
    // What takes no part is zero, and adds nothing.
    smoothed_out[at] = select(value, sum / count, takes_part(value));
}

/// Sum over the workgroup.
fn sum_of(lane: u32, own: vec4<f32>) -> vec4<f32> {
    workgroupBarrier();
    numbers[lane] = own;
    workgroupBarrier();
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        if (lane < half) {
            numbers[lane] += numbers[lane + half];
        }
        workgroupBarrier();
    }
    return numbers[0];
}

struct Counts {
    a: vec4<u32>,
    b: vec2<u32>,
}

/// Sum over the workgroup, of `b` the least where that is wanted.
fn counts_of(lane: u32, own: Counts, is_least: bool) -> Counts {
    workgroupBarrier();
    counts[lane] = own.a;
    more_counts[lane] = own.b;
    workgroupBarrier();
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        if (lane < half) {
            counts[lane] += counts[lane + half];
            if (is_least) {
                more_counts[lane] = min(more_counts[lane], more_counts[lane + half]);
            } else {
                more_counts[lane] += more_counts[lane + half];
            }
        }
        workgroupBarrier();
    }
    return Counts(counts[0], more_counts[0]);
}

/// How many values take part before those of an invocation, and how many at all.
fn places_of(lane: u32, own: u32) -> vec2<u32> {
    counts[lane] = vec4<u32>(own, own, 0u, 0u);
    workgroupBarrier();
    for (var distance = 1u; distance < WORKGROUP; distance *= 2u) {
        var sum = counts[lane].x;
        if (lane >= distance) {
            sum += counts[lane - distance].x;
        }
        workgroupBarrier();
        counts[lane].x = sum;
        workgroupBarrier();
    }
    return vec2<u32>(counts[lane].x - own, counts[WORKGROUP - 1u].x);
}

/// A number's bits, so that they rise with it.
fn key_of(value: f32) -> u32 {
    let bits = bitcast<u32>(value);
    return bits ^ select(SIGN, ALL, bits >= SIGN);
}

fn value_of(key: u32) -> f32 {
    return bitcast<f32>(key ^ select(ALL, SIGN, key >= SIGN));
}

/// Between the value of a rank and the next by so many tenths; `up_to` values are no greater than the first.
fn between(found: u32, next: u32, up_to: u32, rank: u32, tenths: u32) -> f32 {
    let lower = value_of(found);
    if (tenths == 0u || up_to > rank + 1u) {
        return lower;
    }
    return lower + f32(tenths) / 10.0 * (value_of(next) - lower);
}

@compute @workgroup_size(WORKGROUP)
fn forward(
    @builtin(workgroup_id) group_of_part: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let columns = args.columns;
    // Workgroups past the end repeat the last column and store nothing, so that every invocation reaches every barrier.
    let group = flat_group(in_grid(group_of_part, args.first_group_y, args.first_group_z), groups);
    let place = min(group, args.batch * columns - 1u);
    let utterance = place / columns;
    let column = place % columns;
    let first = offsets[utterance];
    let rows = offsets[utterance + 1u] - first;
    // All invocations leave a loop together; the last have fewer rows, or none.
    let turns = (rows + WORKGROUP - 1u) / WORKGROUP;
    let begin = min(lane * turns, rows);
    let end = min(begin + turns, rows);

    var part = 0u;
    var sum = 0.0;
    for (var turn = 0u; turn < turns; turn++) {
        if (begin + turn < end) {
            let value = smoothed[(first + begin + turn) * columns + column];
            if (takes_part(value)) {
                part += 1u;
                sum += value;
            }
        }
    }
    let places = places_of(lane, part);
    let count = max(f32(places.y), 1.0);
    let middle = 0.5 * (count - 1.0);
    let about = sum_of(lane, vec4<f32>(sum, 0.0, 0.0, 0.0)).x / count;

    // Differences from what the mean is but for rounding, which their own mean takes away.
    var sums = vec4<f32>(0.0);
    var time = places.x;
    for (var turn = 0u; turn < turns; turn++) {
        if (begin + turn < end) {
            let value = smoothed[(first + begin + turn) * columns + column];
            if (takes_part(value)) {
                let difference = value - about;
                sums += difference * vec4<f32>(1.0, difference, f32(time) - middle, 0.0);
                time += 1u;
            }
        }
    }
    sums = sum_of(lane, sums) / count;

    // The greatest keys below which lie no more values than the percentiles' ranks: those of the percentiles.
    let steps = (max(places.y, 1u) - 1u) * vec2<u32>(1u, 9u);
    let ranks = steps / 10u;
    var found = vec2<u32>(0u, 0u);
    for (var unit = SIGN >> 1u; unit > 0u; unit = unit >> 2u) {
        var below = Counts(vec4<u32>(0u), vec2<u32>(0u, 0u));
        for (var turn = 0u; turn < turns; turn++) {
            if (begin + turn < end) {
                let value = smoothed[(first + begin + turn) * columns + column];
                let key = vec2<u32>(key_of(value));
                if (takes_part(value)) {
                    below.a += vec4<u32>(vec2<u32>(key < found + unit), vec2<u32>(key < found + 2u * unit));
                    below.b += vec2<u32>(key < found + 3u * unit);
                }
            }
        }
        below = counts_of(lane, below, false);
        found += unit * (vec2<u32>(below.a.xy <= ranks) + vec2<u32>(below.a.zw <= ranks) + vec2<u32>(below.b <= ranks));
    }
    // How many values are no greater than they, and the least keys above.
    var near = Counts(vec4<u32>(0u), vec2<u32>(ALL, ALL));
    for (var turn = 0u; turn < turns; turn++) {
        if (begin + turn < end) {
            let value = smoothed[(first + begin + turn) * columns + column];
            let key = vec2<u32>(key_of(value));
            if (takes_part(value)) {
                let is_reached = vec2<u32>(key <= found);
                near.a += vec4<u32>(is_reached, 0u, 0u);
                near.b = min(near.b, key | (is_reached * ALL));
            }
        }
    }
    near = counts_of(lane, near, true);
    if (lane > 0u || group >= args.batch * columns) {
        return;
    }

    let result = place * FUNCTIONALS;
    if (places.y == 0u) {
        for (var functional = 0u; functional < FUNCTIONALS; functional++) {
            y[result + functional] = 0.0;
        }
        return;
    }
    let tenths = steps % 10u;
    let low = between(found.x, near.b.x, near.a.x, ranks.x, tenths.x);
    let high = between(found.y, near.b.y, near.a.y, ranks.y, tenths.y);
    let mean = about + sums.x;
    var slope = 0.0;
    if (places.y > 1u) {
        slope = sums.z / ((count * count - 1.0) / 12.0);
    }
    var centroid = 0.0;
    if (mean != 0.0) {
        centroid = sums.z / mean / count + middle / count;
    }
    y[result] = sqrt(max(sums.y - sums.x * sums.x, 0.0));
    y[result + 1u] = mean;
    y[result + 2u] = slope;
    y[result + 3u] = centroid;
    y[result + 4u] = low;
    y[result + 5u] = high;
    y[result + 6u] = high - low;
}
