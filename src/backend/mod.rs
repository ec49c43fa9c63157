//! The kernels: what each computes, with its equation and shapes, independent of where it runs.
//!
//! [`Backend`] is implemented twice: [`cpu`] says in plain Rust what a kernel must compute (in f32 or f64), [`gpu`]
//! runs the WGSL shader of the same name. A kernel `name` is `Backend::name` here, `cpu/name.rs`,
//! `gpu/kernels/name.rs`, `shaders/name.wgsl` or `shaders/name/` and its cases in [`crate::check`].
//!
//! Conventions: matrices are row-major `[rows, columns]`; a ragged matrix has its row layout in a [`Ragged`];
//! weights are laid out as PyTorch's (`[out, in]`). Gradient kernels write through a [`Sink`], which says whether to
//! overwrite or to add. `(n)` is an equation of the paper.

pub mod cpu;
pub mod error;
mod execution;
mod front_end;
pub mod gpu;
mod operands;
mod ragged;

use std::future::Future;

pub use error::{BackendError, Result};
pub use execution::{Clock, Execution, Executions, Work};
pub use front_end::MfccTables;
pub use operands::*;
pub use ragged::{Preceding, Ragged};

use crate::base::numbers::{Activation, Precision};
use crate::base::philox::Stream;
use crate::base::real::Real;
use crate::base::tiles::TileChoice;

/// A matrix on a backend: a cheap handle, row-major `[rows, columns]`.
pub trait Matrix: Clone {
    /// `[rows, columns]`.
    fn shape(&self) -> [usize; 2];

    /// `length` elements from element `start`, seen as a matrix of the given shape; shares memory.
    ///
    /// `start` must be a multiple of [`SLICE_ALIGNMENT`], which devices ask of a binding's offset.
    fn slice(&self, start: usize, shape: [usize; 2]) -> Self;

    fn rows(&self) -> usize {
        self.shape()[0]
    }

    fn columns(&self) -> usize {
        self.shape()[1]
    }

