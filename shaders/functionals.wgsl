// Functionals of each column over an utterance's rows: means of all columns, then deviations, skewnesses, kurtoses, minima, maxima,
// medians, quartile ranges, slopes. A workgroup a column of an utterance, of which each invocation takes every WORKGROUP-th row; nothing
// is kept, however long the utterance is. Medians and quartiles are found two bits at a time, from the number of rows below. Sums are
// added by halves, in the same order on every device.
// x: [rows, columns], y: [batch, 9 · columns]

import package::shared::grid::{flat_group, in_grid};

struct Args {
    batch: u32,
    columns: u32,
    /// Of a part of a grid, see `shared/grid.wgsl`.
    first_group_y: u32,
    first_group_z: u32,
}

@group(0) @binding(0) var<uniform> args: Args;
/// [batch + 1]
@group(0) @binding(1) var<storage, read> offsets: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

/// So many that llvmpipe, which leaves every loop after 65,535 turns of an invocation, takes whatever fits a buffer of it.
const WORKGROUP: u32 = 128;
const FUNCTIONALS: u32 = 9;
/// How little of its largest value a column varies by that counts as constant.
const CONSTANT: f32 = 1e-6;

const SIGN: u32 = 0x80000000u;
const ALL: u32 = 0xffffffffu;
const LARGEST: f32 = 3.4028234e38;

var<workgroup> numbers: array<vec4<f32>, WORKGROUP>;
/// Of three quartiles, each.
struct Counts {
    a: vec3<u32>,
    b: vec3<u32>,
    c: vec3<u32>,
}
var<workgroup> counts: array<Counts, WORKGROUP>;

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

/// The least of each over the workgroup.
fn least_of(lane: u32, own: vec2<f32>) -> vec2<f32> {
    workgroupBarrier();
    numbers[lane] = vec4<f32>(own, 0.0, 0.0);
    workgroupBarrier();
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        if (lane < half) {
            numbers[lane] = min(numbers[lane], numbers[lane + half]);
        }
        workgroupBarrier();
    }
    return numbers[0].xy;
}

/// Sum over the workgroup, of `c` the least.
fn counts_of(lane: u32, own: Counts, is_least: bool) -> Counts {
    workgroupBarrier();
    counts[lane] = own;
    workgroupBarrier();
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        if (lane < half) {
            let other = counts[lane + half];
            counts[lane].a += other.a;
            counts[lane].b += other.b;
            if (is_least) {
                counts[lane].c = min(counts[lane].c, other.c);
            } else {
                counts[lane].c += other.c;
            }
        }
        workgroupBarrier();
    }
    return counts[0];
}

/// A number's bits, so that they rise with it.
fn key_of(place: u32) -> u32 {
    let bits = bitcast<u32>(x[place]);
    return bits ^ select(SIGN, ALL, bits >= SIGN);
}

fn value_of(key: u32) -> f32 {
    return bitcast<f32>(key ^ select(ALL, SIGN, key >= SIGN));
}

