//! What was recorded becomes commands of the device and is sent.

use super::Gpu;
use crate::backend::gpu::injection::InjectedFault;
use crate::backend::gpu::memory::BufferRange;
use crate::backend::gpu::recording::{ARGUMENT_BYTES, Arguments, Command, Dispatch, Recording};
use crate::backend::gpu::timing::{Timestamps, Timing};

impl Gpu {
    /// Sends the recorded work, where there is any. In a profile by the clock it is kept for [`Gpu::run_by_the_clock`].
    pub(in super::super) fn send(&self) {
        if self.recording.borrow().commands().is_empty() {
            return;
        }
        let recording = self.recording.take();
        self.pipelines.compile(&self.device, recording.entry_points());
        let begin = self.timer.now();
        self.memory.flush_lists(&self.device);
        self.memory.forget_derived();
        if let Some(Timing::Clock { .. }) = self.timer.timing() {
            self.waiting_for_the_clock.borrow_mut().push_back(recording);
            return;
        }
        self.write_arguments(&recording);
        self.memory.submitted();
        self.submit(recording.commands(), 1);
        self.timer.note_submission(begin);
    }

    pub(super) fn write_arguments(&self, recording: &Recording) {
        let arguments = recording.arguments();
        if !arguments.is_empty() {
            self.device.write(&self.arguments, arguments);
        }
    }

    /// Sends commands as one submission, each dispatch `repeats` times over.
    pub(super) fn submit(&self, commands: &[Command], repeats: u32) {
        if self.device.injection.strikes(InjectedFault::Lost) {
            self.device.wgpu().destroy();
        }
        let submission = self.device.queue().submit([self.encode(commands, repeats)]);
        self.readbacks.sent(commands, &submission, &self.memory, &self.device);
        self.device.count(|counters| counters.submissions += 1);
    }

    /// Dispatches that follow each other share a pass.
    fn encode(&self, commands: &[Command], repeats: u32) -> wgpu::CommandBuffer {
        let features = self.device.wgpu().features();
        let stamps_inside = features.contains(wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES);
        let shares = |command: &Command| command.dispatch().is_some_and(|dispatch| dispatch.timed.is_none() || stamps_inside);
        let mut encoder = self.device.wgpu().create_command_encoder(&Default::default());
        for run in commands.chunk_by(|command, next| shares(command) && shares(next)) {
            match &run[0] {
                Command::Clear(range) => {
                    if let Some(buffer) = self.memory.buffer(range.buffer) {
                        encoder.clear_buffer(&buffer, range.offset, Some(range.size));
                    }
                }
                Command::Copy(from, to) => {
                    if let (Some(source), Some(to)) = (self.memory.buffer(from.buffer), self.memory.buffer(*to)) {
                        encoder.copy_buffer_to_buffer(&source, from.offset, &to, 0, from.size);
                    }
                }
                Command::Dispatch(first) => {
                    let around = if stamps_inside { None } else { self.timestamps(first) };
                    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                        label: None,
                        timestamp_writes: around.as_ref().map(|Timestamps { set, first }| wgpu::ComputePassTimestampWrites {
                            query_set: set,
                            beginning_of_pass_write_index: Some(*first),
                            end_of_pass_write_index: Some(first + 1),
                        }),
                    });
                    for dispatch in run.iter().filter_map(Command::dispatch) {
                        let inside = if stamps_inside { self.timestamps(dispatch) } else { None };
                        self.encode_dispatch(&mut pass, dispatch, inside, repeats);
                    }
                }
            }
        }
        if self.device.injection.strikes(InjectedFault::Refused) {
            // Beyond the buffer's end.
            encoder.clear_buffer(&self.arguments, ARGUMENT_BYTES, Some(ARGUMENT_BYTES));
        }
        encoder.finish()
    }

    /// The queries of a dispatch that is timed by the device.
    fn timestamps(&self, dispatch: &Dispatch) -> Option<Timestamps> {
        self.timer.timestamps(&self.device, dispatch.timed?)
    }

    fn encode_dispatch(&self, pass: &mut wgpu::ComputePass<'_>, dispatch: &Dispatch, timestamps: Option<Timestamps>, repeats: u32) {
        let Some((pipeline, layout)) = self.pipelines.get(&dispatch.point) else { return };
        let Some(group) = self.bind(dispatch, &layout) else { return };
        if let Some(Timestamps { set, first }) = &timestamps {
            pass.write_timestamp(set, *first);
        }
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &group, &[dispatch.arguments.offset]);
        let [x, y, z] = dispatch.groups;
        (0..repeats).for_each(|_| pass.dispatch_workgroups(x, y, z));
        if let Some(Timestamps { set, first }) = &timestamps {
            pass.write_timestamp(set, first + 1);
        }
    }

    /// What a dispatch binds; nothing where a buffer was given up, as those of a failed submission are.
    fn bind(&self, dispatch: &Dispatch, layout: &wgpu::BindGroupLayout) -> Option<wgpu::BindGroup> {
        let Dispatch { point, bindings, arguments: Arguments { size, .. }, .. } = dispatch;
        let buffers: Vec<wgpu::Buffer> = bindings.iter().map(|range| self.memory.buffer(range.buffer)).collect::<Option<_>>()?;
        let bound =
            |buffer, offset, size| wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size: wgpu::BufferSize::new(size) });
        let mut entries = vec![wgpu::BindGroupEntry { binding: 0, resource: bound(&self.arguments, 0, *size) }];
        for ((binding, range), buffer) in point.entry.bindings.iter().zip(bindings).zip(&buffers) {
            let BufferRange { offset, .. } = *range;
            let resource = bound(buffer, offset, self.memory.bound_bytes(*range, buffer));
            entries.push(wgpu::BindGroupEntry { binding: binding.index, resource });
        }
        let descriptor = wgpu::BindGroupDescriptor { label: Some(point.entry.name), layout, entries: &entries };
        Some(self.device.wgpu().create_bind_group(&descriptor))
    }
}
