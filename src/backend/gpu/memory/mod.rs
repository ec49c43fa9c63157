//! Memory of a device: buffers by name, those that are free, and the guard words after them.
//!
//! A buffer that is dropped serves again (see [`pool`]); with guards none does, so that all stay as they were written.

mod lists;
mod pool;
mod tensor;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

pub use pool::BufferId;
pub(super) use pool::{BufferUse, WrittenBy};
pub(super) use tensor::Allocation;
pub use tensor::{BufferRange, Tensor, Words};

use super::device::OpenDevice;
use super::injection::InjectedFault;
use crate::backend::BackendError;
use crate::base::remedy::Remedy;
use lists::Lists;
use pool::Pool;
use tensor::binding_size;

/// Bytes of a large upload that are sent at a time.
const PIECES: usize = 1 << 24;
/// Words after a guarded buffer's own that no kernel may touch.
const GUARD_WORDS: usize = 64;
/// What guarded buffers are filled with: a NaN that no arithmetic makes.
const POISON: u32 = 0x7fc0_dead;

/// The buffers of a device.
pub(super) struct Memory {
    buffers: Rc<Buffers>,
    lists: Lists,
    has_guards: bool,
    /// Every guarded buffer and the words of it that kernels may touch.
    guarded: RefCell<Vec<(Rc<Allocation>, usize)>>,
}

/// Buffers by name, and which of them are free.
#[derive(Default)]
struct Buffers {
    by_name: RefCell<HashMap<BufferId, wgpu::Buffer>>,
    pool: RefCell<Pool>,
    names: Cell<u64>,
}

impl Buffers {
    fn insert(&self, buffer: wgpu::Buffer) -> BufferId {
        let name = BufferId(self.names.replace(self.names.get() + 1));
        self.by_name.borrow_mut().insert(name, buffer);
        name
    }

    fn give_back(&self, buffer: BufferId, bytes: u64, what_for: BufferUse, serves_again: bool) {
        if serves_again {
            self.pool.borrow_mut().put(what_for, bytes, buffer);
        } else {
            self.by_name.borrow_mut().remove(&buffer);
        }
    }
}

impl Memory {
    pub(crate) fn new(has_guards: bool) -> Self {
        Self { buffers: Rc::default(), lists: Lists::default(), has_guards, guarded: RefCell::default() }
    }

    /// Whether guard words follow every buffer.
    pub(crate) fn has_guards(&self) -> bool {
        self.has_guards
    }

    /// Memory for so many words; what is in it is undefined.
    pub(crate) fn allocate(&self, device: &OpenDevice, words: usize, written_by: WrittenBy) -> Rc<Allocation> {
        let guards = if self.has_guards { GUARD_WORDS } else { 0 };
        let mut bytes = binding_size(words) + (guards * 4) as u64;
        let limit = device.largest_buffer();
        if bytes > limit {
            device.fail(BackendError::Limit {
                kernel: "memory",
                what: "one buffer's size in bytes",
                needed: bytes,
                limit,
                remedy: Remedy::SmallerBatch,
            });
            bytes = 256;
        }
        let class = Pool::class(bytes);
        if !self.has_guards {
            return self.serve(device, BufferUse::Kernels, class, written_by);
        }
        let buffer = self.make(device, BufferUse::Kernels, class);
        device.queue().write_buffer(&buffer, 0, bytemuck::cast_slice(&vec![POISON; (class / 4) as usize]));
        let allocation = Allocation::new(&self.buffers, self.buffers.insert(buffer), class, BufferUse::Kernels, false);
        self.guarded.borrow_mut().push((allocation.clone(), words));
        allocation
    }

    /// Stands for memory that nothing is ever written to or read from.
    pub(crate) fn none(&self) -> Rc<Allocation> {
        Allocation::new(&self.buffers, BufferId(u64::MAX), 0, BufferUse::Kernels, false)
    }

    /// A buffer that a result is copied to. It serves again once it is released.
    pub(crate) fn readback(&self, device: &OpenDevice, bytes: u64) -> Rc<Allocation> {
        let class = Pool::class(bytes);
        let allocation = self.serve(device, BufferUse::Readback, class, WrittenBy::Kernel);
        allocation.hold();
        allocation
    }

    /// A free buffer, or a new one.
    fn serve(&self, device: &OpenDevice, what_for: BufferUse, class: u64, written_by: WrittenBy) -> Rc<Allocation> {
        let free = self.buffers.pool.borrow_mut().take(what_for, class, written_by);
        let buffer = free.unwrap_or_else(|| self.buffers.insert(self.make(device, what_for, class)));
        Allocation::new(&self.buffers, buffer, class, what_for, true)
    }

    fn make(&self, device: &OpenDevice, what_for: BufferUse, class: u64) -> wgpu::Buffer {
        device.count(|counters| counters.allocated(class));
        let (label, usage) = match what_for {
            BufferUse::Kernels => (None, wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST),
            BufferUse::Readback => (Some("readback"), wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST),
        };
        let buffer = |usage| device.wgpu().create_buffer(&wgpu::BufferDescriptor { label, size: class, usage, mapped_at_creation: false });
        if device.injection.strikes(InjectedFault::OutOfMemory) {
            device.fail(BackendError::OutOfMemory { detail: "injected".into() });
            // As a driver leaves it: a buffer that no work can use.
            return buffer(wgpu::BufferUsages::empty());
        }
        buffer(usage)
    }

