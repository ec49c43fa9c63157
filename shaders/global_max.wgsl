// Global maximum over time (18): y[u, column + c] = max over the rows of utterance u of x[row, c], the earliest row on
// ties; NaN wins. Backward sends the gradient to that row and zero to the others.
// x, dx: [rows, columns], y, dy, winners: [batch, total_columns]. A dispatch goes over several streams of as many columns.

import package::shared::grid::{BLOCK_ROWS, first_row};
@if(scalar) import package::shared::numbers::is_nan;
@if(vec4) import package::shared::pooling::wins;

struct Args {
    /// Of all streams together
    rows: u32,
    batch: u32,
    columns: u32,
    total_columns: u32,
    /// How many streams
    streams: u32,
}

/// A stream: its first column of y, in `backward` the first block of rows that is its own, and the elements at which its matrices and
/// lists begin in what is bound.
struct Stream {
    rows: u32,
    column: u32,
    first_block: u32,
    accumulate: u32,
    x: u32,
    offsets: u32,
    owners: u32,
    x_gradient: u32,
}

/// What an invocation works on: four columns where all sizes are multiples of four.
@if(vec4) alias Element = vec4<f32>;
@if(scalar) alias Element = f32;
@if(vec4) alias Row = vec4<u32>;
@if(scalar) alias Row = u32;
@if(vec4) const COLUMNS: u32 = 4;
@if(scalar) const COLUMNS: u32 = 1;

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read> offsets: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<Element>;
@group(0) @binding(4) var<storage, read_write> winners: array<Row>;
@group(0) @binding(5) var<storage, read> y_gradient: array<Element>;
@group(0) @binding(6) var<storage, read> winning_rows: array<Row>;
@group(0) @binding(7) var<storage, read> owners: array<u32>;
@group(0) @binding(8) var<storage, read_write> x_gradient: array<Element>;
@group(0) @binding(9) var<storage, read> streams: array<Stream>;

const WORKGROUP: u32 = 32;

/// Where `value` takes the place of `best`.
@if(scalar) fn wins(value: f32, best: f32) -> bool {
    return (value > best || is_nan(value)) && !is_nan(best);
}

/// The third dimension of the grid are streams.
@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let width = args.columns / COLUMNS;
    let c = group.x * WORKGROUP + lane;
    if (c >= width) {
        return;
    }
    let own = streams[group.z];
    let first_x = own.x / COLUMNS + c;
    let first = offsets[own.offsets + group.y];
    let end = offsets[own.offsets + group.y + 1u];
    var winner = Row(first);
    var best = x[first_x + first * width];
    for (var row = first + 1u; row < end; row++) {
        let value = x[first_x + row * width];
        let better = wins(value, best);
        best = select(best, value, better);
        // Rows rise. Older GL has no select of whole numbers.
        winner = max(winner, Row(better) * row);
    }
    let place = (group.y * args.total_columns + own.column) / COLUMNS + c;
    y[place] = best;
    winners[place] = winner;
}

@compute @workgroup_size(WORKGROUP)
fn backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let width = args.columns / COLUMNS;
    let c = group.x * WORKGROUP + lane;
    if (c >= width) {
        return;
    }
    let block = first_row(group, groups) / BLOCK_ROWS;
    var number = 0u;
    while (number + 1u < args.streams && streams[number + 1u].first_block <= block) {
        number++;
    }
    let own = streams[number];
    let first = (block - own.first_block) * BLOCK_ROWS;
    for (var row = first; row < min(first + BLOCK_ROWS, own.rows); row++) {
        let place = (owners[own.owners + row] * args.total_columns + own.column) / COLUMNS + c;
        let value = select(Element(), y_gradient[place], winning_rows[place] == Row(row));
        let at = own.x_gradient / COLUMNS + row * width + c;
        if (own.accumulate != 0u) {
            x_gradient[at] += value;
        } else {
            x_gradient[at] = value;
        }
    }
}
