// Word vectors: forward gathers rows of the table, backward sums for each row of the table the gradients of the rows
// that used it, in their order.
// table: [words, width], y, dy: [rows, width]

import package::shared::grid::flat_group;

struct Args {
    rows: u32,
    words: u32,
    width: u32,
    accumulate: u32,
}

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> table: array<f32>;
@group(0) @binding(2) var<storage, read> ids: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
/// [words + 1]: range of a word in `occurrences`
@group(0) @binding(5) var<storage, read> occurrence_offsets: array<u32>;
@group(0) @binding(6) var<storage, read> occurrences: array<u32>;
@group(0) @binding(7) var<storage, read_write> dtable: array<f32>;

const LANES: u32 = 256;
const OUT_OF_VOCABULARY: u32 = 0xffffffff;

@compute @workgroup_size(LANES)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(group, groups) * LANES + lane;
    if (i >= args.rows * args.width) {
        return;
    }
    let word = ids[i / args.width];
    var value = 0.0;
    if (word != OUT_OF_VOCABULARY) {
        value = table[word * args.width + i % args.width];
    }
    y[i] = value;
}

@compute @workgroup_size(LANES)
fn backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(group, groups) * LANES + lane;
    if (i >= args.words * args.width) {
        return;
    }
    let word = i / args.width;
    var total = 0.0;
    for (var place = occurrence_offsets[word]; place < occurrence_offsets[word + 1u]; place++) {
        total += dy[occurrences[place] * args.width + i % args.width];
    }
    if (args.accumulate != 0u) {
        dtable[i] += total;
    } else {
        dtable[i] = total;
    }
}
