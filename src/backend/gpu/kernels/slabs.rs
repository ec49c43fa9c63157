//! Sums over rows in two passes of fixed shape: partial sums of slabs of rows, then their sum in order.
//!
//! Gradients of parameters are used late. So the second pass waits, and is one for all sums whose results no one has asked for yet:
//! of a dispatch for each most would wait for a few loads.

use std::cell::{Cell, RefCell};
use std::ops::Range;

use super::*;
use crate::backend::SLICE_ALIGNMENT;
use crate::backend::gpu::memory::BufferRange;
use shader::slabs::{Args, SlabSum as Row, Sum, WORKGROUP};

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

    /// Rows of a slab of a sum that has fewer rows than these are for, in as many slabs.
    pub(super) fn rows_of(&self, rows: usize) -> u32 {
        (rows.div_ceil(self.count as usize).next_multiple_of(16).max(FEWEST_ROWS) as u32).min(self.rows)
    }

    /// Where `compute` leaves the sums of each slab, the weight's, then the bias', which are then added up:
    /// `weight (+)= Σ_slab partial[slab, ..]`, and likewise the bias.
    pub(super) fn sum_of(&self, gpu: &Gpu, gradient: SlabGradient, sums: usize, compute: impl FnOnce(&Tensor)) {
        self.sum_all(gpu, &[&gradient], sums, |partial| compute(&partial.sums));
    }

    /// The same of several gradients, each of so many sums. One slab's go to the gradients themselves, where those are set and lie one
    /// after the other.
    pub(super) fn sum_all(&self, gpu: &Gpu, gradients: &[&SlabGradient], sums: usize, compute: impl FnOnce(&PartialSums)) {
        let in_place = || gradients.iter().map(|gradient| gradient.in_place()).collect::<Option<Vec<_>>>();
        if let Some(places) = (self.count == 1).then(in_place).flatten().filter(|all| all.iter().all(|one| one.is_beside(&all[0]))) {
            let memory = around(&places, Tensor::clone);
            let places = places.iter().map(|place| place.place_in(&memory) as usize).collect();
            return compute(&PartialSums { sums: memory, places, pitch: 0 });
        }
        let pitch = gradients.len() * sums;
        let partial = gpu.partial_sums([self.count as usize, pitch]);
        let places: Vec<usize> = (0..gradients.len()).map(|number| number * sums).collect();
        compute(&PartialSums { sums: partial.clone(), places: places.clone(), pitch });
        for (gradient, mut first) in gradients.iter().zip(places) {
            for (sink, elements) in [Some(&gradient.weight), gradient.bias.as_ref()].into_iter().flatten() {
                let (sink, elements, count) = (sink.clone(), elements.clone(), elements.len());
                if count > 0 {
                    gpu.add_up_later(SlabSum { partial: partial.clone(), first, slabs: self.count, sink, elements });
                }
                first += count;
            }
        }
    }
}

/// Elements of a sink.
type Part = (Sink<Tensor>, Range<usize>);

/// Where the sums of a weight and of its bias go.
pub(super) struct SlabGradient {
    pub weight: Part,
    pub bias: Option<Part>,
}

impl SlabGradient {
    pub(super) fn whole(weight: Sink<Tensor>, bias: Option<Sink<Tensor>>) -> Self {
        let whole = |sink: Sink<Tensor>| {
            let elements = 0..sink.tensor.len();
            (sink, elements)
        };
        Self { weight: whole(weight), bias: bias.map(whole) }
    }

    /// Both as one matrix, where they are whole, set and beside each other.
    fn in_place(&self) -> Option<Tensor> {
        let is_set = |(sink, elements): &Part| sink.write == Write::Set && *elements == (0..sink.tensor.len());
        let bias = self.bias.as_ref().filter(|bias| is_set(bias) && is_set(&self.weight))?;
        self.weight.0.tensor.joined(&bias.0.tensor)
    }
}

/// Where a dispatch leaves the sums of each slab.
pub(super) struct PartialSums {
    pub sums: Tensor,
    /// Elements of the first slab at which each gradient's begin.
    pub places: Vec<usize>,
    /// Elements from a slab's to the next one's.
    pub pitch: usize,
}

/// `sink[elements] (+)= Σ_slab partial[slab, first..]`.
struct SlabSum {
    /// `[slabs, sums]`
    partial: Tensor,
    first: usize,
    slabs: u32,
    sink: Sink<Tensor>,
    elements: Range<usize>,
}

impl SlabSum {
    fn width(&self) -> Width {
        Width::of(&[self.first, self.partial.columns(), self.elements.start, self.elements.len()])
    }

    /// What it writes.
    fn result(&self) -> BufferRange {
        let [offset, size] = [self.elements.start, self.elements.len()].map(|elements| (elements * size_of::<f32>()) as u64);
        let sink = self.sink.tensor.buffer();
        BufferRange { offset: sink.offset + offset, size, ..sink }
    }

