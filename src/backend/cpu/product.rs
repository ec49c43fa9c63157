//! Matrix products: strided views, and a product cut into tiles that stay in registers.
//!
//! Each element is a sum over k in pieces of [`DEPTH`], each piece in the order of k from zero on, the pieces in their
//! order: the same bits whatever the number of rows, of threads, and the processor.

use std::array;
use std::ops::Range;

use super::Real;
use super::wide::{add_rows, register, wide};
use crate::base::parallel::*;

/// Rows of the result that one task computes.
const BLOCK_ROWS: usize = 32;
/// Rows of half a tile of the result where there are 32 registers of 64 bytes, and elsewhere; a row fills two registers, so a tile's
/// sums fill half of them. The compiler keeps sums in registers whose loops it unrolls, and it unrolls halves but no whole of the
/// tall tile.
const TALL: usize = 4;
const SHORT: usize = 2;
/// Terms of one piece of a sum: what the tiles of a block read of them stays in the nearest cache.
const DEPTH: usize = 128;

/// A matrix to read: a slice, seen through strides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a, T> {
    values: &'a [T],
    shape: [usize; 2],
    strides: [usize; 2],
}

impl<'a, T> View<'a, T> {
    /// A row-major matrix with the given number of columns.
    pub(crate) fn new(values: &'a [T], columns: usize) -> Self {
        let rows = values.len().checked_div(columns).unwrap_or(0);
        Self { values, shape: [rows, columns], strides: [columns, 1] }
    }

    /// Rows that begin `step` values after each other, and may overlap.
    pub(crate) fn overlapping(values: &'a [T], columns: usize, step: usize) -> Self {
        let rows = values.len().checked_sub(columns).map_or(0, |rest| rest / step + 1);
        Self { values, shape: [rows, columns], strides: [step, 1] }
    }

    /// `[rows, columns]`.
    pub(crate) fn shape(self) -> [usize; 2] {
        self.shape
    }

    /// The transpose, without moving anything.
    pub(crate) fn transposed(self) -> Self {
        let ([rows, columns], [down, right]) = (self.shape, self.strides);
        Self { shape: [columns, rows], strides: [right, down], ..self }
    }

    /// The given rows, as far as there are any.
    pub(crate) fn rows(self, range: Range<usize>) -> Self {
        self.part(0, range)
    }

    /// The given columns, as far as there are any.
    pub(crate) fn columns(self, range: Range<usize>) -> Self {
        self.part(1, range)
    }

    fn part(mut self, axis: usize, range: Range<usize>) -> Self {
        let end = range.end.min(self.shape[axis]);
        let start = range.start.min(end);
        self.values = self.values.get(start * self.strides[axis]..).unwrap_or_default();
        self.shape[axis] = end - start;
        self
    }
}

/// The right-hand matrix of products, laid out as tiles read it: panels of [`columns_of`] columns, row after row.
pub(crate) struct Packed<T> {
    /// `[panels, depth, columns of a panel]`; the last panel is filled up with zeros.
    panels: Vec<T>,
    depth: usize,
    columns: usize,
}

impl<T: Real> Packed<T> {
    pub(crate) fn new(b: View<T>) -> Self {
        let ([depth, columns], [down, right]) = (b.shape, b.strides);
        if right == 1 {
            return Self::of_rows(depth, columns, |k| &b.values[k * down..][..columns]);
        }
        Self::filled(depth, columns, |k, first, row| {
            let values = b.values[k * down + first * right..].iter().step_by(right);
            row.iter_mut().zip(values).for_each(|(to, &from)| *to = from);
        })
    }

    /// Of rows wherever they are.
    pub(crate) fn of_rows<'a>(depth: usize, columns: usize, row_of: impl Fn(usize) -> &'a [T] + Sync) -> Self {
        Self::filled(depth, columns, |k, first, row| row.copy_from_slice(&row_of(k)[first..][..row.len()]))
    }

    /// `fill` writes a part of row k, from the column `first` on.
    fn filled(depth: usize, columns: usize, fill: impl Fn(usize, usize, &mut [T]) + Sync) -> Self {
        let width = columns_of::<T>(register());
        let mut panels = vec![T::zero(); depth * columns.next_multiple_of(width)];
        panels.par_chunks_mut((depth * width).max(1)).enumerate().for_each(|(panel, rows)| {
            let first = panel * width;
            for (k, row) in rows.chunks_exact_mut(width).enumerate() {
                fill(k, first, &mut row[..width.min(columns - first)]);
            }
        });
        Self { panels, depth, columns }
    }
}

