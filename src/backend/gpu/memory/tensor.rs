//! What kernels are given: matrices and lists of words, each a range of a buffer that returns to its memory when dropped.

use std::cell::Cell;
use std::rc::{Rc, Weak};

use super::Buffers;
use super::pool::{BufferId, BufferUse};
use crate::backend::{Matrix, SLICE_ALIGNMENT};

/// A buffer in use.
pub(in super::super) struct Allocation {
    buffer: BufferId,
    bytes: u64,
    what_for: BufferUse,
    serves_again: Cell<bool>,
    memory: Weak<Buffers>,
}

impl Allocation {
    pub(super) fn new(memory: &Rc<Buffers>, buffer: BufferId, bytes: u64, what_for: BufferUse, serves_again: bool) -> Rc<Self> {
        Rc::new(Self { buffer, bytes, what_for, serves_again: Cell::new(serves_again), memory: Rc::downgrade(memory) })
    }

    pub(crate) fn id(&self) -> BufferId {
        self.buffer
    }

    /// Size of the buffer.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Says that the buffer is not to serve again unless it is released: a copy to the host is under way.
    pub(super) fn hold(&self) {
        self.serves_again.set(false);
    }

    /// Says that nothing is under way with the buffer any more, so that it may serve again.
    pub(crate) fn release(&self) {
        self.serves_again.set(true);
    }
}

impl Drop for Allocation {
    fn drop(&mut self) {
        if let Some(memory) = self.memory.upgrade() {
            memory.give_back(self.buffer, self.bytes, self.what_for, self.serves_again.get());
        }
    }
}

/// Part of a buffer, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BufferRange {
    /// The buffer.
    pub buffer: BufferId,
    /// Where the part begins.
    pub offset: u64,
    /// How long it is.
    pub size: u64,
}

impl BufferRange {
    /// Whether both have bytes in common.
    pub(in super::super) fn meets(self, other: Self) -> bool {
        self.buffer == other.buffer && self.offset < other.offset + other.size && other.offset < self.offset + self.size
    }
}

/// A matrix of float32 on the device.
#[derive(Clone)]
pub struct Tensor {
    allocation: Rc<Allocation>,
    start: usize,
    shape: [usize; 2],
}

impl Tensor {
    /// The matrix at the beginning of a buffer.
    pub(in super::super) fn new(allocation: Rc<Allocation>, shape: [usize; 2]) -> Self {
        Self { allocation, start: 0, shape }
    }

    /// Itself and `next` as one row, where they lie one after the other in one buffer.
    pub(in super::super) fn joined(&self, next: &Self) -> Option<Self> {
        let adjacent = Rc::ptr_eq(&self.allocation, &next.allocation) && self.start + self.len() == next.start;
        adjacent.then(|| Self { shape: [1, self.len() + next.len()], ..self.clone() })
    }

    /// Whether both lie in one buffer.
    pub(in super::super) fn is_beside(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.allocation, &other.allocation)
    }

    /// Itself, `other` beside it and what lies between, as one row.
    pub(in super::super) fn reaching(&self, other: &Self) -> Self {
        debug_assert!(self.is_beside(other));
        let start = self.start.min(other.start);
        let end = (self.start + self.len()).max(other.start + other.len());
        Self { start, shape: [1, end - start], ..self.clone() }
    }

    /// The element of `around` at which it begins.
    pub(in super::super) fn place_in(&self, around: &Self) -> u32 {
        (self.start - around.start) as u32
    }

    /// The elements alone, where there are any and the buffer has room for them, which it has not after a failure.
    pub(in super::super) fn elements(&self) -> Option<BufferRange> {
        let [offset, size] = [self.start, self.len()].map(|elements| (elements * 4) as u64);
        let fits = size > 0 && offset + size <= self.allocation.bytes();
        fits.then_some(BufferRange { buffer: self.allocation.id(), offset, size })
    }

    /// What a kernel binds.
    pub fn buffer(&self) -> BufferRange {
        bound(&self.allocation, self.start, self.len())
    }
}

impl Matrix for Tensor {
    fn shape(&self) -> [usize; 2] {
        self.shape
    }

    fn slice(&self, start: usize, shape: [usize; 2]) -> Self {
        debug_assert!(start.is_multiple_of(SLICE_ALIGNMENT) && start + shape[0] * shape[1] <= self.len());
        Self { allocation: self.allocation.clone(), start: self.start + start, shape }
    }
}

/// A list of 32-bit words on the device.
#[derive(Clone)]
pub struct Words {
    allocation: Rc<Allocation>,
    start: usize,
    count: usize,
}

impl Words {
    /// `count` words of a buffer from `start` on, a multiple of [`SLICE_ALIGNMENT`].
    pub(in super::super) fn new(allocation: Rc<Allocation>, start: usize, count: usize) -> Self {
        Self { allocation, start, count }
    }

    /// Whether both are the same words of the same buffer.
    pub(super) fn is(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.allocation, &other.allocation) && (self.start, self.count) == (other.start, other.count)
    }

    /// As of a [`Tensor`].
    pub(in super::super) fn is_beside(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.allocation, &other.allocation)
    }

    /// As of a [`Tensor`].
    pub(in super::super) fn reaching(&self, other: &Self) -> Self {
        debug_assert!(self.is_beside(other));
        let start = self.start.min(other.start);
        Self { start, count: (self.start + self.count).max(other.start + other.count) - start, ..self.clone() }
    }

    /// As of a [`Tensor`].
    pub(in super::super) fn place_in(&self, around: &Self) -> u32 {
        (self.start - around.start) as u32
    }

    /// What a kernel binds.
    pub fn buffer(&self) -> BufferRange {
        bound(&self.allocation, self.start, self.count)
    }
}

/// Elements as a binding: whole vec4s, so that a shader may see them as vectors.
fn bound(allocation: &Allocation, start: usize, count: usize) -> BufferRange {
    BufferRange { buffer: allocation.id(), offset: (start * 4) as u64, size: binding_size(count) }
}

/// Bytes that a binding of `count` words takes.
pub(super) fn binding_size(count: usize) -> u64 {
    ((count * 4) as u64).next_multiple_of(16).max(16)
}
