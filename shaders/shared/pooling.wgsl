// What the ConvBlock (1) and the global maximum (18) share: which value of several is the maximum; and the windows of the former.

import package::shared::numbers::is_nan;

/// Rows of a window.
const WINDOW: u32 = 3;
/// Rows that one row of the convolution reads.
const TAPS: u32 = 3;

/// Outputs whose winners share a word, two bits each: which of a window's rows won, NOBODY where none hands a gradient back.
const OUTPUTS_OF_WORD: u32 = 16;
const NOBODY: u32 = 3;
/// The winners of four outputs, of all of which nobody won.
const NOBODIES: u32 = 255;

/// Marks of a window whose first row is its utterance's first, and of one whose last row is the last.
const BEGINS: u32 = 1;
const ENDS: u32 = 2;
/// Edges of what is no row.
const NOWHERE: u32 = 7;

/// Whether later values beat the best so far; NaN beats everything but an earlier one.
fn wins(value: vec4<f32>, best: vec4<f32>) -> vec4<bool> {
    let nans = vec4<bool>(is_nan(value.x), is_nan(value.y), is_nan(value.z), is_nan(value.w));
    let settled = vec4<bool>(is_nan(best.x), is_nan(best.y), is_nan(best.z), is_nan(best.w));
    return ((value > best) | nans) & !settled;
}

/// Words that the winners of one window take.
fn winner_words(outputs: u32) -> u32 {
    return (outputs + OUTPUTS_OF_WORD - 1u) / OUTPUTS_OF_WORD;
}

/// The gradients of four outputs at the row `place` of a window, whose winners are the low bits of `codes`; else zero.
fn of_winners(gradients: vec4<f32>, codes: u32, place: u32) -> vec4<f32> {
    let own = vec4<u32>(codes) & vec4<u32>(3u, 12u, 48u, 192u);
    return select(vec4<f32>(), gradients, own == place * vec4<u32>(1u, 4u, 16u, 64u));
}

/// Edges of the row `place` of a window: bit `tap` is set where row + tap - 1 is no row of the utterance.
fn edges_in(window: u32, place: u32) -> u32 {
    return select(0u, window & BEGINS, place == 0u) | select(0u, (window & ENDS) << 1u, place == WINDOW - 1u);
}

/// Whether the row `tap - 1` rows from a row with these edges lies in the same utterance.
fn reaches(row_edges: u32, tap: u32) -> bool {
    return tap < TAPS && ((row_edges >> tap) & 1u) == 0u;
}
