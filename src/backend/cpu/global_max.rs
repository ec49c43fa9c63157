//! Global maximum over time (18): `y[u, c] = max over the rows of utterance u of x[row, c]`, the earliest row on ties, a
//! NaN before all; the gradient goes to that row alone. Utterances have at least one row.

use super::Real;
use super::conv_pool::raise;
use crate::base::parallel::*;

/// `x: [rows, columns]` → the maxima and their rows, `[batch, columns]` each.
pub fn forward<T: Real>(x: &[T], offsets: &[u32], columns: usize) -> (Vec<T>, Vec<u32>) {
    let batch = offsets.len() - 1;
    let (mut maxima, mut winners) = (vec![T::neg_infinity(); batch * columns], vec![0; batch * columns]);
    let utterances = maxima.par_chunks_exact_mut(columns).zip(winners.par_chunks_exact_mut(columns));
    utterances.zip(offsets.par_windows(2)).for_each(|((maxima, winners), rows)| {
        winners.fill(rows[0]);
        for row in rows[0]..rows[1] {
            raise(&x[row as usize * columns..][..columns], row, maxima, winners);
        }
    });
    (maxima, winners)
}

/// Matrices of `batch` rows side by side, by columns.
pub fn concatenate<V: Copy>(matrices: &[&[V]], widths: &[usize], batch: usize) -> Vec<V> {
    let rows = (0..batch).flat_map(|row| matrices.iter().zip(widths).map(move |(matrix, &width)| &matrix[row * width..(row + 1) * width]));
    rows.flatten().copied().collect()
}

/// `dy, winners: [batch, total columns]`, of which this stream's start at `column` → `dx: [rows, columns]`.
pub fn backward<T: Real>(dy: &[T], winners: &[u32], total_columns: usize, column: usize, [rows, columns]: [usize; 2]) -> Vec<T> {
    let mut dx = vec![T::zero(); rows * columns];
    for (dy, winners) in dy.chunks_exact(total_columns).zip(winners.chunks_exact(total_columns)) {
        for c in 0..columns {
            dx[winners[column + c] as usize * columns + c] = dy[column + c];
        }
    }
    dx
}
