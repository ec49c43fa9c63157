//! What a kernel's launch sees of the device: memory, lists, dispatches, and which variants suit.

use std::rc::Rc;

use super::{Gpu, PlannedDispatch};
use crate::backend::gpu::kernels::SlabSums;
use crate::backend::gpu::memory::{Allocation, Tensor, Words, WrittenBy};
use crate::backend::gpu::pipelines::EntryPoint;
use crate::backend::gpu::recording::{Command, Dispatch};
use crate::backend::gpu::shader::{Arguments, Launch, Shader, ShaderVariant};
use crate::backend::{BackendError, Execution, Matrix, SLICE_ALIGNMENT, Work};
use crate::base::remedy::Remedy;
use crate::base::tiles::Tile;

impl Gpu {
    /// Whether an invocation has registers for a tile.
    pub(in super::super) fn holds(&self, tile: Tile) -> bool {
        tile.registers() <= self.capabilities().registers
    }

    /// Whether subgroups are the eight invocations of a processor's vector and words may have 64 bits, which the variants
    /// `software` are made for.
    pub(in super::super) fn is_software(&self) -> bool {
        self.device.is_software()
    }

    /// Whether FXC compiles its shaders, which takes seconds each.
    pub(crate) fn is_of_fxc(&self) -> bool {
        self.device.is_of_fxc()
    }

    /// How many times over work of so many FLOP may be done in one submission, by a slow device of this kind.
    pub(in super::super) fn part_of_submission(&self, flop: f64) -> u32 {
        (self.device.submission().seconds / self.device.seconds(flop, 0.0)) as u32
    }

    /// Bytes of the largest buffer that may be read in one submission by a slow device of this kind.
    pub(in super::super) fn bytes_at_once(&self) -> u64 {
        let bytes = self.device.submission().seconds / self.device.seconds(0.0, 1.0);
        self.largest_buffer().min(bytes as u64)
    }

    /// Whether every buffer is kept as it was written, and looked at for stray writes.
    pub(in super::super) fn watches_buffers(&self) -> bool {
        self.memory.has_guards()
    }

    /// Whether the device has all that a variant needs, in features and in limits.
    pub(in super::super) fn can_run(&self, shader: &'static Shader, variant: &'static ShaderVariant) -> bool {
        variant.footprints.iter().all(|footprint| self.device.check(shader, variant, footprint).is_ok())
    }

    /// Whether subgroups are of at most 32 invocations, half of whose registers hold so many factors of cooperative matrices of 16 × 16.
    pub(in super::super) fn holds_factors(&self, factors: u32) -> bool {
        let registers = 2 * factors * self.device.registers_of_a_factor();
        self.info().subgroup_max_size <= 32 && registers <= self.capabilities().registers.next_multiple_of(2)
    }

    /// The sums over slabs of rows that wait to be added up.
    pub(in super::super) fn slab_sums(&self) -> &SlabSums {
        &self.slab_sums
    }

    /// Keeps the first failure; the next read returns it. What fails in a rehearsal fails again in earnest.
    pub(in super::super) fn fail(&self, error: BackendError) {
        if !self.is_rehearsing() {
            self.device.fail(error);
        }
    }

    pub(in super::super) fn new_tensor(&self, shape: [usize; 2]) -> Tensor {
        Tensor::new(self.allocate(shape[0] * shape[1]), shape)
    }

    /// Matrices in one buffer, where it may be so large.
    pub(in super::super) fn new_tensors(&self, shapes: &[[usize; 2]]) -> Vec<Tensor> {
        if shapes.is_empty() {
            return Vec::new();
        }
        let mut end: usize = 0;
        let place = |&[rows, columns]: &[usize; 2]| {
            let start = end.next_multiple_of(SLICE_ALIGNMENT);
            end = start + rows * columns;
            start
        };
        let places: Vec<usize> = shapes.iter().map(place).collect();
        if (end * size_of::<f32>()) as u64 > self.largest_buffer() {
            return shapes.iter().map(|&shape| self.new_tensor(shape)).collect();
        }
        let all = self.new_tensor([1, end]);
        places.into_iter().zip(shapes).map(|(start, &shape)| all.slice(start, shape)).collect()
    }

    pub(in super::super) fn new_words(&self, count: usize) -> Words {
        Words::new(self.allocate(count), 0, count)
    }

    fn allocate(&self, words: usize) -> Rc<Allocation> {
        if self.is_rehearsing() { self.memory.none() } else { self.memory.allocate(&self.device, words, WrittenBy::Kernel) }
    }

    pub(in super::super) fn upload_tensor(&self, values: &[f32], shape: [usize; 2]) -> Tensor {
        let upload = || self.memory.upload(&self.device, bytemuck::cast_slice(values));
        Tensor::new(if self.is_rehearsing() { self.memory.none() } else { upload() }, shape)
    }

