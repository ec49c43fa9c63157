//! [`Gpu`]: the layers below put together.
//!
//! What is recorded ([`Recording`]) is plain data; [`submit`] makes commands of the device of it. Layers keep their state to
//! themselves, and kernels see only [`launch`].

mod launch;
mod own;
mod profile;
mod read;
mod submit;
mod tune;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, VecDeque};

pub use own::OwnShader;
pub use read::Readback;
pub use tune::PlannedDispatch;

use super::counters::Counters;
use super::device::{OpenDevice, SubmissionLimits};
use super::injection::InjectedFault;
use super::kernels::SlabSums;
use super::memory::{Memory, Tensor};
use super::opening::Opening;
use super::pipelines::Pipelines;
use super::recording::{ARGUMENT_BYTES, Recording};
use super::requirements::{Capabilities, Feature};
use super::shader::{Shader, ShaderVariant};
use super::tiles::ChosenTiles;
use super::timing::Timer;
use crate::backend::{BackendError, Result};
use read::Readbacks;
use tune::Rehearsed;

/// A device with its memory, its pipelines and the work recorded since the last submission.
pub struct Gpu {
    device: OpenDevice,
    memory: Memory,
    pipelines: Pipelines,
    recording: RefCell<Recording>,
    /// Work that a profile by the clock is to run, one dispatch after the other.
    waiting_for_the_clock: RefCell<VecDeque<Recording>>,
    readbacks: Readbacks,
    timer: Timer,
    tiles: ChosenTiles,
    /// There while work is rehearsed.
    rehearsed: RefCell<Option<Rehearsed>>,
    /// Arguments of the dispatches of one submission.
    arguments: wgpu::Buffer,
    /// Tables that kernels read, by name and number of columns.
    tables: RefCell<HashMap<(&'static str, usize), Tensor>>,
    slab_sums: SlabSums,
}

impl Gpu {
    /// Opens a device.
    ///
    /// # Errors
    /// [`BackendError::NoDevice`], also where the adapter offers less than the limits asked for.
    pub async fn open(adapter: &wgpu::Adapter, opening: impl Into<Opening>) -> Result<Self> {
        let Opening { checking, limits, mut without } = opening.into();
        // naga's run-time checks leave the bounds of buffers to a driver that checks them.
        without.retain(|&feature| feature != Feature::Robustness || !checking.shaders());
        let device = OpenDevice::open(adapter, limits, without).await?;
        let arguments = device.wgpu().create_buffer(&wgpu::BufferDescriptor {
            label: Some("arguments"),
            size: ARGUMENT_BYTES,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        Ok(Self {
            device,
            memory: Memory::new(checking.guards()),
            pipelines: Pipelines::new(checking.shaders()),
            recording: RefCell::default(),
            waiting_for_the_clock: RefCell::default(),
            readbacks: Readbacks::default(),
            timer: Timer::default(),
            tiles: ChosenTiles::default(),
            rehearsed: RefCell::default(),
            arguments,
            tables: RefCell::default(),
            slab_sums: SlabSums::default(),
        })
    }

    /// The optional features that a kernel may use here.
    pub fn fast_paths(&self) -> Vec<Feature> {
        Feature::ALL.into_iter().filter(|feature| self.capabilities().features.intersects(feature.features())).collect()
    }

    /// The optional features and matrix shapes that kernels may use.
    pub(super) fn capabilities(&self) -> &Capabilities {
        self.device.capabilities()
    }

    /// Features that the device was opened without though its adapter has them.
    pub(crate) fn without(&self) -> &[Feature] {
        self.device.without()
    }

    /// The variants (names of shader and variant) that were compiled so far, which is those that were asked to run.
    pub fn variants_run(&self) -> BTreeSet<(&'static str, &'static str)> {
        self.pipelines.variants()
    }

    /// One line that names the adapter with its interface and driver, and the features that it is used without.
    pub(super) fn describe(&self) -> String {
        self.device.describe()
    }

    /// Bytes of the largest buffer that a kernel can bind whole.
    pub(super) fn largest_buffer(&self) -> u64 {
        self.device.largest_buffer()
    }

    /// The adapter's own description.
    pub fn info(&self) -> &wgpu::AdapterInfo {
        self.device.info()
    }

    /// What the device was asked for so far.
    pub fn counters(&self) -> Counters {
        self.device.counters()
    }

    /// Compiles `source` in place of a variant of a shader: to try a change to a kernel, or to prove that a check sees a wrong
    /// one. Its bindings must be the variant's.
    pub fn substitute(&mut self, shader: &'static Shader, variant: &'static ShaderVariant, source: String) {
        self.pipelines.substitute(shader, variant, source);
    }

    /// Allows no buffer larger than so many bytes, as a smaller device would: to see what a program does there.
    pub fn restrict_buffers(&mut self, bytes: u64) {
        self.device.restrict_buffers(bytes);
    }

    /// Sends no more at once, where a tenth of a second is usual: long work is cut into more parts, and a display that shares the device
    /// is drawn more often. No bit depends on it.
    pub fn limit_submissions(&mut self, limits: SubmissionLimits) {
        self.device.limit_submissions(limits);
    }

    /// Has work that is only planned choose its kernels as if the device had matrices of so many rows and columns, of which a factor takes
    /// so many registers of an invocation.
    pub(crate) fn lay_out_with_matrices(&mut self, size: u32, registers: u32) {
        self.device.lay_out_with_matrices(size, registers);
    }

    /// Counts on no more registers of an invocation, as on a device that has no more: kernels that hold less are taken.
    pub fn limit_registers(&mut self, registers: u32) {
        self.device.limit_registers(registers);
    }

    /// Makes the device fail at an occasion that is still to come, after `after` others of that kind, as it would by itself: to see
    /// what a program does then. [`Counters`](super::Counters) tell how many there were.
    pub fn inject(&self, fault: InjectedFault, after: u64) {
        self.device.injection.set(fault, after);
    }

    /// The failure that the next read returns.
    pub(super) fn first_failure(&self) -> Option<BackendError> {
        self.device.failure()
    }

    /// Forgets the failure, and all that it may have left unfinished.
    pub(super) async fn forget_failure(&self) {
        // Lists may belong to what outlives the failure.
        self.memory.flush_lists(&self.device);
        self.memory.forget_derived();
        *self.recording.borrow_mut() = Recording::default();
        self.slab_sums.forget();
        self.waiting_for_the_clock.borrow_mut().clear();
        self.readbacks.give_up();
        self.tables.borrow_mut().clear();
        self.memory.clear(&self.device);
        // Memory is given back when the work that uses it is done.
        self.device.idle().await;
        self.device.forget_failure();
    }
}
