//! `y = (x - mean) · reciprocal deviation` for each column, statistics of the utterance's group.

use super::{Cpu, CpuTensor, Real};
use crate::backend::Matrix;
use crate::backend::ops::{Run, ZScore};

impl<T: Real> Run<ZScore<Self, CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &ZScore<Self, CpuTensor<T>>) -> (CpuTensor<T>, ()) {
        let ZScore { x, first_rows, rows, statistics } = of;
        let (mean, reciprocal) = (statistics.mean.values(), statistics.reciprocal_deviation.values());
        let columns = x.columns();
        let y = forward(&x.values(), [first_rows, &rows.offsets, &statistics.groups], [&mean, &reciprocal], columns);
        (CpuTensor::new(y, [rows.rows(), columns]), ())
    }
}

/// `x: [any, columns]`, `first_rows: [batch]`, `offsets: [batch + 1]`, `groups: [batch]`, `mean, reciprocal_deviation: [groups, columns]`
/// → `[rows, columns]`.
pub(crate) fn forward<T: Real>(
    x: &[T],
    [first_rows, offsets, groups]: [&[u32]; 3],
    [mean, reciprocal_deviation]: [&[T]; 2],
    columns: usize,
) -> Vec<T> {
    let mut y = Vec::with_capacity(offsets[offsets.len() - 1] as usize * columns);
    for ((rows, &first), &group) in offsets.windows(2).zip(first_rows).zip(groups) {
        let statistics = group as usize * columns..(group as usize + 1) * columns;
        let (mean, reciprocal) = (&mean[statistics.clone()], &reciprocal_deviation[statistics]);
        let first = first as usize * columns;
        let sequence = &x[first..first + (rows[1] - rows[0]) as usize * columns];
        for row in sequence.chunks_exact(columns.max(1)) {
            y.extend(row.iter().zip(mean.iter().zip(reciprocal)).map(|(&x, (&mean, &reciprocal))| (x - mean) * reciprocal));
        }
    }
    y
}
