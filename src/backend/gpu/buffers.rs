//! Buffers of a device: allocated from its pool, uploaded, cleared, guarded.

use std::rc::Rc;

use super::device::Gpu;
use super::memory::{GUARD_WORDS, Lists, POISON, Pool, Storage, Tensor, Words, WrittenBy, binding_size};
use super::recording::Command;
use crate::backend::{BackendError, Result};
use crate::base::remedy::Remedy;

impl Gpu {
    /// Bytes of the largest buffer that a kernel can bind whole.
    fn largest_buffer(&self) -> u64 {
        self.limits.max_storage_buffer_binding_size.min(self.limits.max_buffer_size)
    }

    fn allocate(&self, words: usize, written_by: WrittenBy) -> Rc<Storage> {
        let guards = if self.checking.guards() { GUARD_WORDS } else { 0 };
        let mut bytes = binding_size(words) + (guards * 4) as u64;
        let limit = self.largest_buffer();
        if bytes > limit {
            self.fail(BackendError::Limit {
                kernel: "memory",
                what: "one buffer's size in bytes",
                needed: bytes,
                limit,
                remedy: Remedy::SmallerBatch,
            });
            bytes = 256;
        }
        let class = Pool::class(bytes);
        if !self.checking.guards()
            && let Some(buffer) = self.pool.take(class, written_by)
        {
            return self.pool.storage(buffer);
        }
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: class,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.count(|counters| counters.allocated(class));
        if self.checking.guards() {
            self.queue.write_buffer(&buffer, 0, bytemuck::cast_slice(&vec![POISON; (class / 4) as usize]));
            let storage = Pool::single_use(buffer);
            self.guarded.borrow_mut().push((storage.clone(), words));
            return storage;
        }
        self.pool.storage(buffer)
    }

    pub(super) fn new_tensor(&self, shape: [usize; 2]) -> Tensor {
        Tensor::new(self.allocate(shape[0] * shape[1], WrittenBy::Kernel), shape)
    }

    pub(super) fn new_words(&self, count: usize) -> Words {
        Words::new(self.allocate(count, WrittenBy::Kernel), 0, count)
    }

    pub(super) fn upload_tensor(&self, values: &[f32], shape: [usize; 2]) -> Tensor {
        Tensor::new(self.upload_bytes(bytemuck::cast_slice(values)), shape)
    }

    /// Uploads a list that kernels only read, together with the others of a submission.
    pub(super) fn upload_list(&self, words: &[u32]) -> Words {
        let capacity = Lists::capacity(self.largest_buffer());
        // A long list is uploaded by itself.
        if self.checking.guards() || words.len() > capacity / 4 {
            return Words::new(self.upload_bytes(bytemuck::cast_slice(words)), 0, words.len());
        }
        let added = self.recording.borrow_mut().lists.as_mut().and_then(|lists| lists.add(words));
        added.unwrap_or_else(|| {
            self.upload_lists();
            let mut lists = Lists::new(capacity, |count| self.allocate(count, WrittenBy::Host));
            let added = lists.add(words);
            self.recording.borrow_mut().lists = Some(lists);
            added.unwrap_or_else(|| self.new_words(words.len()))
        })
    }

    pub(super) fn upload_lists(&self) {
        let lists = self.recording.borrow_mut().lists.take();
        if let Some(lists) = lists {
            let (buffer, bytes) = lists.upload();
            self.queue.write_buffer(buffer, 0, bytes);
            self.count(|counters| counters.uploaded(bytes.len()));
        }
    }

    /// A list that follows from two others, made once in a submission; `what` tells it from others that follow from them.
    pub(super) fn derive_list(&self, what: &'static str, from: [&Words; 2], make: impl FnOnce() -> Vec<u32>) -> Words {
        let same = |known: &&(&str, [Words; 2], Words)| known.0 == what && known.1.iter().zip(from).all(|(known, from)| known.is(from));
        let found = self.recording.borrow().derived.iter().find(same).map(|(.., derived)| derived.clone());
        found.unwrap_or_else(|| {
            let derived = self.upload_list(&make());
            self.recording.borrow_mut().derived.push((what, from.map(Words::clone), derived.clone()));
            derived
        })
    }

    fn upload_bytes(&self, bytes: &[u8]) -> Rc<Storage> {
        let storage = self.allocate(bytes.len() / 4, WrittenBy::Host);
        if bytes.len() as u64 <= storage.buffer().size() {
            self.queue.write_buffer(storage.buffer(), 0, bytes);
            self.count(|counters| counters.uploaded(bytes.len()));
        }
        storage
    }

    /// Fills a matrix with zeros, in the order of the recorded work.
    pub(super) fn clear(&self, tensor: &Tensor) {
        let range = tensor.bytes();
        if range.end <= tensor.storage.buffer().size() && !range.is_empty() {
            self.record(Command::Clear(tensor.storage.buffer().clone(), range));
        }
    }

    /// Reads the guard words of all buffers since the last call, and forgets those buffers.
    pub(super) async fn check_guards(&self) -> Result<()> {
        for (storage, words) in self.guarded.take() {
            let whole = (storage.buffer().size() / 4) as usize;
            let all = Tensor::new(storage, [1, whole]);
            let values = self.finish(self.start(&all)).await?;
            let own = (binding_size(words) / 4) as usize;
            let strayed = values[own..].iter().position(|value| value.to_bits() != POISON);
            if let Some(word) = strayed {
                return Err(BackendError::GuardOverwritten { words, word });
            }
        }
        Ok(())
    }
}
