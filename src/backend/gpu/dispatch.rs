//! Dispatches: held against the device's limits, buffers bound, recorded.

use super::device::Gpu;
use super::memory::{BufferRange, GUARD_WORDS};
use super::pipelines::EntryPoint;
use super::recording::{ARGUMENT_BYTES, Command, Dispatch};
use super::requirements::check_requirements;
use super::shader::{Entry, Footprint, Launch};
use crate::backend::{BackendError, Result, Work};
use crate::base::remedy::Remedy;

impl Gpu {
    /// Records one dispatch of a shader that has one variant, over `groups` workgroups; `work` is its part of an operation's,
    /// none for an auxiliary dispatch, which counts for the bytes that it binds.
    pub(super) fn dispatch<L: Launch>(&self, launch: &L, args: L::Args, groups: [u32; 3], work: impl Into<Option<Work>>)
    where
        L::Variant: Default,
    {
        self.dispatch_variant(L::Variant::default(), launch, args, groups, work);
    }

    /// Records one dispatch of a given variant.
    pub(super) fn dispatch_variant<L: Launch>(
        &self,
        variant: impl Into<L::Variant>,
        launch: &L,
        args: L::Args,
        groups: [u32; 3],
        work: impl Into<Option<Work>>,
    ) {
        let (named, work) = (variant.into(), work.into());
        let (variant, footprint) = L::variant(named);
        if self.fault.get().is_some() || groups.contains(&0) {
            return;
        }
        if let Some(&needed) = groups.iter().max().filter(|&&size| size > self.limits.max_compute_workgroups_per_dimension) {
            return self.fail(BackendError::Limit {
                kernel: L::ENTRY.shader,
                what: "workgroups in one dimension",
                needed: needed.into(),
                limit: self.limits.max_compute_workgroups_per_dimension.into(),
                remedy: Remedy::SmallerBatch,
            });
        }
        let checked = check_requirements(L::SHADER, variant, &self.capabilities);
        if let Err(error) = checked.and_then(|()| check_limits(footprint, &self.limits)) {
            return self.fail(error);
        }
        if self.clocked_repeats().is_some() {
            // What was recorded before must not count.
            self.send();
            self.wait();
        }
        let bytes = bytemuck::bytes_of(&args);
        let alignment = self.limits.min_uniform_buffer_offset_alignment as usize;
        let offset = self.recording.borrow().arguments.len().next_multiple_of(alignment);
        if (offset + bytes.len()) as u64 > ARGUMENT_BYTES {
            self.send();
            return self.dispatch_variant(named, launch, args, groups, work);
        }
        let group = self.bind(&self.layout(L::SHADER, L::ENTRY), L::ENTRY, &launch.buffers(), bytes.len() as u64);
        let mut recording = self.recording.borrow_mut();
        recording.arguments.resize(offset, 0);
        recording.arguments.extend_from_slice(bytes);
        recording.flop += work.as_ref().map_or(0.0, Work::flop);
        let full = recording.flop > self.work_per_submission();
        drop(recording);
        let point = EntryPoint { shader: L::SHADER, entry: L::ENTRY, variant };
        let dispatch = Dispatch { point, group, offset: offset as u32, groups, timestamps: None };
        if self.is_profiling() {
            self.record_timed(launch, &args, dispatch, work);
        } else {
            self.record(Command::Dispatch(dispatch));
        }
        self.count(|counters| counters.dispatches += 1);
        if full {
            self.send();
        }
    }

    /// FLOP after which work is sent, so that no submission runs into a driver's watchdog (about two seconds).
    fn work_per_submission(&self) -> f64 {
        match self.info.device_type {
            wgpu::DeviceType::DiscreteGpu => 100e9,
            _ => 10e9,
        }
    }

    fn bind(&self, layout: &wgpu::BindGroupLayout, entry: &Entry, buffers: &[BufferRange<'_>], args: u64) -> wgpu::BindGroup {
        let guards = if self.checking.guards() { (GUARD_WORDS * 4) as u64 } else { 0 };
        let arguments = wgpu::BufferBinding { buffer: &self.arguments, offset: 0, size: wgpu::BufferSize::new(args) };
        let mut entries = vec![wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::Buffer(arguments) }];
        for (binding, range) in entry.bindings.iter().zip(buffers) {
            // A guarded binding covers its guard words, so that a stray write lands there and not nowhere.
            let size = (range.size + guards).min(range.buffer.size() - range.offset);
            let buffer = wgpu::BufferBinding { buffer: range.buffer, offset: range.offset, size: wgpu::BufferSize::new(size) };
            entries.push(wgpu::BindGroupEntry { binding: binding.index, resource: wgpu::BindingResource::Buffer(buffer) });
        }
        self.device.create_bind_group(&wgpu::BindGroupDescriptor { label: Some(entry.name), layout, entries: &entries })
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
