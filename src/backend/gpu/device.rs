//! An open device: its queue, what it offers and allows, what it was asked for, and its first failure.

use std::cell::Cell;

use super::adapter::describe;
use super::counters::Counters;
use super::fault::{Fault, one_line};
use super::injection::Injection;
use super::requirements::{Capabilities, Feature, check_requirements, registers_of_a_factor};
use super::robustness;
use super::shader::{Footprint, Shader, ShaderVariant};
use crate::backend::{BackendError, Result};
use crate::base::remedy::Remedy;

/// The lowest layer of a [`Gpu`](super::Gpu).
pub(super) struct OpenDevice {
    device: wgpu::Device,
    queue: wgpu::Queue,
    info: wgpu::AdapterInfo,
    limits: wgpu::Limits,
    capabilities: Capabilities,
    registers_of_a_factor: u32,
    /// Features that the device was opened without though its adapter has them.
    without: Vec<Feature>,
    submission: SubmissionLimits,
    fault: Fault,
    /// A failure that it is made to have.
    pub injection: Injection,
    counters: Cell<Counters>,
}

/// What is sent to a device at once, at most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SubmissionLimits {
    /// That it takes on a slow device of its kind.
    pub seconds: f64,
    /// Dispatches, copies and fillings.
    pub commands: usize,
}

impl SubmissionLimits {
    /// A tenth of a second, a fraction of any driver's patience (about two seconds) and of a user's with a display that is not drawn
    /// meanwhile. Graphics hardware begins while the rest is recorded: a large device does some thirty commands in that time.
    pub const HARDWARE: Self = Self { seconds: 0.1, commands: 39 };

    /// A software adapter has no time of its own to win.
    fn of(info: &wgpu::AdapterInfo) -> Self {
        if info.device_type == wgpu::DeviceType::Cpu { Self { commands: usize::MAX, ..Self::HARDWARE } } else { Self::HARDWARE }
    }
}

/// Bytes of a workgroup's memory on graphics hardware that has cooperative matrices of 16 × 16, or more.
const MEMORY_BESIDE_MATRICES: u32 = 48 << 10;

/// Invocations of a subgroup that the variants `software` are made for.
const SUBGROUP: u32 = 8;

impl OpenDevice {
    /// Opens a device with the limits given, else with all that the adapter offers of those used here, as if it lacked the
    /// features `without`.
    ///
    /// # Errors
    /// [`BackendError::NoDevice`], also where the adapter offers less than the limits asked for.
    pub(crate) async fn open(adapter: &wgpu::Adapter, limits: Option<wgpu::Limits>, mut without: Vec<Feature>) -> Result<Self> {
        let info = adapter.get_info();
        let limits = limits.unwrap_or_else(|| usual_limits(adapter));
        without.retain(|feature| feature.is_of(adapter));
        let all = Capabilities::of(adapter).without(&without);
        let timestamps = all.features & Feature::Timestamps.features();
        let capabilities = all.used();
        let experimental = capabilities.features.intersects(wgpu::Features::all_experimental_mask());
        #[expect(unsafe_code)]
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
        let opened = if without.contains(&Feature::Robustness) {
            robustness::open_without(adapter, &descriptor)
        } else {
            adapter.request_device(&descriptor).await.map_err(|error| error.to_string())
        };
        let (device, queue) = opened.map_err(|reason| BackendError::NoDevice { adapter: info.name.clone(), reason: one_line(&reason) })?;
        let fault = Fault::of(&device);
        let (injection, counters) = Default::default();
        let submission = SubmissionLimits::of(&info);
        let registers_of_a_factor = registers_of_a_factor(info.vendor);
        Ok(Self { device, queue, info, limits, capabilities, registers_of_a_factor, without, submission, fault, injection, counters })
    }

    pub(crate) fn wgpu(&self) -> &wgpu::Device {
        &self.device
    }

    pub(crate) fn queue(&self) -> &wgpu::Queue {
        &self.queue
    }

    pub(crate) fn info(&self) -> &wgpu::AdapterInfo {
        &self.info
    }

    pub(crate) fn limits(&self) -> &wgpu::Limits {
        &self.limits
    }

    pub(crate) fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Features that the device was opened without though its adapter has them.
    pub(crate) fn without(&self) -> &[Feature] {
        &self.without
    }

    /// One line that names the adapter with its interface and driver, and the features that it is used without.
    pub fn describe(&self) -> String {
        let adapter = describe(&self.info);
        match &self.without[..] {
            [] => adapter,
            without => format!("{adapter} without {}", without.iter().map(|feature| feature.name()).collect::<Vec<_>>().join(", ")),
        }
    }

    /// Whether subgroups are the eight invocations of a processor's vector and words may have 64 bits, which the variants
    /// `software` are made for.
    pub(crate) fn is_software(&self) -> bool {
        self.info.device_type == wgpu::DeviceType::Cpu
            && self.capabilities.features.contains(wgpu::Features::SUBGROUP | wgpu::Features::SHADER_INT64)
            && [self.info.subgroup_min_size, self.info.subgroup_max_size] == [SUBGROUP; 2]
    }

    /// As [`is_of_fxc`](super::is_of_fxc), of the adapter's features those that are used.
    pub(crate) fn is_of_fxc(&self) -> bool {
        self.info.backend == wgpu::Backend::Dx12 && !self.capabilities.features.contains(wgpu::Features::SUBGROUP)
    }

