//! Where each utterance's rows lie in a ragged matrix.

use std::rc::Rc;

use super::Storage;

/// Layout of a ragged matrix `[rows, channels]`: the sequences of a batch lie one after another, without padding.
///
/// Sequence `u` is the rows `offsets[u]..offsets[u + 1]`. The device's copies are what kernels read. A clone shares them.
pub struct Ragged<B: Storage> {
    /// `[batch + 1]`, rising from 0 to `rows`.
    pub offsets: Rc<[u32]>,
    /// The same, on the device.
    pub device_offsets: B::Words,
    /// `[rows]`: which sequence a row belongs to.
    pub owners: B::Words,
    /// What comes before, where a batch is computed in parts.
    pub preceding: Preceding,
}

/// Where a part begins within its batch; random numbers are counted from there, so that parts draw what the whole would.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Preceding {
    /// Rows before it.
    pub rows: usize,
    /// Sequences before it.
    pub sequences: usize,
}

impl<B: Storage> Clone for Ragged<B> {
    fn clone(&self) -> Self {
        let Self { offsets, device_offsets, owners, preceding } = self;
        Self { offsets: offsets.clone(), device_offsets: device_offsets.clone(), owners: owners.clone(), preceding: *preceding }
    }
}

impl<B: Storage> Ragged<B> {
    /// Lays out sequences of the given lengths, in rows.
    pub fn new(backend: &B, lengths: &[u32]) -> Self {
        let mut offsets = Vec::with_capacity(lengths.len() + 1);
        offsets.push(0);
        let mut owners = Vec::new();
        for (sequence, &length) in lengths.iter().enumerate() {
            owners.resize(owners.len() + length as usize, sequence as u32);
            offsets.push(owners.len() as u32);
        }
        Self {
            device_offsets: backend.upload_words(&offsets),
            owners: backend.upload_words(&owners),
            offsets: offsets.into(),
            preceding: Preceding::default(),
        }
    }

    /// The layout after a pool of `window` rows with stride `window`: whole windows only.
    pub fn pooled(&self, backend: &B, window: u32) -> Self {
        let lengths: Vec<u32> = self.lengths().map(|length| length / window).collect();
        Self::new(backend, &lengths)
    }

    /// Number of sequences.
    pub(crate) fn batch(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Number of rows of all sequences together.
    pub fn rows(&self) -> usize {
        self.offsets[self.batch()] as usize
    }

    /// Length of each sequence, in rows.
    pub(crate) fn lengths(&self) -> impl Iterator<Item = u32> + '_ {
        self.offsets.windows(2).map(|pair| pair[1] - pair[0])
    }

    /// Length of the longest sequence, in rows.
    pub(crate) fn longest(&self) -> usize {
        self.lengths().max().unwrap_or(0) as usize
    }
}
