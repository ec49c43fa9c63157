//! Mean squared error, `Σ (x - t)² / N` over all N numbers, and its gradient `2 (x - t) / N`. A number that is not finite makes the loss
//! so, and its own gradient.

use super::{Operation, Shape, Sizes};
use crate::backend::{Matrix, Storage, Work};

/// → the loss `[1, 1]` times its weight and, times the loss scale too, its gradient in the shape of x.
pub struct Mse<T> {
    /// Any shape.
    pub x: T,
    /// Of the same shape; it gets no gradient.
    pub target: T,
    /// As in [`super::LossScale`].
    pub scaling: T,
    /// That of the loss among others.
    pub weight: f32,
    /// Where these are a part of a batch, the N of the whole batch.
    pub total: Option<usize>,
}

impl<T: Matrix> Mse<T> {
    /// What each square is multiplied with.
    pub(crate) fn share(&self) -> f64 {
        f64::from(self.weight) / self.total.unwrap_or(self.x.len()) as f64
    }
}

impl<B: Storage, T> Operation<B> for Mse<T> {
    const KERNEL: &'static str = "mse";
    type Operand = T;
    type On<U> = Mse<U>;
    type Output = (B::Tensor, B::Tensor);
    type Kept = ();

    fn map<U>(&self, form: impl FnMut(&T) -> U) -> Mse<U> {
        let [x, target, scaling] = [&self.x, &self.target, &self.scaling].map(form);
        Mse { x, target, scaling, weight: self.weight, total: self.total }
    }

    fn results(of: &Mse<Shape>, on: &B) -> ((B::Tensor, B::Tensor), ()) {
        ((on.uninitialised([1, 1]), on.uninitialised(of.x.shape())), ())
    }

    fn sizes(of: &Mse<Shape>) -> Sizes {
        vec![("count", of.x.len())]
    }

    fn work(of: &Mse<Shape>) -> Work {
        Work::elementwise(4.0, of.x.len(), 3 * of.x.len())
    }
}
