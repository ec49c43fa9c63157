//! A matrix in memory, and how a kernel's result reaches it.

use std::cell::{Ref, RefCell, RefMut};
use std::rc::Rc;

use super::Real;
use super::wide::add;
use crate::backend::{Matrix, Sink, Write};

/// A row-major matrix; clones and slices share their memory, as a device's buffers do.
#[derive(Debug, Clone)]
pub struct CpuTensor<T> {
    memory: Rc<RefCell<Vec<T>>>,
    start: usize,
    shape: [usize; 2],
}

impl<T: Real> CpuTensor<T> {
    /// Wraps the elements of a matrix.
    pub fn new(values: Vec<T>, shape: [usize; 2]) -> Self {
        debug_assert_eq!(values.len(), shape[0] * shape[1], "a kernel returned a matrix of another size");
        Self { memory: Rc::new(RefCell::new(values)), start: 0, shape }
    }

    /// The elements, to read.
    pub fn values(&self) -> Ref<'_, [T]> {
        Ref::map(self.memory.borrow(), |memory| &memory[self.start..self.start + self.len()])
    }

    /// The elements, to change in place.
    pub(crate) fn values_mut(&self) -> RefMut<'_, [T]> {
        RefMut::map(self.memory.borrow_mut(), |memory| &mut memory[self.start..self.start + self.len()])
    }
}

impl<T: Real> Matrix for CpuTensor<T> {
    fn shape(&self) -> [usize; 2] {
        self.shape
    }

    fn slice(&self, start: usize, shape: [usize; 2]) -> Self {
        Self { memory: Rc::clone(&self.memory), start: self.start + start, shape }
    }
}

impl<T: Real> Sink<CpuTensor<T>> {
    /// Leaves a gradient in a sink, where it is wanted.
    pub(super) fn store_in(sink: &Option<Self>, gradient: Vec<T>) {
        if let Some(sink) = sink {
            sink.store(gradient);
        }
    }

    /// Leaves a gradient where the sink says, and how it says.
    pub(super) fn store(&self, gradient: Vec<T>) {
        let CpuTensor { memory, shape: [rows, columns], .. } = &self.tensor;
        debug_assert_eq!(gradient.len(), rows * columns, "a kernel returned a gradient of another size");
        match self.write {
            Write::Set if memory.borrow().len() == gradient.len() => *memory.borrow_mut() = gradient,
            Write::Set => self.tensor.values_mut().copy_from_slice(&gradient),
            Write::Add => add(&gradient, &mut self.tensor.values_mut()),
        }
    }
}
