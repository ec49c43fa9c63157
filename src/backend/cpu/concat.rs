//! Matrices side by side, by columns; each gets its columns of the gradient.

use super::columns::{add_columns, slice_of};
use super::global_max::concatenate;
use super::memory::unwritten;
use super::{Cpu, CpuTensor, Real};
use crate::backend::ops::{Concat, Differentiate, Run};
use crate::backend::{Matrix, Sink, Write};

impl<T: Real> Run<Concat<CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &Concat<CpuTensor<T>>) -> (CpuTensor<T>, ()) {
        let values: Vec<_> = of.parts.iter().map(CpuTensor::values).collect();
        let values: Vec<&[T]> = values.iter().map(|values| &**values).collect();
        let widths: Vec<usize> = of.parts.iter().map(Matrix::columns).collect();
        let mut y = unwritten(of.shape()[0] * of.shape()[1]);
        concatenate(&values, &widths, &mut y);
        (CpuTensor::new(y, of.shape()), ())
    }
}

impl<T: Real> Differentiate<Concat<CpuTensor<T>>> for Cpu<T> {
    fn backward(&self, of: &Concat<CpuTensor<T>>, (): &(), dy: &CpuTensor<T>, sinks: &Concat<Option<Sink<CpuTensor<T>>>>) {
        for ((first, part), sink) in of.places().zip(&sinks.parts) {
            let columns = first..first + part.columns();
            match sink {
                Some(Sink { tensor, write: Write::Add }) => add_columns(&dy.values(), dy.columns(), columns, (tensor, 0..part.columns())),
                Some(sink) => {
                    let dpart = slice_of(&dy.values(), dy.columns(), columns);
                    sink.store(dpart);
                }
                None => {}
            }
        }
    }
}
