// Weights as the products of `bilstm` for graphics hardware take them: BLOCK terms of four sums at a time.

import super::interface::{args, recurrent, forward_recurrent};
import super::sequences::{PARTS, hidden_size, some_unit};

/// Terms of a turn of a product's loop, whose weights are fetched together.
const BLOCK: u32 = 16;

/// Weights of BLOCK terms, a column for each, to four sums.
struct Block {
    first: mat4x4<f32>,
    second: mat4x4<f32>,
    third: mat4x4<f32>,
    last: mat4x4<f32>,
}

/// Four factors times a number of each sequence, a column for each factor.
fn outer_product(numbers: vec4<f32>, factors: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(factors.x * numbers, factors.y * numbers, factors.z * numbers, factors.w * numbers);
}

/// Terms of a part of so many. Not a constant in any variant: a loop that is known to turn four times is one that some compilers unroll.
fn part_of(terms: u32) -> u32 {
    return (terms + BLOCK * PARTS - 1u) / (BLOCK * PARTS) * BLOCK;
}

/// Weights of BLOCK states from `k` on to the four gates of a unit; of states past the last, which count as zero, some. A direction's
/// begin at `first`.
fn state_weights(first: u32, k: u32, unit: u32) -> Block {
    return Block(
        four_state_weights(first, k, unit),
        four_state_weights(first, k + 4u, unit),
        four_state_weights(first, k + 8u, unit),
        four_state_weights(first, k + 12u, unit),
    );
}

@if(hidden128) fn four_state_weights(first: u32, k: u32, unit: u32) -> mat4x4<f32> {
    let h = hidden_size();
    let at = first + k * h + unit;
    return mat4x4<f32>(forward_recurrent[at], forward_recurrent[at + h], forward_recurrent[at + 2u * h], forward_recurrent[at + 3u * h]);
}
@else fn four_state_weights(first: u32, k: u32, unit: u32) -> mat4x4<f32> {
    let h = hidden_size();
    let column = first + some_unit(unit);
    return mat4x4<f32>(
        forward_recurrent[column + some_unit(k) * h],
        forward_recurrent[column + some_unit(k + 1u) * h],
        forward_recurrent[column + some_unit(k + 2u) * h],
        forward_recurrent[column + some_unit(k + 3u) * h],
    );
}

/// Weights of a gate of BLOCK units from `unit` on to the four states from `column` on; of units past the last, which count as zero,
/// some. The gate's rows of W_hh begin at the element `first`.
fn gate_weights(first: u32, unit: u32, column: u32) -> Block {
    return Block(
        four_gate_weights(first, unit, column),
        four_gate_weights(first, unit + 4u, column),
        four_gate_weights(first, unit + 8u, column),
        four_gate_weights(first, unit + 12u, column),
    );
}

@if(hidden128) fn four_gate_weights(first: u32, unit: u32, column: u32) -> mat4x4<f32> {
    let pitch = hidden_size() / 4u;
    let at = unit * pitch + (first + column) / 4u;
    return mat4x4<f32>(recurrent[at], recurrent[at + pitch], recurrent[at + 2u * pitch], recurrent[at + 3u * pitch]);
}
@else fn four_gate_weights(first: u32, unit: u32, column: u32) -> mat4x4<f32> {
    return mat4x4<f32>(
        row_weights(first, unit, column), row_weights(first, unit + 1u, column),
        row_weights(first, unit + 2u, column), row_weights(first, unit + 3u, column),
    );
}

/// Weights of a unit's gate to four states; past the last state the last one's.
@if(!hidden128) fn row_weights(first: u32, unit: u32, column: u32) -> vec4<f32> {
    let row = first + some_unit(unit) * hidden_size();
    return vec4<f32>(
        recurrent[row + some_unit(column)], recurrent[row + some_unit(column + 1u)],
        recurrent[row + some_unit(column + 2u)], recurrent[row + some_unit(column + 3u)],
    );
}
