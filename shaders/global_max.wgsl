// Global maximum over time (18): y[u, column + c] = max over the rows of utterance u of x[row, c], the earliest row on
// ties; NaN wins. Backward sends the gradient to that row and zero to the others.
// x, dx: [rows, columns], y, dy, winners: [batch, total_columns]

import package::shared::grid::flat_group;
import package::shared::numbers::is_nan;

struct Args {
    rows: u32,
    batch: u32,
    columns: u32,
    column: u32,
    total_columns: u32,
    accumulate: u32,
}

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> offsets: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read_write> winners: array<u32>;
@group(0) @binding(5) var<storage, read> dy: array<f32>;
@group(0) @binding(6) var<storage, read> winning_rows: array<u32>;
@group(0) @binding(7) var<storage, read> owners: array<u32>;
@group(0) @binding(8) var<storage, read_write> dx: array<f32>;

const LANES: u32 = 256;

@compute @workgroup_size(LANES)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(group, groups) * LANES + lane;
    if (i >= args.batch * args.columns) {
        return;
    }
    let utterance = i / args.columns;
    let c = i % args.columns;
    var winner = offsets[utterance];
    var best = x[winner * args.columns + c];
    for (var row = winner + 1u; row < offsets[utterance + 1u]; row++) {
        let value = x[row * args.columns + c];
        if ((value > best || is_nan(value)) && !is_nan(best)) {
            best = value;
            winner = row;
        }
    }
    let place = utterance * args.total_columns + args.column + c;
    y[place] = best;
    winners[place] = winner;
}

@compute @workgroup_size(LANES)
fn backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(group, groups) * LANES + lane;
    if (i >= args.rows * args.columns) {
        return;
    }
    let row = i / args.columns;
    let place = owners[row] * args.total_columns + args.column + i % args.columns;
    var value = 0.0;
    if (winning_rows[place] == row) {
        value = dy[place];
    }
    if (args.accumulate != 0u) {
        dx[i] += value;
    } else {
        dx[i] = value;
    }
}
