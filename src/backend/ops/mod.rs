//! What each kernel is, one file a kernel: equation, operands, result, what its way back needs, and its work.
//!
//! An operation is a struct of its operands, in one of several forms `T`: matrices of a backend ([`Run`] and [`Differentiate`]
//! compute on those), variables of a tape, sinks for their gradients (none where none is wanted), or their shapes alone, from
//! which its work and the shapes of its results follow ([`Operation`]). What is no matrix with a gradient (layouts, indices, numbers)
//! stands beside the operands and has one form.
//!
//! Conventions: matrices are row-major `[rows, columns]`; a ragged matrix has its row layout in a [`Ragged`](super::Ragged);
//! weights are laid out as PyTorch's (`[out, in]`). `(n)` is an equation of the paper.

use super::list::{kernels, modules};
use super::sink::Sink;
use super::storage::{Matrix, Storage};
use super::work::Work;

kernels!(modules);

macro_rules! exports {
    ($($name:ident $operation:ident<$($parameter:ident),+> $trait:ident)*) => {
        $(pub use $name::*;)*
    };
}
kernels!(exports);

/// A matrix of which nothing but its shape is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape(pub [usize; 2]);

impl Matrix for Shape {
    fn shape(&self) -> [usize; 2] {
        self.0
    }

    fn slice(&self, _: usize, shape: [usize; 2]) -> Self {
        Self(shape)
    }
}

/// Whole numbers that describe a call, by name: rows, inputs.
pub type Sizes = Vec<(&'static str, usize)>;

/// What a kernel computes.
pub trait Operation<B: Storage>: Sized {
    /// The kernel's name, as its files have it.
    const KERNEL: &'static str;
    /// Name of its entry point in profiles.
    const ENTRY: &'static str = "forward";
    /// The form of its operands.
    type Operand;
    /// Itself with operands of another form.
    type On<U>: Operation<B, Operand = U, Output = Self::Output, Kept = Self::Kept>;
    /// Its result; nothing where it changes its operands in place.
    type Output;
    /// What the way back needs beside the operands.
    type Kept;

    /// Brings each operand, in their order, into another form.
    fn map<U>(&self, form: impl FnMut(&Self::Operand) -> U) -> Self::On<U>;

    /// Memory for what it makes, not written yet.
    fn results(of: &Self::On<Shape>, on: &B) -> (Self::Output, Self::Kept);

    /// What tells one call from another.
    fn sizes(of: &Self::On<Shape>) -> Sizes;

    /// Its work on the way forward.
    fn work(of: &Self::On<Shape>) -> Work;
}

/// An operation with a gradient: its result is one matrix.
pub trait Differentiable<B: Storage>: Operation<B, Output = B::Tensor> {
    /// Its work on the way back, where the gradients of some operands are wanted.
    fn backward_work(of: &Self::On<Shape>, wanted: &Self::On<bool>) -> Work;
}

/// A backend that has the kernel of an operation. Callers go through [`Storage::run`].
pub trait Run<O: Operation<Self>>: Storage {
    /// The way forward.
    fn forward(&self, of: &O) -> (O::Output, O::Kept);

    /// That of several operations that need nothing of each other; none where it is no gain to do them at once.
    fn forward_together(&self, _all: &[O]) -> Option<Vec<(O::Output, O::Kept)>> {
        None
    }
}

/// A backend that has the kernel's gradient, too. Callers go through [`Storage::run_back`].
pub trait Differentiate<O: Differentiable<Self>>: Run<O> {
    /// The way back: `dy` is the gradient of the result, `sinks` take those of the operands.
    fn backward(&self, of: &O, kept: &O::Kept, dy: &Self::Tensor, sinks: &O::On<Option<Sink<Self::Tensor>>>);

    /// That of several operations that went forward together; what goes to the same sink is added in their order.
    fn backward_together(&self, all: &[Backward<'_, Self, O>]) {
        all.iter().for_each(|one| self.backward(one.of, one.kept, one.dy, one.sinks));
    }
}

/// An operation's way back.
pub struct Backward<'a, B: Storage, O: Operation<B>> {
    /// The operation.
    pub of: &'a O,
    /// What its way forward kept.
    pub kept: &'a O::Kept,
    /// The gradient of its result.
    pub dy: &'a B::Tensor,
    /// Where those of its operands go.
    pub sinks: &'a O::On<Option<Sink<B::Tensor>>>,
}

/// The shapes of an operation's matrices.
pub fn shapes<B: Storage, O: Operation<B, Operand = B::Tensor>>(operation: &O) -> O::On<Shape> {
    operation.map(|operand| Shape(operand.shape()))
}

/// A call of a kernel as an observer sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Its name.
    pub kernel: &'static str,
    /// Which way: `forward`, `backward`, or what else the kernel does.
    pub entry: &'static str,
    /// What tells it from others.
    pub sizes: Sizes,
    /// What the equation asks for.
    pub work: Work,
}

impl Call {
    /// The way forward of an operation.
    pub fn forward<B: Storage, O: Operation<B, Operand = B::Tensor>>(operation: &O) -> Self {
        let of = shapes(operation);
        Self { kernel: O::KERNEL, entry: O::ENTRY, sizes: O::sizes(&of), work: O::work(&of) }
    }

    /// Its way back.
    pub fn backward<B: Storage, O: Differentiable<B, Operand = B::Tensor>>(operation: &O, sinks: &O::On<Option<Sink<B::Tensor>>>) -> Self {
        let of = shapes(operation);
        Self { kernel: O::KERNEL, entry: "backward", sizes: O::sizes(&of), work: backward_work(operation, sinks) }
    }
}

/// An operation's work on the way back to these sinks.
pub fn backward_work<B: Storage, O: Differentiable<B, Operand = B::Tensor>>(operation: &O, sinks: &O::On<Option<Sink<B::Tensor>>>) -> Work {
    let mut wanted = Vec::new();
    sinks.map(|sink| wanted.push(sink.is_some()));
    let mut wanted = wanted.into_iter();
    O::backward_work(&shapes(operation), &operation.map(|_| wanted.next().unwrap_or(false)))
}
