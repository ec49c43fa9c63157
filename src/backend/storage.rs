//! What every backend has beside kernels: matrices and lists in its memory, and the ways there and back.

use std::future::Future;

use super::ops::{Call, Differentiable, Differentiate, Operation, Run};
use super::{BackendError, Result, Sink};
use crate::base::real::Real;
use crate::base::tiles::TileChoice;

/// A matrix on a backend: a cheap handle, row-major `[rows, columns]`.
pub trait Matrix: Clone {
    /// `[rows, columns]`.
    fn shape(&self) -> [usize; 2];

    /// `length` elements from element `start`, seen as a matrix of the given shape; shares memory.
    ///
    /// `start` must be a multiple of `SLICE_ALIGNMENT`, which devices ask of a binding's offset.
    fn slice(&self, start: usize, shape: [usize; 2]) -> Self;

    /// The first of the shape.
    fn rows(&self) -> usize {
        self.shape()[0]
    }

    /// The second of the shape.
    fn columns(&self) -> usize {
        self.shape()[1]
    }

    /// Number of elements.
    fn len(&self) -> usize {
        self.rows() * self.columns()
    }

    /// Whether it has no element.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Alignment of a [`Matrix::slice`], in elements (256 bytes, WebGPU's default limit).
pub(crate) const SLICE_ALIGNMENT: usize = 64;

/// Where matrices lie and kernels run.
///
/// Every kernel only records work; failures surface at the next [`Storage::finish_read`].
pub trait Storage: Sized {
    /// Number type of the matrices.
    type Element: Real;
    /// A matrix, or a part of one.
    type Tensor: Matrix;
    /// A list of 32-bit words: offsets, indices, labels; a cheap handle.
    type Words: Clone;
    /// A read that has been asked for.
    type Readback;

    /// Name of the device, as `mcsan devices` shows it.
    fn device_name(&self) -> String;

    /// The tiles that matrix products were found to be fastest with, on backends that have several.
    fn tiles(&self) -> Vec<TileChoice> {
        Vec::new()
    }

    /// Most bytes of a matrix, where the device has a limit of its own.
    fn largest_matrix(&self) -> Option<u64> {
        None
    }

    /// Copies `values` to the device.
    fn upload(&self, values: &[f32], shape: [usize; 2]) -> Self::Tensor;

    /// Copies values to the device that come in pieces, so that the host need not hold a large matrix whole.
    ///
    /// # Errors
    /// That of a piece.
    fn upload_pieces<E>(
        &self,
        pieces: impl Iterator<Item = std::result::Result<Vec<f32>, E>>,
        shape: [usize; 2],
    ) -> std::result::Result<Self::Tensor, E> {
        let values = pieces.collect::<std::result::Result<Vec<_>, E>>()?.concat();
        Ok(self.upload(&values, shape))
    }

    /// Copies `words` to the device.
    fn upload_words(&self, words: &[u32]) -> Self::Words;

    /// A matrix of zeros.
    fn zeros(&self, shape: [usize; 2]) -> Self::Tensor;

    /// A matrix whose content no one has written yet: kernels must set every element.
    fn uninitialised(&self, shape: [usize; 2]) -> Self::Tensor;

    /// Several of those, side by side where the backend can then go over them at once.
    fn uninitialised_together(&self, shapes: &[[usize; 2]]) -> Vec<Self::Tensor> {
        shapes.iter().map(|&shape| self.uninitialised(shape)).collect()
    }

    /// The same for a list of so many words.
    fn uninitialised_words(&self, count: usize) -> Self::Words;

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
    fn recover(&self) -> impl Future<Output = ()> {
        std::future::ready(())
    }

    /// Fails if a kernel is known to have written where it must not (guard words); does nothing where that is not watched.
    fn verify(&self) -> impl Future<Output = Result<()>> {
        std::future::ready(Ok(()))
    }

    /// Makes a call of a kernel; a backend that is observed tells of its begin and end, and what `describe` says of it.
    fn observe<R>(&self, describe: impl FnOnce() -> Call, call: impl FnOnce() -> R) -> R {
        let _ = describe;
        call()
    }

    /// Runs a kernel.
    fn run<O: Operation<Self, Operand = Self::Tensor>>(&self, operation: &O) -> O::Output
    where
        Self: Run<O>,
    {
        self.run_keeping(operation).0
    }

    /// Runs a kernel; returns with its result what the way back needs.
    fn run_keeping<O: Operation<Self, Operand = Self::Tensor>>(&self, operation: &O) -> (O::Output, O::Kept)
    where
        Self: Run<O>,
    {
        self.observe(|| Call::forward(operation), || self.forward(operation))
    }

    /// Runs a kernel's way back: leaves the gradients of its operands, as far as they are wanted, in `sinks`. `dy` is the gradient of
    /// its result.
    fn run_back<O: Differentiable<Self, Operand = Self::Tensor>>(
        &self,
        operation: &O,
        kept: &O::Kept,
        dy: &Self::Tensor,
        sinks: &O::On<Option<Sink<Self::Tensor>>>,
    ) where
        Self: Differentiate<O>,
    {
        self.observe(|| Call::backward(operation, sinks), || self.backward(operation, kept, dy, sinks));
    }
}

/// A device's numbers as float32.
pub fn as_f32<E: Real>(values: Vec<E>) -> Vec<f32> {
    values.into_iter().map(E::as_f32).collect()
}
