//! One bidirectional LSTM layer (2,4) and the mean of its directions (3,5), or both side by side; the reverse direction starts at each
//! sequence's own last row.
//!
//! i, f, o = σ(·), g = tanh(·) of `x · W_ihᵀ + b_ih + h_{t-1} · W_hhᵀ + b_hh`; c_t = f c_{t-1} + i g; h_t = o tanh(c_t);
//! `y = (h_forward + h_reverse) / 2`, or `[h_forward, h_reverse]`.
//!
//! In mixed precision the factors of all products are rounded to f16, x and W_ih, h_{t-1} and W_hh, and on the way back the gradients of the
//! gates before their activation; sums, gates, cells and states are f32.
//!
//! Gates saturate at any finite input; a NaN stays in its sequence and in the weights' gradients.

use std::ops::Range;

use super::{Differentiable, Linear, Operation, Shape, Sizes};
use crate::backend::{Matrix, Ragged, Storage, Work};
use crate::base::numbers::{Activation, Precision};

/// → `[rows, H]`, or `[rows, 2H]` where directions are joined.
pub struct Bilstm<B: Storage, T> {
    /// `[rows, in]`
    pub x: T,
    /// Of both directions.
    pub weights: LstmWeights<T>,
    /// The sequences.
    pub rows: Ragged<B>,
    /// Of the factors of its products.
    pub precision: Precision,
    /// What becomes of both directions.
    pub directions: Directions,
}

/// What becomes of the states of both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directions {
    /// Their mean, `[rows, H]` (3, 5).
    Mean,
    /// Side by side, `[rows, 2H]`, forward first.
    Joined,
}

impl Directions {
    /// Columns of the result.
    pub fn columns(self, hidden: usize) -> usize {
        hidden + self.step(hidden)
    }

    /// How far the reverse direction's columns of the result lie from the forward ones.
    pub(crate) fn step(self, hidden: usize) -> usize {
        match self {
            Self::Mean => 0,
            Self::Joined => hidden,
        }
    }

    /// What a state counts in its columns.
    pub(crate) fn share(self) -> f32 {
        match self {
            Self::Mean => 0.5,
            Self::Joined => 1.0,
        }
    }
}

/// Weights of a bidirectional LSTM layer of hidden size H; both directions lie one after the other, forward first,
/// and gates stand in PyTorch's order i, f, g, o.
#[derive(Debug, Clone)]
pub struct LstmWeights<T> {
    /// `[2 · 4H, in]`
    pub input: T,
    /// `[2 · 4H, H]`
    pub recurrent: T,
    /// `[1, 2 · 4H]`
    pub bias_input: T,
    /// `[1, 2 · 4H]`
    pub bias_recurrent: T,
}

impl<T> LstmWeights<T> {
    /// The same four weights, each through `f`.
    pub fn map<'s, U>(&'s self, mut f: impl FnMut(&'s T) -> U) -> LstmWeights<U> {
        LstmWeights {
            input: f(&self.input),
            recurrent: f(&self.recurrent),
            bias_input: f(&self.bias_input),
            bias_recurrent: f(&self.bias_recurrent),
        }
    }
}

/// What the way back needs of the way forward.
#[derive(Debug, Clone)]
pub struct LstmKept<T> {
    /// `[rows, 2 · 4H]`: the gates after their sigmoid or tanh.
    pub gates: T,
    /// `[rows, 2H]`: cell states c_t.
    pub cells: T,
    /// `[rows, 2H]`: h_{t-1} of each direction (zero at its first step), as products take it.
    pub previous: T,
}

impl<B: Storage, T: Clone> Bilstm<B, T> {
    /// `x · W_ihᵀ + b_ih` of all rows.
    pub fn input_product(&self) -> Linear<T> {
        let LstmWeights { input, bias_input, .. } = &self.weights;
        Linear {
            x: self.x.clone(),
            weight: input.clone(),
            bias: Some(bias_input.clone()),
            activation: Activation::None,
            precision: self.precision,
        }
    }
}

