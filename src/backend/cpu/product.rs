//! Matrix products: strided views, and a product cut into tiles that stay in registers.
//!
//! Each element is a sum over k in pieces of [`DEPTH`], each piece in the order of k from zero on, the pieces in their
//! order: the same bits whatever the number of rows, of threads, and the processor.

use std::array;
use std::ops::Range;

use super::Real;
use super::wide::{add_rows, wide};
use crate::base::parallel::*;

/// Rows of the result that one task computes.
const BLOCK_ROWS: usize = 32;
/// Rows of a tile of the result, and its columns in float32 and float64: its sums fill half of sixteen registers of 32 bytes,
/// the other half holds the operands.
const ROWS: usize = 4;
const SINGLE: usize = 16;
const DOUBLE: usize = 8;
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
        let ([depth, columns], [down, right], width) = (b.shape, b.strides, columns_of::<T>());
        let mut panels = vec![T::zero(); depth * columns.next_multiple_of(width)];
        panels.par_chunks_mut((depth * width).max(1)).enumerate().for_each(|(panel, rows)| {
            let first = panel * width;
            for (k, row) in rows.chunks_exact_mut(width).enumerate() {
                let row = &mut row[..width.min(columns - first)];
                let values = &b.values[k * down + first * right..];
                if right == 1 {
                    row.copy_from_slice(&values[..row.len()]);
                } else {
                    row.iter_mut().zip(values.iter().step_by(right)).for_each(|(to, &from)| *to = from);
                }
            }
        });
        Self { panels, depth, columns }
    }
}

/// `a · b`, row-major: `[a rows, b columns]`.
pub(crate) fn product<T: Real>(a: View<T>, b: View<T>) -> Vec<T> {
    let ([rows, _], [_, columns]) = (a.shape, b.shape);
    let mut result = vec![T::zero(); rows * columns];
    add_product(a, &Packed::new(b), &mut result);
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
        match columns_of::<T>() {
            SINGLE => add_tiles_of::<T, SINGLE>(a, b, result),
            _ => add_tiles_of::<T, DOUBLE>(a, b, result),
        }
    }
}

/// Columns of a tile.
const fn columns_of<T>() -> usize {
    if size_of::<T>() == size_of::<f32>() { SINGLE } else { DOUBLE }
}

#[inline(always)]
fn add_tiles_of<T: Real, const COLUMNS: usize>(a: View<'_, T>, b: &Packed<T>, result: &mut [T]) {
    let ([rows, depth], [down, right]) = (a.shape, a.strides);
    let (panels, _) = b.panels.as_chunks::<COLUMNS>();
    // The rows of a, as tiles read them; what a last tile lacks are copies whose results no one reads.
    let mut left = [[[T::zero(); ROWS]; DEPTH]; BLOCK_ROWS / ROWS];
    for first in (0..depth).step_by(DEPTH) {
        let terms = first..depth.min(first + DEPTH);
        for (tile, left) in left[..rows.div_ceil(ROWS)].iter_mut().enumerate() {
            let lines: [&[T]; ROWS] = array::from_fn(|r| &a.values[(tile * ROWS + r).min(rows - 1) * down + first * right..]);
            for (k, left) in left[..terms.len()].iter_mut().enumerate() {
                *left = lines.map(|line| line[k * right]);
            }
        }
        for (panel, right) in panels.chunks_exact(depth).enumerate() {
            let columns = panel * COLUMNS..b.columns.min((panel + 1) * COLUMNS);
            for (rows, left) in result.chunks_mut(ROWS * b.columns).zip(&left) {
                let sums = tile(&left[..terms.len()], &right[terms.clone()]);
                for (row, sums) in rows.chunks_exact_mut(b.columns).zip(&sums) {
                    row[columns.clone()].iter_mut().zip(sums).for_each(|(total, &sum)| *total += sum);
                }
            }
        }
    }
}

/// `[ROWS, COLUMNS]` of a product: the sums stay in registers.
#[inline(always)]
fn tile<T: Real, const COLUMNS: usize>(left: &[[T; ROWS]], right: &[[T; COLUMNS]]) -> [[T; COLUMNS]; ROWS] {
    let mut sums = [[T::zero(); COLUMNS]; ROWS];
    for (left, right) in left.iter().zip(right) {
        for row in 0..ROWS {
            for column in 0..COLUMNS {
                sums[row][column] = left[row].mul_add(right[column], sums[row][column]);
            }
        }
    }
    sums
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
