//! Times every dispatch: by the device's own timestamps, or, where there are none, by a clock that the caller brings.
//!
//! A dispatch stands between two timestamps, inside the pass where the device can do that, else in a pass of its own. By
//! the clock a dispatch is sent and waited for by itself, several times over; kernels that add to what is there then add
//! several times, so results of such a run are no results.

use std::cell::RefCell;

use super::device::OpenDevice;
use super::fault::one_line;
use super::waiting::Signal;
use crate::backend::{BackendError, Clock, Execution, Executions, Result, Submission};

/// How dispatches are timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// By the device's clock, for which it must have [`Feature::Timestamps`](super::Feature::Timestamps).
    Timestamps,
    /// The mean of so many runs, one after the other, with one wait at the end.
    Clock {
        /// How many runs; 0 counts as 1.
        repeats: u32,
    },
}

/// Dispatches of one set of queries: WebGPU allows 4096 queries in a set.
const SET: usize = 2048;
const BYTES_PER_DISPATCH: u64 = 16;

/// Times dispatches while a profile is made.
#[derive(Default)]
pub(super) struct Timer(RefCell<Option<Profile>>);

struct Profile {
    timing: Timing,
    clock: Clock,
    recorded: Executions,
    /// Begin and end of [`SET`] dispatches each.
    queries: Vec<wgpu::QuerySet>,
}

/// Queries that tell when a dispatch began and ended.
pub(super) struct Timestamps {
    pub set: wgpu::QuerySet,
    /// Of two.
    pub first: u32,
}

impl Timer {
    /// Times what is recorded from here on.
    pub(crate) fn start(&self, timing: Timing, clock: Clock) {
        *self.0.borrow_mut() = Some(Profile { timing, clock, recorded: Executions::default(), queries: Vec::new() });
    }

    /// How dispatches are timed, where they are.
    pub(crate) fn timing(&self) -> Option<Timing> {
        self.0.borrow().as_ref().map(|profile| profile.timing)
    }

    /// The caller's time, while a profile is made.
    pub(crate) fn now(&self) -> Option<f64> {
        self.0.borrow().as_ref().map(|profile| (profile.clock)())
    }

    /// Takes a dispatch into the profile; returns its number there.
    pub(crate) fn add(&self, execution: Execution) -> Option<usize> {
        let mut profile = self.0.borrow_mut();
        let runs = &mut profile.as_mut()?.recorded.runs;
        runs.push(execution);
        Some(runs.len() - 1)
    }

    /// Keeps when a dispatch ran.
    pub(crate) fn set_span(&self, dispatch: usize, span: [f64; 2]) {
        if let Some(execution) = self.0.borrow_mut().as_mut().and_then(|profile| profile.recorded.runs.get_mut(dispatch)) {
            execution.span = Some(span);
        }
    }

    /// Keeps that work was handed to the driver from `begin` to now.
    pub(crate) fn note_submission(&self, begin: Option<f64>) {
        if let (Some(begin), Some(end), Some(profile)) = (begin, self.now(), self.0.borrow_mut().as_mut()) {
            let end_of_runs = profile.recorded.runs.len();
            profile.recorded.submissions.push(Submission { span: [begin, end], end: end_of_runs });
        }
    }

    /// The queries of a dispatch, where the device's timestamps are taken.
    pub(crate) fn timestamps(&self, device: &OpenDevice, dispatch: usize) -> Option<Timestamps> {
        let mut profile = self.0.borrow_mut();
        let Profile { timing: Timing::Timestamps, queries, .. } = profile.as_mut()? else { return None };
        while queries.len() <= dispatch / SET {
            queries.push(device.wgpu().create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("profile"),
                ty: wgpu::QueryType::Timestamp,
                count: 2 * SET as u32,
            }));
        }
        Some(Timestamps { set: queries[dispatch / SET].clone(), first: 2 * (dispatch % SET) as u32 })
    }

    /// Ends the profile and waits for its timestamps.
    ///
    /// # Errors
    /// Whatever went wrong on the device.
    pub(crate) async fn finish(&self, device: &OpenDevice) -> Result<Executions> {
        let Some(Profile { mut recorded, queries, .. }) = self.0.take() else { return Ok(Executions::default()) };
        let period = f64::from(device.queue().get_timestamp_period());
        for (set, executions) in queries.iter().zip(recorded.runs.chunks_mut(SET)) {
            let ticks = resolve(device, set, executions.len()).await?;
            for (execution, pair) in executions.iter_mut().zip(ticks.chunks_exact(2)) {
                // A query that was never written is zero.
                let known = pair[0] != 0 && pair[1] >= pair[0];
                execution.span = known.then(|| [pair[0] as f64 * period, pair[1] as f64 * period]);
            }
        }
        Ok(recorded)
    }
}

/// Begin and end of the first `dispatches` of a set, in ticks.
async fn resolve(device: &OpenDevice, set: &wgpu::QuerySet, dispatches: usize) -> Result<Vec<u64>> {
    let size = dispatches as u64 * BYTES_PER_DISPATCH;
    let buffer =
        |label, usage| device.wgpu().create_buffer(&wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false });
    let resolved = buffer("resolved timestamps", wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC);
    let staging = buffer("timestamps", wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
    // Some drivers copy before they have resolved where both lie in one command buffer.
    let encode = |record: &dyn Fn(&mut wgpu::CommandEncoder)| {
        let mut encoder = device.wgpu().create_command_encoder(&Default::default());
        record(&mut encoder);
        device.queue().submit([encoder.finish()])
    };
    encode(&|encoder| encoder.resolve_query_set(set, 0..2 * dispatches as u32, &resolved, 0));
    let submission = encode(&|encoder| encoder.copy_buffer_to_buffer(&resolved, 0, &staging, 0, size));
    device.mapped(&Signal::map(&staging, size), submission).await?;
    let view = staging.get_mapped_range(..).map_err(|error| BackendError::Refused { detail: one_line(&error.to_string()) })?;
    Ok(bytemuck::pod_collect_to_vec(&view))
}
