//! Matrix products: strided views, and a product that is split over row blocks.

use std::ops::Range;

use rayon::prelude::*;

use super::Real;

/// Rows of the result that one task computes. Fixed, so that results do not depend on the number of threads; large
/// enough to pay for packing the right-hand matrix once per task.
const BLOCK_ROWS: usize = 64;

/// A matrix to read: a slice, seen through strides.
///
/// Every element of the shape lies inside the slice: constructors keep this true and [`Real::gemm`] relies on it.
#[derive(Debug, Clone, Copy)]
pub struct View<'a, T> {
    values: &'a [T],
    shape: [usize; 2],
    strides: [usize; 2],
}

impl<'a, T> View<'a, T> {
    /// A row-major matrix with the given number of columns.
    pub fn new(values: &'a [T], columns: usize) -> Self {
        let rows = values.len().checked_div(columns).unwrap_or(0);
        Self { values, shape: [rows, columns], strides: [columns, 1] }
    }

    /// `[rows, columns]`.
    pub fn shape(self) -> [usize; 2] {
        self.shape
    }

    /// The transpose, without moving anything.
    pub fn transposed(self) -> Self {
        let ([rows, columns], [down, right]) = (self.shape, self.strides);
        Self { shape: [columns, rows], strides: [right, down], ..self }
    }

    /// The given rows, as far as there are any.
    pub fn rows(self, range: Range<usize>) -> Self {
        self.part(0, range)
    }

    /// The given columns, as far as there are any.
    pub fn columns(self, range: Range<usize>) -> Self {
        self.part(1, range)
    }

    fn part(mut self, axis: usize, range: Range<usize>) -> Self {
        let end = range.end.min(self.shape[axis]);
        let start = range.start.min(end);
        self.values = self.values.get(start * self.strides[axis]..).unwrap_or_default();
        self.shape[axis] = end - start;
        self
    }

    pub(super) fn strides(self) -> [isize; 2] {
        self.strides.map(|stride| stride as isize)
    }

    pub(super) fn first(self) -> *const T {
        self.values.as_ptr()
    }
}

/// `a · b`, row-major: `[a rows, b columns]`.
pub fn product<T: Real>(a: View<T>, b: View<T>) -> Vec<T> {
    let ([rows, _], [_, columns]) = (a.shape(), b.shape());
    let mut result = vec![T::zero(); rows * columns];
    if rows <= BLOCK_ROWS || columns == 0 {
        T::gemm(a, b, &mut result);
    } else {
        result.par_chunks_mut(BLOCK_ROWS * columns).enumerate().for_each(|(block, part)| {
            T::gemm(a.rows(block * BLOCK_ROWS..(block + 1) * BLOCK_ROWS), b, part);
        });
    }
    result
}

/// Sum of each column of `values: [rows, columns]`, rows in their order.
pub fn column_sums<T: Real>(values: &[T], columns: usize) -> Vec<T> {
    let mut sums = vec![T::zero(); columns];
    for row in values.chunks_exact(columns) {
        for (sum, &value) in sums.iter_mut().zip(row) {
            *sum += value;
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::philox::Stream;

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
