//! Pooling with a query (Yoon et al. 2018): `e_i = q·o_i`, α the softmax of e over an utterance's rows, `Σ α_i o_i`.

use super::{Asking, Attended, Pass, Sequence};
use crate::backend::Backend;
use crate::tape::Var;

/// What a query is called, in words, and the stream whose rows it is over: what a picture of the weights says.
pub(in crate::model) type Question<'q> = (&'q str, &'static str);

/// α `[rows, 1]` of a query `[batch, width]`, or `[1, width]` for all utterances, over a sequence `[rows, width]`.
pub(in crate::model) fn weights_of<'a, B: Backend>(
    pass: &mut Pass<'_, 'a, B>,
    (name, over): Question<'_>,
    query: &Var<B>,
    sequence: &Sequence<'a, B>,
) -> Var<B> {
    let scores = pass.tape.row_scores(&sequence.x, query, sequence.rows);
    let weights = pass.tape.segment_softmax(&scores, sequence.rows);
    pass.watch(|_| Attended {
        by: Asking::Query(name.into()),
        over,
        heads: 1,
        rows: [sequence.rows.batch(), sequence.rows.rows()],
        weights: weights.value.clone(),
    });
    weights
}

/// `[batch, width]` of a query and a sequence as above.
pub(in crate::model) fn pool<'a, B: Backend>(
    pass: &mut Pass<'_, 'a, B>,
    question: Question<'_>,
    query: &Var<B>,
    sequence: &Sequence<'a, B>,
) -> Var<B> {
    pool_by(pass, question, query, sequence, sequence)
}

/// `[batch, width]` of the rows of one sequence, weighted by what a query finds in another of the same layout.
pub(in crate::model) fn pool_by<'a, B: Backend>(
    pass: &mut Pass<'_, 'a, B>,
    question: Question<'_>,
    query: &Var<B>,
    scored: &Sequence<'a, B>,
    sequence: &Sequence<'a, B>,
) -> Var<B> {
    let weights = weights_of(pass, question, query, scored);
    pass.tape.weighted_sum(&weights, &sequence.x, sequence.rows)
}
