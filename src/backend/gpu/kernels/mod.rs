//! Launches: for each kernel, which buffers and numbers its shader gets and over how many workgroups it runs.
//!
//! A file here is named as its operation in `backend/ops/`, its reference in `backend/cpu/` and its shader in `shaders/`. The dispatches
//! that do an operation's work declare it as the operation states it; auxiliary ones (packing, partial sums) declare none, and count
//! for the bytes that they bind.

mod peaks;
mod product;
mod recurrence;
mod slabs;
mod tangent;
mod trial;

pub(super) use slabs::SlabSums;
pub(super) use trial::Trial;

use super::engine::Gpu;
use super::memory::{Tensor, Words};
use super::shader::{self, Width};
use crate::backend::list::{kernels, modules};
use crate::backend::ops::{self, Operation, Run};
use crate::backend::{Matrix, Ragged, Sink, Work, Write};

kernels!(modules);

/// Workgroups of one dimension before a grid is folded into two: enough for 2³² elements, and few enough that long work can be cut
/// along the second dimension.
const FOLD: usize = 256;

/// Grid of workgroups of so many invocations for `count` elements, folded as `shaders/shared/grid.wgsl` reads it.
fn flat_grid(count: usize, workgroup: u32) -> [u32; 3] {
    let groups = count.div_ceil(workgroup as usize);
    [groups.min(FOLD) as u32, groups.div_ceil(FOLD) as u32, 1]
}

/// Grid of workgroups of so many invocations over columns and blocks of rows, folded as `shaders/shared/grid.wgsl` reads it.
fn row_grid(columns: usize, workgroup: u32, rows: usize, block_rows: u32) -> [u32; 3] {
    let [first, second, _] = flat_grid(rows, block_rows);
    [blocks(columns, workgroup), first, second]
}

/// Number of blocks of `size` that cover `count`.
fn blocks(count: usize, size: u32) -> u32 {
    count.div_ceil(size as usize) as u32
}

/// Whether the variants `software` are made for the device and can take matrices of these widths, which must be whole vec4s.
fn suits_software(gpu: &Gpu, widths: &[usize]) -> bool {
    gpu.is_software() && Width::of(widths) == Width::Vec4
}

/// The shapes of an operation's matrices.
fn shapes<O: Operation<Gpu, Operand = Tensor>>(of: &O) -> O::On<ops::Shape> {
    ops::shapes(of)
}

/// Its work on the way forward.
fn work<O: Operation<Gpu, Operand = Tensor>>(of: &O) -> Work {
    O::work(&shapes(of))
}

impl Gpu {
    /// Memory for what an operation makes.
    fn results<O: Operation<Self, Operand = Tensor>>(&self, of: &O) -> (O::Output, O::Kept) {
        O::results(&shapes(of), self)
    }

    /// Where a gradient goes that a kernel makes together with others, whether it is wanted or not; `like` has its shape.
    fn sink(&self, wanted: &Option<Sink<Tensor>>, like: &Tensor) -> Sink<Tensor> {
        wanted.clone().unwrap_or_else(|| Sink { tensor: self.new_tensor(like.shape()), write: Write::Set })
    }
}

/// All that tensors of `items`, which lie in one buffer, take of it; there is at least one.
fn around<T>(items: &[T], tensor: impl Fn(&T) -> Tensor) -> Tensor {
    items.iter().skip(1).fold(tensor(&items[0]), |all, item| all.reaching(&tensor(item)))
}

/// The same of lists.
fn around_words<T>(items: &[T], words: impl Fn(&T) -> Words) -> Words {
    items.iter().skip(1).fold(words(&items[0]), |all, item| all.reaching(&words(item)))
}

/// Sorts what is to be done into dispatches, one after the other: together with the first that it goes with, but after all that it
/// `meets`, whose results it changes.
fn in_dispatches<T>(items: impl IntoIterator<Item = T>, goes_with: impl Fn(&T, &T) -> bool, meets: impl Fn(&T, &T) -> bool) -> Vec<Vec<T>> {
    let mut dispatches: Vec<Vec<T>> = Vec::new();
    for item in items {
        let earliest = dispatches.iter().rposition(|dispatch| dispatch.iter().any(|other| meets(other, &item))).map_or(0, |last| last + 1);
        match dispatches.iter_mut().skip(earliest).find(|dispatch| goes_with(&dispatch[0], &item)) {
            Some(dispatch) => dispatch.push(item),
            None => dispatches.push(vec![item]),
        }
    }
    dispatches
}

/// A switch of a shader's arguments.
fn flag(on: bool) -> u32 {
    u32::from(on)
}

impl Sink<Tensor> {
    /// The switch `accumulate` of a shader that writes here.
    fn accumulates(&self) -> u32 {
        flag(self.write == Write::Add)
    }
}

/// Where each utterance's rows lie in two ragged matrices: `[batch]` of (begin, end, other begin, other end).
fn paired_ranges(gpu: &Gpu, first: &Ragged<Gpu>, second: &Ragged<Gpu>) -> Words {
    gpu.derive_list("ranges", [&first.device_offsets, &second.device_offsets], || {
        let pairs = first.offsets.windows(2).zip(second.offsets.windows(2));
        pairs.flat_map(|(a, b)| [a[0], a[1], b[0], b[1]]).collect()
    })
}
