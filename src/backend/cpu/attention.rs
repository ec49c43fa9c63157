//! Multi-head scaled dot-product attention (6–8, 15): `o = softmax(scale · q kᵀ) v` for each utterance and head.
//!
//! The way back recomputes the weights `p = exp(scale · q·k - log_sum_exp)`: with `δ = Σ_c do·o` of a query,
//! `ds = p (do·v - δ)`, `dq = scale · ds k`, `dk = scale · dsᵀ q`, `dv = pᵀ do`. In mixed precision q, k, v and do are rounded to f16 first,
//! p and ds before they are multiplied, and the output is divided by the sum of the rounded weights.

use std::borrow::Cow;
use std::f64::consts::LN_2;
use std::ops::Range;

use super::linear::{nearest_f16, rounded};
use super::memory::{keep, unwritten};
use super::product::{View, product};
use super::wide::{highest, scale as multiply, sum_of, wide};
use super::{Cpu, CpuTensor, Real};
use crate::backend::ops::{Attention, AttentionKept, Differentiate, Run};
use crate::backend::{Matrix, Sink};
use crate::base::numbers::Precision;
use crate::base::parallel::*;

impl<T: Real> Run<Attention<Self, CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &Attention<Self, CpuTensor<T>>) -> (CpuTensor<T>, AttentionKept<CpuTensor<T>>) {
        let (queries, keys, values) = (of.queries.values(), of.keys.values(), of.values.values());
        let operands = Operands { queries: &queries, keys: &keys, values: &values };
        let (output, log_sum_exp) = forward(operands, AttentionShape::of(of));
        let output = CpuTensor::new(output, of.queries.shape());
        let log_sum_exp = CpuTensor::new(log_sum_exp, [of.queries.rows(), of.heads]);
        (output.clone(), AttentionKept { output, log_sum_exp })
    }
}

impl<T: Real> Differentiate<Attention<Self, CpuTensor<T>>> for Cpu<T> {
    fn backward(
        &self,
        of: &Attention<Self, CpuTensor<T>>,
        kept: &AttentionKept<CpuTensor<T>>,
        dy: &CpuTensor<T>,
        sinks: &Attention<Self, Option<Sink<CpuTensor<T>>>>,
    ) {
        let gradients = {
            let (queries, keys, values) = (of.queries.values(), of.keys.values(), of.values.values());
            let operands = Operands { queries: &queries, keys: &keys, values: &values };
            backward(&dy.values(), operands, &kept.output.values(), &kept.log_sum_exp.values(), AttentionShape::of(of))
        };
        for (sink, gradient) in [&sinks.queries, &sinks.keys, &sinks.values].into_iter().zip(gradients) {
            Sink::store_in(sink, gradient);
        }
    }
}

/// Which rows attend to which, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttentionShape<'a> {
    /// `[batch + 1]`
    pub query_offsets: &'a [u32],
    /// `[batch + 1]`
    pub key_offsets: &'a [u32],
    pub heads: usize,
    /// d, all heads together.
    pub width: usize,
    pub scale: f64,
    pub precision: Precision,
}

/// Queries `[query rows, d]`, keys and values `[key rows, d]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operands<'a, T> {
    pub queries: &'a [T],
    pub keys: &'a [T],
    pub values: &'a [T],
}

impl<'a, T: Real> Operands<'a, T> {
    /// Queries, keys and values as the products take them.
    fn rounded(self, precision: Precision) -> [Cow<'a, [T]>; 3] {
        [self.queries, self.keys, self.values].map(|operand| rounded(operand.into(), precision))
    }
}

/// The rows and columns of one head of one utterance.
struct Head {
    queries: Range<usize>,
    keys: Range<usize>,
    columns: Range<usize>,
    index: usize,
}

