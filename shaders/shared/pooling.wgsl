// What the ConvBlock (1) and the global maximum (18) share: which value of several is the maximum, and where rows end.

import package::shared::numbers::is_nan;

/// Rows of a window.
const WINDOW: u32 = 3;
/// Rows that one row of the convolution reads.
const TAPS: u32 = 3;
/// Edges of what is no row.
const NOWHERE: u32 = 7;

/// Whether later values beat the best so far; NaN beats everything but an earlier one.
fn wins(value: vec4<f32>, best: vec4<f32>) -> vec4<bool> {
    let nans = vec4<bool>(is_nan(value.x), is_nan(value.y), is_nan(value.z), is_nan(value.w));
    let settled = vec4<bool>(is_nan(best.x), is_nan(best.y), is_nan(best.z), is_nan(best.w));
    return ((value > best) | nans) & !settled;
}

/// Words that the winners of one row take, two bits each.
fn winner_words(outputs: u32) -> u32 {
    return (outputs + 15u) / 16u;
}

/// Edges of a row within an utterance's range of rows: bit `tap` is set where row + tap - 1 is no row of the utterance.
fn edges_within(row: u32, first: u32, end: u32) -> u32 {
    return u32(row == first) + 4u * u32(row + 1u == end);
}

/// Whether the row `tap - 1` rows from a row with these edges lies in the same utterance.
fn reaches(row_edges: u32, tap: u32) -> bool {
    return tap < TAPS && ((row_edges >> tap) & 1u) == 0u;
}
