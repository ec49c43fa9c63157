//! What each call is told to take: its sizes, its FLOP and the numbers that it moves.

use std::future::Future;

use super::Timed;
use super::within::{filter_within, on_inputs, tokens_within, within};
use crate::backend::MfccTables;
use crate::backend::{
    AdamStep, AttentionInputs, AttentionSaved, Backend, BackendError, ConvPoolSaved, ConvPoolSinks, DeltaFilter, LstmSaved, LstmWeights,
    Matrix, NormSaved, NormSinks, Ragged, Result, Sink, StepSize, Tokens, ZScore,
};
use crate::base::numbers::{Activation, Precision};
use crate::base::philox::Stream;

impl<B: Backend> Backend for Timed<B> {
    type Element = B::Element;
    type Tensor = B::Tensor;
    type Words = B::Words;
    type Readback = B::Readback;

    fn device_name(&self) -> String {
        self.inner.device_name()
    }

    fn upload(&self, values: &[f32], shape: [usize; 2]) -> B::Tensor {
        self.inner.upload(values, shape)
    }

    fn upload_words(&self, words: &[u32]) -> B::Words {
        self.inner.upload_words(words)
    }

    fn zeros(&self, shape: [usize; 2]) -> B::Tensor {
        self.inner.zeros(shape)
    }

    fn uninitialised(&self, shape: [usize; 2]) -> B::Tensor {
        self.inner.uninitialised(shape)
    }

    fn submit(&self) {
        self.inner.submit();
    }

    fn start_read(&self, tensor: &B::Tensor) -> B::Readback {
        self.inner.start_read(tensor)
    }

    fn finish_read(&self, readback: B::Readback) -> impl Future<Output = Result<Vec<B::Element>>> {
        self.inner.finish_read(readback)
    }

    fn failure(&self) -> Option<BackendError> {
        self.inner.failure()
    }

    fn recover(&self) {
        self.inner.recover();
    }

    fn verify(&self) -> impl Future<Output = Result<()>> {
        self.inner.verify()
    }

    fn mfcc(&self, samples: &B::Tensor, utterances: &Ragged<Self>, frames: &Ragged<Self>, tables: &MfccTables<Self>) -> B::Tensor {
        let settings = &tables.settings;
        let (count, transform) = (frames.rows(), settings.transform as f64);
        let cepstra = count * settings.coefficients;
        let flop = count as f64 * 5.0 * transform * transform.log2() + 2.0 * (cepstra * settings.mel_bands) as f64;
        let sizes = [("frames", count), ("transform", settings.transform), ("mel_bands", settings.mel_bands)];
        self.time(["mfcc", "forward"], &sizes, flop, samples.len() + cepstra, || {
            let tables = MfccTables::<B> {
                settings: settings.clone(),
                window: tables.window.clone(),
                twiddles: tables.twiddles.clone(),
                mel: tables.mel.clone(),
                mel_ranges: tables.mel_ranges.clone(),
                dct: tables.dct.clone(),
                deltas: tables.deltas.as_ref().map(filter_within),
            };
            self.inner.mfcc(samples, &within(utterances), &within(frames), &tables)
        })
    }

    fn deltas(&self, x: &B::Tensor, frames: &Ragged<Self>, filter: &DeltaFilter<Self>) -> B::Tensor {
        let results = x.len() * (1 + filter.orders);
        let flop = 2.0 * filter.taps.columns() as f64;
        self.time_elementwise(["deltas", "forward"], results, flop, x.len() + results, || {
            self.inner.deltas(x, &within(frames), &filter_within(filter))
        })
    }

    fn z_score(&self, x: &B::Tensor, rows: &Ragged<Self>, statistics: &ZScore<Self>) -> B::Tensor {
        self.time_elementwise(["z_score", "forward"], x.len(), 2.0, 2 * x.len(), || {
            let statistics = ZScore::<B> {
                groups: statistics.groups.clone(),
                mean: statistics.mean.clone(),
                reciprocal_deviation: statistics.reciprocal_deviation.clone(),
            };
            self.inner.z_score(x, &within(rows), &statistics)
        })
    }

