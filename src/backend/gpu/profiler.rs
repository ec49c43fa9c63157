//! Times every dispatch: by the device's own timestamps, or, where there are none, by a clock that the caller brings.
//!
//! A dispatch stands between two timestamps, inside the pass where the device can do that, else in a pass of its own. By
//! the clock a dispatch is sent and waited for by itself, several times over; kernels that add to what is there then add
//! several times, so results of such a run are no results.

use super::device::Gpu;
use super::readback::Mapped;
use super::recording::{Command, Dispatch, Timestamps};
use super::shader::{Arguments, Launch};
use crate::backend::{BackendError, Clock, Execution, Executions, Result, Work};

/// How dispatches are timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    Timestamps,
    /// The mean of so many runs, one after the other, with one wait at the end.
    Clock {
        repeats: u32,
    },
}

/// Dispatches of one set of queries: WebGPU allows 4096 queries in a set.
const SET: usize = 2048;
const BYTES_PER_DISPATCH: u64 = 16;

pub(super) struct Profiler {
    timing: Timing,
    clock: Clock,
    recorded: Executions,
    /// Begin and end of [`SET`] dispatches each.
    queries: Vec<wgpu::QuerySet>,
}

impl Profiler {
    /// The queries of the next dispatch.
    fn next_queries(&mut self, device: &wgpu::Device) -> Timestamps {
        let dispatch = self.recorded.runs.len();
        if dispatch == self.queries.len() * SET {
            self.queries.push(device.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("profile"),
                ty: wgpu::QueryType::Timestamp,
                count: 2 * SET as u32,
            }));
        }
        Timestamps {
            set: self.queries[dispatch / SET].clone(),
            first: 2 * (dispatch % SET) as u32,
            inside: device.features().contains(wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES),
        }
    }
}

impl Gpu {
    /// Whether the device tells when its dispatches ran.
    pub fn has_timestamps(&self) -> bool {
        self.device.features().contains(wgpu::Features::TIMESTAMP_QUERY)
    }

    /// Times the dispatches from here to [`Gpu::finish_profile`].
    pub fn start_profile(&self, timing: Timing, clock: Clock) {
        self.send();
        *self.profiler.borrow_mut() = Some(Profiler { timing, clock, recorded: Executions::default(), queries: Vec::new() });
    }

    /// Ends a profile and waits for its timestamps.
    ///
    /// # Errors
    /// Whatever went wrong on the device.
    pub async fn finish_profile(&self) -> Result<Executions> {
        self.send();
        let Some(Profiler { mut recorded, queries, .. }) = self.profiler.take() else { return Ok(Executions::default()) };
        let period = f64::from(self.queue.get_timestamp_period());
        for (set, executions) in queries.iter().zip(recorded.runs.chunks_mut(SET)) {
            let ticks = self.resolve(set, executions.len()).await?;
            for (execution, pair) in executions.iter_mut().zip(ticks.chunks_exact(2)) {
                // A query that was never written is zero.
                let known = pair[0] != 0 && pair[1] >= pair[0];
                execution.span = known.then(|| [pair[0] as f64 * period, pair[1] as f64 * period]);
            }
        }
        Ok(recorded)
    }

    pub(super) fn is_profiling(&self) -> bool {
        self.profiler.borrow().is_some()
    }

    /// How often a dispatch is run to be timed by the clock, where it is.
    pub(super) fn clocked_repeats(&self) -> Option<u32> {
        match self.profiler.borrow().as_ref()?.timing {
            Timing::Timestamps => None,
            Timing::Clock { repeats } => Some(repeats.max(1)),
        }
    }

    /// The caller's time, while a profile is made.
    pub(super) fn profile_time(&self) -> Option<f64> {
        self.profiler.borrow().as_ref().map(|profiler| (profiler.clock)())
    }

    /// Keeps when work was handed to the driver.
    pub(super) fn note_submission(&self, begin: Option<f64>) {
        if let (Some(begin), Some(end), Some(profiler)) = (begin, self.profile_time(), self.profiler.borrow_mut().as_mut()) {
            profiler.recorded.submissions.push([begin, end]);
        }
    }

    /// Records a dispatch between two timestamps, or runs it at once by the clock.
    pub(super) fn record_timed<L: Launch>(&self, launch: &L, args: &L::Args, dispatch: Dispatch, work: Option<Work>) {
        let (variant, groups) = (dispatch.point.variant, dispatch.groups);
        let span = match self.clocked_repeats() {
            Some(repeats) => self.run_clocked(&dispatch, repeats),
            None => {
                let timestamps = self.profiler.borrow_mut().as_mut().map(|profiler| profiler.next_queries(&self.device));
                self.record(Command::Dispatch(Dispatch { timestamps, ..dispatch }));
                None
            }
        };
        let execution = Execution {
            kernel: L::ENTRY.shader,
            entry: L::ENTRY.name,
            variant: (L::SHADER.variants.len() > 1).then_some(variant.name),
            grid: Some(groups),
            sizes: args.whole_numbers(),
            flop: work.as_ref().map_or(0.0, Work::flop),
            bytes: work.map_or_else(|| bound_bytes(launch, args), |work| work.bytes),
            span,
        };
        if let Some(profiler) = self.profiler.borrow_mut().as_mut() {
            profiler.recorded.runs.push(execution);
        }
    }

    /// Runs a dispatch `repeats` times; the span is that of one of them.
    fn run_clocked(&self, dispatch: &Dispatch, repeats: u32) -> Option<[f64; 2]> {
        let commands = || (0..repeats).map(|_| Command::Dispatch(dispatch.clone()));
        self.compile_for(&commands().take(1).collect::<Vec<_>>());
        let begin = self.profile_time()?;
        commands().for_each(|command| self.record(command));
        self.send();
        self.wait();
        let whole = self.profile_time()? - begin;
        Some([begin, begin + whole / f64::from(repeats)])
    }

    /// Begin and end of the first `dispatches` of a set, in ticks.
    async fn resolve(&self, set: &wgpu::QuerySet, dispatches: usize) -> Result<Vec<u64>> {
        let size = dispatches as u64 * BYTES_PER_DISPATCH;
        let buffer = |label, usage| {
            self.device.create_buffer(&wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false })
        };
        let resolved = buffer("resolved timestamps", wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC);
        let staging = buffer("timestamps", wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
        // Some drivers copy before they have resolved where both lie in one command buffer.
        let encode = |record: &dyn Fn(&mut wgpu::CommandEncoder)| {
            let mut encoder = self.device.create_command_encoder(&Default::default());
            record(&mut encoder);
            self.queue.submit([encoder.finish()])
        };
        encode(&|encoder| encoder.resolve_query_set(set, 0..2 * dispatches as u32, &resolved, 0));
        encode(&|encoder| encoder.copy_buffer_to_buffer(&resolved, 0, &staging, 0, size));
        let mapped = Mapped::default();
        let done = mapped.clone();
        staging.map_async(wgpu::MapMode::Read, .., move |result| done.set(result.map_err(|error| error.to_string())));
        self.wait();
        let lost = |detail| self.fault.get().unwrap_or(BackendError::DeviceLost { detail });
        if let Some(error) = self.fault.get() {
            return Err(error);
        }
        mapped.await.map_err(lost)?;
        let view = staging.get_mapped_range(..).map_err(|error| lost(error.to_string()))?;
        Ok(bytemuck::pod_collect_to_vec(&view))
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
