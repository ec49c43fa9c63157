//! What recurrences over sequences share: `bilstm` and `gru` have groups of a few sequences run by themselves, from the longest to the
//! shortest, so that those that are still running at step t are the first rows of a matrix.

use super::Real;

/// Sequences that step together: enough for the tiles of a product, few enough to give every thread a group.
pub(super) const GROUP: usize = 8;

/// Each sequence's rows of a matrix of `width` columns.
pub(super) fn split<'a, T>(mut values: &'a mut [T], offsets: &'a [u32], width: usize) -> impl Iterator<Item = &'a mut [T]> {
    offsets.windows(2).map(move |rows| {
        let (own, rest) = std::mem::take(&mut values).split_at_mut((rows[1] - rows[0]) as usize * width);
        values = rest;
        own
    })
}

/// The row that a direction visits at a step.
pub(super) fn row_of(direction: usize, step: usize, length: usize) -> usize {
    if direction == 0 { step } else { length - 1 - step }
}

/// 1 / (1 + e^-x); the exponential may overflow to infinity, which gives the right 0, and NaN stays NaN.
#[inline(always)]
pub(super) fn sigmoid<T: Real>(x: T) -> T {
    T::one() / (T::one() + (-x).exponential())
}
