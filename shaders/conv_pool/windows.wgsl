// The gradient of the weights on graphics hardware. Its terms are the rows of windows, of FILLED windows in a filling: an invocation brings
// three of them, one window's, of four outputs or of four columns, so that it loads a window's gradients and winners once. A window's
// terms follow each other in `tiles`; from window to window there are two quads more, so that no two of the stores meet in a bank.

import super::interface::{args, won};
import super::operands::{input_at, gradient_at, tap_of};
import package::shared::pooling::{WINDOW, TAPS, NOBODIES, BEGINS, ENDS, of_winners};
import package::shared::tile::{ROW_QUADS, COLUMN_QUADS, Sums, tiles, multiply_term};

/// Windows of a filling.
const FILLED: u32 = 4;
/// Vec4s from a window to the next.
const LEFT_PITCH: u32 = WINDOW * ROW_QUADS + 2u;
const RIGHT_PITCH: u32 = WINDOW * COLUMN_QUADS + 2u;
/// Where the right factors begin.
const RIGHT_WINDOWS: u32 = FILLED * LEFT_PITCH;

/// Adds the product of a filling to an invocation's sums, like `multiply_tiles`.
fn multiply_windows(own: vec2<u32>, sums: ptr<function, Sums>) {
    for (var window = 0u; window < FILLED; window += 2u) {
        let row = own.x + window * LEFT_PITCH;
        let column = RIGHT_WINDOWS + own.y + window * RIGHT_PITCH;
        multiply_window(row, column, sums);
        multiply_window(row + LEFT_PITCH, column + RIGHT_PITCH, sums);
    }
}

/// Of one window.
fn multiply_window(row: u32, column: u32, sums: ptr<function, Sums>) {
    multiply_term(row, column, sums);
    multiply_term(row + ROW_QUADS, column + COLUMN_QUADS, sums);
    multiply_term(row + 2u * ROW_QUADS, column + 2u * COLUMN_QUADS, sums);
}

/// What an invocation brings of a window, as it was loaded: gradients in `first`, and the word of their winners; or the numbers that the
/// window's rows read, and its own word.
struct Brought {
    first: vec4<f32>,
    second: vec4<f32>,
    third: vec4<f32>,
    word: u32,
}

/// Where they lie, in elements, and the last elements there are: what lies outside is loaded from there, and counts as zero.
struct Places {
    /// Where gradients begin, …
    gradient: u32,
    /// … and the word of their winners.
    won: u32,
    /// Where the numbers would begin that row 0 reads, …
    numbers: u32,
    /// … from row to row, …
    pitch: u32,
    /// … and the window.
    window: u32,
    last_gradient: u32,
    last_won: u32,
    last_number: u32,
    last_window: u32,
}

fn bring_gradients(places: Places, brought: ptr<function, Brought>) {
    (*brought).first = gradient_at(places.gradient, places.last_gradient);
    (*brought).word = won[min(places.won, places.last_won)];
}

/// Of a window with this word; numbers below zero are great ones.
fn bring_inputs(places: Places, word: u32, brought: ptr<function, Brought>) {
    let first = word / 4u * places.pitch + places.numbers;
    (*brought).first = input_at(first, places.last_number);
    (*brought).second = input_at(first + places.pitch, places.last_number);
    (*brought).third = input_at(first + 2u * places.pitch, places.last_number);
    (*brought).word = word;
}

/// Stores gradients as they are multiplied, whose winners begin at bit `shift` of their word, and adds what outputs hand back to `sums`.
fn put_gradients(place: u32, brought: Brought, shift: u32, is_none: bool, has_sums: bool, sums: ptr<function, vec4<f32>>) {
    let codes = select(brought.word >> shift, NOBODIES, is_none);
    let first = of_winners(brought.first, codes, 0u);
    let second = of_winners(brought.first, codes, 1u);
    let third = of_winners(brought.first, codes, 2u);
    tiles[place] = first;
    tiles[place + ROW_QUADS] = second;
    tiles[place + 2u * ROW_QUADS] = third;
    if (has_sums) {
        *sums += first + second + third;
    }
}

/// Stores inputs as they are multiplied: the first row lacks its first tap where the utterance begins, the third its last where it ends.
fn put_inputs(place: u32, brought: Brought, taps: vec4<u32>, is_none: bool) {
    let lacks_first = (taps == vec4<u32>()) & vec4<bool>((brought.word & BEGINS) != 0u);
    let lacks_third = (taps == vec4<u32>(TAPS - 1u)) & vec4<bool>((brought.word & ENDS) != 0u);
    tiles[place] = select(brought.first, vec4<f32>(), lacks_first | vec4<bool>(is_none));
    tiles[place + COLUMN_QUADS] = select(brought.second, vec4<f32>(), is_none);
    tiles[place + 2u * COLUMN_QUADS] = select(brought.third, vec4<f32>(), lacks_third | vec4<bool>(is_none));
}

/// Taps of four columns.
fn taps_of(column: u32) -> vec4<u32> {
    @if(vec4) {
        return vec4<u32>(tap_of(column, args.inputs));
    }
    @else {
        return vec4<u32>(
            tap_of(column, args.inputs),
            tap_of(column + 1u, args.inputs),
            tap_of(column + 2u, args.inputs),
            tap_of(column + 3u, args.inputs),
        );
    }
}
