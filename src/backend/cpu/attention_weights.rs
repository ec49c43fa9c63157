//! The weights of multi-head attention by themselves: `p = softmax(scale · q kᵀ)` for each utterance and head.

use super::attention::{AttentionShape, log_sum_exp};
use super::{Cpu, CpuTensor, Real};
use crate::backend::ops::{AttentionWeights, Run};

impl<T: Real> Run<AttentionWeights<Self, CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, AttentionWeights(of): &AttentionWeights<Self, CpuTensor<T>>) -> (CpuTensor<T>, ()) {
        let weights = forward(&of.queries.values(), &of.keys.values(), AttentionShape::of(of));
        let count = weights.len();
        (CpuTensor::new(weights, [count, 1]), ())
    }
}

/// `queries: [query rows, d]`, `keys: [key rows, d]` → utterance after utterance `[heads, queries, keys]`.
pub(crate) fn forward<T: Real>(queries: &[T], keys: &[T], shape: AttentionShape) -> Vec<T> {
    let (width, size) = (shape.width, shape.width / shape.heads);
    let scale = T::of(shape.scale);
    let rows = |pair: &[u32]| pair[0] as usize..pair[1] as usize;
    let utterances = shape.query_offsets.windows(2).map(rows).zip(shape.key_offsets.windows(2).map(rows));
    let mut weights = Vec::new();
    for (query_rows, key_rows) in utterances {
        for (head, query) in (0..shape.heads).flat_map(|head| query_rows.clone().map(move |query| (head, query))) {
            let of = |row: usize| row * width + head * size..row * width + (head + 1) * size;
            let query = &queries[of(query)];
            let score = |key: usize| scale * query.iter().zip(&keys[of(key)]).map(|(&q, &k)| q * k).sum::<T>();
            let scores: Vec<T> = key_rows.clone().map(score).collect();
            let total = log_sum_exp(&scores);
            weights.extend(scores.iter().map(|&score| (score - total).exponential()));
        }
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::super::attention;
    use super::*;
    use crate::base::numbers::Precision;
    use crate::base::philox::Stream;

    #[test]
    fn the_values_under_these_weights_are_what_attention_gives() {
        let shape = AttentionShape {
            query_offsets: &[0, 3, 4],
            key_offsets: &[0, 5, 7],
            heads: 2,
            width: 6,
            scale: 0.5,
            precision: Precision::F32,
        };
        let drawn = |stream: u64, rows: u64| -> Vec<f64> {
            let stream = Stream { seed: 1, stream };
            (0..rows * 6).map(|index| f64::from(2.0 * stream.uniform(index) - 1.0)).collect()
        };
        let (queries, keys, values) = (drawn(0, 4), drawn(1, 7), drawn(2, 7));
        let weights = forward(&queries, &keys, shape);
        let operands = attention::Operands { queries: &queries, keys: &keys, values: &values };
        let (expected, _) = attention::forward(operands, shape);
        assert_eq!(weights.len(), 2 * 3 * 5 + 2 * 2);
        let mut rest = &weights[..];
        for (query_rows, key_rows) in [(0..3, 0..5), (3..4, 5..7)] {
            for (head, query) in (0..2).flat_map(|head| query_rows.clone().map(move |query| (head, query))) {
                let (own, others) = rest.split_at(key_rows.len());
                rest = others;
                assert!((own.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                for column in 3 * head..3 * head + 3 {
                    let sum: f64 = own.iter().zip(key_rows.clone()).map(|(weight, key)| weight * values[key * 6 + column]).sum();
                    assert!((sum - expected[query * 6 + column]).abs() < 1e-12, "row {query}, column {column}");
                }
            }
        }
    }
}