impl<B: Storage> Bilstm<B, Shape> {
    fn hidden(&self) -> usize {
        self.weights.recurrent.columns()
    }

    fn columns(&self) -> usize {
        self.directions.columns(self.hidden())
    }

    /// `h_{t-1} · W_hhᵀ` of so many rows.
    fn recurrent_product(&self, rows: usize) -> f64 {
        2.0 * rows as f64 * self.weights.recurrent.len() as f64
    }

    /// Rows of the sequences that are still running in these time steps.
    fn running(&self, steps: Range<usize>) -> usize {
        self.rows.lengths().map(|length| (length as usize).min(steps.end).saturating_sub(steps.start)).sum()
    }

    /// These time steps of the recurrence; writes cells, previous states and the result.
    pub fn recurrence(&self, steps: Range<usize>) -> Work {
        let rows = self.running(steps);
        Work::products(self.recurrent_product(rows), self.weights.recurrent.len() + (4 * self.hidden() + self.columns()) * rows)
    }

    /// These time steps of its way back; reads dy, gates and cells.
    pub fn recurrence_back(&self, steps: Range<usize>) -> Work {
        let rows = self.running(steps);
        Work::products(self.recurrent_product(rows), self.weights.recurrent.len() + (10 * self.hidden() + self.columns()) * rows)
    }

    /// The gradient of the recurrent weights.
    pub fn recurrent_gradient(&self) -> Work {
        let rows = self.rows.rows();
        Work::products(self.recurrent_product(rows), self.weights.recurrent.len() + 2 * self.hidden() * rows)
    }
}

impl<B: Storage, T> Operation<B> for Bilstm<B, T> {
    const KERNEL: &'static str = "bilstm";
    type Operand = T;
    type On<U> = Bilstm<B, U>;
    type Output = B::Tensor;
    type Kept = LstmKept<B::Tensor>;

    fn map<U>(&self, mut form: impl FnMut(&T) -> U) -> Bilstm<B, U> {
        let x = form(&self.x);
        let &Self { precision, directions, .. } = self;
        Bilstm { x, weights: self.weights.map(form), rows: self.rows.clone(), precision, directions }
    }

    fn results(of: &Bilstm<B, Shape>, on: &B) -> (B::Tensor, LstmKept<B::Tensor>) {
        let matrix = |width: usize| on.uninitialised([of.x.rows(), width * of.hidden()]);
        (on.uninitialised([of.x.rows(), of.columns()]), LstmKept { gates: matrix(8), cells: matrix(2), previous: matrix(2) })
    }

    fn sizes(of: &Bilstm<B, Shape>) -> Sizes {
        vec![("rows", of.x.rows()), ("inputs", of.x.columns()), ("hidden", of.hidden())]
    }

    fn work(of: &Bilstm<B, Shape>) -> Work {
        <Linear<Shape> as Operation<B>>::work(&of.input_product()) + of.recurrence(0..of.rows.longest())
    }
}

impl<B: Storage, T> Differentiable<B> for Bilstm<B, T> {
    fn backward_work(of: &Bilstm<B, Shape>, wanted: &Bilstm<B, bool>) -> Work {
        let LstmWeights { input, recurrent, bias_input, bias_recurrent } = wanted.weights;
        let product = of.input_product();
        // The gradients of the gates need not leave the chip.
        let gate_gradients = Work::elementwise(0.0, 0, of.x.rows() * of.weights.input.rows());
        let mut work = of.recurrence_back(0..of.rows.longest());
        if wanted.x {
            work += product.one_gradient() - gate_gradients;
        }
        if input || bias_input {
            work += product.one_gradient() - gate_gradients;
        }
        if recurrent || bias_recurrent {
            work += of.recurrent_gradient();
        }
        work
    }
}