/// Returns `o: [query rows, d]` and the log-sum-exp `[query rows, heads]`.
pub(crate) fn forward<T: Real>(operands: Operands<T>, shape: AttentionShape) -> (Vec<T>, Vec<T>) {
    let heads = shape.heads();
    let [queries, keys, values] = operands.rounded(shape.precision);
    let operands = Operands { queries: &queries, keys: &keys, values: &values };
    let results: Vec<_> = heads.par_iter().with_min_len(least_heads(&heads)).map(|head| head_forward(operands, shape, head)).collect();
    let mut output = unwritten(operands.queries.len());
    let mut log_sum_exp = unwritten(operands.queries.len() / shape.width * shape.heads);
    for (head, (block, sums)) in heads.iter().zip(&results) {
        scatter(block, &mut output, shape.width, head.queries.start, head.columns.clone());
        scatter(sums, &mut log_sum_exp, shape.heads, head.queries.start, head.index..head.index + 1);
    }
    (output, log_sum_exp)
}

/// `dy, output: [query rows, d]`, `log_sum_exp: [query rows, heads]` → gradients of queries, keys and values.
pub(crate) fn backward<T: Real>(dy: &[T], operands: Operands<T>, output: &[T], log_sum_exp: &[T], shape: AttentionShape) -> [Vec<T>; 3] {
    let heads = shape.heads();
    let [queries, keys, values] = operands.rounded(shape.precision);
    let operands = Operands { queries: &queries, keys: &keys, values: &values };
    let dy = &rounded(dy.into(), shape.precision);
    let head_backward = |head: &Head| head_backward(dy, operands, output, log_sum_exp, shape, head);
    let results: Vec<_> = heads.par_iter().with_min_len(least_heads(&heads)).map(head_backward).collect();
    let mut gradients = [operands.queries, operands.keys, operands.values].map(|operand| unwritten(operand.len()));
    for (head, blocks) in heads.iter().zip(&results) {
        let first_rows = [head.queries.start, head.keys.start, head.keys.start];
        for ((gradient, block), first) in gradients.iter_mut().zip(blocks).zip(first_rows) {
            scatter(block, gradient, shape.width, first, head.columns.clone());
        }
    }
    gradients
}

/// Scores that are worth a thread of their own.
const ENOUGH: usize = 1 << 14;

/// Least heads of a thread.
fn least_heads(heads: &[Head]) -> usize {
    let scores: usize = heads.iter().map(|head| head.queries.len() * head.keys.len()).sum();
    least(scores / heads.len().max(1), ENOUGH)
}

fn head_forward<T: Real>(operands: Operands<T>, shape: AttentionShape, head: &Head) -> (Vec<T>, Vec<T>) {
    let [q, k, v] = head.views(operands, shape.width);
    let (queries, keys) = (head.queries.len(), head.keys.len());
    if keys == 0 {
        return (vec![T::zero(); queries * head.columns.len()], vec![T::neg_infinity(); queries]);
    }
    let mut weights = product(q, k.transposed());
    let scale = T::of(shape.scale);
    let (output, sums) = match shape.precision {
        Precision::F32 => {
            let sums = weights.chunks_exact_mut(keys).map(|row| softmax(row, scale)).collect();
            (product(View::new(&weights, keys), v), sums)
        }
        Precision::Mixed => {
            let sums: Vec<[T; 2]> = weights.chunks_exact_mut(keys).map(|row| rounded_weights(row, scale)).collect();
            let mut output = product(View::new(&weights, keys), v);
            for (row, [total, _]) in output.chunks_exact_mut(head.columns.len()).zip(&sums) {
                row.iter_mut().for_each(|value| *value /= *total);
            }
            (output, sums.into_iter().map(|[_, log_sum_exp]| log_sum_exp).collect())
        }
    };
    keep(weights);
    (output, sums)
}

