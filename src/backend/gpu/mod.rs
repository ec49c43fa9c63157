//! The kernels as WGSL shaders on wgpu: Vulkan, Metal, DX12 or GL.
//!
//! [`Gpu`] allocates, records and submits; `kernels/` decides what each shader gets; [`shader`] is the table of shaders
//! that `build/` reads from `shaders/`. Work is recorded as commands and sent when that is asked for, when a
//! result is waited for, or when it grows large.

mod adapter;
mod buffers;
mod counters;
mod device;
mod dispatch;
mod kernels;
mod memory;
mod pipelines;
mod profiler;
mod readback;
mod recording;
mod requirements;
pub mod shader;
mod tiles;

pub use adapter::{AdapterChoice, adapters, describe, find};
pub use counters::Counters;
pub use device::{Checking, Gpu, Opening};
pub use dispatch::check_limits;
pub use memory::{BufferRange, Tensor, Words};
pub use profiler::Timing;
pub use readback::Readback;
pub use requirements::{Capabilities, Feature, Requirement, check_requirements};

use super::{
    AdamStep, AttentionInputs, AttentionSaved, Backend, BackendError, ConvPoolSaved, ConvPoolSinks, DeltaFilter, LstmSaved, LstmWeights,
    NormSaved, NormSinks, Ragged, Result, Sink, StepSize, Tokens, ZScore,
};
use crate::backend::MfccTables;
use crate::base::numbers::{Activation, Precision};
use crate::base::philox::Stream;
use crate::base::tiles::TileChoice;

impl Backend for Gpu {
    type Element = f32;
    type Tensor = Tensor;
    type Words = Words;
    type Readback = Readback;

    fn device_name(&self) -> String {
        self.describe()
    }

    fn tiles(&self) -> Vec<TileChoice> {
        self.chosen_tiles()
    }

    fn upload(&self, values: &[f32], shape: [usize; 2]) -> Tensor {
        self.upload_tensor(values, shape)
    }

    fn upload_words(&self, words: &[u32]) -> Words {
        self.upload_list(words)
    }

    fn zeros(&self, shape: [usize; 2]) -> Tensor {
        let tensor = self.new_tensor(shape);
        self.clear(&tensor);
        tensor
    }

    fn uninitialised(&self, shape: [usize; 2]) -> Tensor {
        self.new_tensor(shape)
    }

    fn submit(&self) {
        self.send();
    }

    fn start_read(&self, tensor: &Tensor) -> Readback {
        self.start(tensor)
    }

    async fn finish_read(&self, readback: Readback) -> Result<Vec<f32>> {
        self.finish(readback).await
    }

    fn failure(&self) -> Option<BackendError> {
        self.fault.get()
    }

    fn recover(&self) {
        self.forget_failure();
    }

    async fn verify(&self) -> Result<()> {
        self.check_guards().await
    }

    fn mfcc(&self, samples: &Tensor, utterances: &Ragged<Self>, frames: &Ragged<Self>, tables: &MfccTables<Self>) -> Tensor {
        kernels::mfcc::forward(self, samples, utterances, frames, tables)
    }

    fn deltas(&self, x: &Tensor, frames: &Ragged<Self>, filter: &DeltaFilter<Self>) -> Tensor {
        kernels::deltas::forward(self, x, frames, filter)
    }

    fn z_score(&self, x: &Tensor, rows: &Ragged<Self>, statistics: &ZScore<Self>) -> Tensor {
        kernels::z_score::forward(self, x, rows, statistics)
    }

    fn embedding(&self, table: &Tensor, tokens: &Tokens<Self>) -> Tensor {
        kernels::embedding::forward(self, table, tokens)
    }

    fn embedding_backward(&self, dy: &Tensor, tokens: &Tokens<Self>, table: &Sink<Tensor>) {
        kernels::embedding::backward(self, dy, tokens, table);
    }

    fn position_embedding(&self, x: &Tensor, rows: &Ragged<Self>) -> Tensor {
        kernels::position_embedding::forward(self, x, rows)
    }

    fn accumulate(&self, x: &Tensor, sink: &Sink<Tensor>) {
        kernels::accumulate::accumulate(self, x, sink);
    }

    fn conv_pool(
        &self,
        x: &Tensor,
        input: &Ragged<Self>,
        output: &Ragged<Self>,
        weight: &Tensor,
        bias: &Tensor,
        activation: Activation,
    ) -> (Tensor, Words) {
        kernels::conv_pool::forward(self, x, input, output, weight, bias, activation)
    }

