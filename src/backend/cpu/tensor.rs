//! A matrix in memory, and how a kernel's result reaches it.

use std::cell::{Ref, RefCell, RefMut};
use std::rc::Rc;

use super::Real;
use super::memory::keep;
use super::wide::add;
use crate::backend::{Matrix, Sink, Write};

/// The elements of one or more matrices, and how many they are; none are there before one is written.
#[derive(Debug)]
struct Memory<T: Real> {
    values: Vec<T>,
    length: usize,
}

impl<T: Real> Drop for Memory<T> {
    fn drop(&mut self) {
        keep(std::mem::take(&mut self.values));
    }
}

/// A row-major matrix; clones and slices share their memory, as a device's buffers do.
#[derive(Debug, Clone)]
pub struct CpuTensor<T: Real> {
    memory: Rc<RefCell<Memory<T>>>,
    start: usize,
    shape: [usize; 2],
}

impl<T: Real> CpuTensor<T> {
    /// Wraps the elements of a matrix.
    pub fn new(values: Vec<T>, shape: [usize; 2]) -> Self {
        debug_assert_eq!(values.len(), shape[0] * shape[1], "a kernel returned a matrix of another size");
        let length = values.len();
        Self { memory: Rc::new(RefCell::new(Memory { values, length })), start: 0, shape }
    }

    /// A matrix whose elements are NaN until they are written: a kernel that forgets one, or adds where it should set, shows.
    pub(super) fn uninitialised(shape: [usize; 2]) -> Self {
        let memory = Memory { values: Vec::new(), length: shape[0] * shape[1] };
        Self { memory: Rc::new(RefCell::new(memory)), start: 0, shape }
    }

    /// The elements, to read.
    pub fn values(&self) -> Ref<'_, [T]> {
        if self.is_missing() {
            drop(self.values_mut());
        }
        Ref::map(self.memory.borrow(), |memory| &memory.values[self.start..self.start + self.len()])
    }

    /// The elements, to change in place.
    pub(crate) fn values_mut(&self) -> RefMut<'_, [T]> {
        let missing = self.is_missing();
        let mut memory = self.memory.borrow_mut();
        if missing {
            memory.values = vec![T::nan(); memory.length];
        }
        RefMut::map(memory, |memory| &mut memory.values[self.start..self.start + self.len()])
    }

    /// Whether no one has written here.
    fn is_missing(&self) -> bool {
        let memory = self.memory.borrow();
        memory.values.len() < memory.length
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
        if self.write == Write::Set && memory.borrow().length == gradient.len() {
            let before = std::mem::replace(&mut memory.borrow_mut().values, gradient);
            return keep(before);
        }
        match self.write {
            Write::Set => self.tensor.values_mut().copy_from_slice(&gradient),
            Write::Add => add(&gradient, &mut self.tensor.values_mut()),
        }
        keep(gradient);
    }
}
