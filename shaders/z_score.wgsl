// y = (x - mean) · reciprocal deviation, statistics of the row's group. Sequence u of y is the rows of x from first_rows[u] on, which may
// lie among those of a whole corpus.
// x: [any, columns], y: [rows, columns], mean, reciprocal_deviation: [groups, columns]

import package::shared::grid::{BLOCK_ROWS, first_row};

struct Args {
    rows: u32,
    columns: u32,
}

/// What an invocation reads at a time: four columns where all sizes are multiples of four.
@if(vec4) alias Element = vec4<f32>;
@if(scalar) alias Element = f32;
@if(vec4) const COLUMNS: u32 = 4;
@if(scalar) const COLUMNS: u32 = 1;

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> x: array<Element>;
/// [batch]
@group(0) @binding(2) var<storage, read> first_rows: array<u32>;
/// [batch + 1]: of y
@group(0) @binding(3) var<storage, read> offsets: array<u32>;
/// [rows]: utterance of a row
@group(0) @binding(4) var<storage, read> owners: array<u32>;
/// [batch]: group of an utterance
@group(0) @binding(5) var<storage, read> utterance_groups: array<u32>;
@group(0) @binding(6) var<storage, read> mean: array<Element>;
@group(0) @binding(7) var<storage, read> reciprocal_deviation: array<Element>;
@group(0) @binding(8) var<storage, read_write> y: array<Element>;

const WORKGROUP: u32 = 32;

@compute @workgroup_size(WORKGROUP)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let width = args.columns / COLUMNS;
    let c = group.x * WORKGROUP + lane;
    if (c >= width) {
        return;
    }
    let first = first_row(group, groups);
    for (var row = first; row < min(first + BLOCK_ROWS, args.rows); row++) {
        let owner = owners[row];
        let value = x[(first_rows[owner] + row - offsets[owner]) * width + c];
        let statistic = utterance_groups[owner] * width + c;
        y[row * width + c] = (value - mean[statistic]) * reciprocal_deviation[statistic];
    }
}
