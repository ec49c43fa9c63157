//! Which buffers are free to serve again: names and sizes, without a device.
//!
//! Work is recorded in order, so a kernel may have any free buffer at once; an upload writes before the recorded work runs,
//! so it takes only buffers that were dropped before the last submission.

use std::collections::BTreeMap;

/// Name of a buffer of a `Memory`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BufferId(pub(super) u64);

/// What a buffer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum BufferUse {
    /// Kernels bind it.
    Kernels,
    /// Results are copied to it for the host.
    Readback,
}

/// Whether a buffer is written by a kernel or by the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum WrittenBy {
    Kernel,
    Host,
}

/// Free buffers by use and size.
#[derive(Default)]
pub(super) struct Pool {
    /// With the number of the submission that was being recorded when they were dropped.
    free: BTreeMap<(BufferUse, u64), Vec<(BufferId, u64)>>,
    submission: u64,
}

impl Pool {
    /// Size class of an allocation: at most a quarter more than asked for.
    pub(crate) fn class(bytes: u64) -> u64 {
        let bytes = bytes.max(256);
        let step = bytes.next_power_of_two() / 8;
        bytes.next_multiple_of(step.max(64))
    }

    /// A free buffer of exactly this class.
    pub(crate) fn take(&mut self, what_for: BufferUse, class: u64, written_by: WrittenBy) -> Option<BufferId> {
        let buffers = self.free.get_mut(&(what_for, class))?;
        let place = match written_by {
            WrittenBy::Kernel => buffers.len().checked_sub(1)?,
            WrittenBy::Host => buffers.iter().position(|&(_, dropped)| dropped < self.submission)?,
        };
        Some(buffers.swap_remove(place).0)
    }

    pub(crate) fn put(&mut self, what_for: BufferUse, class: u64, buffer: BufferId) {
        self.free.entry((what_for, class)).or_default().push((buffer, self.submission));
    }

    /// Takes all that is free, with its bytes.
    pub(crate) fn clear(&mut self) -> Vec<(BufferId, u64)> {
        let free = std::mem::take(&mut self.free).into_iter();
        free.flat_map(|((_, class), buffers)| buffers.into_iter().map(move |(buffer, _)| (buffer, class))).collect()
    }

    /// Says that everything recorded so far was sent.
    pub(crate) fn submitted(&mut self) {
        self.submission += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLASS: u64 = 1024;

    fn pool_with(buffers: impl IntoIterator<Item = u64>) -> Pool {
        let mut pool = Pool::default();
        buffers.into_iter().for_each(|buffer| pool.put(BufferUse::Kernels, CLASS, BufferId(buffer)));
        pool
    }

    #[test]
    fn a_kernel_takes_what_was_dropped_last_at_once_and_the_host_waits_for_the_submission() {
        let mut pool = pool_with([1, 2]);
        assert_eq!(pool.take(BufferUse::Kernels, CLASS, WrittenBy::Host), None);
        assert_eq!(pool.take(BufferUse::Kernels, CLASS, WrittenBy::Kernel), Some(BufferId(2)));
        pool.submitted();
        pool.put(BufferUse::Kernels, CLASS, BufferId(3));
        assert_eq!(pool.take(BufferUse::Kernels, CLASS, WrittenBy::Host), Some(BufferId(1)));
        assert_eq!(pool.take(BufferUse::Kernels, CLASS, WrittenBy::Host), None);
    }

    #[test]
    fn buffers_serve_again_for_the_same_use_and_class_alone() {
        let mut pool = pool_with([1]);
        pool.put(BufferUse::Readback, CLASS, BufferId(2));
        assert_eq!(pool.take(BufferUse::Kernels, 2 * CLASS, WrittenBy::Kernel), None);
        assert_eq!(pool.take(BufferUse::Readback, CLASS, WrittenBy::Kernel), Some(BufferId(2)));
        assert_eq!(pool.take(BufferUse::Readback, CLASS, WrittenBy::Kernel), None);
        assert_eq!(pool.clear(), [(BufferId(1), CLASS)]);
        assert!(pool.clear().is_empty());
    }

    #[test]
    fn a_class_holds_what_is_asked_for_and_at_most_a_quarter_more() {
        for bytes in [1, 256, 257, 1000, 4097, 1 << 20, (1 << 20) + 4, 123_456_789] {
            let class = Pool::class(bytes);
            assert!(class >= bytes && Pool::class(class) == class, "{bytes} bytes are of class {class}");
            assert!(class <= (bytes + bytes / 4).max(256 + 64), "{bytes} bytes take {class}");
        }
    }
}
