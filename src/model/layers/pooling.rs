//! Pooling with a query (Yoon et al. 2018): `e_i = q·o_i`, α the softmax of e over an utterance's rows, `Σ α_i o_i`.

use super::{Pass, Sequence};
use crate::backend::Backend;
use crate::tape::Var;

/// α `[rows, 1]` of a query `[batch, width]`, or `[1, width]` for all utterances, over a sequence `[rows, width]`.
pub(in crate::model) fn weights_of<'a, B: Backend>(pass: &mut Pass<'_, 'a, B>, query: &Var<B>, sequence: &Sequence<'a, B>) -> Var<B> {
    let scores = pass.tape.row_scores(&sequence.x, query, sequence.rows);
    pass.tape.segment_softmax(&scores, sequence.rows)
}

/// `[batch, width]` of a query and a sequence as above.
pub(in crate::model) fn pool<'a, B: Backend>(pass: &mut Pass<'_, 'a, B>, query: &Var<B>, sequence: &Sequence<'a, B>) -> Var<B> {
    pool_by(pass, query, sequence, sequence)
}

/// `[batch, width]` of the rows of one sequence, weighted by what a query finds in another of the same layout.
pub(in crate::model) fn pool_by<'a, B: Backend>(
    pass: &mut Pass<'_, 'a, B>,
    query: &Var<B>,
    scored: &Sequence<'a, B>,
    sequence: &Sequence<'a, B>,
) -> Var<B> {
    let weights = weights_of(pass, query, scored);
    pass.tape.weighted_sum(&weights, &sequence.x, sequence.rows)
}