fn head_backward<T: Real>(
    dy: &[T],
    operands: Operands<T>,
    output: &[T],
    log_sum_exp: &[T],
    shape: AttentionShape,
    head: &Head,
) -> [Vec<T>; 3] {
    let [q, k, v] = head.views(operands, shape.width);
    let keys = head.keys.len();
    if keys == 0 {
        return [vec![T::zero(); head.queries.len() * head.columns.len()], Vec::new(), Vec::new()];
    }
    let scale = T::of(shape.scale);
    let block = |values| View::new(values, shape.width).rows(head.queries.clone()).columns(head.columns.clone());
    let mut weights = product(q, k.transposed());
    let mut dscores = product(block(dy), v.transposed());
    for ((row, weights), ds) in head.queries.clone().zip(weights.chunks_exact_mut(keys)).zip(dscores.chunks_exact_mut(keys)) {
        let columns = row * shape.width + head.columns.start..row * shape.width + head.columns.end;
        let delta = dy[columns.clone()].iter().zip(&output[columns]).map(|(&dy, &o)| dy * o).sum::<T>();
        let log_sum_exp = log_sum_exp[row * shape.heads + head.index];
        match shape.precision {
            Precision::F32 => scores_back(weights, ds, [scale, log_sum_exp, delta]),
            Precision::Mixed => rounded_scores_back(weights, ds, [scale, log_sum_exp, delta]),
        }
    }
    let (p, ds) = (View::new(&weights, keys), View::new(&dscores, keys));
    let mut gradients = [product(ds, k), product(ds.transposed(), q), product(p.transposed(), block(dy))];
    if shape.precision == Precision::Mixed {
        gradients[..2].iter_mut().for_each(|gradient| multiply(gradient, scale));
    }
    keep(weights);
    keep(dscores);
    gradients
}

/// log Σ e^value, from the largest on; a NaN makes it NaN.
#[inline(always)]
pub(super) fn log_sum_exp<T: Real>(values: &[T]) -> T {
    let highest = highest(values);
    highest + sum_of(values, |value| (value - highest).exponential()).ln()
}

wide! {
    /// Replaces scores by the softmax of `scale` times them; returns its log-sum-exp.
    fn softmax<T: Real>(row: &mut [T], scale: T) -> T {
        row.iter_mut().for_each(|score| *score *= scale);
        let log_sum_exp = log_sum_exp(row);
        row.iter_mut().for_each(|score| *score = (*score - log_sum_exp).exponential());
        log_sum_exp
    }

    /// Replaces scores by their weights, and the weights' gradients `ds` by those of the scores, of one query.
    fn scores_back<T: Real>(scores: &mut [T], ds: &mut [T], query: [T; 3]) {
        let [scale, log_sum_exp, delta] = query;
        for (p, ds) in scores.iter_mut().zip(ds) {
            *p = (*p * scale - log_sum_exp).exponential();
            *ds = scale * *p * (*ds - delta);
        }
    }
}

/// Replaces scores by the weights of `scale` times them, beside a power of two and rounded to f16; returns their sum and the log-sum-exp.
fn rounded_weights<T: Real>(row: &mut [T], scale: T) -> [T; 2] {
    let ln_2 = T::of(LN_2);
    row.iter_mut().for_each(|score| *score *= scale / ln_2);
    let exponent = highest(row).ceil();
    row.iter_mut().for_each(|score| *score = nearest_f16(((*score - exponent) * ln_2).exponential()));
    let total = sum_of(row, |weight| weight);
    [total, exponent * ln_2 + total.ln()]
}

/// As [`scores_back`], but both rounded to f16, and the gradients not yet multiplied by the scale.
fn rounded_scores_back<T: Real>(scores: &mut [T], ds: &mut [T], query: [T; 3]) {
    let [scale, log_sum_exp, delta] = query;
    for (p, ds) in scores.iter_mut().zip(ds) {
        *p = (*p * scale - log_sum_exp).exponential();
        *ds = nearest_f16(*p * (*ds - delta));
        *p = nearest_f16(*p);
    }
}

/// Writes `block: [rows, columns]` into `target: [.., width]` from row `first` on.
fn scatter<T: Real>(block: &[T], target: &mut [T], width: usize, first: usize, columns: Range<usize>) {
    for (row, values) in block.chunks_exact(columns.len()).enumerate() {
        target[(first + row) * width..][columns.clone()].copy_from_slice(values);
    }
}

