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
}

impl Counting {
    /// The work so far.
    pub fn work(&self) -> Work {
        self.done.get()
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
        Shape(shape)
    }

    fn upload_words(&self, _: &[u32]) {}

    fn zeros(&self, shape: [usize; 2]) -> Shape {
        Shape(shape)
    }

    fn uninitialised(&self, shape: [usize; 2]) -> Shape {
        Shape(shape)
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