    /// The same of values that come in pieces.
    pub(in super::super) fn upload_tensor_in_pieces<E>(
        &self,
        pieces: impl Iterator<Item = Result<Vec<f32>, E>>,
        shape: [usize; 2],
    ) -> Result<Tensor, E> {
        if self.is_rehearsing() {
            return Ok(Tensor::new(self.memory.none(), shape));
        }
        Ok(Tensor::new(self.memory.upload_pieces(&self.device, shape[0] * shape[1], pieces)?, shape))
    }

    /// Uploads a list that kernels only read, together with the others of a submission.
    pub(in super::super) fn upload_list(&self, words: &[u32]) -> Words {
        if let Some(rehearsed) = self.rehearsed.borrow_mut().as_mut() {
            // As short ones do, they lie together.
            let lists = rehearsed.lists.get_or_insert_with(|| self.memory.none());
            return Words::new(lists.clone(), 0, words.len());
        }
        self.memory.upload_list(&self.device, words)
    }

    /// The same of a table by rows.
    pub(in super::super) fn upload_table<R: bytemuck::Pod>(&self, rows: &[R]) -> Words {
        self.upload_list(bytemuck::cast_slice(rows))
    }

    /// A list that follows from two others, made once in a submission; `what` tells it from others that follow from them.
    pub(in super::super) fn derive_list(&self, what: &'static str, from: [&Words; 2], make: impl FnOnce() -> Vec<u32>) -> Words {
        if self.is_rehearsing() {
            return Words::new(self.memory.none(), 0, make().len());
        }
        self.memory.derive_list(&self.device, what, from, make)
    }

    /// A table that kernels read, of at least so many rows, kept on the device; `make` gives all elements of one with the rows
    /// it is called with.
    pub(in super::super) fn table(&self, name: &'static str, [rows, columns]: [usize; 2], make: impl FnOnce(usize) -> Vec<f32>) -> Tensor {
        let known = self.tables.borrow().get(&(name, columns)).filter(|table| table.rows() >= rows).cloned();
        known.unwrap_or_else(|| {
            let rows = rows.next_power_of_two().max(FEWEST_TABLE_ROWS);
            let table = self.upload_tensor(&make(rows), [rows, columns]);
            if !self.is_rehearsing() {
                self.tables.borrow_mut().insert((name, columns), table.clone());
            }
            table
        })
    }

    /// Fills a matrix with zeros, in the order of the recorded work.
    pub(in super::super) fn clear(&self, tensor: &Tensor) {
        if let Some(range) = tensor.elements() {
            if self.slab_sums.write_to(|| vec![range]) {
                self.add_up();
            }
            self.record(Command::Clear(range));
        }
    }

    /// Records a command, but in a rehearsal.
    pub(super) fn record(&self, command: Command) {
        if !self.is_rehearsing() {
            self.recording.borrow_mut().push(command);
        }
    }

    /// Records one dispatch of a shader that has one variant, over `groups` workgroups; `work` is its part of an operation's,
    /// none for an auxiliary dispatch, which counts for the bytes that it binds.
    pub(in super::super) fn dispatch<L: Launch>(&self, launch: &L, args: L::Args, groups: [u32; 3], work: impl Into<Option<Work>>)
    where
        L::Variant: Default,
    {
        self.dispatch_variant(L::Variant::default(), launch, args, groups, work);
    }

    /// Records the dispatches of a given variant that an operation or a part of it takes: one, or several parts of its grid where it
    /// would take longer than a submission is to take. Every workgroup computes the same in either, so no bit depends on it.
    pub(in super::super) fn dispatch_variant<L: Launch>(
        &self,
        variant: impl Into<L::Variant>,
        launch: &L,
        args: L::Args,
        groups: [u32; 3],
        work: impl Into<Option<Work>>,
    ) {
        if groups.contains(&0) {
            return;
        }
        if !self.is_rehearsing() && self.slab_sums.write_to(|| launch.buffers()) {
            self.add_up();
        }
        let (variant, footprint) = L::variant(variant.into());
        let work = work.into();
        let flop = work.as_ref().map_or(0.0, Work::flop);
        let bytes = work.as_ref().map_or_else(|| bound_bytes(launch, &args), |work| work.bytes);
        if let Some(rehearsed) = self.rehearsed.borrow_mut().as_mut() {
            return rehearsed.dispatches.push(PlannedDispatch {
                execution: execution::<L>(variant, &args, groups, [flop, bytes]),
                invocations: footprint.workgroup_size.iter().product(),
                workgroup_memory: footprint.workgroup_memory,
            });
        }
        if self.device.failure().is_some() {
            return;
        }
        let most = self.device.limits().max_compute_workgroups_per_dimension;
        if let Some(&needed) = groups.iter().max().filter(|&&size| size > most) {
            return self.fail(BackendError::Limit {
                kernel: L::ENTRY.shader,
                what: "workgroups in one dimension",
                needed: needed.into(),
                limit: most.into(),
                remedy: Remedy::SmallerBatch,
            });
        }
        if let Err(error) = self.device.check(L::SHADER, variant, footprint) {
            return self.fail(error);
        }
        let parts = self.device.seconds(flop, bytes) / self.device.submission().seconds;
        for part in parts_of(groups, if args.beginning_at([0; 2]).is_some() { parts } else { 1.0 }) {
            let share = f64::from(part.groups[1] * part.groups[2]) / f64::from(groups[1] * groups[2]);
            let args = args.beginning_at(part.first).unwrap_or(args);
            self.dispatch_part(variant, launch, args, part.groups, [share * flop, share * bytes]);
        }
    }

