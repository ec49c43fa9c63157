//! Results on their way to the host: copied with the work around them, waited for late, by a future for wgpu's mapping callback,
//! so that waiting needs no particular runtime.

use std::cell::OnceCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use super::device::{Gpu, one_line};
use super::memory::{Pool, Tensor, WrittenBy};
use super::recording::Command;
use crate::backend::{BackendError, Result};

/// A copy on its way to the host.
pub struct Readback {
    copy: Option<Rc<HostCopy>>,
    count: usize,
}

/// A copy for the host, recorded or sent.
pub(super) struct HostCopy {
    staging: wgpu::Buffer,
    bytes: u64,
    mapped: Mapped,
    /// That it was sent with.
    submission: OnceCell<wgpu::SubmissionIndex>,
}

impl HostCopy {
    pub(super) fn sent(&self, submission: &wgpu::SubmissionIndex) {
        let done = self.mapped.clone();
        self.staging.map_async(wgpu::MapMode::Read, ..self.bytes, move |result| done.set(result.map_err(|error| error.to_string())));
        // It is recorded in one submission alone.
        let _ = self.submission.set(submission.clone());
    }
}

impl Gpu {
    /// Records a copy for the host; it is sent with the work around it, at the latest when it is waited for.
    pub(super) fn start(&self, tensor: &Tensor) -> Readback {
        let count = crate::backend::Matrix::len(tensor);
        let range = tensor.bytes();
        if count == 0 || self.fault.get().is_some() || range.end > tensor.storage.buffer().size() {
            return Readback { copy: None, count };
        }
        let bytes = range.end - range.start;
        let staging = self.staging_buffer(bytes);
        self.record(Command::Copy(tensor.storage.buffer().clone(), range, staging.clone()));
        self.count(|counters| {
            counters.readbacks += 1;
            counters.read_bytes += bytes;
        });
        let copy = Rc::new(HostCopy { staging, bytes, mapped: Default::default(), submission: OnceCell::new() });
        self.recording.borrow_mut().copies.push(copy.clone());
        Readback { copy: Some(copy), count }
    }

    fn staging_buffer(&self, bytes: u64) -> wgpu::Buffer {
        let class = Pool::class(bytes);
        self.staging.take(class, WrittenBy::Kernel).unwrap_or_else(|| {
            self.count(|counters| counters.allocated(class));
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("readback"),
                size: class,
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        })
    }

    pub(super) async fn finish(&self, readback: Readback) -> Result<Vec<f32>> {
        if let Some(error) = self.fault.get() {
            return Err(error);
        }
        let Some(copy) = readback.copy else { return Ok(vec![0.0; readback.count]) };
        if copy.submission.get().is_none() {
            self.send();
        }
        let Some(submission) = copy.submission.get() else {
            return Err(BackendError::Refused { detail: "the result belongs to work that was given up".into() });
        };
        let wait = wgpu::PollType::Wait { submission_index: Some(submission.clone()), timeout: None };
        if let Err(error) = self.device.poll(wait) {
            self.fail(BackendError::DeviceLost { detail: one_line(&error.to_string()) });
        }
        let mapped = match self.fault.get() {
            Some(error) => return Err(error),
            None => copy.mapped.clone().await,
        };
        mapped.map_err(|detail| self.fault.get().unwrap_or(BackendError::DeviceLost { detail: one_line(&detail) }))?;
        let view = copy.staging.get_mapped_range(..copy.bytes);
        let view = view.map_err(|error| BackendError::Refused { detail: one_line(&error.to_string()) })?;
        let values = bytemuck::cast_slice(&view).to_vec();
        drop(view);
        copy.staging.unmap();
        self.staging.put(copy.staging.clone());
        match self.fault.get() {
            Some(error) => Err(error),
            None => Ok(values),
        }
    }
}

/// Resolves when a buffer is mapped, or to the reason why it is not.
#[derive(Clone, Default)]
pub(super) struct Mapped(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    result: Option<Result<(), String>>,
    waker: Option<Waker>,
}

impl Mapped {
    pub(super) fn set(&self, result: Result<(), String>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.result = Some(result);
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }
}

impl Future for Mapped {
    type Output = Result<(), String>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