    /// The buffer of a name; none where it was given up.
    pub(crate) fn buffer(&self, name: BufferId) -> Option<wgpu::Buffer> {
        self.buffers.by_name.borrow().get(&name).cloned()
    }

    /// Bytes of a range as a kernel binds it. A guarded binding covers its guard words, so that a stray write lands there and not
    /// nowhere.
    pub(crate) fn bound_bytes(&self, range: BufferRange, buffer: &wgpu::Buffer) -> u64 {
        let guards = if self.has_guards { (GUARD_WORDS * 4) as u64 } else { 0 };
        (range.size + guards).min(buffer.size() - range.offset)
    }

    /// Memory that holds `bytes` before the work that is recorded from here on.
    pub(crate) fn upload(&self, device: &OpenDevice, bytes: &[u8]) -> Rc<Allocation> {
        let allocation = self.allocate(device, bytes.len() / 4, WrittenBy::Host);
        if let Some(buffer) = self.buffer(allocation.id()).filter(|buffer| bytes.len() as u64 <= buffer.size()) {
            device.write(&buffer, bytes);
        }
        allocation
    }

    /// The same of so many numbers that come in pieces, which are sent on their way when they are [`PIECES`] bytes.
    pub(crate) fn upload_pieces<E>(
        &self,
        device: &OpenDevice,
        count: usize,
        pieces: impl Iterator<Item = Result<Vec<f32>, E>>,
    ) -> Result<Rc<Allocation>, E> {
        let allocation = self.allocate(device, count, WrittenBy::Host);
        let bytes = (count * size_of::<f32>()) as u64;
        let Some(buffer) = self.buffer(allocation.id()).filter(|buffer| bytes <= buffer.size()) else { return Ok(allocation) };
        let (mut waiting, mut written) = (Vec::new(), 0);
        let mut send = |waiting: &mut Vec<f32>| {
            device.write_at(&buffer, written, bytemuck::cast_slice(waiting));
            // What a copy is made from is let go when work is sent.
            device.queue().submit([]);
            written += size_of_val(waiting.as_slice()) as u64;
            waiting.clear();
        };
        for piece in pieces {
            waiting.extend_from_slice(&piece?);
            if size_of_val(waiting.as_slice()) >= PIECES {
                send(&mut waiting);
            }
        }
        send(&mut waiting);
        Ok(allocation)
    }

    /// Uploads a list that kernels only read, together with the others of a submission.
    pub(crate) fn upload_list(&self, device: &OpenDevice, words: &[u32]) -> Words {
        let capacity = Lists::capacity(device.largest_buffer());
        // A long list is uploaded by itself.
        if self.has_guards || words.len() > capacity / 4 {
            return Words::new(self.upload(device, bytemuck::cast_slice(words)), 0, words.len());
        }
        let added = self.lists.add(words).or_else(|| {
            self.flush_lists(device);
            self.lists.begin(self.allocate(device, capacity, WrittenBy::Host), capacity);
            self.lists.add(words)
        });
        added.unwrap_or_else(|| Words::new(self.allocate(device, words.len(), WrittenBy::Kernel), 0, words.len()))
    }

    /// A list that follows from two others, made once in a submission; `what` tells it from others that follow from them.
    pub(crate) fn derive_list(&self, device: &OpenDevice, what: &'static str, from: [&Words; 2], make: impl FnOnce() -> Vec<u32>) -> Words {
        self.lists.derived(what, from).unwrap_or_else(|| {
            let derived = self.upload_list(device, &make());
            self.lists.keep_derived(what, from, derived.clone());
            derived
        })
    }

    /// Writes the lists that kernels recorded so far read.
    pub(crate) fn flush_lists(&self, device: &OpenDevice) {
        if let Some(shared) = self.lists.take()
            && let Some(buffer) = self.buffer(shared.allocation.id())
        {
            device.write(&buffer, bytemuck::cast_slice(&shared.words));
        }
    }

    /// Forgets the lists that were derived from others.
    pub(crate) fn forget_derived(&self) {
        self.lists.forget_derived();
    }

    /// Says that everything recorded so far is being sent.
    pub(crate) fn submitted(&self) {
        self.buffers.pool.borrow_mut().submitted();
    }

    /// Gives the free buffers back to the device.
    pub(crate) fn clear(&self, device: &OpenDevice) {
        let free = self.buffers.pool.borrow_mut().clear();
        let mut by_name = self.buffers.by_name.borrow_mut();
        for (buffer, bytes) in free {
            by_name.remove(&buffer);
            device.count(|counters| counters.held_bytes -= bytes);
        }
    }

    /// The guarded buffers since the last call, each whole, with what is to be found in it.
    pub(crate) fn take_guarded(&self) -> Vec<(Tensor, Guarded)> {
        let whole = |(allocation, words): (Rc<Allocation>, usize)| {
            let shape = [1, (allocation.bytes() / 4) as usize];
            (Tensor::new(allocation, shape), Guarded { words })
        };
        self.guarded.take().into_iter().map(whole).collect()
    }
}

/// A buffer with guard words.
pub(super) struct Guarded {
    words: usize,
}

impl Guarded {
    /// Looks at the guard words among all that the buffer holds.
    ///
    /// # Errors
    /// [`BackendError::GuardOverwritten`].
    pub(crate) fn check(&self, values: &[f32]) -> Result<(), BackendError> {
        let own = (binding_size(self.words) / 4) as usize;
        match values[own..].iter().position(|value| value.to_bits() != POISON) {
            Some(word) => Err(BackendError::GuardOverwritten { words: self.words, word }),
            None => Ok(()),
        }
    }
}
