//! Some columns of a matrix; on the way back the others get zeros.

use std::ops::Range;

use super::memory::unwritten;
use super::wide::{ENOUGH, add};
use super::{Cpu, CpuTensor, Real};
use crate::backend::ops::{Columns, Differentiate, Run};
use crate::backend::{Matrix, Sink, Write};
use crate::base::parallel::*;

impl<T: Real> Run<Columns<CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &Columns<CpuTensor<T>>) -> (CpuTensor<T>, ()) {
        let y = slice_of(&of.x.values(), of.x.columns(), of.first..of.first + of.columns);
        (CpuTensor::new(y, [of.x.rows(), of.columns]), ())
    }
}

impl<T: Real> Differentiate<Columns<CpuTensor<T>>> for Cpu<T> {
    fn backward(&self, of: &Columns<CpuTensor<T>>, (): &(), dy: &CpuTensor<T>, sinks: &Columns<Option<Sink<CpuTensor<T>>>>) {
        let columns = of.first..of.first + of.columns;
        match &sinks.x {
            Some(Sink { tensor, write: Write::Add }) => add_columns(&dy.values(), of.columns, 0..of.columns, (tensor, columns)),
            Some(sink) => {
                let dx = backward(&dy.values(), of.x.shape(), columns);
                sink.store(dx);
            }
            None => {}
        }
    }
}

/// `x: [rows, width]` → some of its columns.
pub(super) fn slice_of<T: Real>(x: &[T], width: usize, columns: Range<usize>) -> Vec<T> {
    let mut y = unwritten(x.len() / width * columns.len());
    let rows = rows_of_task(width);
    let tasks = y.par_chunks_mut(rows * columns.len()).zip(x.par_chunks(rows * width)).with_min_len(least(1, 1));
    tasks.for_each(|(y, x)| {
        for (y, x) in y.chunks_exact_mut(columns.len()).zip(x.chunks_exact(width)) {
            y.copy_from_slice(&x[columns.clone()]);
        }
    });
    y
}

/// Adds some columns of `source: [rows, width]` to as many of a tensor of as many rows.
pub(super) fn add_columns<T: Real>(source: &[T], width: usize, from: Range<usize>, (target, to): (&CpuTensor<T>, Range<usize>)) {
    let mut values = target.values_mut();
    for (target, source) in values.chunks_exact_mut(target.columns()).zip(source.chunks_exact(width)) {
        add(&source[from.clone()], &mut target[to.clone()]);
    }
}

/// Rows that one task copies.
pub(super) fn rows_of_task(width: usize) -> usize {
    ENOUGH.div_ceil(width.max(1))
}

/// `dy: [rows, some columns]` → `dx: [rows, width]`.
fn backward<T: Real>(dy: &[T], [rows, width]: [usize; 2], columns: Range<usize>) -> Vec<T> {
    let mut dx = unwritten(rows * width);
    let rows = rows_of_task(width);
    let tasks = dx.par_chunks_mut(rows * width).zip(dy.par_chunks(rows * columns.len())).with_min_len(least(1, 1));
    tasks.for_each(|(dx, dy)| {
        for (dx, dy) in dx.chunks_exact_mut(width).zip(dy.chunks_exact(columns.len())) {
            dx[..columns.start].fill(T::zero());
            dx[columns.clone()].copy_from_slice(dy);
            dx[columns.end..].fill(T::zero());
        }
    });
    dx
}
