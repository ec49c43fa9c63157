// x = 0 where a mask covers the frames or the columns of an utterance; what is not covered is not touched.
// x: [rows, columns]

import package::shared::grid::{BLOCK_ROWS, first_row};

struct Args {
    rows: u32,
    columns: u32,
    // Masks of each utterance.
    frame_masks: u32,
    column_masks: u32,
}

@group(0) @binding(0) var<uniform> args: Args;
/// [batch + 1]
@group(0) @binding(1) var<storage, read> offsets: array<u32>;
/// [rows]: utterance of a row
@group(0) @binding(2) var<storage, read> owners: array<u32>;
/// [batch, frame_masks + column_masks, 2]: the first that is covered, and the one after the last
@group(0) @binding(3) var<storage, read> masks: array<u32>;
@group(0) @binding(4) var<storage, read_write> x: array<f32>;

const WORKGROUP: u32 = 32;

/// Whether one of `count` masks, from `first` on, covers a place.
fn is_covered(first: u32, count: u32, place: u32) -> bool {
    var covered = false;
    for (var m = first; m < first + count; m++) {
        covered = covered || (place >= masks[2u * m] && place < masks[2u * m + 1u]);
    }
    return covered;
}

@compute @workgroup_size(WORKGROUP)
fn cover(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let c = group.x * WORKGROUP + lane;
    if (c >= args.columns) {
        return;
    }
    let first = first_row(group, groups);
    for (var row = first; row < min(first + BLOCK_ROWS, args.rows); row++) {
        let owner = owners[row];
        let own = owner * (args.frame_masks + args.column_masks);
        let frame = row - offsets[owner];
        if (is_covered(own, args.frame_masks, frame) || is_covered(own + args.frame_masks, args.column_masks, c)) {
            x[row * args.columns + c] = 0.0;
        }
    }
}
