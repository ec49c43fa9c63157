// The rows of the convolution that a row of x reaches, for the gradient of x: those of rows t - 1, t, t + 1, which x[t] reached by the
// taps 2, 1, 0. One is told by its window and its place there, 4 · window + place; NO_ROW marks what is none.

import super::interface::{args, input_offsets, output_offsets, input_owners};
import package::shared::pooling::WINDOW;

const NO_ROW: u32 = 1u << 31;

/// What rows of x reach.
struct Reached {
    /// One of the three of each.
    rows: vec4<u32>,
    /// By bytes, which of it and those after it are none.
    misses: u32,
}

/// Of row t - 1, which before an utterance is the third of a window less; and which of the three are none, by bits.
fn reached_by(row: u32) -> vec2<u32> {
    let utterance = input_owners[row];
    let place = row - input_offsets[utterance];
    let first = output_offsets[utterance];
    let rows = (output_offsets[utterance + 1u] - first) * WINDOW;
    let misses = u32(place == 0u || place > rows) + 2u * u32(place >= rows) + 4u * u32(place + 1u >= rows);
    let before = place + WINDOW - 1u;
    return vec2<u32>(4u * (first + before / WINDOW - 1u) + before % WINDOW, misses);
}

/// Of four rows, each `step` from the one before, the last for those that are none.
fn first_reached(row: u32, step: u32) -> Reached {
    let at = min(row + vec4<u32>(0u, step, 2u * step, 3u * step), vec4<u32>(args.input_rows - 1u));
    let all = array<vec2<u32>, 4>(reached_by(at.x), reached_by(at.y), reached_by(at.z), reached_by(at.w));
    let rows = vec4<u32>(all[0].x, all[1].x, all[2].x, all[3].x);
    return marked(rows, all[0].y | (all[1].y << 8u) | (all[2].y << 16u) | (all[3].y << 24u));
}

/// The rows after these.
fn next_reached(reached: Reached) -> Reached {
    let step = 1u + vec4<u32>(reached.rows % 4u == vec4<u32>(WINDOW - 1u));
    return marked(reached.rows + step, reached.misses >> 1u);
}

fn marked(rows: vec4<u32>, misses: u32) -> Reached {
    let marks = (vec4<u32>(misses) >> vec4<u32>(0u, 8u, 16u, 24u)) << vec4<u32>(31u);
    return Reached((rows & vec4<u32>(NO_ROW - 1u)) | marks, misses);
}

/// Words of winners for rows of the convolution, so that zero is a row's own place; of what is none it is nobody's.
fn codes_at(rows: vec4<u32>, words: vec4<u32>) -> vec4<u32> {
    // A mark makes all bits.
    return (words ^ (rows % 4u * 0x55555555u)) | (vec4<u32>() - (rows >> vec4<u32>(31u)));
}
