//! Clips the gradient of each parameter by its own Euclidean norm, `g · min(1, c / ‖g‖)`. One whose norm is no finite number, which its
//! squares make it from 1e19 on, becomes NaN, so that it is seen.

use std::ops::Range;
use std::rc::Rc;

use super::{Operation, Shape, Sizes};
use crate::backend::{Storage, Work};

/// Changes the gradients in place; what lies between them stays as it is.
pub struct ClipTensors<B: Storage, T> {
    /// `[1, elements]`: those of all parameters.
    pub gradients: T,
    /// Where each parameter's are.
    pub tensors: TensorTable<B>,
    /// c, above zero.
    pub limit: f32,
}

/// Where tensors lie in one buffer. A clone shares it.
pub struct TensorTable<B: Storage> {
    /// Elements of each.
    pub ranges: Rc<[Range<usize>]>,
    /// `[chunks]` of (first element, end, first chunk of its tensor, end): the tensors cut into chunks.
    pub chunks: B::Words,
    /// How many chunks there are.
    pub count: usize,
}

/// Elements of a chunk.
const CHUNK: usize = 4096;

impl<B: Storage> TensorTable<B> {
    /// Uploads where tensors lie.
    pub fn new(backend: &B, ranges: &[Range<usize>]) -> Self {
        let mut chunks = Vec::new();
        for range in ranges {
            let first = chunks.len() / 4;
            let end = first + range.len().div_ceil(CHUNK);
            let chunk = |start: usize| [start, (start + CHUNK).min(range.end), first, end].map(|word| word as u32);
            chunks.extend(range.clone().step_by(CHUNK).flat_map(chunk));
        }
        Self { chunks: backend.upload_words(&chunks), count: chunks.len() / 4, ranges: ranges.into() }
    }

    /// Elements of all tensors.
    fn len(&self) -> usize {
        self.ranges.iter().map(Range::len).sum()
    }
}

impl<B: Storage> Clone for TensorTable<B> {
    fn clone(&self) -> Self {
        Self { ranges: self.ranges.clone(), chunks: self.chunks.clone(), count: self.count }
    }
}

impl<B: Storage, T> Operation<B> for ClipTensors<B, T> {
    const KERNEL: &'static str = "clip_tensors";
    const ENTRY: &'static str = "clip";
    type Operand = T;
    type On<U> = ClipTensors<B, U>;
    type Output = ();
    type Kept = ();

    fn map<U>(&self, mut form: impl FnMut(&T) -> U) -> ClipTensors<B, U> {
        ClipTensors { gradients: form(&self.gradients), tensors: self.tensors.clone(), limit: self.limit }
    }

    fn results(_: &ClipTensors<B, Shape>, _: &B) -> ((), ()) {
        ((), ())
    }

    fn sizes(of: &ClipTensors<B, Shape>) -> Sizes {
        vec![("count", of.tensors.len()), ("tensors", of.tensors.ranges.len())]
    }

    /// They are read for the norm, and again to be written.
    fn work(of: &ClipTensors<B, Shape>) -> Work {
        Work::elementwise(3.0, of.tensors.len(), 3 * of.tensors.len())
    }
}