    /// Bytes of the largest buffer that a kernel can bind whole.
    pub(crate) fn largest_buffer(&self) -> u64 {
        self.limits.max_storage_buffer_binding_size.min(self.limits.max_buffer_size)
    }

    /// Counts on no more registers of an invocation.
    pub(crate) fn limit_registers(&mut self, registers: u32) {
        self.capabilities.registers = registers.min(self.capabilities.registers);
    }

    /// Allows no buffer larger than so many bytes.
    pub(crate) fn restrict_buffers(&mut self, bytes: u64) {
        self.limits.max_buffer_size = bytes.min(self.limits.max_buffer_size);
    }

    /// Registers of an invocation that a factor of cooperative matrices of 16 × 16 takes.
    pub(crate) fn registers_of_a_factor(&self) -> u32 {
        self.registers_of_a_factor
    }

    /// Has kernels be chosen as if it had matrices of so many rows and columns, of which a factor takes so many registers, and the workgroup
    /// memory of hardware that has them.
    pub(crate) fn lay_out_with_matrices(&mut self, size: u32, registers: u32) {
        self.capabilities = std::mem::take(&mut self.capabilities).with_matrices(size);
        self.registers_of_a_factor = registers;
        let memory = &mut self.limits.max_compute_workgroup_storage_size;
        *memory = MEMORY_BESIDE_MATRICES.max(*memory);
    }

    /// Sends no more at once.
    pub(crate) fn limit_submissions(&mut self, limits: SubmissionLimits) {
        self.submission = limits;
    }

    /// What a submission is to be at most, its seconds by [`OpenDevice::seconds`].
    pub(crate) fn submission(&self) -> SubmissionLimits {
        self.submission
    }

    /// Seconds that work takes on a slow device of this kind.
    pub(crate) fn seconds(&self, flop: f64, bytes: f64) -> f64 {
        let [flops, bytes_per_s] = match (self.info.device_type, self.is_software()) {
            (wgpu::DeviceType::DiscreteGpu, _) => [1e12, 100e9],
            // With the variants `software`, and without.
            (wgpu::DeviceType::Cpu, true) => [10e9, 1e9],
            (wgpu::DeviceType::Cpu, false) => [1e9, 0.5e9],
            _ => [100e9, 10e9],
        };
        (flop / flops).max(bytes / bytes_per_s)
    }

    /// Whether it can run an entry point of a variant.
    ///
    /// # Errors
    /// [`BackendError::Feature`] or [`BackendError::Limit`].
    pub(crate) fn check(&self, shader: &Shader, variant: &ShaderVariant, footprint: &Footprint) -> Result<()> {
        check_requirements(shader, variant, &self.capabilities)?;
        check_limits(footprint, &self.limits)
    }

    pub(crate) fn counters(&self) -> Counters {
        self.counters.get()
    }

    pub(crate) fn count(&self, add: impl FnOnce(&mut Counters)) {
        let mut counters = self.counters.get();
        add(&mut counters);
        self.counters.set(counters);
    }

    /// Writes to a buffer before all work that is sent from here on.
    pub(crate) fn write(&self, buffer: &wgpu::Buffer, bytes: &[u8]) {
        self.write_at(buffer, 0, bytes);
    }

    /// The same from a byte of the buffer on.
    pub(crate) fn write_at(&self, buffer: &wgpu::Buffer, offset: u64, bytes: &[u8]) {
        self.queue.write_buffer(buffer, offset, bytes);
        self.count(|counters| counters.uploaded(bytes.len()));
    }

    /// Keeps the first failure; the next read returns it.
    pub(crate) fn fail(&self, error: BackendError) {
        self.fault.set(error);
    }

    pub(crate) fn failure(&self) -> Option<BackendError> {
        self.fault.get()
    }

    pub(crate) fn forget_failure(&self) {
        self.fault.clear();
    }
}

/// WebGPU's default limits, but as large buffers and as much workgroup memory as there are; of GL what it has.
fn usual_limits(adapter: &wgpu::Adapter) -> wgpu::Limits {
    let offered = adapter.limits();
    if adapter.get_info().backend == wgpu::Backend::Gl {
        return offered;
    }
    wgpu::Limits {
        max_buffer_size: offered.max_buffer_size,
        max_storage_buffer_binding_size: offered.max_storage_buffer_binding_size,
        max_compute_workgroup_storage_size: offered.max_compute_workgroup_storage_size,
        ..wgpu::Limits::default()
    }
}

/// Compares what an entry point takes with what a device offers.
///
/// # Errors
/// [`BackendError::Limit`]: beyond it, dispatches would silently do nothing.
pub fn check_limits(footprint: &Footprint, limits: &wgpu::Limits) -> Result<()> {
    let Footprint { entry, workgroup_size, workgroup_memory } = *footprint;
    let needs = [
        ("workgroup memory in bytes", workgroup_memory, limits.max_compute_workgroup_storage_size),
        ("invocations in a workgroup", workgroup_size.iter().product(), limits.max_compute_invocations_per_workgroup),
        ("storage buffers", entry.bindings.len() as u32, limits.max_storage_buffers_per_shader_stage),
    ];
    match needs.into_iter().find(|&(_, needed, limit)| needed > limit) {
        None => Ok(()),
        Some((what, needed, limit)) => {
            Err(BackendError::Limit { kernel: entry.shader, what, needed: needed.into(), limit: limit.into(), remedy: Remedy::OtherDevice })
        }
    }
}
