//! Lists that kernels only read, of which a submission has many: in one buffer, uploaded with the work recorded after them.

use std::cell::RefCell;
use std::rc::Rc;

use super::tensor::{Allocation, Words};
use crate::backend::SLICE_ALIGNMENT;

/// Words in the buffer that the lists of a submission share, where the device allows so large a one.
const SHARED_WORDS: usize = 1 << 16;

/// The lists of the work that is being recorded.
#[derive(Default)]
pub(super) struct Lists {
    shared: RefCell<Option<SharedBuffer>>,
    /// Lists that follow from two others, by what they are.
    derived: RefCell<Vec<(&'static str, [Words; 2], Words)>>,
}

/// A buffer that lists share.
pub(super) struct SharedBuffer {
    pub allocation: Rc<Allocation>,
    pub words: Vec<u32>,
    capacity: usize,
}

impl Lists {
    /// Words that the lists of a submission may have in common, in buffers of at most so many bytes.
    pub(crate) fn capacity(largest: u64) -> usize {
        (largest / 4).min(SHARED_WORDS as u64) as usize / SLICE_ALIGNMENT * SLICE_ALIGNMENT
    }

    /// Takes a list into the buffer that there is, where there is room.
    pub(crate) fn add(&self, words: &[u32]) -> Option<Words> {
        self.shared.borrow_mut().as_mut()?.add(words)
    }

    /// Begins a buffer of `capacity` words, in place of one that was taken to be uploaded.
    pub(crate) fn begin(&self, allocation: Rc<Allocation>, capacity: usize) {
        *self.shared.borrow_mut() = Some(SharedBuffer { allocation, words: Vec::new(), capacity });
    }

    /// The buffer that is to be uploaded, where there is one.
    pub(crate) fn take(&self) -> Option<SharedBuffer> {
        self.shared.borrow_mut().take()
    }

    /// A list that was made from these two before.
    pub(crate) fn derived(&self, what: &'static str, from: [&Words; 2]) -> Option<Words> {
        let same = |known: &&(&str, [Words; 2], Words)| known.0 == what && known.1.iter().zip(from).all(|(known, from)| known.is(from));
        self.derived.borrow().iter().find(same).map(|(.., derived)| derived.clone())
    }

    pub(crate) fn keep_derived(&self, what: &'static str, from: [&Words; 2], derived: Words) {
        self.derived.borrow_mut().push((what, from.map(Words::clone), derived));
    }

    /// Forgets what was derived, whose buffers may serve again.
    pub(crate) fn forget_derived(&self) {
        self.derived.borrow_mut().clear();
    }
}

impl SharedBuffer {
    fn add(&mut self, words: &[u32]) -> Option<Words> {
        let start = self.words.len().next_multiple_of(SLICE_ALIGNMENT);
        (start + words.len() <= self.capacity).then(|| {
            self.words.resize(start, 0);
            self.words.extend_from_slice(words);
            Words::new(self.allocation.clone(), start, words.len())
        })
    }
}
