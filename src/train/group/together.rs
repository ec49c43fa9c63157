//! A group in a training.

use std::cell::Cell;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Group, GroupError, Message};
use crate::config::Sum;

/// A group in a training: the sums and agreements that a step and an epoch need.
#[derive(Debug)]
pub(crate) struct Together<'g> {
    group: &'g dyn Group,
    sum: Sum,
    /// What this rank is told by its user.
    wish: Option<&'g AtomicBool>,
    /// Whether any rank was told to stop, as of the last exchange: all know the same.
    is_stop_wished: Cell<bool>,
    /// A page has no other ranks, and its library nothing of what they would do: with this no group can be made there.
    #[cfg(target_arch = "wasm32")]
    nowhere: std::convert::Infallible,
}

impl<'g> Together<'g> {
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn new(group: &'g dyn Group, sum: Sum, wish: Option<&'g AtomicBool>) -> Self {
        Self { group, sum, wish, is_stop_wished: Cell::new(false) }
    }

    /// Whether this rank writes the run's files.
    pub(crate) fn is_first(&self) -> bool {
        self.group.rank() == 0
    }

    pub(crate) fn size(&self) -> usize {
        self.group.size()
    }

    pub(crate) fn is_stop_wished(&self) -> bool {
        self.is_stop_wished.get()
    }

    pub(crate) fn bucket(&self) -> usize {
        self.group.bucket()
    }

    /// Whether gradients are added by the group's own sum, in no order of its parts.
    pub(crate) fn adds_fast(&self) -> bool {
        self.sum == Sum::Fastest && self.group.adds_fast()
    }

    /// Which of `count` things in a row this rank takes.
    pub(crate) fn own(&self, count: usize) -> Range<usize> {
        self.share(self.group.rank(), count)
    }

    /// Which of them a rank takes: as evenly as can be, in the order of ranks.
    pub(crate) fn share(&self, rank: usize, count: usize) -> Range<usize> {
        let size = self.group.size();
        rank * count / size..(rank + 1) * count / size
    }

    fn exchange(&self, mut own: Message) -> Result<Vec<Vec<u8>>, GroupError> {
        let wish = u8::from(self.wish.is_some_and(|wish| wish.load(Ordering::Relaxed)));
        match &mut own {
            Message::ToAll(bytes) => bytes.push(wish),
            Message::ToEach(all) => all.iter_mut().for_each(|bytes| bytes.push(wish)),
        }
        let mut all = self.group.exchange(Ok(own))?;
        let wishes: Vec<bool> = all.iter_mut().map(|bytes| bytes.pop() == Some(1)).collect();
        self.is_stop_wished.set(self.is_stop_wished.get() || wishes.contains(&true));
        Ok(all)
    }

    /// What each rank gives all, in the order of ranks.
    pub(crate) fn gather(&self, own: Vec<u8>) -> Result<Vec<Vec<u8>>, GroupError> {
        self.exchange(Message::ToAll(own))
    }

    /// The same of numbers, one after the other.
    pub(crate) fn gather_values(&self, own: &[f32]) -> Result<Vec<f32>, GroupError> {
        self.group.gather_values(own)
    }

    /// What each rank gives this one, one after the other in the order of ranks, where this one gives each its stretch of so many.
    pub(crate) fn exchange_values(&self, own: &[f32], lengths: &[usize]) -> Result<Vec<f32>, GroupError> {
        self.group.exchange_values(own, lengths)
    }

    /// The sum over all ranks in whatever order is the fastest, where they are to be added so.
    pub(crate) fn add_fast(&self, own: &[f32]) -> Result<Option<Vec<f32>>, GroupError> {
        if self.adds_fast() { self.group.add_fast(own) } else { Ok(None) }
    }

    /// Compares a hash of the weights after so many steps.
    pub(crate) fn agree_on_weights(&self, hash: u64, step: u64) -> Result<(), GroupError> {
        let all = self.gather(hash.to_le_bytes().to_vec())?;
        match all.iter().position(|other| *other != all[0]) {
            Some(rank) => Err(GroupError::Weights { rank, step }),
            None => Ok(()),
        }
    }
}
