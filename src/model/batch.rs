//! A batch on a device.

use crate::backend::ops::{GroupStatistics, Tokens};
use crate::backend::{Backend, Ragged};
use crate::base::numbers::POOL;

/// Some utterances, one after the other, as the network reads them.
pub struct Batch<B: Backend> {
    /// `[frames, coefficients]`, before normalisation.
    pub features: B::Tensor,
    /// Rows of the features, after the first pool, after the second.
    pub frames: [Ragged<B>; 3],
    pub normalisation: GroupStatistics<B>,
    pub tokens: Tokens<B>,
    /// Rows of the tokens.
    pub words: Ragged<B>,
    /// The frozen word vectors, `[words, width]`; without a row where the table is trained.
    pub vectors: B::Tensor,
    /// `[batch]`: index into the classes.
    pub labels: B::Words,
}

/// Layouts of the acoustic rows before, between and after the two pools.
pub fn acoustic_rows<B: Backend>(backend: &B, frame_counts: &[u32]) -> [Ragged<B>; 3] {
    let frames = Ragged::new(backend, frame_counts);
    let pooled = frames.pooled(backend, POOL);
    let rows = pooled.pooled(backend, POOL);
    [frames, pooled, rows]
}
