//! The weights of multi-head attention by themselves: `p = softmax(scale · q kᵀ)` for each utterance and head.

use super::Real;
use super::attention::{Layout, log_sum_exp};

/// `queries: [query rows, d]`, `keys: [key rows, d]` → utterance after utterance `[heads, queries, keys]`.
pub fn forward<T: Real>(queries: &[T], keys: &[T], layout: Layout) -> Vec<T> {
    let (width, size) = (layout.width, layout.width / layout.heads);
    let scale = T::of(layout.scale);
    let rows = |pair: &[u32]| pair[0] as usize..pair[1] as usize;
    let utterances = layout.query_offsets.windows(2).map(rows).zip(layout.key_offsets.windows(2).map(rows));
    let mut weights = Vec::new();
    for (query_rows, key_rows) in utterances {
        for (head, query) in (0..layout.heads).flat_map(|head| query_rows.clone().map(move |query| (head, query))) {
            let of = |row: usize| row * width + head * size..row * width + (head + 1) * size;
            let query = &queries[of(query)];
            let score = |key: usize| scale * query.iter().zip(&keys[of(key)]).map(|(&q, &k)| q * k).sum::<T>();
            let scores: Vec<T> = key_rows.clone().map(score).collect();
            let total = log_sum_exp(&scores);
            weights.extend(scores.iter().map(|&score| (score - total).exp()));
        }
    }
    weights
}
