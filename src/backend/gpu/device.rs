//! An open device: how it is opened, what it offers, how its failures are kept.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use super::adapter::describe;
use super::counters::Counters;
use super::memory::{Pool, Storage, Tensor};
use super::pipelines::Pipelines;
use super::profiler::Profiler;
use super::recording::{ARGUMENT_BYTES, Recording};
use super::requirements::{Capabilities, Feature};
use super::shader::{Shader, Variant};
use super::tiles::Tiles;
use crate::backend::{BackendError, Result};

/// How shaders are compiled and buffers laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Checking {
    /// As users run: no run-time checks in shaders, pooled buffers.
    #[default]
    Off,
    /// naga's loop bounds and index checks in every shader.
    Shaders,
    /// Outputs filled with NaN beforehand, and guard words after each of them.
    Guards,
    /// Both.
    All,
}

impl Checking {
    pub(super) fn shaders(self) -> bool {
        matches!(self, Self::Shaders | Self::All)
    }

    pub(super) fn guards(self) -> bool {
        matches!(self, Self::Guards | Self::All)
    }
}

/// How a device is opened.
#[derive(Debug, Clone, Default)]
pub struct Opening {
    pub checking: Checking,
    /// Allows just these, whatever the adapter offers; else all that it offers of the limits used here.
    pub limits: Option<wgpu::Limits>,
    /// Opens the device as if its adapter lacked these.
    pub without: Vec<Feature>,
}

impl From<Checking> for Opening {
    fn from(checking: Checking) -> Self {
        Self { checking, ..Self::default() }
    }
}

/// The first failure of a device, shared with its callbacks.
#[derive(Clone, Default)]
pub(super) struct Fault(Arc<Mutex<Option<BackendError>>>);

impl Fault {
    fn set(&self, error: BackendError) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    pub(super) fn get(&self) -> Option<BackendError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// A device with its queue, pipelines, free buffers and the work recorded since the last submission.
pub struct Gpu {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) info: wgpu::AdapterInfo,
    pub(super) limits: wgpu::Limits,
    pub(super) capabilities: Capabilities,
    /// Features that the device was opened without though its adapter has them.
    without: Vec<Feature>,
    pub(super) checking: Checking,
    pub(super) fault: Fault,
    pub(super) pool: Rc<Pool>,
    /// Free buffers that results are copied to for the host.
    pub(super) staging: Pool,
    pub(super) pipelines: RefCell<Pipelines>,
    pub(super) recording: RefCell<Recording>,
    /// Arguments of the dispatches of one submission, at multiples of the device's alignment.
    pub(super) arguments: wgpu::Buffer,
    /// Every guarded buffer and the words of it that kernels may touch.
    pub(super) guarded: RefCell<Vec<(Rc<Storage>, usize)>>,
    /// Sources that stand in for the built-in ones, by shader and variant.
    pub(super) substitutes: HashMap<(&'static str, &'static str), String>,
    /// Tables that kernels read, by name and number of columns.
    pub(super) tables: RefCell<HashMap<(&'static str, usize), Tensor>>,
    counters: Cell<Counters>,
    /// There while a profile is made.
    pub(super) profiler: RefCell<Option<Profiler>>,
    pub(super) tiles: RefCell<Tiles>,
}

/// Invocations of a subgroup that the variants `software` are made for.
const SUBGROUP: u32 = 8;

impl Gpu {
    /// Opens a device.
    ///
    /// # Errors
    /// [`BackendError::NoDevice`], also where the adapter offers less than the limits asked for.
    pub async fn open(adapter: &wgpu::Adapter, opening: impl Into<Opening>) -> Result<Self> {
        let Opening { checking, limits, mut without } = opening.into();
        let info = adapter.get_info();
        let limits = limits.unwrap_or_else(|| usual_limits(adapter));
        without.retain(|feature| adapter.features().intersects(feature.features()));
        let all = Capabilities::of(adapter).without(&without);
        let timestamps = all.features & Feature::Timestamps.features();
        let capabilities = all.used();
        let experimental = capabilities.features.intersects(wgpu::Features::all_experimental_mask());
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("mcsan"),
            required_features: capabilities.features | timestamps,
            // SAFETY: the only experimental feature that a shader may use is cooperative matrices, whose shapes are compared
            // with the adapter's before a pipeline exists.
            experimental_features: if experimental { unsafe { wgpu::ExperimentalFeatures::enabled() } } else { Default::default() },
            required_limits: limits.clone(),
            memory_hints: wgpu::MemoryHints::Performance,
            ..Default::default()
        };
        let (device, queue) = adapter
            .request_device(&descriptor)
            .await
            .map_err(|error| BackendError::NoDevice { adapter: info.name.clone(), reason: one_line(&error.to_string()) })?;
        let fault = Fault::default();
        let uncaptured = fault.clone();
        device.on_uncaptured_error(Arc::new(move |error| {
            uncaptured.set(match &error {
                wgpu::Error::OutOfMemory { .. } => BackendError::OutOfMemory { detail: one_line(&error.to_string()) },
                _ => BackendError::Refused { detail: one_line(&error.to_string()) },
            });
        }));
        let lost = fault.clone();
        device.set_device_lost_callback(move |reason, message| {
            if reason != wgpu::DeviceLostReason::Destroyed {
                lost.set(BackendError::DeviceLost { detail: one_line(&message) });
            }
        });
        let arguments = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("arguments"),
            size: ARGUMENT_BYTES,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        Ok(Self {
            device,
            queue,
            info,
            limits,
            capabilities,
            without,
            checking,
            fault,
            pool: Rc::default(),
            staging: Pool::default(),
            pipelines: RefCell::default(),
            recording: RefCell::default(),
            arguments,
            guarded: RefCell::default(),
            substitutes: HashMap::new(),
            tables: RefCell::default(),
            counters: Cell::default(),
            profiler: RefCell::default(),
            tiles: RefCell::default(),
        })
    }

