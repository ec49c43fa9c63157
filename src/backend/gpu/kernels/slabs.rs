//! Sums over rows in two passes of fixed shape: partial sums of slabs of rows, then their sum in order.

use std::ops::Range;

use super::*;
use shader::slabs::{Args, Sum, WORKGROUP};

/// Most slabs of a sum over rows on software adapters, whose cores they keep busy, …
const SLABS_OF_SOFTWARE: usize = 32;
/// … and on graphics hardware, where a few workgroups would wait for one load after the other.
const SLABS_OF_HARDWARE: usize = 128;
/// Workgroups that keep the cores of a software adapter busy.
const WORKGROUPS_OF_SOFTWARE: usize = 8;
/// Most and fewest slabs of a weight's gradient on graphics hardware, …
const SLABS_OF_PRODUCT: [usize; 2] = [128, 4];
/// … and numbers of all its partial sums together: a few tens of thousands of invocations, each with a block of them.
const PARTIAL_SUMS: usize = 1 << 21;
/// Fewest rows of a slab, so that a workgroup has something to do.
const FEWEST_ROWS: usize = 64;

/// How rows are cut into slabs; depends on shapes and the kind of device alone, so sums have the same order every time.
pub(super) struct Slabs {
    pub rows: u32,
    pub count: u32,
}

impl Slabs {
    pub(super) fn of(gpu: &Gpu, rows: usize) -> Self {
        Self::at_most(if gpu.is_software() { SLABS_OF_SOFTWARE } else { SLABS_OF_HARDWARE }, rows)
    }

    /// For a sum by one of the variants `software`, whose grid without slabs is this.
    pub(super) fn of_software(rows: usize, grid: [u32; 3]) -> Self {
        let workgroups: usize = grid.iter().map(|&size| size as usize).product();
        Self::at_most(WORKGROUPS_OF_SOFTWARE.div_ceil(workgroups.max(1)), rows)
    }

    /// For the gradient of a weight of so many elements, whatever tile computes it.
    pub(super) fn of_product(rows: usize, elements: usize) -> Self {
        let [most, fewest] = SLABS_OF_PRODUCT;
        Self::at_most((PARTIAL_SUMS / elements.max(1)).clamp(fewest, most), rows)
    }

    fn at_most(most: usize, rows: usize) -> Self {
        let slab = rows.div_ceil(most).next_multiple_of(16).max(FEWEST_ROWS);
        Self { rows: slab as u32, count: rows.div_ceil(slab).max(1) as u32 }
    }

    /// Where `compute` leaves the sums of each slab, `[slabs, weight's · bias's]`, which are then added up:
    /// `weight (+)= Σ_slab partial[slab, ..]`, and likewise the bias. One slab's sums go to the gradients themselves, where they are
    /// set and lie one after the other.
    pub(super) fn sum_of(&self, gpu: &Gpu, weight: &Sink<Tensor>, bias: Option<&Sink<Tensor>>, sums: usize, compute: impl FnOnce(&Tensor)) {
        let in_place = |bias: &Sink<Tensor>| {
            let sets = [weight.write, bias.write] == [Write::Set; 2];
            if self.count == 1 && sets { weight.tensor.joined(&bias.tensor) } else { None }
        };
        if let Some(gradients) = bias.and_then(in_place) {
            return compute(&gradients);
        }
        let partial = gpu.new_tensor([self.count as usize, sums]);
        compute(&partial);
        let whole = |sink: &Sink<Tensor>| 0..sink.tensor.len();
        self.sum_parts(gpu, &partial, (weight, whole(weight)), bias.map(|bias| (bias, whole(bias))));
    }

    /// The same for some of the sinks' elements.
    pub(super) fn sum_parts(&self, gpu: &Gpu, partial: &Tensor, weight: Part<'_>, bias: Option<Part<'_>>) {
        let (sink, part) = weight;
        let unused = Sink { tensor: gpu.new_tensor([1, 1]), write: Write::Set };
        let (more_sink, more) = bias.unwrap_or((&unused, 0..0));
        let sums = part.len() + more.len();
        let width = Width::of(&[part.start, part.len(), more.start, more.len(), partial.columns()]);
        let elements = |numbers: usize| (numbers / width.numbers()) as u32;
        let args = Args {
            count: elements(part.len()),
            more: elements(more.len()),
            slabs: self.count,
            stride: elements(partial.columns()),
            out_offset: elements(part.start),
            more_out_offset: elements(more.start),
            accumulate: sink.accumulates(),
            accumulate_more: more_sink.accumulates(),
        };
        // Of the sinks only these elements.
        let work = Work::elementwise(0.0, 0, sums * (self.count + 1 + sink.accumulates()) as usize);
        let launch = Sum { partial, out: &sink.tensor, more_out: &more_sink.tensor };
        gpu.dispatch_variant(width, &launch, args, flat_grid(sums / width.numbers(), WORKGROUP), work);
    }
}

/// Elements of a sink.
type Part<'a> = (&'a Sink<Tensor>, Range<usize>);
