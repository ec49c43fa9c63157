//! Buffers on the device: tensors, words, and the pool that they come from and return to.
//!
//! A buffer that is dropped serves again. Work is recorded in order, so kernels may reuse it at once; an upload writes
//! before the recorded work runs, so it takes only buffers that were dropped before the last submission.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::{Rc, Weak};

use crate::backend::{Matrix, SLICE_ALIGNMENT};

/// Words after a guarded buffer's own that no kernel may touch.
pub(super) const GUARD_WORDS: usize = 64;
/// What guarded buffers are filled with: a NaN that no arithmetic makes.
pub(super) const POISON: u32 = 0x7fc0_dead;

/// Memory on the device; returns to its pool when dropped.
pub struct Storage {
    buffer: wgpu::Buffer,
    pool: Weak<Pool>,
}

impl Storage {
    pub(super) fn buffer(&self) -> &wgpu::Buffer {
        &self.buffer
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.put(self.buffer.clone());
        }
    }
}

/// Part of a buffer, in bytes.
#[derive(Clone, Copy)]
pub struct BufferRange<'a> {
    pub buffer: &'a wgpu::Buffer,
    pub offset: u64,
    pub size: u64,
}

/// A matrix of float32 on the device.
#[derive(Clone)]
pub struct Tensor {
    pub(super) storage: Rc<Storage>,
    start: usize,
    shape: [usize; 2],
}

impl Tensor {
    pub(super) fn new(storage: Rc<Storage>, shape: [usize; 2]) -> Self {
        Self { storage, start: 0, shape }
    }

    /// Itself and `next` as one row, where they lie one after the other in one buffer.
    pub(super) fn joined(&self, next: &Self) -> Option<Self> {
        let adjacent = Rc::ptr_eq(&self.storage, &next.storage) && self.start + self.len() == next.start;
        adjacent.then(|| Self { shape: [1, self.len() + next.len()], ..self.clone() })
    }

    /// Bytes of the buffer that hold the matrix.
    pub(super) fn bytes(&self) -> Range<u64> {
        (self.start * 4) as u64..((self.start + self.len()) * 4) as u64
    }

    /// What a kernel binds.
    pub fn buffer(&self) -> BufferRange<'_> {
        bound(&self.storage, self.start, self.len())
    }
}

impl Matrix for Tensor {
    fn shape(&self) -> [usize; 2] {
        self.shape
    }

    fn slice(&self, start: usize, shape: [usize; 2]) -> Self {
        debug_assert!(start.is_multiple_of(SLICE_ALIGNMENT) && start + shape[0] * shape[1] <= self.len());
        Self { storage: self.storage.clone(), start: self.start + start, shape }
    }
}

/// A list of 32-bit words on the device.
#[derive(Clone)]
pub struct Words {
    storage: Rc<Storage>,
    start: usize,
    count: usize,
}

impl Words {
    /// `count` words of a buffer from `start` on, a multiple of [`SLICE_ALIGNMENT`].
    pub(super) fn new(storage: Rc<Storage>, start: usize, count: usize) -> Self {
        Self { storage, start, count }
    }

    /// Whether both are the same words of the same buffer.
    pub(super) fn is(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.storage, &other.storage) && (self.start, self.count) == (other.start, other.count)
    }

    /// What a kernel binds.
    pub fn buffer(&self) -> BufferRange<'_> {
        bound(&self.storage, self.start, self.count)
    }
}

/// Words in the buffer that the lists of a submission share, where the device allows so large a one.
const LIST_WORDS: usize = 1 << 16;

/// Lists that kernels only read, in one buffer, which is uploaded with the work that is recorded after them.
pub(super) struct Lists {
    storage: Rc<Storage>,
    words: Vec<u32>,
    capacity: usize,
}

impl Lists {
    /// Words that the lists of a submission may have in common, in buffers of at most so many bytes.
    pub fn capacity(largest: u64) -> usize {
        (largest / 4).min(LIST_WORDS as u64) as usize / SLICE_ALIGNMENT * SLICE_ALIGNMENT
    }

    pub fn new(capacity: usize, allocate: impl FnOnce(usize) -> Rc<Storage>) -> Self {
        Self { storage: allocate(capacity), words: Vec::new(), capacity }
    }

    /// Takes a list in, where there is room.
    pub fn add(&mut self, words: &[u32]) -> Option<Words> {
        let start = self.words.len().next_multiple_of(SLICE_ALIGNMENT);
        (start + words.len() <= self.capacity).then(|| {
            self.words.resize(start, 0);
            self.words.extend_from_slice(words);
            Words::new(self.storage.clone(), start, words.len())
        })
    }

    /// What is to be uploaded, and where.
    pub fn upload(&self) -> (&wgpu::Buffer, &[u8]) {
        (self.storage.buffer(), bytemuck::cast_slice(&self.words))
    }
}

/// Elements as a binding: whole vec4s, so that a shader may see them as vectors.
fn bound(storage: &Storage, start: usize, count: usize) -> BufferRange<'_> {
    BufferRange { buffer: &storage.buffer, offset: (start * 4) as u64, size: binding_size(count) }
}

/// Bytes that a binding of `count` words takes.
pub(super) fn binding_size(count: usize) -> u64 {
    ((count * 4) as u64).next_multiple_of(16).max(16)
}

/// Whether a buffer is written by a kernel or by the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WrittenBy {
    Kernel,
    Host,
}

/// Free buffers by size.
#[derive(Default)]
pub(super) struct Pool {
    /// Size → buffers with the number of the submission that was being recorded when they were dropped.
    free: RefCell<BTreeMap<u64, Vec<(wgpu::Buffer, u64)>>>,
    submission: Cell<u64>,
}

impl Pool {
    /// Size class of an allocation: at most a quarter more than asked for.
    pub(super) fn class(bytes: u64) -> u64 {
        let bytes = bytes.max(256);
        let step = bytes.next_power_of_two() / 8;
        bytes.next_multiple_of(step.max(64))
    }

    /// A free buffer of exactly this class.
    pub(super) fn take(&self, class: u64, written_by: WrittenBy) -> Option<wgpu::Buffer> {
        let mut free = self.free.borrow_mut();
        let buffers = free.get_mut(&class)?;
        let place = match written_by {
            WrittenBy::Kernel => buffers.len().checked_sub(1)?,
            WrittenBy::Host => buffers.iter().position(|&(_, dropped)| dropped < self.submission.get())?,
        };
        Some(buffers.swap_remove(place).0)
    }

    pub(super) fn put(&self, buffer: wgpu::Buffer) {
        self.free.borrow_mut().entry(buffer.size()).or_default().push((buffer, self.submission.get()));
    }

    pub(super) fn storage(self: &Rc<Self>, buffer: wgpu::Buffer) -> Rc<Storage> {
        Rc::new(Storage { buffer, pool: Rc::downgrade(self) })
    }

    /// Storage that is not used again (guarded buffers stay as they were written).
    pub(super) fn single_use(buffer: wgpu::Buffer) -> Rc<Storage> {
        Rc::new(Storage { buffer, pool: Weak::new() })
    }

    /// Gives the free buffers back to the device; returns their bytes.
    pub(super) fn clear(&self) -> u64 {
        let free = self.free.take();
        free.iter().map(|(size, buffers)| size * buffers.len() as u64).sum()
    }

    /// Says that everything recorded so far was sent.
    pub(super) fn submitted(&self) {
        self.submission.set(self.submission.get() + 1);
    }
}
