//! `y = (x - mean) · reciprocal deviation` for each column, statistics of the utterance's group.

use super::Real;

/// `x: [rows, columns]`, `offsets: [batch + 1]`, `groups: [batch]`, `mean, reciprocal_deviation: [groups, columns]`.
pub fn forward<T: Real>(x: &[T], offsets: &[u32], groups: &[u32], [mean, reciprocal_deviation]: [&[T]; 2], columns: usize) -> Vec<T> {
    let owners = offsets.windows(2).zip(groups).flat_map(|(rows, &group)| (rows[0]..rows[1]).map(move |_| group as usize));
    let rows = x.chunks_exact(columns).zip(owners);
    let values = rows.flat_map(|(row, group)| row.iter().zip(&mean[group * columns..]).zip(&reciprocal_deviation[group * columns..]));
    values.map(|((&x, &mean), &reciprocal)| (x - mean) * reciprocal).collect()
}
