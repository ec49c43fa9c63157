//! Masks of frames and of columns, `x = 0` where one covers it, each utterance's own: SpecAugment without its time warping (Park et al.,
//! "SpecAugment: A simple data augmentation method for automatic speech recognition", Interspeech 2019). Exactly.

use super::{Operation, Shape, Sizes};
use crate::backend::{Matrix, Ragged, Storage, Work};

/// Changes x in place.
pub struct SpecAugment<B: Storage, T> {
    /// `[rows, columns]`
    pub x: T,
    /// Layout of x.
    pub rows: Ragged<B>,
    /// What is covered.
    pub masks: Masks<B>,
}

/// What is covered of each utterance.
pub struct Masks<B: Storage> {
    /// `[batch, frames + columns, 2]`: the first that a mask covers and the one after the last, of the utterance's frames and then of the
    /// columns.
    pub bounds: B::Words,
    /// Masks of frames that each utterance has.
    pub frames: usize,
    /// Masks of columns that each has.
    pub columns: usize,
    /// Elements that are covered, those that two masks cover twice.
    pub elements: usize,
}

impl<B: Storage> Clone for Masks<B> {
    fn clone(&self) -> Self {
        Self { bounds: self.bounds.clone(), ..*self }
    }
}

impl<B: Storage> Masks<B> {
    /// Uploads `bounds`, `[batch, frames + columns, 2]`, of sequences of the given lengths and so many columns.
    pub fn new(backend: &B, bounds: &[[u32; 2]], [frames, columns]: [usize; 2], lengths: &[u32], width: usize) -> Self {
        let words: Vec<u32> = bounds.iter().flatten().copied().collect();
        let covered = |own: &[[u32; 2]]| own.iter().map(|[first, end]| (end - first) as usize).sum::<usize>();
        let sequences = bounds.chunks_exact((frames + columns).max(1)).zip(lengths);
        let elements = sequences.map(|(own, &length)| covered(&own[..frames]) * width + covered(&own[frames..]) * length as usize).sum();
        Self { bounds: backend.upload_words(&words), frames, columns, elements }
    }
}

impl<B: Storage, T> Operation<B> for SpecAugment<B, T> {
    const KERNEL: &'static str = "spec_augment";
    const ENTRY: &'static str = "cover";
    type Operand = T;
    type On<U> = SpecAugment<B, U>;
    type Output = ();
    type Kept = ();

    fn map<U>(&self, mut form: impl FnMut(&T) -> U) -> SpecAugment<B, U> {
        SpecAugment { x: form(&self.x), rows: self.rows.clone(), masks: self.masks.clone() }
    }

    fn results(_: &SpecAugment<B, Shape>, _: &B) -> ((), ()) {
        ((), ())
    }

    fn sizes(of: &SpecAugment<B, Shape>) -> Sizes {
        vec![("count", of.x.len()), ("masks", of.masks.frames + of.masks.columns)]
    }

    /// Nothing is computed, and what is not covered is neither read nor written.
    fn work(of: &SpecAugment<B, Shape>) -> Work {
        Work::elementwise(0.0, 0, of.masks.elements)
    }
}
