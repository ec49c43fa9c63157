//! Mixup: what the classifier takes of an utterance is its share of its own vector and the rest of another's (Verma et al. 2019, on the
//! pooled vectors).

use crate::backend::ops::Tokens;
use crate::backend::{Backend, Matrix, Ragged};
use crate::dataset::HostMixup;
use crate::tape::{Tape, Var};

/// How the utterances of a batch are mixed, on a device.
pub struct Mixing<B: Backend> {
    /// `[2 batch]`: each utterance's place, and after it its partner's.
    pairs: Tokens<B>,
    /// Two rows an utterance.
    rows: Ragged<B>,
    /// `[2 batch, 1]`: what each row counts.
    weights: B::Tensor,
    /// Of an utterance itself in what stands in its place; the rest is its partner's.
    pub share: f32,
    /// `[batch]`: the partners' labels.
    pub labels: B::Words,
}

impl<B: Backend> Mixing<B> {
    /// Uploads how utterances with these labels are mixed.
    pub fn upload(backend: &B, host: &HostMixup, labels: &[u32]) -> Self {
        let HostMixup { partners, share } = host;
        let pairs: Vec<u32> = (0..).zip(partners).flat_map(|(own, &partner)| [own, partner]).collect();
        let weights: Vec<f32> = partners.iter().flat_map(|_| [*share, 1.0 - share]).collect();
        let of_partners: Vec<u32> = partners.iter().map(|&partner| labels[partner as usize]).collect();
        Self {
            pairs: Tokens::new(backend, &pairs, partners.len()),
            rows: Ragged::new(backend, &vec![2; partners.len()]),
            weights: backend.upload(&weights, [weights.len(), 1]),
            share: *share,
            labels: backend.upload_words(&of_partners),
        }
    }

    /// The vectors `[batch, any]` of the utterances, mixed.
    pub(super) fn apply<'a>(&self, tape: &mut Tape<'a, B>, x: &Var<B>) -> Var<B>
    where
        B: 'a,
    {
        debug_assert_eq!(2 * x.value.rows(), self.pairs.rows);
        let weights = tape.constant(self.weights.clone());
        let pairs = tape.embedding(x, &self.pairs);
        tape.weighted_sum(&weights, &pairs, &self.rows)
    }
}
