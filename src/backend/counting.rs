//! A backend without numbers: matrices are their shapes, and kernels add their work to a sum.

use std::cell::Cell;

use super::ops::{Differentiable, Differentiate, Operation, Run, Shape, backward_work, shapes};
use super::{Backend, Result, Sink, Storage, Work};

/// Adds up the work of everything that runs on it.
///
/// A read returns no numbers, but the work done before it was asked for: reads placed along a pass (a watched tape's) show what each
/// part of it takes.
#[derive(Debug, Default)]
pub struct Counting {
    done: Cell<Work>,
    /// Elements of the matrices that it was asked for.
    made: Cell<u64>,
}

impl Counting {
    /// The work so far.
    pub fn work(&self) -> Work {
        self.done.get()
    }

    /// Elements of all matrices so far that went in or came out.
    pub(crate) fn elements(&self) -> u64 {
        self.made.get()
    }

    fn make(&self, shape: [usize; 2]) -> Shape {
        self.made.set(self.made.get().saturating_add((shape[0] as u64).saturating_mul(shape[1] as u64)));
        Shape(shape)
    }

    fn add(&self, work: Work) {
        self.done.set(self.done.get() + work);
    }
}

impl Storage for Counting {
    type Element = f32;
    type Tensor = Shape;
    type Words = ();
    type Readback = Work;

    fn device_name(&self) -> String {
        "none".to_owned()
    }

    fn upload(&self, _: &[f32], shape: [usize; 2]) -> Shape {
        self.make(shape)
    }

    fn upload_words(&self, _: &[u32]) {}

    fn zeros(&self, shape: [usize; 2]) -> Shape {
        self.make(shape)
    }

    fn uninitialised(&self, shape: [usize; 2]) -> Shape {
        self.make(shape)
    }

    fn uninitialised_words(&self, _: usize) {}

    fn submit(&self) {}

    fn start_read(&self, _: &Shape) -> Work {
        self.work()
    }

    async fn finish_read(&self, _: Work) -> Result<Vec<f32>> {
        Ok(Vec::new())
    }
}

impl<O: Operation<Self, Operand = Shape>> Run<O> for Counting {
    fn forward(&self, of: &O) -> (O::Output, O::Kept) {
        let of = shapes(of);
        self.add(O::work(&of));
        O::results(&of, self)
    }
}

impl<O: Differentiable<Self, Operand = Shape>> Differentiate<O> for Counting {
    fn backward(&self, of: &O, _: &O::Kept, _: &Shape, sinks: &O::On<Option<Sink<Shape>>>) {
        self.add(backward_work(of, sinks));
    }
}

impl Backend for Counting {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Ragged;
    use crate::backend::ops::{Bilstm, Directions, LstmWeights};
    use crate::base::numbers::Precision;

    #[test]
    fn a_recurrence_costs_its_rows_not_the_longest_sequence_times_the_batch() {
        let backend = Counting::default();
        let (inputs, hidden) = (5, 4);
        let weights = LstmWeights {
            input: Shape([8 * hidden, inputs]),
            recurrent: Shape([8 * hidden, hidden]),
            bias_input: Shape([1, 8 * hidden]),
            bias_recurrent: Shape([1, 8 * hidden]),
        };
        let of = |lengths: &[u32]| {
            let rows = Ragged::new(&backend, lengths);
            Bilstm {
                x: Shape([rows.rows(), inputs]),
                weights: weights.clone(),
                rows,
                precision: Precision::F32,
                directions: Directions::Mean,
            }
        };
        let (y, kept) = backend.run_keeping(&of(&[300, 1, 0]));
        assert_eq!((y, kept.gates), (Shape([301, hidden]), Shape([301, 8 * hidden])));
        assert_eq!(backend.work().products, (2 * 301 * 8 * hidden * (inputs + hidden)) as f64);
        let parts: f64 = [0..128, 128..256, 256..300].map(|steps| of(&[300, 1, 0]).recurrence(steps).products).iter().sum();
        assert_eq!(parts, (2 * 301 * 8 * hidden * hidden) as f64);
    }
}