impl<'a> AttentionShape<'a> {
    pub(super) fn of<T: Real>(of: &'a Attention<Cpu<T>, CpuTensor<T>>) -> Self {
        Self {
            query_offsets: &of.query_rows.offsets,
            key_offsets: &of.key_rows.offsets,
            heads: of.heads,
            width: of.queries.columns(),
            scale: f64::from(of.scale),
            precision: of.precision,
        }
    }
}

impl AttentionShape<'_> {
    /// Every head of every utterance.
    fn heads(self) -> Vec<Head> {
        let rows = |pair: &[u32]| pair[0] as usize..pair[1] as usize;
        let size = self.width / self.heads;
        let utterances = self.query_offsets.windows(2).map(rows).zip(self.key_offsets.windows(2).map(rows));
        let heads = utterances.flat_map(|(queries, keys)| {
            (0..self.heads).map(move |index| Head {
                queries: queries.clone(),
                keys: keys.clone(),
                columns: index * size..(index + 1) * size,
                index,
            })
        });
        heads.collect()
    }
}

impl Head {
    /// This head's queries, keys and values.
    fn views<'a, T: Real>(&self, operands: Operands<'a, T>, width: usize) -> [View<'a, T>; 3] {
        let view = |values, rows: &Range<usize>| View::new(values, width).rows(rows.clone()).columns(self.columns.clone());
        [view(operands.queries, &self.queries), view(operands.keys, &self.keys), view(operands.values, &self.keys)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::philox::Stream;

    #[test]
    fn in_mixed_precision_results_and_gradients_are_near_those_in_f32() {
        let drawn = |stream: u64, rows: u64| -> Vec<f64> {
            let stream = Stream { seed: 1, stream };
            (0..rows * 6).map(|index| f64::from(2.0 * stream.uniform(index) - 1.0)).collect()
        };
        let [queries, keys, values, dy] = [(0, 4), (1, 7), (2, 7), (3, 4)].map(|(stream, rows)| drawn(stream, rows));
        let operands = Operands { queries: &queries, keys: &keys, values: &values };
        let computed = |precision| {
            let offsets: [&[u32]; 2] = [&[0, 3, 4], &[0, 5, 7]];
            let shape = AttentionShape { query_offsets: offsets[0], key_offsets: offsets[1], heads: 2, width: 6, scale: 0.5, precision };
            let (output, log_sum_exp) = forward(operands, shape);
            let [dq, dk, dv] = backward(&dy, operands, &output, &log_sum_exp, shape);
            [output, log_sum_exp, dq, dk, dv]
        };
        for (full, mixed) in computed(Precision::F32).iter().zip(&computed(Precision::Mixed)) {
            let apart = full.iter().zip(mixed).map(|(full, mixed)| (full - mixed).abs()).fold(0.0, f64::max);
            assert!((1e-6..2e-3).contains(&apart), "{apart}");
        }
    }

    #[test]
    fn rounded_weights_are_the_same_whatever_is_added_to_all_scores() {
        let scores = [0.3, -1.7, 2.9, 0.0, 1.1];
        let weights = |octaves: f64| {
            let mut row = scores.map(|score: f64| score + octaves * LN_2);
            let [total, log_sum_exp] = rounded_weights(&mut row, 1.0);
            assert!(row.iter().all(|&weight| weight <= 1.0 && nearest_f16(weight) == weight), "{row:?}");
            ((row, total), log_sum_exp - octaves * LN_2)
        };
        let (plain, higher) = (weights(0.0), weights(11.0));
        assert_eq!(plain.0, higher.0);
        assert!((plain.1 - higher.1).abs() < 1e-12);
        let exact = scores.iter().map(|score| score.exp()).sum::<f64>().ln();
        assert!((plain.1 - exact).abs() < 5e-4, "{} for {exact}", plain.1);
    }
}
