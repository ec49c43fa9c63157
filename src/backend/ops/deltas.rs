//! Differences over time: `[x, D x, D₂ x]` as far as `filter.orders` goes, for each column by itself, where
//! `(D x)_t = Σ_k taps_k · x_{t + k - width / 2}` within the utterance. Each element by itself, as IEEE 754 has it.

use super::{Operation, Shape, Sizes};
use crate::backend::{Matrix, Ragged, Storage, Work};

/// `[frames, columns]` → `[frames, (1 + orders) · columns]`.
pub struct Deltas<B: Storage, T> {
    /// `[frames, columns]`
    pub x: T,
    /// Layout of x.
    pub frames: Ragged<B>,
    /// What makes the differences.
    pub filter: DeltaFilter<T>,
}

/// How features' differences over time are made.
#[derive(Debug, Clone)]
pub struct DeltaFilter<T> {
    /// How many differences are made, 1 or 2.
    pub orders: usize,
    /// What is read beyond an utterance's ends.
    pub edges: Edges,
    /// `[filters, width]`, width odd: a filter for each order, or one filter that makes the second from the first.
    pub taps: T,
}

/// What of an utterance a filter over its frames reads where it would reach past an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edges {
    /// The outermost frames that hold the whole filter; an utterance shorter than the filter has its end frames repeated.
    Shifted,
    /// The end frame, as often as needed.
    Repeated,
}

impl<B: Storage, T> Operation<B> for Deltas<B, T> {
    const KERNEL: &'static str = "deltas";
    type Operand = T;
    type On<U> = Deltas<B, U>;
    type Output = B::Tensor;
    type Kept = ();

    fn map<U>(&self, mut form: impl FnMut(&T) -> U) -> Deltas<B, U> {
        let Self { x, frames, filter: DeltaFilter { orders, edges, taps } } = self;
        let x = form(x);
        Deltas { x, frames: frames.clone(), filter: DeltaFilter { orders: *orders, edges: *edges, taps: form(taps) } }
    }

    fn results(of: &Deltas<B, Shape>, on: &B) -> (B::Tensor, ()) {
        (on.uninitialised([of.x.rows(), (1 + of.filter.orders) * of.x.columns()]), ())
    }

    fn sizes(of: &Deltas<B, Shape>) -> Sizes {
        vec![("count", (1 + of.filter.orders) * of.x.len())]
    }

    fn work(of: &Deltas<B, Shape>) -> Work {
        let (count, orders) = (of.x.len(), of.filter.orders);
        Work::elementwise(2.0 * of.filter.taps.columns() as f64, orders * count, (2 + orders) * count)
    }
}
