//! Launches: for each kernel, which buffers and numbers its shader gets and over how many workgroups it runs.
//!
//! A file here is named as its shader in `shaders/` and its reference in `backend/cpu/`.

pub(super) mod accumulate;
pub(super) mod adam;
pub(super) mod attention;
pub(super) mod attention_weights;
pub(super) mod bilstm;
pub(super) mod conv_pool;
pub(super) mod cross_entropy;
pub(super) mod deltas;
pub(super) mod dropout;
pub(super) mod embedding;
pub(super) mod global_max;
pub(super) mod gradient_norm;
pub(super) mod linear;
pub(super) mod loss_scale;
pub(super) mod mfcc;
mod peaks;
pub(super) mod position_embedding;
mod product;
pub(super) mod residual_norm;
pub(super) mod sgd;
mod slabs;
pub(super) mod z_score;

use super::device::Gpu;
use super::memory::{Tensor, Words};
use super::shader::{self, Width};
use crate::backend::{Matrix, Ragged, Sink, Write};

/// Workgroups of one dimension before a grid is folded into two.
const FOLD: usize = 32768;

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

/// FLOP of a product of `rows` rows with every element of a weight.
fn product_flop(rows: usize, weight: &Tensor) -> f64 {
    2.0 * rows as f64 * weight.len() as f64
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
