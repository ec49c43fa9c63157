//! One GRU layer of one or both directions, whose reset gate stands before the product (Cho et al.: "Learning Phrase Representations
//! using RNN Encoder-Decoder", 2014), not after it as in PyTorch's; the reverse direction starts at each sequence's own last row.
//!
//! r, u = σ(·) of `x · Wᵀ + b + h_{t-1} · W_hᵀ`; c = tanh(·) of the same with `r h_{t-1}` in the place of h_{t-1};
//! `h_t = u h_{t-1} + (1 - u) c`, h_0 = 0.
//!
//! Gates saturate at any finite input; a NaN stays in its sequence and in the weights' gradients.

use std::ops::Range;

use super::{Differentiable, Linear, Operation, Shape, Sizes};
use crate::backend::{Matrix, Ragged, Storage, Work};
use crate::base::numbers::{Activation, Precision};

/// → `[rows, D · H]`, the forward direction's columns first; D directions, 1 or 2.
pub struct Gru<B: Storage, T> {
    /// `[rows, in]`
    pub x: T,
    /// Of all directions.
    pub weights: GruWeights<T>,
    /// The sequences.
    pub rows: Ragged<B>,
    /// That of the products over all rows, `x · Wᵀ` and those that make gradients; the recurrence is f32 in any case.
    pub precision: Precision,
}

/// Weights of a GRU layer of hidden size H and D directions, which lie one after the other, forward first; gates stand in the order
/// reset, update, candidate.
#[derive(Debug, Clone)]
pub struct GruWeights<T> {
    /// `[D · 3H, in]`
    pub input: T,
    /// `[D · 3H, H]`
    pub recurrent: T,
    /// `[1, D · 3H]`
    pub bias: T,
}

impl<T> GruWeights<T> {
    /// The same three weights, each through `f`.
    pub fn map<'s, U>(&'s self, mut f: impl FnMut(&'s T) -> U) -> GruWeights<U> {
        GruWeights { input: f(&self.input), recurrent: f(&self.recurrent), bias: f(&self.bias) }
    }
}

impl<T: Matrix> GruWeights<T> {
    /// H
    pub fn hidden(&self) -> usize {
        self.recurrent.columns()
    }

    /// D
    pub fn directions(&self) -> usize {
        self.input.rows() / (3 * self.hidden()).max(1)
    }
}

/// What the way back needs of the way forward.
#[derive(Debug, Clone)]
pub struct GruKept<T> {
    /// `[rows, D · 3H]`: the gates after their sigmoid or tanh.
    pub gates: T,
    /// `[rows, D · H]`: h_{t-1} of each direction (zero at its first step).
    pub previous: T,
    /// `[rows, D · H]`: r h_{t-1}.
    pub reset: T,
}

impl<B: Storage, T: Clone> Gru<B, T> {
    /// `x · Wᵀ + b` of all rows.
    pub fn input_product(&self) -> Linear<T> {
        let GruWeights { input, bias, .. } = &self.weights;
        Linear {
            x: self.x.clone(),
            weight: input.clone(),
            bias: Some(bias.clone()),
            activation: Activation::None,
            precision: self.precision,
        }
    }
}

impl<B: Storage> Gru<B, Shape> {
    /// Columns of the states of all directions.
    fn states(&self) -> usize {
        self.weights.directions() * self.weights.hidden()
    }

    /// The products of so many rows with the recurrent weights.
    fn recurrent_product(&self, rows: usize) -> f64 {
        2.0 * rows as f64 * self.weights.recurrent.len() as f64
    }

    /// Rows of the sequences that are still running in these time steps.
    fn running(&self, steps: Range<usize>) -> usize {
        self.rows.lengths().map(|length| (length as usize).min(steps.end).saturating_sub(steps.start)).sum()
    }

    /// These time steps of the recurrence; writes previous states, the same after their reset, and the result.
    pub fn recurrence(&self, steps: Range<usize>) -> Work {
        let rows = self.running(steps);
        Work::products(self.recurrent_product(rows), self.weights.recurrent.len() + 3 * self.states() * rows)
    }

    /// These time steps of its way back; reads dy, gates and previous states.
    pub fn recurrence_back(&self, steps: Range<usize>) -> Work {
        let rows = self.running(steps);
        Work::products(self.recurrent_product(rows), self.weights.recurrent.len() + 5 * self.states() * rows)
    }

    /// The gradient of the recurrent weights.
    pub fn recurrent_gradient(&self) -> Work {
        let rows = self.rows.rows();
        Work::products(self.recurrent_product(rows), self.weights.recurrent.len() + 2 * self.states() * rows)
    }
}

impl<B: Storage, T> Operation<B> for Gru<B, T> {
    const KERNEL: &'static str = "gru";
    type Operand = T;
    type On<U> = Gru<B, U>;
    type Output = B::Tensor;
    type Kept = GruKept<B::Tensor>;

    fn map<U>(&self, mut form: impl FnMut(&T) -> U) -> Gru<B, U> {
        let x = form(&self.x);
        Gru { x, weights: self.weights.map(form), rows: self.rows.clone(), precision: self.precision }
    }

    fn results(of: &Gru<B, Shape>, on: &B) -> (B::Tensor, GruKept<B::Tensor>) {
        let matrix = |width: usize| on.uninitialised([of.x.rows(), width * of.states()]);
        (matrix(1), GruKept { gates: matrix(3), previous: matrix(1), reset: matrix(1) })
    }

    fn sizes(of: &Gru<B, Shape>) -> Sizes {
        let weights = &of.weights;
        let [rows, inputs] = of.x.shape();
        vec![("rows", rows), ("inputs", inputs), ("hidden", weights.hidden()), ("directions", weights.directions())]
    }

    fn work(of: &Gru<B, Shape>) -> Work {
        <Linear<Shape> as Operation<B>>::work(&of.input_product()) + of.recurrence(0..of.rows.longest())
    }
}

impl<B: Storage, T> Differentiable<B> for Gru<B, T> {
    fn backward_work(of: &Gru<B, Shape>, wanted: &Gru<B, bool>) -> Work {
        let GruWeights { input, recurrent, bias } = wanted.weights;
        let product = of.input_product();
        // The gradients of the gates need not leave the chip.
        let gate_gradients = Work::elementwise(0.0, 0, of.x.rows() * of.weights.input.rows());
        let mut work = of.recurrence_back(0..of.rows.longest());
        if wanted.x {
            work += product.one_gradient() - gate_gradients;
        }
        if input || bias {
            work += product.one_gradient() - gate_gradients;
        }
        if recurrent {
            work += of.recurrent_gradient();
        }
        work
    }
}