/// `a · b`, row-major: `[a rows, b columns]`.
pub(crate) fn product<T: Real>(a: View<T>, b: View<T>) -> Vec<T> {
    product_of(a, &Packed::new(b))
}

/// The same of a matrix that is laid out already.
pub(crate) fn product_of<T: Real>(a: View<T>, b: &Packed<T>) -> Vec<T> {
    let mut result = vec![T::zero(); a.shape[0] * b.columns];
    add_product(a, b, &mut result);
    result
}

/// `result += a · b`; `result: [a rows, b columns]`, row-major.
pub(crate) fn add_product<T: Real>(a: View<T>, b: &Packed<T>, result: &mut [T]) {
    assert_eq!((a.shape[1], result.len()), (b.depth, a.shape[0] * b.columns), "shapes of a matrix product");
    if a.shape[0] <= BLOCK_ROWS {
        add_tiles(a, b, result);
    } else if b.columns > 0 {
        result.par_chunks_mut(BLOCK_ROWS * b.columns).enumerate().for_each(|(block, part)| {
            add_tiles(a.rows(block * BLOCK_ROWS..(block + 1) * BLOCK_ROWS), b, part);
        });
    }
}

wide! {
    /// `result += a · b` of at most [`BLOCK_ROWS`] rows, on the calling thread.
    fn add_tiles<T: Real>(a: View<'_, T>, b: &Packed<T>, result: &mut [T]) {
        match columns_of::<T>(REGISTER) {
            32 => add_tiles_of::<T, TALL, 32>(a, b, result),
            16 if REGISTER == 64 => add_tiles_of::<T, TALL, 16>(a, b, result),
            16 => add_tiles_of::<T, SHORT, 16>(a, b, result),
            _ => add_tiles_of::<T, SHORT, 8>(a, b, result),
        }
    }
}

/// Columns of a tile: two registers of so many bytes, and no less than two of AVX2.
const fn columns_of<T>(register: usize) -> usize {
    2 * (if register == 64 { 64 } else { 32 }) / size_of::<T>()
}

/// Tiles of `2 · HALF` rows, and of two where no more are left; where rows lack, the last one or zeros stand for them, whose results no
/// one reads.
#[inline(always)]
fn add_tiles_of<T: Real, const HALF: usize, const COLUMNS: usize>(a: View<'_, T>, b: &Packed<T>, result: &mut [T]) {
    let ([rows, depth], [down, right]) = (a.shape, a.strides);
    debug_assert!(down == 1 || right == 1, "rows or columns of a matrix lie in memory");
    let (panels, _) = b.panels.as_chunks::<COLUMNS>();
    let rows_lie_in_memory = right == 1;
    // Where the columns do, what a tile reads of them is put side by side.
    let mut copies = vec![[[[T::zero(); HALF]; 2]; DEPTH]; if rows_lie_in_memory { 0 } else { rows.div_ceil(2 * HALF) }];
    for first in (0..depth).step_by(DEPTH) {
        let terms = first..depth.min(first + DEPTH);
        for (tile, copy) in copies.iter_mut().enumerate() {
            let rows = 2 * tile * HALF..rows.min(2 * (tile + 1) * HALF);
            for (k, copy) in terms.clone().zip(copy) {
                copy.as_flattened_mut()[..rows.len()].copy_from_slice(&a.values[k * right..][rows.clone()]);
            }
        }
        for (panel, right) in panels.chunks_exact(depth).enumerate() {
            let (right, columns) = (&right[terms.clone()], panel * COLUMNS..b.columns.min((panel + 1) * COLUMNS));
            for (tile, result) in result.chunks_mut(2 * HALF * b.columns).enumerate() {
                let line = |row: usize| &a.values[(2 * tile * HALF + row).min(rows - 1) * down..][terms.clone()];
                let mut add = |sums: &[[T; COLUMNS]]| {
                    for (row, sums) in result.chunks_exact_mut(b.columns).zip(sums) {
                        row[columns.clone()].iter_mut().zip(sums).for_each(|(total, &sum)| *total += sum);
                    }
                };
                if let Some(copy) = copies.get(tile) {
                    add(sums_of::<T, HALF, COLUMNS>(|k| copy[k], right).as_flattened());
                } else if rows - 2 * tile * HALF <= 2 {
                    let lines = halves::<_, 1>(|half, _| line(half));
                    add(sums_of::<T, 1, COLUMNS>(|k| halves(|half, _| lines[half][0][k]), right).as_flattened());
                } else {
                    let lines = halves::<_, HALF>(|half, row| line(half * HALF + row));
                    add(sums_of::<T, HALF, COLUMNS>(|k| halves(|half, row| lines[half][row][k]), right).as_flattened());
                }
            }
        }
    }
}

