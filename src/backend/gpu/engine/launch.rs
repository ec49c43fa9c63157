//! What a kernel's launch sees of the device: memory, lists, dispatches, and which variants suit.

use std::rc::Rc;

use super::Gpu;
use crate::backend::gpu::device::SUBMISSION;
use crate::backend::gpu::memory::{Allocation, Tensor, Words, WrittenBy};
use crate::backend::gpu::pipelines::EntryPoint;
use crate::backend::gpu::recording::{Command, Dispatch};
use crate::backend::gpu::shader::{Arguments, Launch, ShaderVariant};
use crate::backend::{BackendError, Execution, Matrix, Work};
use crate::base::remedy::Remedy;

impl Gpu {
    /// Whether subgroups are the eight invocations of a processor's vector and words may have 64 bits, which the variants
    /// `software` are made for.
    pub(in super::super) fn is_software(&self) -> bool {
        self.device.is_software()
    }

    /// How many times over work of so many FLOP may be done in one submission, by a slow device of this kind.
    pub(in super::super) fn part_of_submission(&self, flop: f64) -> u32 {
        (SUBMISSION / self.device.seconds(flop, 0.0)) as u32
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

    /// Uploads a list that kernels only read, together with the others of a submission.
    pub(in super::super) fn upload_list(&self, words: &[u32]) -> Words {
        if self.is_rehearsing() {
            return Words::new(self.memory.none(), 0, words.len());
        }
        self.memory.upload_list(&self.device, words)
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

    /// Records one dispatch of a given variant.
    pub(in super::super) fn dispatch_variant<L: Launch>(
        &self,
        variant: impl Into<L::Variant>,
        launch: &L,
        args: L::Args,
        groups: [u32; 3],
        work: impl Into<Option<Work>>,
    ) {
        let (named, work) = (variant.into(), work.into());
        let (variant, footprint) = L::variant(named);
        if self.is_rehearsing() || self.device.failure().is_some() || groups.contains(&0) {
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
        let bindings = launch.buffers();
        let flop = work.as_ref().map_or(0.0, Work::flop);
        let bytes = work.as_ref().map_or_else(|| bound_bytes(launch, &args), |work| work.bytes);
        let seconds = self.device.seconds(flop, bytes);
        if self.recording.borrow().is_full(seconds, SUBMISSION) {
            self.send();
        }
        let alignment = self.device.limits().min_uniform_buffer_offset_alignment as usize;
        let placed = self.recording.borrow_mut().add_arguments(bytemuck::bytes_of(&args), alignment);
        let Some(arguments) = placed else {
            self.send();
            return self.dispatch_variant(named, launch, args, groups, work);
        };
        let timed = self.timer.timing().and_then(|_| self.timer.add(execution::<L>(variant, &args, groups, [flop, bytes])));
        let point = EntryPoint { shader: L::SHADER, entry: L::ENTRY, variant };
        self.record(Command::Dispatch(Dispatch { point, bindings, arguments, groups, timed }));
        self.device.count(|counters| counters.dispatches += 1);
        self.recording.borrow_mut().add_seconds(seconds);
    }
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