    fn embedding(&self, table: &B::Tensor, tokens: &Tokens<Self>) -> B::Tensor {
        let count = tokens.rows * table.columns();
        self.time_elementwise(["embedding", "forward"], count, 1.0, tokens.rows + 2 * count, || {
            self.inner.embedding(table, &tokens_within(tokens))
        })
    }

    fn embedding_backward(&self, dy: &B::Tensor, tokens: &Tokens<Self>, table: &Sink<B::Tensor>) {
        let count = dy.len() + table.tensor.len();
        self.time_elementwise(["embedding", "backward"], count, 1.0, tokens.rows + count, || {
            self.inner.embedding_backward(dy, &tokens_within(tokens), table);
        });
    }

    fn position_embedding(&self, x: &B::Tensor, rows: &Ragged<Self>) -> B::Tensor {
        self.time_elementwise(["position_embedding", "forward"], x.len(), 1.0, 2 * x.len(), || {
            self.inner.position_embedding(x, &within(rows))
        })
    }

    fn accumulate(&self, x: &B::Tensor, sink: &Sink<B::Tensor>) {
        self.time_elementwise(["accumulate", "accumulate"], x.len(), 1.0, 3 * x.len(), || self.inner.accumulate(x, sink));
    }

    fn conv_pool(
        &self,
        x: &B::Tensor,
        input: &Ragged<Self>,
        output: &Ragged<Self>,
        weight: &B::Tensor,
        bias: &B::Tensor,
        activation: Activation,
    ) -> (B::Tensor, B::Words) {
        let (sizes, flop) = product(input.rows(), weight);
        let numbers = x.len() + weight.len() + output.rows() * weight.rows();
        self.time(["conv_pool", "forward"], &sizes, flop, numbers, || {
            self.inner.conv_pool(x, &within(input), &within(output), weight, bias, activation)
        })
    }

    fn conv_pool_backward(&self, dy: &B::Tensor, forward: &ConvPoolSaved<Self>, sinks: &ConvPoolSinks<B::Tensor>) {
        let (sizes, flop) = product(forward.input.rows(), forward.weight);
        let ways = if sinks.x.is_some() { 2 } else { 1 };
        let numbers = 2 * dy.len() + ways * (forward.x.len() + forward.weight.len());
        self.time(["conv_pool", "backward"], &sizes, ways as f64 * flop, numbers, || {
            let (input, output) = (within(forward.input), within(forward.output));
            let ConvPoolSaved { x, y, winners, weight, activation, .. } = *forward;
            self.inner.conv_pool_backward(dy, &ConvPoolSaved { x, y, winners, input: &input, output: &output, weight, activation }, sinks);
        });
    }

    fn linear(
        &self,
        x: &B::Tensor,
        weight: &B::Tensor,
        bias: Option<&B::Tensor>,
        activation: Activation,
        precision: Precision,
    ) -> B::Tensor {
        let (sizes, flop) = product(x.rows(), weight);
        let numbers = x.len() + weight.len() + x.rows() * weight.rows();
        self.time(["linear", "forward"], &sizes, flop, numbers, || self.inner.linear(x, weight, bias, activation, precision))
    }

    fn linear_backward_input(
        &self,
        dy: &B::Tensor,
        gate: Option<&B::Tensor>,
        weight: &B::Tensor,
        dx: &Sink<B::Tensor>,
        precision: Precision,
    ) {
        let (sizes, flop) = product(dy.rows(), weight);
        let numbers = dy.len() + weight.len() + dx.tensor.len();
        self.time(["linear", "backward_input"], &sizes, flop, numbers, || {
            self.inner.linear_backward_input(dy, gate, weight, dx, precision)
        });
    }

    fn linear_backward_weight(
        &self,
        dy: &B::Tensor,
        gate: Option<&B::Tensor>,
        x: &B::Tensor,
        weight: &Sink<B::Tensor>,
        bias: Option<&Sink<B::Tensor>>,
        precision: Precision,
    ) {
        let (sizes, flop) = product(dy.rows(), &weight.tensor);
        let numbers = dy.len() + weight.tensor.len() + x.len();
        self.time(["linear", "backward_weight"], &sizes, flop, numbers, || {
            self.inner.linear_backward_weight(dy, gate, x, weight, bias, precision)
        });
    }

