//! Additive alignment of words with frames, `y_j = Σ_i α_ji s_i` with `α_ji = exp(a_ji) / Σ_i exp(a_ji)`, `a_ji = tanh(p_i + w_j)`.
//! On the way back, with g the gradient of y, `t_ji = α_ji (g_j · s_i - Σ_k α_jk g_j · s_k)(1 - a_ji²)`: `dw_j = Σ_i t_ji`,
//! `dp_i = Σ_j t_ji`, `ds_i = Σ_j α_ji g_j`.

use std::ops::Range;

use super::product::{View, product};
use super::wide::{sum_of, wide};
use super::{Cpu, CpuTensor, Real};
use crate::backend::ops::{AdditiveAlignment, Differentiate, Run};
use crate::backend::{Matrix, Sink};
use crate::base::parallel::*;

impl<T: Real> Run<AdditiveAlignment<Self, CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &AdditiveAlignment<Self, CpuTensor<T>>) -> (CpuTensor<T>, ()) {
        let operands = [&of.word_scores, &of.frame_scores, &of.frames].map(CpuTensor::values);
        let (operands, width) = (operands.each_ref().map(|values| &values[..]), of.frames.columns());
        let aligned: Vec<_> = utterances(of).par_iter().map(|utterance| forward(utterance, operands, width)).collect();
        (CpuTensor::new(aligned.concat(), [of.word_scores.rows(), width]), ())
    }
}

impl<T: Real> Differentiate<AdditiveAlignment<Self, CpuTensor<T>>> for Cpu<T> {
    fn backward(
        &self,
        of: &AdditiveAlignment<Self, CpuTensor<T>>,
        (): &(),
        dy: &CpuTensor<T>,
        sinks: &AdditiveAlignment<Self, Option<Sink<CpuTensor<T>>>>,
    ) {
        let gradients = {
            let operands = [&of.word_scores, &of.frame_scores, &of.frames, dy].map(CpuTensor::values);
            let (operands, width) = (operands.each_ref().map(|values| &values[..]), of.frames.columns());
            let parts: Vec<_> = utterances(of).par_iter().map(|utterance| backward(utterance, operands, width)).collect();
            [0, 1, 2].map(|operand| parts.iter().flat_map(|part| part[operand].iter().copied()).collect::<Vec<T>>())
        };
        for (sink, gradient) in [&sinks.word_scores, &sinks.frame_scores, &sinks.frames].into_iter().zip(gradients) {
            Sink::store_in(sink, gradient);
        }
    }
}

/// Rows of an utterance.
struct Utterance {
    words: Range<usize>,
    frames: Range<usize>,
}

fn utterances<T: Real>(of: &AdditiveAlignment<Cpu<T>, CpuTensor<T>>) -> Vec<Utterance> {
    let rows = |pair: &[u32]| pair[0] as usize..pair[1] as usize;
    let (words, frames) = (of.word_rows.offsets.windows(2), of.frame_rows.offsets.windows(2));
    words.zip(frames).map(|(words, frames)| Utterance { words: rows(words), frames: rows(frames) }).collect()
}

/// Scores of an utterance's words and of its frames, of which there is one → a and α, `[words, frames]` each.
fn weights_of<T: Real>(words: &[T], frames: &[T]) -> (Vec<T>, Vec<T>) {
    let mut tangents = vec![T::zero(); words.len() * frames.len()];
    let mut weights = tangents.clone();
    let rows = tangents.chunks_exact_mut(frames.len()).zip(weights.chunks_exact_mut(frames.len()));
    rows.zip(words).for_each(|((tangents, weights), &word)| weigh(word, frames, tangents, weights));
    (tangents, weights)
}

/// `[words, width]` of an utterance.
fn forward<T: Real>(Utterance { words, frames }: &Utterance, [word_scores, frame_scores, values]: [&[T]; 3], width: usize) -> Vec<T> {
    if frames.is_empty() {
        return vec![T::zero(); words.len() * width];
    }
    let (_, weights) = weights_of(&word_scores[words.clone()], &frame_scores[frames.clone()]);
    product(View::new(&weights, frames.len()), View::new(values, width).rows(frames.clone()))
}

/// Gradients of the scores of an utterance's words, `[words]`, of its frames, `[frames]`, and of those themselves, `[frames, width]`.
fn backward<T: Real>(utterance: &Utterance, [words, frames, values, dy]: [&[T]; 4], width: usize) -> [Vec<T>; 3] {
    let (word_count, frame_count) = (utterance.words.len(), utterance.frames.len());
    if frame_count == 0 {
        return [vec![T::zero(); word_count], Vec::new(), Vec::new()];
    }
    let (tangents, weights) = weights_of(&words[utterance.words.clone()], &frames[utterance.frames.clone()]);
    let dy = View::new(dy, width).rows(utterance.words.clone());
    let mut slopes = product(dy, View::new(values, width).rows(utterance.frames.clone()).transposed());
    let (mut dwords, mut dframes) = (Vec::with_capacity(word_count), vec![T::zero(); frame_count]);
    let rows = slopes.chunks_exact_mut(frame_count).zip(tangents.chunks_exact(frame_count)).zip(weights.chunks_exact(frame_count));
    for ((slopes, tangents), weights) in rows {
        dwords.push(slope_back(slopes, tangents, weights, &mut dframes));
    }
    [dwords, dframes, product(View::new(&weights, frame_count).transposed(), dy)]
}

wide! {
    /// Puts a word's a and α over its utterance's frames.
    fn weigh<T: Real>(word: T, frames: &[T], tangents: &mut [T], weights: &mut [T]) {
        for ((tangent, weight), &frame) in tangents.iter_mut().zip(&mut *weights).zip(frames) {
            *tangent = (frame + word).hyperbolic_tangent();
            *weight = tangent.exponential();
        }
        let total = sum_of(weights, |weight| weight);
        weights.iter_mut().for_each(|weight| *weight /= total);
    }

    /// Makes `t` of a word's `g · s_i`, adds it to the frames' gradients, and returns its sum.
    fn slope_back<T: Real>(slopes: &mut [T], tangents: &[T], weights: &[T], dframes: &mut [T]) -> T {
        let mean = slopes.iter().zip(weights).map(|(&slope, &weight)| slope * weight).sum::<T>();
        for ((slope, &tangent), &weight) in slopes.iter_mut().zip(tangents).zip(weights) {
            *slope = weight * (*slope - mean) * (T::one() - tangent * tangent);
        }
        dframes.iter_mut().zip(&*slopes).for_each(|(sum, &slope)| *sum += slope);
        sum_of(slopes, |slope| slope)
    }
}