    /// Whether subgroups are the eight invocations of a processor's vector and words may have 64 bits, which the variants
    /// `software` are made for.
    pub(super) fn is_software(&self) -> bool {
        self.info.device_type == wgpu::DeviceType::Cpu
            && self.capabilities.features.contains(wgpu::Features::SUBGROUP | wgpu::Features::SHADER_INT64)
            && [self.info.subgroup_min_size, self.info.subgroup_max_size] == [SUBGROUP; 2]
    }

    /// The optional features that a kernel may use here.
    pub fn fast_paths(&self) -> Vec<Feature> {
        Feature::ALL.into_iter().filter(|feature| self.capabilities.features.contains(feature.features())).collect()
    }

    /// Features that the device was opened without though its adapter has them.
    pub fn without(&self) -> &[Feature] {
        &self.without
    }

    /// The variants (names of shader and variant) that were compiled so far, which is those that were asked to run.
    pub fn variants_run(&self) -> BTreeSet<(&'static str, &'static str)> {
        self.pipelines.borrow().variants()
    }

    /// One line that names the adapter with its interface and driver, and the features that it is used without.
    pub(super) fn describe(&self) -> String {
        let adapter = describe(&self.info);
        match &self.without[..] {
            [] => adapter,
            without => format!("{adapter} without {}", without.iter().map(|feature| feature.name()).collect::<Vec<_>>().join(", ")),
        }
    }

    /// The adapter's own description.
    pub fn info(&self) -> &wgpu::AdapterInfo {
        &self.info
    }

    /// What the device was asked for so far.
    pub fn counters(&self) -> Counters {
        self.counters.get()
    }

    pub(super) fn count(&self, add: impl FnOnce(&mut Counters)) {
        let mut counters = self.counters.get();
        add(&mut counters);
        self.counters.set(counters);
    }

    /// Compiles `source` in place of a variant of a shader: to try a change to a kernel, or to prove that a check sees a wrong
    /// one. Its bindings must be the variant's.
    pub fn substitute(&mut self, shader: &'static Shader, variant: &'static Variant, source: String) {
        self.substitutes.insert((shader.name, variant.name), source);
        self.pipelines.get_mut().forget(shader, variant);
    }

    /// Allows no buffer larger than so many bytes, as a smaller device would: to see what a program does there.
    pub fn restrict_buffers(&mut self, bytes: u64) {
        self.limits.max_buffer_size = bytes.min(self.limits.max_buffer_size);
    }

    /// Forgets the failure, and all that it may have left unfinished.
    pub(super) fn forget_failure(&self) {
        // Lists may belong to what outlives the failure.
        self.upload_lists();
        *self.recording.borrow_mut() = Recording::default();
        self.tables.borrow_mut().clear();
        let freed = self.pool.clear() + self.staging.clear();
        self.count(|counters| counters.held_bytes -= freed);
        // Memory is given back when the work that uses it is done.
        self.wait();
        self.fault.clear();
    }

    /// Waits for all that was sent; a failure of this wait shows in the next read.
    pub(super) fn wait(&self) {
        let _ = self.device.poll(wgpu::PollType::wait_indefinitely());
    }

    /// Keeps the first failure; the next read returns it.
    pub(super) fn fail(&self, error: BackendError) {
        self.fault.set(error);
    }
}

/// WebGPU's default limits, but as large buffers as there are; of GL what it has.
fn usual_limits(adapter: &wgpu::Adapter) -> wgpu::Limits {
    let offered = adapter.limits();
    if adapter.get_info().backend == wgpu::Backend::Gl {
        return offered;
    }
    wgpu::Limits {
        max_buffer_size: offered.max_buffer_size,
        max_storage_buffer_binding_size: offered.max_storage_buffer_binding_size,
        ..wgpu::Limits::default()
    }
}

/// An error's text without its line breaks.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