/// Between the value of a rank and the next by so many quarters; `up_to` values are no greater than the first.
fn between(found: u32, next: u32, up_to: u32, rank: u32, quarters: u32) -> f32 {
    let lower = value_of(found);
    if (quarters == 0u || up_to > rank + 1u) {
        return lower;
    }
    return lower + 0.25 * f32(quarters) * (value_of(next) - lower);
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
    let end = offsets[utterance + 1u];
    let rows = end - first;
    // All invocations leave a loop together; in its last turn some have no row.
    let turns = (rows + WORKGROUP - 1u) / WORKGROUP;
    let count = max(f32(rows), 1.0);
    let middle = 0.5 * (count - 1.0);

    // From the first value on, so that all of a constant column is exact.
    var origin = 0.0;
    if (rows > 0u) {
        origin = x[first * columns + column];
    }
    var sums = vec4<f32>();
    var ends = vec2<f32>(LARGEST);
    for (var turn = 0u; turn < turns; turn++) {
        let row = turn * WORKGROUP + lane;
        if (row < rows) {
            let value = x[(first + row) * columns + column];
            ends = min(ends, vec2<f32>(value, -value));
            sums += (value - origin) * vec4<f32>(1.0, f32(row) - middle, 0.0, 0.0);
        }
    }
    sums = sum_of(lane, sums);
    ends = least_of(lane, ends);
    let offset = sums.x / count;
    let span = -ends.y - ends.x;
    let varies = span > CONSTANT * max(abs(ends.x), abs(ends.y));

    // Powers of differences from the mean in spans, so that none leaves the range of numbers.
    var moments = vec4<f32>();
    for (var turn = 0u; turn < turns; turn++) {
        let row = turn * WORKGROUP + lane;
        if (row < rows && varies) {
            let difference = ((x[(first + row) * columns + column] - origin) - offset) / span;
            let square = difference * difference;
            moments += square * vec4<f32>(1.0, difference, square, 0.0);
        }
    }
    moments = sum_of(lane, moments) / count;

    // The greatest keys below which lie no more rows than the quartiles' ranks: those of the quartiles.
    let steps = (max(rows, 1u) - 1u) * vec3<u32>(1u, 2u, 3u);
    let ranks = steps / 4u;
    var found = vec3<u32>();
    for (var unit = SIGN >> 1u; unit > 0u; unit = unit >> 2u) {
        var below = Counts();
        for (var turn = 0u; turn < turns; turn++) {
            let row = turn * WORKGROUP + lane;
            if (row < rows) {
                let key = vec3<u32>(key_of((first + row) * columns + column));
                below.a += vec3<u32>(key < found + unit);
                below.b += vec3<u32>(key < found + 2u * unit);
                below.c += vec3<u32>(key < found + 3u * unit);
            }
        }
        below = counts_of(lane, below, false);
        found += unit * (vec3<u32>(below.a <= ranks) + vec3<u32>(below.b <= ranks) + vec3<u32>(below.c <= ranks));
    }
    // How many rows are no greater than they, and the least keys above.
    var near = Counts(vec3<u32>(), vec3<u32>(), vec3<u32>(ALL));
    for (var turn = 0u; turn < turns; turn++) {
        let row = turn * WORKGROUP + lane;
        if (row < rows) {
            let key = vec3<u32>(key_of((first + row) * columns + column));
            let is_reached = vec3<u32>(key <= found);
            near.a += is_reached;
            near.c = min(near.c, key | (is_reached * ALL));
        }
    }
    near = counts_of(lane, near, true);
    if (lane > 0u || group >= args.batch * columns) {
        return;
    }

    let result = utterance * FUNCTIONALS * columns + column;
    if (rows == 0u) {
        for (var functional = 0u; functional < FUNCTIONALS; functional++) {
            y[result + functional * columns] = 0.0;
        }
        return;
    }
    let quarters = steps % 4u;
    let lower = between(found.x, near.c.x, near.a.x, ranks.x, quarters.x);
    let median = between(found.y, near.c.y, near.a.y, ranks.y, quarters.y);
    let upper = between(found.z, near.c.z, near.a.z, ranks.z, quarters.z);
    var deviation = 0.0;
    var skewness = 0.0;
    var kurtosis = 0.0;
    var slope = 0.0;
    if (varies) {
        let root = sqrt(moments.x);
        deviation = span * root;
        skewness = moments.y / (moments.x * root);
        kurtosis = moments.z / (moments.x * moments.x);
        slope = sums.y / (count * (count * count - 1.0) / 12.0);
    }
    y[result] = origin + offset;
    y[result + columns] = deviation;
    y[result + 2u * columns] = skewness;
    y[result + 3u * columns] = kurtosis;
    y[result + 4u * columns] = ends.x;
    y[result + 5u * columns] = -ends.y;
    y[result + 6u * columns] = median;
    y[result + 7u * columns] = upper - lower;
    y[result + 8u * columns] = slope;
}
