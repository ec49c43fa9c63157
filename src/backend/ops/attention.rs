//! Multi-head scaled dot-product attention (6–8, 15): each head of each query row attends to the key rows of its own utterance:
//! `softmax(scale · q kᵀ) v`. Heads are the column blocks `h·d_k..(h+1)·d_k`. No key: a zero row.
//!
//! In mixed precision q, k, v and the output's gradient are rounded to f16, and so are the weights and the gradients of the scores before they
//! are multiplied; sums, the softmax and what a query keeps are f32, as in FlashAttention. Weights are rounded beside the power of two
//! that bounds their query's largest, so that the order of the keys means nothing: `2^(s log₂e - ⌈max s log₂e⌉)`.
//!
//! Finite scores of any size; a score of -inf has the weight 0, one of +inf makes NaN, but on SwiftShader in a browser, where the gradient of
//! the values has 0 in its place; a query needs one score above -inf.

use super::{Differentiable, Operation, Shape, Sizes};
use crate::backend::{Matrix, Ragged, Storage, Work};
use crate::base::numbers::Precision;

/// → `[query rows, d]`.
pub struct Attention<B: Storage, T> {
    /// `[query rows, d]`
    pub queries: T,
    /// `[key rows, d]`
    pub keys: T,
    /// `[key rows, d]`
    pub values: T,
    /// Whose the queries are.
    pub query_rows: Ragged<B>,
    /// Whose the keys and values are.
    pub key_rows: Ragged<B>,
    /// Number of heads; d_k = d / heads.
    pub heads: usize,
    /// What the products q·k are multiplied with, 1/√d_k by default.
    pub scale: f32,
    /// Of the factors of its products.
    pub precision: Precision,
}

/// What the way back needs of the way forward.
#[derive(Debug, Clone)]
pub struct AttentionKept<T> {
    /// `[query rows, d]`
    pub output: T,
    /// `[query rows, heads]`: log Σ exp(scale · q·k).
    pub log_sum_exp: T,
}

impl<B: Storage, T> Attention<B, T> {
    /// Where each utterance's weights start in [`super::AttentionWeights`], and, last, how many there are: `[batch + 1]`.
    pub fn weight_offsets(&self) -> Vec<usize> {
        let mut offsets = vec![0];
        for (queries, keys) in self.query_rows.lengths().zip(self.key_rows.lengths()) {
            offsets.push(offsets[offsets.len() - 1] + self.heads * queries as usize * keys as usize);
        }
        offsets
    }
}

impl<B: Storage> Attention<B, Shape> {
    /// FLOP of one product over all pairs of a query and a key: scores, or what is weighted by them.
    pub fn product(&self) -> f64 {
        let lengths = self.query_rows.lengths().zip(self.key_rows.lengths());
        2.0 * lengths.map(|(queries, keys)| f64::from(queries) * f64::from(keys)).sum::<f64>() * self.queries.columns() as f64
    }
}

impl<B: Storage, T> Operation<B> for Attention<B, T> {
    const KERNEL: &'static str = "attention";
    type Operand = T;
    type On<U> = Attention<B, U>;
    type Output = B::Tensor;
    type Kept = AttentionKept<B::Tensor>;

    fn map<U>(&self, form: impl FnMut(&T) -> U) -> Attention<B, U> {
        let &Self { heads, scale, precision, .. } = self;
        let [queries, keys, values] = [&self.queries, &self.keys, &self.values].map(form);
        let [query_rows, key_rows] = [&self.query_rows, &self.key_rows].map(Ragged::clone);
        Attention { queries, keys, values, query_rows, key_rows, heads, scale, precision }
    }

    fn results(of: &Attention<B, Shape>, on: &B) -> (B::Tensor, AttentionKept<B::Tensor>) {
        let output = on.uninitialised(of.queries.shape());
        (output.clone(), AttentionKept { output, log_sum_exp: on.uninitialised([of.queries.rows(), of.heads]) })
    }

    fn sizes(of: &Attention<B, Shape>) -> Sizes {
        let (queries, keys) = (of.queries.rows(), of.keys.rows());
        vec![("query_rows", queries), ("key_rows", keys), ("width", of.queries.columns()), ("heads", of.heads)]
    }

    /// Scores and weighted sums.
    fn work(of: &Attention<B, Shape>) -> Work {
        Work::products(2.0 * of.product(), 2 * (of.queries.len() + of.keys.len()))
    }
}

impl<B: Storage, T> Differentiable<B> for Attention<B, T> {
    /// `dP = dO vᵀ`, `dv = Pᵀ dO`, `dq = dS k`, `dk = dSᵀ q`: one of the four without queries, keys or values that want none.
    fn backward_work(of: &Attention<B, Shape>, wanted: &Attention<B, bool>) -> Work {
        let scores = usize::from(wanted.queries || wanted.keys);
        let products = scores + [wanted.queries, wanted.keys, wanted.values].map(usize::from).iter().sum::<usize>();
        Work::products(products as f64 * of.product(), 4 * (of.queries.len() + of.keys.len()))
    }
}