    fn bilstm(
        &self,
        x: &B::Tensor,
        rows: &Ragged<Self>,
        weights: &LstmWeights<B::Tensor>,
        precision: Precision,
    ) -> (B::Tensor, LstmSaved<B::Tensor>) {
        let hidden = weights.recurrent.columns();
        let (_, input) = product(x.rows(), &weights.input);
        let (_, recurrent) = product(x.rows(), &weights.recurrent);
        let sizes = [("rows", x.rows()), ("inputs", x.columns()), ("hidden", hidden)];
        let numbers = x.len() + weights.input.len() + weights.recurrent.len() + 13 * hidden * x.rows();
        self.time(["bilstm", "forward"], &sizes, input + recurrent, numbers, || self.inner.bilstm(x, &within(rows), weights, precision))
    }

    fn bilstm_backward(
        &self,
        dy: &B::Tensor,
        x: &B::Tensor,
        rows: &Ragged<Self>,
        weights: &LstmWeights<B::Tensor>,
        saved: &LstmSaved<B::Tensor>,
        dx: Option<&Sink<B::Tensor>>,
        gradients: &LstmWeights<Sink<B::Tensor>>,
        precision: Precision,
    ) {
        let hidden = weights.recurrent.columns();
        let (_, input) = product(x.rows(), &weights.input);
        let (_, recurrent) = product(x.rows(), &weights.recurrent);
        let ways = if dx.is_some() { 2.0 } else { 1.0 };
        let sizes = [("rows", x.rows()), ("inputs", x.columns()), ("hidden", hidden)];
        let numbers = 2 * (x.len() + weights.input.len() + weights.recurrent.len()) + 13 * hidden * x.rows();
        self.time(["bilstm", "backward"], &sizes, ways * input + 2.0 * recurrent, numbers, || {
            self.inner.bilstm_backward(dy, x, &within(rows), weights, saved, dx, gradients, precision);
        });
    }

    fn attention(&self, inputs: &AttentionInputs<Self>) -> AttentionSaved<B::Tensor> {
        let numbers = 2 * (inputs.queries.len() + inputs.keys.len());
        self.time(["attention", "forward"], &attention_sizes(inputs), 2.0 * pairs(inputs), numbers, || {
            on_inputs(inputs, |inputs| self.inner.attention(inputs))
        })
    }

    fn attention_backward(
        &self,
        dy: &B::Tensor,
        inputs: &AttentionInputs<Self>,
        saved: &AttentionSaved<B::Tensor>,
        sinks: [&Sink<B::Tensor>; 3],
    ) {
        let numbers = 4 * (inputs.queries.len() + inputs.keys.len());
        self.time(["attention", "backward"], &attention_sizes(inputs), 5.0 * pairs(inputs), numbers, || {
            on_inputs(inputs, |inputs| self.inner.attention_backward(dy, inputs, saved, sinks));
        });
    }

    fn attention_weights(&self, inputs: &AttentionInputs<Self>) -> B::Tensor {
        let weights = inputs.weight_offsets().last().copied().unwrap_or(0);
        let numbers = inputs.queries.len() + inputs.keys.len() + weights;
        self.time(["attention_weights", "forward"], &attention_sizes(inputs), pairs(inputs), numbers, || {
            on_inputs(inputs, |inputs| self.inner.attention_weights(inputs))
        })
    }

    fn residual_norm(
        &self,
        x: &B::Tensor,
        residual: &B::Tensor,
        scale: &B::Tensor,
        shift: &B::Tensor,
    ) -> (B::Tensor, NormSaved<B::Tensor>) {
        self.time_elementwise(["residual_norm", "forward"], x.len(), 9.0, 4 * x.len(), || {
            self.inner.residual_norm(x, residual, scale, shift)
        })
    }

    fn residual_norm_backward(&self, dy: &B::Tensor, scale: &B::Tensor, saved: &NormSaved<B::Tensor>, sinks: &NormSinks<B::Tensor>) {
        self.time_elementwise(["residual_norm", "backward"], dy.len(), 13.0, 4 * dy.len(), || {
            self.inner.residual_norm_backward(dy, scale, saved, sinks);
        });
    }

