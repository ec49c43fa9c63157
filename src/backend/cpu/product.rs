//! Matrix products: strided views, and a product cut into tiles that stay in registers.
//!
//! Each element is a sum over k in pieces of [`DEPTH`], each piece in the order of k from zero on, the pieces in their
//! order: the same bits whatever the number of rows, of threads, and the processor.

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use std::any::Any;
use std::array;
use std::ops::Range;

use super::Real;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use super::fused;
use super::memory::{keep, unwritten};
use super::wide::{self, add_rows, register, wide};
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
/// Elements of the right-hand matrix that are laid out at a time, so that they stay in the second cache.
const SLAB: usize = 1 << 18;
/// Multiply-adds that are worth a thread of their own.
const ENOUGH: usize = 1 << 20;
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
pub(crate) struct Packed<T: Real> {
    /// `[panels, depth, columns of a panel]`; the last panel is filled up with zeros.
    panels: Vec<T>,
    depth: usize,
    columns: usize,
}

impl<T: Real> Packed<T> {
    pub(crate) fn new(b: View<T>) -> Self {
        let ([depth, columns], [down, right]) = (b.shape, b.strides);
        debug_assert!(down == 1 || right == 1, "rows or columns of a matrix lie in memory");
        if right == 1 {
            return Self::of_rows(depth, columns, |k| &b.values[k * down..][..columns]);
        }
        Self::filled(depth, columns, |first, width, panel| {
            let lines = (first..columns.min(first + width)).map(|column| &b.values[column * right..][..depth]);
            match width {
                32 => lay_columns::<T, 32>(lines, panel),
                16 => lay_columns::<T, 16>(lines, panel),
                _ => lay_columns::<T, 8>(lines, panel),
            }
        })
    }

    /// Of rows wherever they are.
    pub(crate) fn of_rows<'a>(depth: usize, columns: usize, row_of: impl Fn(usize) -> &'a [T] + Sync) -> Self {
        Self::filled(depth, columns, |first, width, panel| {
            let row_of = |k| &row_of(k)[first..columns.min(first + width)];
            match width {
                32 => lay_rows::<T, 32>(row_of, panel),
                16 => lay_rows::<T, 16>(row_of, panel),
                _ => lay_rows::<T, 8>(row_of, panel),
            }
        })
    }

    /// `fill` writes a panel, from the column `first` on and as wide as it is told.
    fn filled(depth: usize, columns: usize, fill: impl Fn(usize, usize, &mut [T]) + Sync) -> Self {
        let width = columns_of::<T>(register());
        let mut panels = unwritten(depth * columns.next_multiple_of(width));
        let size = (depth * width).max(1);
        let parts = panels.par_chunks_mut(size).enumerate().with_min_len(least(size, wide::ENOUGH));
        parts.for_each(|(panel, rows)| fill(panel * width, width, rows));
        Self { panels, depth, columns }
    }
}

impl<T: Real> Drop for Packed<T> {
    fn drop(&mut self) {
        keep(std::mem::take(&mut self.panels));
    }
}

/// Lays out a panel of rows, with zeros where they end before it does.
fn lay_rows<'a, T: Real, const COLUMNS: usize>(row_of: impl Fn(usize) -> &'a [T], panel: &mut [T]) {
    for (k, to) in panel.as_chunks_mut::<COLUMNS>().0.iter_mut().enumerate() {
        let from = row_of(k);
        match from.first_chunk::<COLUMNS>() {
            Some(from) => *to = *from,
            None => {
                to[..from.len()].copy_from_slice(from);
                to[from.len()..].fill(T::zero());
            }
        }
    }
}

/// Lays out a panel of columns, with zeros for those that lack. Each is read along, a piece at a time, which the nearest cache holds of a
/// panel.
fn lay_columns<'a, T: Real, const COLUMNS: usize>(lines: impl ExactSizeIterator<Item = &'a [T]> + Clone, panel: &mut [T]) {
    if lines.len() < COLUMNS {
        panel.fill(T::zero());
    }
    for (part, rows) in panel.as_chunks_mut::<COLUMNS>().0.chunks_mut(DEPTH).enumerate() {
        for (column, line) in lines.clone().take(COLUMNS).enumerate() {
            for (row, &value) in rows.iter_mut().zip(&line[part * DEPTH..]) {
                row[column] = value;
            }
        }
    }
}