    /// Records one dispatch of so many FLOP and bytes.
    fn dispatch_part<L: Launch>(
        &self,
        variant: &'static ShaderVariant,
        launch: &L,
        args: L::Args,
        groups: [u32; 3],
        [flop, bytes]: [f64; 2],
    ) {
        let seconds = self.device.seconds(flop, bytes);
        if self.recording.borrow().is_full(seconds, self.device.submission()) {
            self.send();
        }
        let alignment = self.device.limits().min_uniform_buffer_offset_alignment as usize;
        let placed = self.recording.borrow_mut().add_arguments(bytemuck::bytes_of(&args), alignment);
        let Some(arguments) = placed else {
            self.send();
            return self.dispatch_part(variant, launch, args, groups, [flop, bytes]);
        };
        let timed = self.timer.timing().and_then(|_| self.timer.add(execution::<L>(variant, &args, groups, [flop, bytes])));
        let point = EntryPoint { shader: L::SHADER, entry: L::ENTRY, variant };
        self.record(Command::Dispatch(Dispatch { point, bindings: launch.buffers(), arguments, groups, timed }));
        self.device.count(|counters| counters.dispatches += 1);
        self.recording.borrow_mut().add_seconds(seconds);
    }
}

/// A part of a grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct GridPart {
    /// Its first workgroup, `[y, z]`.
    first: [u32; 2],
    groups: [u32; 3],
}

/// A grid cut along the longer of its second and third dimension into about so many equal parts, one at least.
fn parts_of(groups: [u32; 3], parts: f64) -> impl Iterator<Item = GridPart> {
    let [x, y, z] = groups;
    let along_z = z > y;
    let length = if along_z { z } else { y };
    let size = length.div_ceil(parts.ceil().clamp(1.0, f64::from(length)) as u32);
    (0..length).step_by(size as usize).map(move |first| {
        let size = size.min(length - first);
        match along_z {
            true => GridPart { first: [0, first], groups: [x, y, size] },
            false => GridPart { first: [first, 0], groups: [x, size, z] },
        }
    })
}

/// Fewest rows that are made of a table that grows.
const FEWEST_TABLE_ROWS: usize = 128;

/// What a profile says of a dispatch of so many FLOP and bytes before it has run.
fn execution<L: Launch>(variant: &ShaderVariant, args: &L::Args, groups: [u32; 3], [flop, bytes]: [f64; 2]) -> Execution {
    Execution {
        kernel: L::ENTRY.shader,
        entry: L::ENTRY.name,
        variant: (L::SHADER.variants.len() > 1).then_some(variant.name),
        grid: Some(groups),
        sizes: args.whole_numbers(),
        flop,
        bytes,
        span: None,
    }
}

/// Bytes of all that a launch binds: once for each buffer that it reads and once for each that it writes.
///
/// A buffer that may be added to is read only where the switch says so: the first argument `accumulate…` is that of the first
/// buffer which the entry point both reads and writes, the second that of the next.
fn bound_bytes<L: Launch>(launch: &L, args: &L::Args) -> f64 {
    let mut switches = args.whole_numbers().into_iter().filter(|(name, _)| name.starts_with("accumulate"));
    let bindings = L::ENTRY.bindings.iter().zip(launch.buffers());
    let bytes = bindings.map(|(binding, range)| {
        let reads = binding.readable && (!binding.writable || switches.next().is_none_or(|(_, on)| on != 0));
        range.size * (u64::from(reads) + u64::from(binding.writable))
    });
    bytes.sum::<u64>() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each workgroup of `groups` is in one part, and every part is at most `largest` long.
    fn covers(groups: [u32; 3], parts: f64, largest: u32) {
        let mut met = vec![0; (groups[1] * groups[2]) as usize];
        for part in parts_of(groups, parts) {
            assert_eq!(part.groups[0], groups[0]);
            assert!(part.groups[1].max(part.groups[2]) <= largest.max(groups[1].min(groups[2])), "{part:?}");
            for z in part.first[1]..part.first[1] + part.groups[2] {
                for y in part.first[0]..part.first[0] + part.groups[1] {
                    met[(z * groups[1] + y) as usize] += 1;
                }
            }
        }
        assert!(met.iter().all(|&times| times == 1), "{groups:?} in {parts} parts");
    }

    #[test]
    fn the_parts_of_a_grid_hold_each_workgroup_once() {
        covers([3, 10, 1], 0.2, 10);
        covers([3, 10, 1], 3.0, 4);
        covers([1, 7, 2], 6.5, 1);
        covers([2, 3, 8], 2.5, 3);
        covers([2, 1, 1], 1e9, 1);
        covers([1, 32768, 4], f64::INFINITY, 1);
    }
}