/// What is made for both halves of a tile and each row of them.
#[inline(always)]
fn halves<V, const HALF: usize>(make: impl Fn(usize, usize) -> V) -> [[V; HALF]; 2] {
    array::from_fn(|half| array::from_fn(|row| make(half, row)))
}

/// The sums of both halves of a tile, which stay in registers; `left` has the terms of its rows.
#[inline(always)]
fn sums_of<T: Real, const HALF: usize, const COLUMNS: usize>(
    left: impl Fn(usize) -> [[T; HALF]; 2],
    right: &[[T; COLUMNS]],
) -> [[[T; COLUMNS]; HALF]; 2] {
    let [mut upper, mut lower] = [[[T::zero(); COLUMNS]; HALF]; 2];
    for (k, right) in right.iter().enumerate() {
        let left = left(k);
        add_term(&mut upper, left[0], right);
        add_term(&mut lower, left[1], right);
    }
    [upper, lower]
}

#[inline(always)]
fn add_term<T: Real, const HALF: usize, const COLUMNS: usize>(sums: &mut [[T; COLUMNS]; HALF], left: [T; HALF], right: &[T; COLUMNS]) {
    for row in 0..HALF {
        for column in 0..COLUMNS {
            sums[row][column] = left[row].mul_add(right[column], sums[row][column]);
        }
    }
}

/// Sum of each column of `values: [rows, columns]`, rows in their order.
pub(crate) fn column_sums<T: Real>(values: &[T], columns: usize) -> Vec<T> {
    let mut sums = vec![T::zero(); columns];
    add_rows(values, &mut sums);
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::philox::Stream;

    fn matrix<T: Real>(stream: u64, length: usize) -> Vec<T> {
        let stream = Stream { seed: 5, stream };
        (0..length as u64).map(|i| T::of_f32(stream.uniform(i) - 0.5)).collect()
    }

    /// The promise on which "an utterance's result does not depend on its batch" rests.
    fn a_row_does_not_depend_on_the_others<T: Real>() {
        for (depth, columns) in [(1, 1), (7, 5), (40, 128), (128, 512), (300, 33), (600, 17)] {
            let (a, b) = (matrix::<T>(1, 131 * depth), matrix::<T>(2, depth * columns));
            for b in [View::new(&b, columns), View::new(&b, depth).transposed()] {
                let together = product(View::new(&a, depth), b);
                for count in [1, 2, 3, 5, 8, 13, 67] {
                    for first in [0, 1, 6, 64, 131 - count] {
                        let alone = product(View::new(&a, depth).rows(first..first + count), b);
                        assert!(alone == together[first * columns..(first + count) * columns], "{count} rows of {depth} from {first}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_row_of_a_product_does_not_depend_on_the_other_rows() {
        a_row_does_not_depend_on_the_others::<f32>();
        a_row_does_not_depend_on_the_others::<f64>();
    }

    #[test]
    fn views_select_and_transpose() {
        let values: Vec<f64> = (0..12).map(f64::from).collect();
        let view = View::new(&values, 4);
        let identity = [1.0, 0.0, 0.0, 1.0];
        let identity = View::new(&identity, 2);
        assert_eq!(product(view.rows(1..3).columns(2..4), identity), [6.0, 7.0, 10.0, 11.0]);
        assert_eq!(product(identity, view.columns(0..2).transposed().rows(0..2)), [0.0, 4.0, 8.0, 1.0, 5.0, 9.0]);
        assert_eq!(view.rows(3..9).shape(), [0, 4]);
        assert_eq!(column_sums(&values, 4), [12.0, 15.0, 18.0, 21.0]);
    }
}
