//! ConvBlock (1): `MaxPool1d(3, stride 3)` of `Conv1d(k 3, stride 1, zero padding 1)`, then the activation.
//!
//! NaN and infinity spread as in a product of matrices, to the rows and gradients that use them; the earliest NaN wins its maximum,
//! then +inf, and the gradient goes to that row alone; ReLU keeps NaN, shuts -inf, and passes the gradient of a NaN.

use super::{Differentiable, Operation, Shape, Sizes};
use crate::backend::{Matrix, Ragged, Storage, Work};
use crate::base::numbers::Activation;

/// → `[output rows, out]`.
pub struct ConvPool<B: Storage, T> {
    /// `[input rows, in]`
    pub x: T,
    /// `[out, in · 3]`, PyTorch's `[out, in, 3]`.
    pub weight: T,
    /// `[1, out]`
    pub bias: T,
    /// Layout of x.
    pub input: Ragged<B>,
    /// `input.pooled(3)`
    pub output: Ragged<B>,
    /// After the maximum.
    pub activation: Activation,
}

/// What the way back needs of the way forward.
pub struct ConvPoolKept<B: Storage> {
    /// The result.
    pub y: B::Tensor,
    /// Which of a window's three rows held the (earliest) maximum, 2 bits each: column c of row r in bits `2 (c mod 16)` of word
    /// `r · ⌈out / 16⌉ + c / 16`. Where ReLU is shut a backend may have 3, none of them.
    pub winners: B::Words,
    /// What a backend made of layout and weight for both ways, if anything.
    pub(crate) packed: Option<PackedConvPool<B>>,
}

/// What stands before the products of both ways.
pub(crate) struct PackedConvPool<B: Storage> {
    /// `[out, 3, in]`, in memory of `[⌈out / 16⌉ · 16, 3 · in]`, zero beyond.
    pub weight: B::Tensor,
    /// `[output rows]`: where each window lies.
    pub windows: B::Words,
}

/// Winners in a word.
const WINNERS: usize = 16;

impl<B: Storage> ConvPool<B, Shape> {
    /// FLOP of the convolution, and as many of each of its gradients.
    fn product(&self) -> f64 {
        2.0 * self.input.rows() as f64 * self.weight.len() as f64
    }

    fn result_len(&self) -> usize {
        self.output.rows() * self.weight.rows()
    }

    /// The gradients of weight and bias, or that of x.
    pub fn one_gradient(&self) -> Work {
        Work::products(self.product(), self.result_len() + self.x.len() + self.weight.len())
    }
}

impl<B: Storage, T> Operation<B> for ConvPool<B, T> {
    const KERNEL: &'static str = "conv_pool";
    type Operand = T;
    type On<U> = ConvPool<B, U>;
    type Output = B::Tensor;
    type Kept = ConvPoolKept<B>;

    fn map<U>(&self, mut form: impl FnMut(&T) -> U) -> ConvPool<B, U> {
        let Self { x, weight, bias, input, output, activation } = self;
        let [x, weight, bias] = [x, weight, bias].map(&mut form);
        ConvPool { x, weight, bias, input: input.clone(), output: output.clone(), activation: *activation }
    }

    fn results(of: &ConvPool<B, Shape>, on: &B) -> (B::Tensor, ConvPoolKept<B>) {
        let [rows, outputs] = [of.output.rows(), of.weight.rows()];
        let y = on.uninitialised([rows, outputs]);
        (y.clone(), ConvPoolKept { y, winners: on.uninitialised_words(rows * outputs.div_ceil(WINNERS)), packed: None })
    }

    fn sizes(of: &ConvPool<B, Shape>) -> Sizes {
        vec![("rows", of.input.rows()), ("inputs", of.weight.columns()), ("outputs", of.weight.rows())]
    }

    fn work(of: &ConvPool<B, Shape>) -> Work {
        Work::products(of.product(), of.x.len() + of.weight.len() + of.bias.len() + of.result_len())
    }
}

impl<B: Storage, T> Differentiable<B> for ConvPool<B, T> {
    fn backward_work(of: &ConvPool<B, Shape>, wanted: &ConvPool<B, bool>) -> Work {
        let gradients = usize::from(wanted.x) + usize::from(wanted.weight || wanted.bias);
        Work::products(gradients as f64 * of.product(), 2 * of.result_len() + gradients * (of.x.len() + of.weight.len()))
    }
}
