//! Some columns of a matrix; on the way back the others get zeros.

use std::ops::Range;

use super::{Cpu, CpuTensor, Real};
use crate::backend::ops::{Columns, Differentiate, Run};
use crate::backend::{Matrix, Sink};

impl<T: Real> Run<Columns<CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &Columns<CpuTensor<T>>) -> (CpuTensor<T>, ()) {
        let y = slice_of(&of.x.values(), of.x.columns(), of.first..of.first + of.columns);
        (CpuTensor::new(y, [of.x.rows(), of.columns]), ())
    }
}

impl<T: Real> Differentiate<Columns<CpuTensor<T>>> for Cpu<T> {
    fn backward(&self, of: &Columns<CpuTensor<T>>, (): &(), dy: &CpuTensor<T>, sinks: &Columns<Option<Sink<CpuTensor<T>>>>) {
        if let Some(sink) = &sinks.x {
            let dx = backward(&dy.values(), of.x.shape(), of.first..of.first + of.columns);
            sink.store(dx);
        }
    }
}

/// `x: [rows, width]` → some of its columns.
pub(super) fn slice_of<T: Real>(x: &[T], width: usize, columns: Range<usize>) -> Vec<T> {
    let mut y = Vec::with_capacity(x.len() / width * columns.len());
    x.chunks_exact(width).for_each(|row| y.extend_from_slice(&row[columns.clone()]));
    y
}

/// `dy: [rows, some columns]` → `dx: [rows, width]`.
fn backward<T: Real>(dy: &[T], [rows, width]: [usize; 2], columns: Range<usize>) -> Vec<T> {
    let mut dx = vec![T::zero(); rows * width];
    for (dx, dy) in dx.chunks_exact_mut(width).zip(dy.chunks_exact(columns.len())) {
        dx[columns.clone()].copy_from_slice(dy);
    }
    dx
}
