//! Windows of rows, `[x_i, …, x_{i+k-1}]`, zeros behind a sequence's end; on the way back `dx_i = Σ_j dy_{i-j}[block j]`.

use super::memory::zeros;
use super::wide::add;
use super::{Cpu, CpuTensor, Real};
use crate::backend::ops::{Differentiate, Run, Windows};
use crate::backend::{Matrix, Sink};

impl<T: Real> Run<Windows<Self, CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &Windows<Self, CpuTensor<T>>) -> (CpuTensor<T>, ()) {
        let (x, width) = (of.x.values(), of.x.columns());
        let mut y = zeros(of.output.rows() * of.size * width);
        for (window, rows) in windows(of) {
            let first = window * of.size * width;
            y[first..first + rows.len() * width].copy_from_slice(&x[rows.start * width..rows.end * width]);
        }
        (CpuTensor::new(y, [of.output.rows(), of.size * width]), ())
    }
}

impl<T: Real> Differentiate<Windows<Self, CpuTensor<T>>> for Cpu<T> {
    fn backward(&self, of: &Windows<Self, CpuTensor<T>>, (): &(), dy: &CpuTensor<T>, sinks: &Windows<Self, Option<Sink<CpuTensor<T>>>>) {
        let Some(sink) = &sinks.x else { return };
        let width = of.x.columns();
        let mut dx = zeros(of.x.len());
        for (window, rows) in windows(of) {
            let first = window * of.size * width;
            add(&dy.values()[first..first + rows.len() * width], &mut dx[rows.start * width..rows.end * width]);
        }
        sink.store(dx);
    }
}

/// Each window with the rows that it has.
fn windows<'a, T: Real>(of: &'a Windows<Cpu<T>, CpuTensor<T>>) -> impl Iterator<Item = (usize, std::ops::Range<usize>)> + 'a {
    of.input.offsets.windows(2).zip(of.output.offsets.windows(2)).flat_map(|(input, output)| {
        let (size, end) = (of.size, input[1] as usize);
        (input[0] as usize..)
            .zip(output[0] as usize..output[1] as usize)
            .map(move |(first, window)| (window, first.min(end)..(first + size).min(end)))
    })
}
