//! Additive alignment of words with frames: `y_j = Σ_i α_ji s_i`, α_j the softmax of `tanh(p_i + w_j)` over the frames i of word j's
//! utterance; zeros where there is none. A number that is not finite stays in its utterance.
//!
//! The tangents lie in [-1, 1], so no maximum has to be taken off before the exponential.

use super::{Differentiable, Operation, Shape, Sizes};
use crate::backend::{Matrix, Ragged, Storage, Work};

/// → `[words, d]`.
pub struct AdditiveAlignment<B: Storage, T> {
    /// w, `[words, 1]`
    pub word_scores: T,
    /// p, `[frames, 1]`
    pub frame_scores: T,
    /// s, `[frames, d]`
    pub frames: T,
    /// Whose the words are.
    pub word_rows: Ragged<B>,
    /// Whose the frames are.
    pub frame_rows: Ragged<B>,
}

impl<B: Storage> AdditiveAlignment<B, Shape> {
    /// FLOP of a product over all pairs of a word and a frame: sums of frames, or a word's gradient with each frame.
    fn product(&self) -> f64 {
        let lengths = self.word_rows.lengths().zip(self.frame_rows.lengths());
        2.0 * lengths.map(|(words, frames)| f64::from(words) * f64::from(frames)).sum::<f64>() * self.frames.columns() as f64
    }

    /// Those of the operands.
    fn numbers(&self) -> usize {
        self.word_scores.len() + self.frame_scores.len() + self.frames.len()
    }

    /// Those of the result.
    fn results(&self) -> usize {
        self.word_scores.rows() * self.frames.columns()
    }
}

impl<B: Storage, T> Operation<B> for AdditiveAlignment<B, T> {
    const KERNEL: &'static str = "additive_alignment";
    type Operand = T;
    type On<U> = AdditiveAlignment<B, U>;
    type Output = B::Tensor;
    type Kept = ();

    fn map<U>(&self, form: impl FnMut(&T) -> U) -> AdditiveAlignment<B, U> {
        let [word_scores, frame_scores, frames] = [&self.word_scores, &self.frame_scores, &self.frames].map(form);
        AdditiveAlignment { word_scores, frame_scores, frames, word_rows: self.word_rows.clone(), frame_rows: self.frame_rows.clone() }
    }

    fn results(of: &AdditiveAlignment<B, Shape>, on: &B) -> (B::Tensor, ()) {
        (on.uninitialised([of.word_scores.rows(), of.frames.columns()]), ())
    }

    fn sizes(of: &AdditiveAlignment<B, Shape>) -> Sizes {
        vec![("words", of.word_scores.rows()), ("frames", of.frames.rows()), ("width", of.frames.columns())]
    }

    fn work(of: &AdditiveAlignment<B, Shape>) -> Work {
        Work::products(of.product(), of.numbers() + of.results())
    }
}

impl<B: Storage, T> Differentiable<B> for AdditiveAlignment<B, T> {
    /// The scores' gradients need `g_j · s_i` of every pair, those of the frames `Σ_j α_ji g_j`.
    fn backward_work(of: &AdditiveAlignment<B, Shape>, wanted: &AdditiveAlignment<B, bool>) -> Work {
        let products = usize::from(wanted.word_scores || wanted.frame_scores) + usize::from(wanted.frames);
        Work::products(products as f64 * of.product(), 2 * of.numbers() + of.results())
    }
}