    fn global_max(&self, streams: &[(&B::Tensor, &Ragged<Self>)]) -> (B::Tensor, B::Words) {
        let count = streams.iter().map(|(x, _)| x.len()).sum();
        self.time_elementwise(["global_max", "forward"], count, 1.0, count, || {
            let rows: Vec<Ragged<B>> = streams.iter().map(|(_, rows)| within(rows)).collect();
            let streams: Vec<_> = streams.iter().zip(&rows).map(|((x, _), rows)| (*x, rows)).collect();
            self.inner.global_max(&streams)
        })
    }

    fn global_max_backward(&self, dy: &B::Tensor, winners: &B::Words, rows: &Ragged<Self>, column: usize, dx: &Sink<B::Tensor>) {
        let count = dx.tensor.len();
        self.time_elementwise(["global_max", "backward"], count, 1.0, count, || {
            self.inner.global_max_backward(dy, winners, &within(rows), column, dx);
        });
    }

    fn cross_entropy(
        &self,
        logits: &B::Tensor,
        labels: &B::Words,
        class_weights: &B::Tensor,
        smoothing: f32,
        total_weight: Option<f32>,
        scaling: &B::Tensor,
    ) -> (B::Tensor, B::Tensor) {
        self.time_elementwise(["cross_entropy", "forward"], logits.len(), 20.0, 2 * logits.len(), || {
            self.inner.cross_entropy(logits, labels, class_weights, smoothing, total_weight, scaling)
        })
    }

    fn dropout(&self, x: &B::Tensor, rate: f32, stream: Stream, first: usize) -> B::Tensor {
        self.time_elementwise(["dropout", "forward"], x.len(), 1.0, 2 * x.len(), || self.inner.dropout(x, rate, stream, first))
    }

    fn gradient_norm(&self, gradients: &B::Tensor) -> B::Tensor {
        self.time_elementwise(["gradient_norm", "forward"], gradients.len(), 2.0, gradients.len(), || self.inner.gradient_norm(gradients))
    }

    fn loss_scale(&self, norm: &B::Tensor, scaling: &B::Tensor) {
        self.time_elementwise(["loss_scale", "update"], scaling.len(), 1.0, 2 * scaling.len(), || self.inner.loss_scale(norm, scaling));
    }

    fn adam(&self, parameters: &B::Tensor, gradients: &B::Tensor, moments: [&B::Tensor; 2], norm: &B::Tensor, step: AdamStep) {
        let count = parameters.len();
        self.time_elementwise(["adam", "update"], count, 15.0, 7 * count, || self.inner.adam(parameters, gradients, moments, norm, step));
    }

    fn sgd(&self, parameters: &B::Tensor, gradients: &B::Tensor, norm: &B::Tensor, size: StepSize) {
        let count = parameters.len();
        self.time_elementwise(["sgd", "update"], count, 4.0, 3 * count, || self.inner.sgd(parameters, gradients, norm, size));
    }
}

/// Products of every pair of a query and a key, as FLOP of one pass over them.
fn pairs<B: Backend>(inputs: &AttentionInputs<Timed<B>>) -> f64 {
    let lengths = inputs.query_rows.lengths().zip(inputs.key_rows.lengths());
    2.0 * lengths.map(|(queries, keys)| f64::from(queries) * f64::from(keys)).sum::<f64>() * inputs.queries.columns() as f64
}

fn attention_sizes<B: Backend>(inputs: &AttentionInputs<Timed<B>>) -> [(&'static str, usize); 4] {
    let (queries, keys) = (inputs.queries.rows(), inputs.keys.rows());
    [("query_rows", queries), ("key_rows", keys), ("width", inputs.queries.columns()), ("heads", inputs.heads)]
}

fn product<T: Matrix>(rows: usize, weight: &T) -> ([(&'static str, usize); 3], f64) {
    let [outputs, inputs] = weight.shape();
    ([("rows", rows), ("inputs", inputs), ("outputs", outputs)], 2.0 * rows as f64 * weight.len() as f64)
}
