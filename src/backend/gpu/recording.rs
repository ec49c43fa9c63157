//! What a device is to do, in order: names of buffers, ranges and numbers, without any object of the device.

use super::device::SubmissionLimits;
use super::memory::{BufferId, BufferRange};
use super::pipelines::EntryPoint;

/// Bytes of arguments in one submission.
pub(super) const ARGUMENT_BYTES: u64 = 1 << 18;

/// Work since the last submission.
#[derive(Default)]
pub(super) struct Recording {
    commands: Vec<Command>,
    /// Those of all dispatches, at multiples of the device's alignment.
    arguments: Vec<u8>,
    /// That it takes on a slow device.
    seconds: f64,
}

/// Something that the device is to do.
pub(super) enum Command {
    Dispatch(Dispatch),
    /// Fills bytes with zeros.
    Clear(BufferRange),
    /// Copies bytes to the beginning of another buffer.
    Copy(BufferRange, BufferId),
}

/// An entry point run over a grid of workgroups.
pub(super) struct Dispatch {
    pub point: EntryPoint,
    /// What is bound, in the order of the entry point's bindings.
    pub bindings: Vec<BufferRange>,
    pub arguments: Arguments,
    pub groups: [u32; 3],
    /// Its number in a profile that times every dispatch.
    pub timed: Option<usize>,
}

/// Where the arguments of a dispatch lie among those of all, in bytes.
#[derive(Clone, Copy)]
pub(super) struct Arguments {
    pub offset: u32,
    pub size: u64,
}

impl Recording {
    pub(crate) fn push(&mut self, command: Command) {
        self.commands.push(command);
    }

    /// Keeps the arguments of a dispatch, where a submission has room for them.
    pub(crate) fn add_arguments(&mut self, bytes: &[u8], alignment: usize) -> Option<Arguments> {
        let offset = self.arguments.len().next_multiple_of(alignment);
        if (offset + bytes.len()) as u64 > ARGUMENT_BYTES {
            return None;
        }
        self.arguments.resize(offset, 0);
        self.arguments.extend_from_slice(bytes);
        Some(Arguments { offset: offset as u32, size: bytes.len() as u64 })
    }

    /// Whether work of so many seconds is better sent by itself: there is as much as a submission is to take, or enough to keep the
    /// device busy while more is recorded.
    pub(crate) fn is_full(&self, seconds: f64, most: SubmissionLimits) -> bool {
        self.commands.len() >= most.commands || self.seconds > 0.0 && self.seconds + seconds > most.seconds
    }

    /// Counts work of so many seconds.
    pub(crate) fn add_seconds(&mut self, seconds: f64) {
        self.seconds += seconds;
    }

    pub(crate) fn commands(&self) -> &[Command] {
        &self.commands
    }

    /// The arguments of all dispatches: whole words, as their members are.
    pub(crate) fn arguments(&self) -> &[u8] {
        &self.arguments
    }

    /// The entry points that are run.
    pub(crate) fn entry_points(&self) -> impl Iterator<Item = EntryPoint> {
        self.commands.iter().filter_map(Command::dispatch).map(|dispatch| dispatch.point)
    }
}

impl Command {
    pub(crate) fn dispatch(&self) -> Option<&Dispatch> {
        match self {
            Self::Dispatch(dispatch) => Some(dispatch),
            Self::Clear(..) | Self::Copy(..) => None,
        }
    }
}
