//! `y = act(x · Wᵀ + b)`. The way back, with `g = dy`, or zero where ReLU was shut, or `dy (1 - y²)` before tanh: `dx = g · W`,
//! `dW = gᵀ · x`, `db =` column sums of g.
//!
//! NaN and infinity spread as in a product of matrices, to the rows and gradients that use them; ReLU keeps NaN, shuts -inf, and
//! passes the gradient of a NaN.

use super::{Differentiable, Operation, Shape, Sizes};
use crate::backend::{Matrix, Storage, Work};
use crate::base::numbers::{Activation, Precision};

/// → `[rows, out]`.
pub struct Linear<T> {
    /// `[rows, in]`
    pub x: T,
    /// `[out, in]`
    pub weight: T,
    /// `[1, out]`
    pub bias: Option<T>,
    /// act
    pub activation: Activation,
    /// That of x and W on the way forward, of g, x and W on the way back.
    pub precision: Precision,
}

impl Linear<Shape> {
    /// FLOP of the product, and as many of each of its gradients.
    fn product(&self) -> f64 {
        2.0 * self.x.rows() as f64 * self.weight.len() as f64
    }

    fn result_len(&self) -> usize {
        self.x.rows() * self.weight.rows()
    }

    /// The gradients of weight and bias, or that of x.
    pub fn one_gradient(&self) -> Work {
        Work::products(self.product(), self.result_len() + self.x.len() + self.weight.len())
    }
}

impl<B: Storage, T> Operation<B> for Linear<T> {
    const KERNEL: &'static str = "linear";
    type Operand = T;
    type On<U> = Linear<U>;
    type Output = B::Tensor;
    /// The result of an activation, from which the gradient before it follows.
    type Kept = Option<B::Tensor>;

    fn map<U>(&self, mut form: impl FnMut(&T) -> U) -> Linear<U> {
        let Self { x, weight, bias, activation, precision } = self;
        let [x, weight] = [x, weight].map(&mut form);
        Linear { x, weight, bias: bias.as_ref().map(form), activation: *activation, precision: *precision }
    }

    fn results(of: &Linear<Shape>, on: &B) -> (B::Tensor, Option<B::Tensor>) {
        let y = on.uninitialised([of.x.rows(), of.weight.rows()]);
        (y.clone(), of.activation.is_there().then_some(y))
    }

    fn sizes(of: &Linear<Shape>) -> Sizes {
        vec![("rows", of.x.rows()), ("inputs", of.weight.columns()), ("outputs", of.weight.rows())]
    }

    fn work(of: &Linear<Shape>) -> Work {
        let bias = of.bias.map_or(0, |bias| bias.len());
        Work::products(of.product(), of.x.len() + of.weight.len() + bias + of.result_len())
    }
}

impl<B: Storage, T> Differentiable<B> for Linear<T> {
    fn backward_work(of: &Linear<Shape>, wanted: &Linear<bool>) -> Work {
        let gradients = usize::from(wanted.x) + usize::from(wanted.weight || wanted.bias == Some(true));
        Work::products(gradients as f64 * of.product(), of.result_len() + gradients * (of.x.len() + of.weight.len()))
    }
}
