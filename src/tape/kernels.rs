//! The kernels of the layers as methods of the tape: each a shorter way to write [`Tape::apply`].

use super::{Gradients, Tape, Var};
use crate::backend::ops::{
    Accumulate, Attention, Bilstm, Columns, Concat, ConvPool, Directions, Dropout, Embedding, GlobalMax, Gru, GruWeights, Linear,
    LstmWeights, PositionEmbedding, ResidualNorm, RowScores, SegmentMean, SegmentSoftmax, Segments, Tokens, WeightedSum, Windows, ZScore,
};
use crate::backend::{Backend, Matrix, Ragged, Write};
use crate::base::numbers::Activation;
use crate::base::philox::Stream;

impl<'a, B: Backend> Tape<'a, B> {
    /// [`ZScore`]; features are constants, so there is no way back.
    pub fn z_score(&mut self, scores: &ZScore<B, B::Tensor>) -> Var<B> {
        self.constant(self.backend.run(scores))
    }

    /// [`Embedding`].
    pub fn embedding(&mut self, table: &Var<B>, tokens: &Tokens<B>) -> Var<B> {
        self.apply(&Embedding { table: table.clone(), tokens: tokens.clone() })
    }

    /// [`PositionEmbedding`] of sequences, side by side.
    pub fn position_embeddings(&mut self, sequences: &[(Var<B>, &Ragged<B>)]) -> Vec<Var<B>> {
        let operations: Vec<_> =
            sequences.iter().map(|(x, rows)| PositionEmbedding { x: x.value.clone(), rows: (*rows).clone() }).collect();
        let together = self.backend.forward_together(&operations);
        let ys = together.map(|results| results.into_iter().map(|(y, ())| y).collect());
        let ys: Vec<_> = ys.unwrap_or_else(|| operations.iter().map(|operation| self.backend.run(operation)).collect());
        let wanted: Vec<bool> = sequences.iter().map(|(x, _)| x.gradient.is_some()).collect();
        let outputs = self.vars_together(ys, &wanted);
        for (output, (input, _)) in outputs.iter().zip(sequences).filter(|(output, _)| output.gradient.is_some()) {
            let (slot, taken) = (output.gradient, input.clone());
            let step = move |gradients: &mut Gradients<'a, B>| {
                if let Some(dy) = gradients.take(slot) {
                    gradients.give(&taken, dy);
                }
            };
            self.keep([input], Box::new(step));
        }
        outputs
    }

    /// [`ConvPool`].
    pub fn conv_pool(
        &mut self,
        x: &Var<B>,
        input: &Ragged<B>,
        output: &Ragged<B>,
        weight: &Var<B>,
        bias: &Var<B>,
        activation: Activation,
    ) -> Var<B> {
        let [x, weight, bias] = [x, weight, bias].map(Clone::clone);
        self.apply(&ConvPool { x, weight, bias, input: input.clone(), output: output.clone(), activation })
    }

    /// [`Windows`].
    pub fn windows(&mut self, x: &Var<B>, input: &Ragged<B>, output: &Ragged<B>, size: usize) -> Var<B> {
        self.apply(&Windows { x: x.clone(), input: input.clone(), output: output.clone(), size })
    }

    /// [`Linear`].
    pub fn linear(&mut self, x: &Var<B>, weight: &Var<B>, bias: Option<&Var<B>>, activation: Activation) -> Var<B> {
        let precision = self.precision;
        self.apply(&Linear { x: x.clone(), weight: weight.clone(), bias: bias.cloned(), activation, precision })
    }

    /// [`Bilstm`].
    pub fn bilstm(&mut self, x: &Var<B>, rows: &Ragged<B>, weights: &LstmWeights<Var<B>>, directions: Directions) -> Var<B> {
        let precision = self.precision;
        self.apply(&Bilstm { x: x.clone(), weights: weights.clone(), rows: rows.clone(), precision, directions })
    }

    /// [`Gru`].
    pub fn gru(&mut self, x: &Var<B>, rows: &Ragged<B>, weights: &GruWeights<Var<B>>) -> Var<B> {
        let precision = self.precision;
        self.apply(&Gru { x: x.clone(), weights: weights.clone(), rows: rows.clone(), precision })
    }

    /// [`Attention`].
    #[allow(clippy::too_many_arguments, reason = "an attention has three operands, two layouts and two numbers")]
    pub fn attention(
        &mut self,
        queries: &Var<B>,
        keys: &Var<B>,
        values: &Var<B>,
        query_rows: &Ragged<B>,
        key_rows: &Ragged<B>,
        heads: usize,
        scale: f32,
    ) -> Var<B> {
        let [queries, keys, values] = [queries, keys, values].map(Clone::clone);
        let ([query_rows, key_rows], precision) = ([query_rows, key_rows].map(Ragged::clone), self.precision);
        self.apply(&Attention { queries, keys, values, query_rows, key_rows, heads, scale, precision })
    }

    /// [`ResidualNorm`].
    pub fn residual_norm(&mut self, x: &Var<B>, residual: &Var<B>, scale: &Var<B>, shift: &Var<B>) -> Var<B> {
        let [x, residual, scale, shift] = [x, residual, scale, shift].map(Clone::clone);
        self.apply(&ResidualNorm { x, residual, scale, shift })
    }

    /// [`GlobalMax`].
    pub fn global_max(&mut self, streams: &[(Var<B>, &Ragged<B>)]) -> Var<B> {
        self.apply(&GlobalMax { streams: streams.iter().map(|(x, rows)| (x.clone(), (*rows).clone())).collect() })
    }

    /// [`SegmentMean`].
    pub fn segment_mean(&mut self, x: &Var<B>, segments: &Segments<B>) -> Var<B> {
        self.apply(&SegmentMean { x: x.clone(), segments: segments.clone() })
    }

    /// [`RowScores`].
    pub fn row_scores(&mut self, x: &Var<B>, query: &Var<B>, rows: &Ragged<B>) -> Var<B> {
        self.apply(&RowScores { x: x.clone(), query: query.clone(), rows: rows.clone() })
    }

    /// [`SegmentSoftmax`].
    pub fn segment_softmax(&mut self, x: &Var<B>, rows: &Ragged<B>) -> Var<B> {
        self.apply(&SegmentSoftmax { x: x.clone(), rows: rows.clone() })
    }

    /// [`WeightedSum`].
    pub fn weighted_sum(&mut self, weights: &Var<B>, x: &Var<B>, rows: &Ragged<B>) -> Var<B> {
        self.apply(&WeightedSum { weights: weights.clone(), x: x.clone(), rows: rows.clone() })
    }

    /// [`Concat`].
    pub fn concat(&mut self, parts: &[&Var<B>]) -> Var<B> {
        self.apply(&Concat { parts: parts.iter().map(|&part| part.clone()).collect() })
    }

    /// [`Columns`].
    pub fn columns(&mut self, x: &Var<B>, first: usize, columns: usize) -> Var<B> {
        self.apply(&Columns { x: x.clone(), first, columns })
    }

    /// `a + b`, of one shape.
    pub fn add(&mut self, a: &Var<B>, b: &Var<B>) -> Var<B> {
        let backend = self.backend;
        let sum = backend.uninitialised(a.value.shape());
        for (x, write) in [(a, Write::Set), (b, Write::Add)] {
            backend.run(&Accumulate { x: x.value.clone(), sum: sum.clone(), write });
        }
        let inputs = [a.clone(), b.clone()];
        self.record(sum, &inputs.clone(), move |gradients, dy| {
            let [a, b] = &inputs;
            if let Some(sink) = gradients.sink(b) {
                backend.run(&Accumulate { x: dy.clone(), sum: sink.tensor, write: sink.write });
            }
            gradients.give(a, dy);
        })
    }

    /// A constant of the same value: no gradient passes.
    pub fn detach(&self, x: &Var<B>) -> Var<B> {
        self.constant(x.value.clone())
    }

    /// [`Dropout`], its own gradient.
    pub fn dropout(&mut self, x: &Var<B>, rate: f32, stream: Stream, first: usize) -> Var<B> {
        let (backend, input) = (self.backend, x.clone());
        let kept = move |x: B::Tensor| backend.run(&Dropout { x, rate, stream, first });
        self.record(kept(x.value.clone()), std::slice::from_ref(x), move |gradients, dy| gradients.give(&input, kept(dy)))
    }
}
