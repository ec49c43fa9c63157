//! Work on its way to the device: recorded as commands, encoded and sent as one submission.

use std::ops::Range;
use std::rc::Rc;

use super::device::Gpu;
use super::memory::{Lists, Words};
use super::pipelines::{EntryPoint, Pipelines};
use super::readback::HostCopy;

/// Bytes of arguments in one submission.
pub(super) const ARGUMENT_BYTES: u64 = 1 << 18;

/// Work since the last submission.
#[derive(Default)]
pub(super) struct Recording {
    pub(super) commands: Vec<Command>,
    pub(super) arguments: Vec<u8>,
    pub(super) lists: Option<Lists>,
    /// Lists that follow from two others, by what they are.
    pub(super) derived: Vec<(&'static str, [Words; 2], Words)>,
    pub(super) copies: Vec<Rc<HostCopy>>,
    pub(super) flop: f64,
}

/// Something that the device is to do.
pub(super) enum Command {
    Dispatch(Dispatch),
    /// Fills bytes with zeros.
    Clear(wgpu::Buffer, Range<u64>),
    /// Copies bytes to the beginning of another buffer.
    Copy(wgpu::Buffer, Range<u64>, wgpu::Buffer),
}

#[derive(Clone)]
pub(super) struct Dispatch {
    pub point: EntryPoint,
    pub group: wgpu::BindGroup,
    /// Of its arguments.
    pub offset: u32,
    pub groups: [u32; 3],
    pub timestamps: Option<Timestamps>,
}

/// Queries that tell when a dispatch began and ended.
#[derive(Clone)]
pub(super) struct Timestamps {
    pub set: wgpu::QuerySet,
    /// Of two.
    pub first: u32,
    /// Whether they are written within a pass, else at a pass' begin and end.
    pub inside: bool,
}

impl Command {
    pub fn dispatch(&self) -> Option<&Dispatch> {
        match self {
            Self::Dispatch(dispatch) => Some(dispatch),
            Self::Clear(..) | Self::Copy(..) => None,
        }
    }

    /// Whether both are dispatches that may stand in one pass.
    fn share_a_pass(&self, next: &Self) -> bool {
        let any_pass = |dispatch: &Dispatch| dispatch.timestamps.as_ref().is_none_or(|timestamps| timestamps.inside);
        [self, next].iter().all(|command| command.dispatch().is_some_and(any_pass))
    }
}

impl Dispatch {
    /// Begins the pass that this is the first dispatch of.
    fn begin_pass<'e>(&self, encoder: &'e mut wgpu::CommandEncoder) -> wgpu::ComputePass<'e> {
        let around = self.timestamps.as_ref().filter(|timestamps| !timestamps.inside);
        let timestamp_writes = around.map(|timestamps| wgpu::ComputePassTimestampWrites {
            query_set: &timestamps.set,
            beginning_of_pass_write_index: Some(timestamps.first),
            end_of_pass_write_index: Some(timestamps.first + 1),
        });
        encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label: None, timestamp_writes })
    }

    fn encode(&self, pass: &mut wgpu::ComputePass<'_>, pipelines: &Pipelines) {
        let Some(pipeline) = pipelines.get(&self.point) else { return };
        let inside = self.timestamps.as_ref().filter(|timestamps| timestamps.inside);
        if let Some(timestamps) = inside {
            pass.write_timestamp(&timestamps.set, timestamps.first);
        }
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, &self.group, &[self.offset]);
        let [x, y, z] = self.groups;
        pass.dispatch_workgroups(x, y, z);
        if let Some(timestamps) = inside {
            pass.write_timestamp(&timestamps.set, timestamps.first + 1);
        }
    }
}

impl Gpu {
    pub(super) fn record(&self, command: Command) {
        self.recording.borrow_mut().commands.push(command);
    }

    /// Sends the recorded work, where there is any.
    pub(super) fn send(&self) {
        let commands = std::mem::take(&mut self.recording.borrow_mut().commands);
        if commands.is_empty() {
            return;
        }
        self.compile_for(&commands);
        let begin = self.profile_time();
        self.upload_lists();
        let mut recording = self.recording.borrow_mut();
        recording.derived.clear();
        if !recording.arguments.is_empty() {
            let whole = recording.arguments.len().next_multiple_of(4);
            recording.arguments.resize(whole, 0);
            self.queue.write_buffer(&self.arguments, 0, &recording.arguments);
            self.count(|counters| counters.uploaded(whole));
            recording.arguments.clear();
        }
        recording.flop = 0.0;
        self.pool.submitted();
        let submission = self.queue.submit([self.encode(&commands)]);
        recording.copies.drain(..).for_each(|copy| copy.sent(&submission));
        self.count(|counters| counters.submissions += 1);
        self.note_submission(begin);
    }

    /// Dispatches that follow each other share a pass.
    fn encode(&self, commands: &[Command]) -> wgpu::CommandBuffer {
        let pipelines = self.pipelines.borrow();
        let mut encoder = self.device.create_command_encoder(&Default::default());
        for run in commands.chunk_by(Command::share_a_pass) {
            match &run[0] {
                Command::Clear(buffer, bytes) => encoder.clear_buffer(buffer, bytes.start, Some(bytes.end - bytes.start)),
                Command::Copy(from, bytes, to) => encoder.copy_buffer_to_buffer(from, bytes.start, to, 0, bytes.end - bytes.start),
                Command::Dispatch(first) => {
                    let mut pass = first.begin_pass(&mut encoder);
                    run.iter().filter_map(Command::dispatch).for_each(|dispatch| dispatch.encode(&mut pass, &pipelines));
                }
            }
        }
        encoder.finish()
    }
}
