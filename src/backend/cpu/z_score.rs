//! `y = (x - mean) · reciprocal deviation` for each column, statistics of the utterance's group.

use super::{Cpu, CpuTensor, Real};
use crate::backend::Matrix;
use crate::backend::ops::{Run, ZScore};

impl<T: Real> Run<ZScore<Self, CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &ZScore<Self, CpuTensor<T>>) -> (CpuTensor<T>, ()) {
        let ZScore { x, rows, statistics } = of;
        let (mean, reciprocal) = (statistics.mean.values(), statistics.reciprocal_deviation.values());
        let y = forward(&x.values(), &rows.offsets, &statistics.groups, [&mean, &reciprocal], x.columns());
        (CpuTensor::new(y, x.shape()), ())
    }
}

/// `x: [rows, columns]`, `offsets: [batch + 1]`, `groups: [batch]`, `mean, reciprocal_deviation: [groups, columns]`.
pub(crate) fn forward<T: Real>(
    x: &[T],
    offsets: &[u32],
    groups: &[u32],
    [mean, reciprocal_deviation]: [&[T]; 2],
    columns: usize,
) -> Vec<T> {
    let owners = offsets.windows(2).zip(groups).flat_map(|(rows, &group)| (rows[0]..rows[1]).map(move |_| group as usize));
    let mut y = x.to_vec();
    for (row, group) in y.chunks_exact_mut(columns).zip(owners) {
        let statistics = mean[group * columns..].iter().zip(&reciprocal_deviation[group * columns..]);
        row.iter_mut().zip(statistics).for_each(|(x, (&mean, &reciprocal))| *x = (*x - mean) * reciprocal);
    }
    y
}