    /// Every slab's sums are read, the sink's elements written, and read where it adds to them.
    fn work(&self) -> Work {
        Work::elementwise(0.0, 0, self.elements.len() * (self.slabs + 1 + self.sink.accumulates()) as usize)
    }

    /// Whether one dispatch can make both.
    fn goes_with(&self, other: &Self) -> bool {
        self.partial.is_beside(&other.partial) && self.sink.tensor.is_beside(&other.sink.tensor) && self.width() == other.width()
    }
}

/// The sums of a device that wait to be added up, and the memory of their partial sums.
#[derive(Default)]
pub(in super::super) struct SlabSums {
    waiting: RefCell<Vec<SlabSum>>,
    /// Where partial sums lie, and how many elements of it are in use.
    memory: RefCell<Option<(Tensor, usize)>>,
    /// Elements that the next such memory is to have: it grows until those of a training step fit in.
    wanted: Cell<usize>,
}

/// Most bytes of the memory of partial sums, so that no batch fails for want of it.
const MOST_BYTES: u64 = 128 << 20;

impl SlabSums {
    /// Whether a sum that waits writes to one of these buffers.
    pub(in super::super) fn write_to(&self, buffers: impl Fn() -> Vec<BufferRange>) -> bool {
        let waiting = self.waiting.borrow();
        !waiting.is_empty() && {
            let buffers = buffers();
            waiting.iter().map(SlabSum::result).any(|result| buffers.iter().any(|range| range.meets(result)))
        }
    }

    /// Gives all up, and begins with little memory again.
    pub(in super::super) fn forget(&self) {
        self.waiting.take();
        self.memory.take();
        self.wanted.take();
    }
}

impl Gpu {
    /// Memory for partial sums, beside those of the sums that wait.
    fn partial_sums(&self, shape: [usize; 2]) -> Tensor {
        let sums = self.slab_sums();
        let count = (shape[0] * shape[1]).next_multiple_of(SLICE_ALIGNMENT);
        let free = sums.memory.take().filter(|(memory, used)| used + count <= memory.len());
        let (memory, used) = free.unwrap_or_else(|| {
            let most = self.bytes_at_once().min(MOST_BYTES) as usize / size_of::<f32>() / SLICE_ALIGNMENT * SLICE_ALIGNMENT;
            let wanted = if sums.waiting.borrow().is_empty() { sums.wanted.get() } else { 2 * sums.wanted.get() };
            self.add_up();
            sums.wanted.set(wanted.max(count).min(most));
            let elements = match () {
                () if self.watches_buffers() => count,
                () if self.is_rehearsing() => most,
                () => sums.wanted.get(),
            };
            (self.new_tensor([1, elements.max(count)]), 0)
        });
        let partial = memory.slice(used, shape);
        *sums.memory.borrow_mut() = Some((memory, used + count));
        partial
    }

    /// Adds up when the result is used or memory is short, at once where buffers are watched for stray writes.
    fn add_up_later(&self, sum: SlabSum) {
        let sums = self.slab_sums();
        if sums.write_to(|| vec![sum.result()]) {
            self.add_up();
        }
        sums.waiting.borrow_mut().push(sum);
        if self.watches_buffers() {
            self.add_up();
        }
    }

    /// Makes the sums that wait.
    pub(in super::super) fn add_up(&self) {
        let sums = self.slab_sums();
        sums.memory.take();
        let mut waiting = sums.waiting.take();
        while let Some(first) = waiting.pop() {
            let (mut together, others): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|sum| sum.goes_with(&first));
            together.push(first);
            self.add_up_together(&together);
            waiting = others;
        }
    }

    /// Makes sums that go with each other in one dispatch.
    fn add_up_together(&self, sums: &[SlabSum]) {
        let [partial, out] = [around(sums, |sum| sum.partial.clone()), around(sums, |sum| sum.sink.tensor.clone())];
        let width = sums[0].width();
        let elements = |numbers: usize| (numbers / width.numbers()) as u32;
        let mut groups = 0;
        let row = |sum: &SlabSum| {
            let first_group = groups;
            groups += blocks(sum.elements.len() / width.numbers(), WORKGROUP);
            Row {
                first_group,
                count: elements(sum.elements.len()),
                slabs: sum.slabs,
                stride: elements(sum.partial.columns()),
                partial: elements(sum.partial.place_in(&partial) as usize + sum.first),
                out: elements(sum.sink.tensor.place_in(&out) as usize + sum.elements.start),
                accumulate: sum.sink.accumulates(),
            }
        };
        let table: Vec<Row> = sums.iter().map(row).collect();
        let table = self.upload_table(&table);
        let args = Args { sums: sums.len() as u32, slabs: sums.iter().map(|sum| sum.slabs).max().unwrap_or(0) };
        let launch = Sum { sums: &table, partial: &partial, out: &out };
        let work: Work = sums.iter().map(SlabSum::work).sum();
        self.dispatch_variant(width, &launch, args, flat_grid(groups as usize, 1), work);
    }
}