/// `a · b`, row-major: `[a rows, b columns]`.
pub(crate) fn product<T: Real>(a: View<T>, b: View<T>) -> Vec<T> {
    let [depth, columns] = b.shape;
    assert_eq!(a.shape[1], depth, "shapes of a matrix product");
    let slab = slab(columns);
    let mut result = product_of(a.columns(0..slab), &Packed::new(b.rows(0..slab)));
    for first in (slab..depth).step_by(slab) {
        add_product(a.columns(first..first + slab), &Packed::new(b.rows(first..first + slab)), &mut result);
    }
    result
}

/// Terms of a product that are worth laying out at a time: whole pieces of its sums.
pub(crate) fn slab(columns: usize) -> usize {
    (SLAB / columns.max(1)).max(1).next_multiple_of(DEPTH)
}

/// `a · b` of a matrix that is laid out already.
pub(crate) fn product_of<T: Real>(a: View<T>, b: &Packed<T>) -> Vec<T> {
    let mut result = unwritten(a.shape[0] * b.columns);
    in_blocks(a, b, &mut result, |rows| rows.fill(T::zero()));
    result
}

/// The same, to each row of which `bias: [b columns]` is added.
pub(crate) fn product_with_bias<T: Real>(a: View<T>, b: &Packed<T>, bias: &[T]) -> Vec<T> {
    let mut result = unwritten(a.shape[0] * b.columns);
    in_blocks(a, b, &mut result, |rows| rows.chunks_exact_mut(bias.len()).for_each(|row| row.copy_from_slice(bias)));
    result
}

/// `result += a · b`; `result: [a rows, b columns]`, row-major.
pub(crate) fn add_product<T: Real>(a: View<T>, b: &Packed<T>, result: &mut [T]) {
    in_blocks(a, b, result, |_| {});
}

/// Adds `a · b` to what `begin` leaves in some rows of the result.
fn in_blocks<T: Real>(a: View<T>, b: &Packed<T>, result: &mut [T], begin: impl Fn(&mut [T]) + Sync) {
    assert_eq!((a.shape[1], result.len()), (b.depth, a.shape[0] * b.columns), "shapes of a matrix product");
    if result.is_empty() {
        return;
    }
    let compute = |(block, rows): (usize, &mut [T])| {
        begin(rows);
        add_tiles(a.rows(block * BLOCK_ROWS..(block + 1) * BLOCK_ROWS), b, rows);
    };
    if a.shape[0] <= BLOCK_ROWS {
        return compute((0, result));
    }
    let size = BLOCK_ROWS * b.columns;
    result.par_chunks_mut(size).enumerate().with_min_len(least(size * b.depth, ENOUGH)).for_each(compute);
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
        if !rows_lie_in_memory {
            for (k, term) in terms.clone().enumerate() {
                let (halves, rest) = a.values[term * right..][..rows].as_chunks::<HALF>();
                for (half, &values) in halves.iter().enumerate() {
                    copies[half / 2][k][half % 2] = values;
                }
                if !rest.is_empty() {
                    copies[halves.len() / 2][k][halves.len() % 2][..rest.len()].copy_from_slice(rest);
                }
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
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    if let Some(sums) = (sums as &mut dyn Any).downcast_mut()
        && let Some(left) = (&left as &dyn Any).downcast_ref()
        && let Some(right) = (right as &dyn Any).downcast_ref()
    {
        return fused::add_term::<HALF, COLUMNS>(sums, *left, right);
    }
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
        assert_eq!(view.rows(3..9).shape, [0, 4]);
        assert_eq!(column_sums(&values, 4), [12.0, 15.0, 18.0, 21.0]);
    }
}