    fn conv_pool_backward(&self, dy: &Tensor, forward: &ConvPoolSaved<Self>, sinks: &ConvPoolSinks<Tensor>) {
        kernels::conv_pool::backward(self, dy, forward, sinks);
    }

    fn linear(&self, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, activation: Activation, precision: Precision) -> Tensor {
        kernels::linear::forward(self, x, weight, bias, activation, precision)
    }

    fn linear_backward_input(&self, dy: &Tensor, gate: Option<&Tensor>, weight: &Tensor, dx: &Sink<Tensor>, precision: Precision) {
        kernels::linear::backward_input(self, dy, gate, weight, dx, precision);
    }

    fn linear_backward_weight(
        &self,
        dy: &Tensor,
        gate: Option<&Tensor>,
        x: &Tensor,
        weight: &Sink<Tensor>,
        bias: Option<&Sink<Tensor>>,
        precision: Precision,
    ) {
        kernels::linear::backward_weight(self, dy, gate, x, weight, bias, precision);
    }

    fn bilstm(&self, x: &Tensor, rows: &Ragged<Self>, weights: &LstmWeights<Tensor>, precision: Precision) -> (Tensor, LstmSaved<Tensor>) {
        kernels::bilstm::forward(self, x, rows, weights, precision)
    }

    fn bilstm_backward(
        &self,
        dy: &Tensor,
        x: &Tensor,
        rows: &Ragged<Self>,
        weights: &LstmWeights<Tensor>,
        saved: &LstmSaved<Tensor>,
        dx: Option<&Sink<Tensor>>,
        gradients: &LstmWeights<Sink<Tensor>>,
        precision: Precision,
    ) {
        kernels::bilstm::backward(self, dy, x, rows, weights, saved, dx, gradients, precision);
    }

    fn attention(&self, inputs: &AttentionInputs<Self>) -> AttentionSaved<Tensor> {
        kernels::attention::forward(self, inputs)
    }

    fn attention_backward(&self, dy: &Tensor, inputs: &AttentionInputs<Self>, saved: &AttentionSaved<Tensor>, sinks: [&Sink<Tensor>; 3]) {
        kernels::attention::backward(self, dy, inputs, saved, sinks);
    }

    fn attention_weights(&self, inputs: &AttentionInputs<Self>) -> Tensor {
        kernels::attention_weights::forward(self, inputs)
    }

    fn residual_norm(&self, x: &Tensor, residual: &Tensor, scale: &Tensor, shift: &Tensor) -> (Tensor, NormSaved<Tensor>) {
        kernels::residual_norm::forward(self, x, residual, scale, shift)
    }

    fn residual_norm_backward(&self, dy: &Tensor, scale: &Tensor, saved: &NormSaved<Tensor>, sinks: &NormSinks<Tensor>) {
        kernels::residual_norm::backward(self, dy, scale, saved, sinks);
    }

    fn global_max(&self, streams: &[(&Tensor, &Ragged<Self>)]) -> (Tensor, Words) {
        kernels::global_max::forward(self, streams)
    }

    fn global_max_backward(&self, dy: &Tensor, winners: &Words, rows: &Ragged<Self>, column: usize, dx: &Sink<Tensor>) {
        kernels::global_max::backward(self, dy, winners, rows, column, dx);
    }

    fn cross_entropy(
        &self,
        logits: &Tensor,
        labels: &Words,
        class_weights: &Tensor,
        smoothing: f32,
        total_weight: Option<f32>,
        scaling: &Tensor,
    ) -> (Tensor, Tensor) {
        kernels::cross_entropy::forward(self, logits, labels, class_weights, smoothing, total_weight, scaling)
    }

    fn dropout(&self, x: &Tensor, rate: f32, stream: Stream, first: usize) -> Tensor {
        kernels::dropout::forward(self, x, rate, stream, first)
    }

    fn gradient_norm(&self, gradients: &Tensor) -> Tensor {
        kernels::gradient_norm::forward(self, gradients)
    }

    fn loss_scale(&self, norm: &Tensor, scaling: &Tensor) {
        kernels::loss_scale::update(self, norm, scaling);
    }

    fn adam(&self, parameters: &Tensor, gradients: &Tensor, moments: [&Tensor; 2], norm: &Tensor, step: AdamStep) {
        kernels::adam::update(self, parameters, gradients, moments, norm, step);
    }

    fn sgd(&self, parameters: &Tensor, gradients: &Tensor, norm: &Tensor, size: StepSize) {
        kernels::sgd::update(self, parameters, gradients, norm, size);
    }
}