    fn len(&self) -> usize {
        self.rows() * self.columns()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Alignment of a [`Matrix::slice`], in elements (256 bytes, WebGPU's default limit).
pub const SLICE_ALIGNMENT: usize = 64;

/// Where kernels run.
///
/// Every kernel only records work; failures surface at the next [`Backend::finish_read`].
///
/// # Numbers that are not finite, and denormals
///
/// Devices may take denormal numbers for zero, and a comparison that such a zero decides may fall otherwise. What the kernels
/// promise beyond finite numbers, and [`crate::check`] holds them to:
///
/// | kernel | NaN and infinity |
/// | --- | --- |
/// | `linear`, `conv_pool` | spread as in a product of matrices, to the rows and gradients that use them; ReLU keeps NaN, shuts -inf, and passes the gradient of a NaN |
/// | `conv_pool`, `global_max` | the earliest NaN wins its maximum, then +inf; the gradient goes to that row alone |
/// | `bilstm` | gates saturate at any finite input; a NaN stays in its sequence and in the weights' gradients |
/// | `attention`, `attention_weights` | finite scores of any size; a score of -inf has the weight 0, one of +inf makes NaN; a query needs one score above -inf |
/// | `residual_norm` | either makes NaN of its row, and of the scale's and the shift's gradients |
/// | `cross_entropy` | finite logits of any size; a NaN makes NaN of the loss and of its row's gradient |
/// | `gradient_norm` | either makes the norm so; squares overflow where gradients pass 1e19 |
/// | `adam`, `sgd` | a norm that is not finite spreads to every parameter where gradients are clipped, else a gradient to its own |
/// | the others | each element by itself, as IEEE 754 has it; `mfcc` takes finite samples |
pub trait Backend: Sized {
    /// Number type of the matrices.
    type Element: Real;
    type Tensor: Matrix;
    /// A list of 32-bit words: offsets, indices, labels.
    type Words: Clone;
    /// A read that has been asked for.
    type Readback;

    /// Name of the device, as `mcsan devices` shows it.
    fn device_name(&self) -> String;

    /// The tiles that matrix products were found to be fastest with, on backends that have several.
    fn tiles(&self) -> Vec<TileChoice> {
        Vec::new()
    }

    /// Copies `values` to the device.
    fn upload(&self, values: &[f32], shape: [usize; 2]) -> Self::Tensor;

    /// Copies `words` to the device.
    fn upload_words(&self, words: &[u32]) -> Self::Words;

    /// A matrix of zeros.
    fn zeros(&self, shape: [usize; 2]) -> Self::Tensor;

    /// A matrix whose content no one has written yet: kernels must set every element.
    fn uninitialised(&self, shape: [usize; 2]) -> Self::Tensor;

    /// Sends what was recorded to the device.
    fn submit(&self);

    /// Asks for a copy of `tensor` as it is after the work recorded so far; neither sends that work nor waits.
    fn start_read(&self, tensor: &Self::Tensor) -> Self::Readback;

    /// Sends what was recorded, if the copy was not sent yet, and waits for it.
    fn finish_read(&self, readback: Self::Readback) -> impl Future<Output = Result<Vec<Self::Element>>>;

    /// Copies `tensor` to the host.
    fn read(&self, tensor: &Self::Tensor) -> impl Future<Output = Result<Vec<Self::Element>>> {
        self.finish_read(self.start_read(tensor))
    }

    /// The failure that the next read will return; work that was recorded after it is not done.
    fn failure(&self) -> Option<BackendError> {
        None
    }

    /// Forgets the failure and the recorded work that was not sent yet, and gives unused memory back. What that work was to
    /// write is undefined.
    fn recover(&self) {}

    /// Fails if a kernel is known to have written where it must not (guard words); does nothing where that is not watched.
    fn verify(&self) -> impl Future<Output = Result<()>> {
        std::future::ready(Ok(()))
    }

    /// MFCC (MODEL.md "Acoustic features", [`Convention`](crate::audio::mfcc::Convention)): pre-emphasis, window, power spectrum, mel filters, decibels with
    /// a floor `top_db` below the utterance's own maximum, orthonormal DCT-II.
    ///
    /// `samples: [total samples, 1]` laid out by `utterances`; `frames` lays out the result, with
    /// `1 + samples / hop` rows an utterance. Returns `[frames, coefficients]`.
    fn mfcc(&self, samples: &Self::Tensor, utterances: &Ragged<Self>, frames: &Ragged<Self>, tables: &MfccTables<Self>) -> Self::Tensor;

    /// Differences over time: `[x, D x, D₂ x]` as far as `filter.orders` goes, for each column by itself, where
    /// `(D x)_t = Σ_k taps_k · x_{t + k - width / 2}` within the utterance. `x: [frames, columns]`; returns
    /// `[frames, (1 + orders) · columns]`.
    fn deltas(&self, x: &Self::Tensor, frames: &Ragged<Self>, filter: &DeltaFilter<Self>) -> Self::Tensor;

    /// `(x - mean) / deviation` for each column, statistics chosen by the utterance's group. `x: [rows, columns]`.
    fn z_score(&self, x: &Self::Tensor, rows: &Ragged<Self>, statistics: &ZScore<Self>) -> Self::Tensor;

    /// Row `ids[r]` of `table: [words, width]` for each row r; zeros where the word has no vector.
    fn embedding(&self, table: &Self::Tensor, tokens: &Tokens<Self>) -> Self::Tensor;

    /// Gradient of [`Backend::embedding`]: each row of the table sums the rows of `dy: [rows, width]` that used it,
    /// in their order.
    fn embedding_backward(&self, dy: &Self::Tensor, tokens: &Tokens<Self>, table: &Sink<Self::Tensor>);

    /// Adds the sinusoidal position embedding (Vaswani et al. 2017, 3.5): with t the row within its sequence, even
    /// columns 2i get sin(t / 10000^(2i/d)), odd columns 2i + 1 the cosine. The gradient passes unchanged.
    fn position_embedding(&self, x: &Self::Tensor, rows: &Ragged<Self>) -> Self::Tensor;

    /// `sink (+)= x`.
    fn accumulate(&self, x: &Self::Tensor, sink: &Sink<Self::Tensor>);

    /// ConvBlock (1): `MaxPool1d(3, stride 3)` of `Conv1d(k 3, stride 1, zero padding 1)`, then the activation.
    ///
    /// `x: [input rows, in]`, `weight: [out, in · 3]` (PyTorch's `[out, in, 3]`), `bias: [1, out]`; `output` is
    /// `input.pooled(3)`. Returns `y: [output rows, out]` and the winners: which of a window's three rows held the
    /// (earliest) maximum, 2 bits each, column c of row r in bits `2 (c mod 16)` of word `r · ⌈out / 16⌉ + c / 16`.
    fn conv_pool(
        &self,
        x: &Self::Tensor,
        input: &Ragged<Self>,
        output: &Ragged<Self>,
        weight: &Self::Tensor,
        bias: &Self::Tensor,
        activation: Activation,
    ) -> (Self::Tensor, Self::Words);

    /// Gradients of [`Backend::conv_pool`]: for `weight` and `bias`, and for `x` where asked.
    fn conv_pool_backward(&self, dy: &Self::Tensor, forward: &ConvPoolSaved<Self>, sinks: &ConvPoolSinks<Self::Tensor>);

    /// `y = act(x · Wᵀ + b)`. `x: [rows, in]`, `weight: [out, in]`, `bias: [1, out]`. `precision` is that of x and W here, and
    /// of g, x and W on the way back.
    fn linear(
        &self,
        x: &Self::Tensor,
        weight: &Self::Tensor,
        bias: Option<&Self::Tensor>,
        activation: Activation,
        precision: Precision,
    ) -> Self::Tensor;

    /// Gradient of [`Backend::linear`] for its input: `dx (+)= g · W`, where `g = dy`, or zero where ReLU was shut:
    /// `gate` is the forward result y of a ReLU product.
    fn linear_backward_input(
        &self,
        dy: &Self::Tensor,
        gate: Option<&Self::Tensor>,
        weight: &Self::Tensor,
        dx: &Sink<Self::Tensor>,
        precision: Precision,
    );

    /// Gradients of [`Backend::linear`] for its parameters: `dW (+)= gᵀ · x`, `db (+)=` column sums of g.
    fn linear_backward_weight(
        &self,
        dy: &Self::Tensor,
        gate: Option<&Self::Tensor>,
        x: &Self::Tensor,
        weight: &Sink<Self::Tensor>,
        bias: Option<&Sink<Self::Tensor>>,
        precision: Precision,
    );

    /// One bidirectional LSTM layer (2,4) and the mean of its directions (3,5); the reverse direction starts at each
    /// sequence's own last row.
    ///
    /// i, f, o = σ(·), g = tanh(·) of `x · W_ihᵀ + b_ih + h_{t-1} · W_hhᵀ + b_hh`; c_t = f c_{t-1} + i g;
    /// h_t = o tanh(c_t). `x: [rows, in]`; returns `(h_forward + h_reverse) / 2: [rows, H]`. `precision` is that of the products
    /// over all rows, `x · W_ihᵀ` and those that make gradients; the recurrence is f32 in any case.
    fn bilstm(
        &self,
        x: &Self::Tensor,
        rows: &Ragged<Self>,
        weights: &LstmWeights<Self::Tensor>,
        precision: Precision,
    ) -> (Self::Tensor, LstmSaved<Self::Tensor>);

    /// Gradients of [`Backend::bilstm`]. `dy: [rows, H]`.
    #[allow(clippy::too_many_arguments, reason = "a layer with four weights has many gradients")]
    fn bilstm_backward(
        &self,
        dy: &Self::Tensor,
        x: &Self::Tensor,
        rows: &Ragged<Self>,
        weights: &LstmWeights<Self::Tensor>,
        saved: &LstmSaved<Self::Tensor>,
        dx: Option<&Sink<Self::Tensor>>,
        gradients: &LstmWeights<Sink<Self::Tensor>>,
        precision: Precision,
    );

    /// Multi-head scaled dot-product attention (6–8, 15): each head h of each query row attends to the key rows of its
    /// own utterance: softmax(scale · q kᵀ) v. Heads are the column blocks `h·d_k..(h+1)·d_k`. No key: a zero row.
    fn attention(&self, inputs: &AttentionInputs<Self>) -> AttentionSaved<Self::Tensor>;

    /// Gradients of [`Backend::attention`] for queries, keys and values, in this order.
    fn attention_backward(
        &self,
        dy: &Self::Tensor,
        inputs: &AttentionInputs<Self>,
        saved: &AttentionSaved<Self::Tensor>,
        sinks: [&Sink<Self::Tensor>; 3],
    );

    /// The weights of [`Backend::attention`] by themselves, for pictures; training never asks for them:
    /// `p = softmax(scale · q kᵀ)` over the key rows of the query's own utterance. The values are not read.
    ///
    /// Utterance after utterance `[heads, queries, keys]`, in a column `[Σ heads · queries · keys, 1]`.
    fn attention_weights(&self, inputs: &AttentionInputs<Self>) -> Self::Tensor;

    /// Residual and LayerNorm (9, 11): `LayerNorm(x + residual) · scale + shift`, ε = 1e-5.
    ///
    /// `x, residual: [rows, d]`, `scale, shift: [1, d]`. Returns the result and, for the way back, the normalised rows
    /// before scale and shift `[rows, d]` and the reciprocal deviations `[rows, 1]`.
    fn residual_norm(
        &self,
        x: &Self::Tensor,
        residual: &Self::Tensor,
        scale: &Self::Tensor,
        shift: &Self::Tensor,
    ) -> (Self::Tensor, NormSaved<Self::Tensor>);

    /// Gradients of [`Backend::residual_norm`]; the one for x and the one for the residual are equal.
    fn residual_norm_backward(
        &self,
        dy: &Self::Tensor,
        scale: &Self::Tensor,
        saved: &NormSaved<Self::Tensor>,
        sinks: &NormSinks<Self::Tensor>,
    );

    /// Global maximum over time (18) of several ragged matrices, concatenated by columns in their order.
    ///
    /// Returns `[batch, Σ columns]` and the winning rows in the same layout (the earliest on ties).
    fn global_max(&self, streams: &[(&Self::Tensor, &Ragged<Self>)]) -> (Self::Tensor, Self::Words);

    /// Gradient of [`Backend::global_max`] for the stream whose columns start at `column`; every row is written.
    /// `dy: [batch, Σ columns]`, `dx: [rows, columns]`.
    fn global_max_backward(&self, dy: &Self::Tensor, winners: &Self::Words, rows: &Ragged<Self>, column: usize, dx: &Sink<Self::Tensor>);

    /// Softmax cross-entropy (20), PyTorch's definition with class weights w and label smoothing s:
    /// `Σ_u [(1-s) w_y (-log p_y) + s/C Σ_c w_c (-log p_c)] / Σ_u w_y`. Where these are a part of a batch, `total_weight` is
    /// the `Σ_u w_y` of the whole batch, and the parts' losses and gradients sum up to the whole's.
    ///
    /// `logits: [batch, classes]`, `labels: [batch]`, `class_weights: [1, classes]`, `scaling` as in
    /// [`Backend::loss_scale`]. Returns the loss `[1, 1]` and, times the loss scale, its gradient `[batch, classes]`.
    fn cross_entropy(
        &self,
        logits: &Self::Tensor,
        labels: &Self::Words,
        class_weights: &Self::Tensor,
        smoothing: f32,
        total_weight: Option<f32>,
        scaling: &Self::Tensor,
    ) -> (Self::Tensor, Self::Tensor);

    /// Dropout: element i is kept where `stream.uniform(first + i) >= rate`, then divided by `1 - rate`. Its own gradient.
    fn dropout(&self, x: &Self::Tensor, rate: f32, stream: Stream, first: usize) -> Self::Tensor;

    /// Euclidean norm of all gradients and the factor 1 that the optimiser multiplies them with, `[1, 2]`; they stay on the
    /// device.
    fn gradient_norm(&self, gradients: &Self::Tensor) -> Self::Tensor;

    /// Dynamic loss scaling (Micikevicius et al. 2018, 3.2), in place between [`Backend::gradient_norm`] and the optimiser:
    /// small gradients would vanish in f16, so those that come here are S times too large.
    ///
    /// `scaling: [1, 3]` holds S, the good steps since S last changed and all steps skipped; see [`loss_scaling`]. Where the norm
    /// is finite, norm and factor are divided by S, and after [`SCALE_PATIENCE`] such steps S doubles. Else the factor
    /// becomes 0, which makes the optimiser leave out the step, and S is halved.
    fn loss_scale(&self, norm: &Self::Tensor, scaling: &Self::Tensor);

    /// Adam with decoupled weight decay, in place on `parameters` and both moments, all of one shape. `norm` is that of
    /// [`Backend::gradient_norm`]; where its factor is 0 nothing changes.
    fn adam(&self, parameters: &Self::Tensor, gradients: &Self::Tensor, moments: [&Self::Tensor; 2], norm: &Self::Tensor, step: AdamStep);

    /// Stochastic gradient descent with decoupled weight decay, in place; `norm` as for [`Backend::adam`].
    fn sgd(&self, parameters: &Self::Tensor, gradients: &Self::Tensor, norm: &Self::Tensor, size: StepSize);
}

/// The loss scale that a training in mixed precision starts with, 2¹⁶.
pub const FIRST_SCALE: f32 = 65536.0;
/// Steps without an overflow after which the loss scale doubles.
pub const SCALE_PATIENCE: u32 = 2000;

/// Where a training's `scaling` starts, see [`Backend::loss_scale`]; in f32 the loss scale is 1 and stays so.
pub fn loss_scaling(precision: Precision) -> [f32; 3] {
    match precision {
        Precision::F32 => [1.0, 0.0, 0.0],
        Precision::Mixed => [FIRST_SCALE, 0.0, 0.0],
    }
}

/// A device's numbers as float32.
pub fn as_f32<E: Real>(values: Vec<E>) -> Vec<f32> {
    values.into_iter().map(E::as_f32).collect()
}

/// The sinusoidal table of [`Backend::position_embedding`], `[positions, columns]`, computed in float64.
pub fn position_table(positions: usize, columns: usize) -> Vec<f32> {
    let value = |position: usize, column: usize| {
        let angle = position as f64 / 10_000f64.powf((column / 2 * 2) as f64 / columns as f64);
        (if column.is_multiple_of(2) { angle.sin() } else { angle.cos() }) as f32
    };
    (0..positions).flat_map(|position| (0..columns).map(move |column| value(position, column))).collect()
}
