//! Waiting for the device: a future for its callbacks.
//!
//! Natively someone must look after a device for its callbacks to be called. The future does so itself whenever it is polled,
//! for [`SLICE`] at most, and asks to be polled again: an executor gets on with other work in between, and one that has
//! nothing else to do sleeps in the driver all the same and learns of the result as soon as it is there. In a browser the page
//! looks after its devices, so there the callback alone wakes the future.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::device::OpenDevice;
use super::fault::one_line;
use crate::backend::{BackendError, Result};

/// How long a poll may look after the device: far shorter than anyone notices, far longer than a poll costs.
const SLICE: Duration = Duration::from_millis(1);

/// What a callback of the device brings.
pub(super) struct Signal<T>(Arc<Mutex<State<T>>>);

struct State<T> {
    value: Option<T>,
    waker: Option<Waker>,
}

impl<T> Signal<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State { value: None, waker: None })))
    }

    /// Brings the value, for a callback.
    pub(crate) fn set(&self, value: T) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.value = Some(value);
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    /// The value where it is there; else `waker` is woken when it comes.
    fn take(&self, waker: &Waker) -> Option<T> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.value.is_none() {
            state.waker = Some(waker.clone());
        }
        state.value.take()
    }
}

impl Signal<Result<(), String>> {
    /// Asks for the first `bytes` of a buffer to be mapped for reading.
    pub(crate) fn map(buffer: &wgpu::Buffer, bytes: u64) -> Self {
        let mapped = Self::new();
        let callback = mapped.clone();
        buffer.map_async(wgpu::MapMode::Read, ..bytes, move |result| callback.set(result.map_err(|error| error.to_string())));
        mapped
    }
}

impl<T> Clone for Signal<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// Resolves to what a callback brings once a submission is done; to nothing where it never will, for the device is lost.
struct Waiting<'d, T> {
    device: &'d wgpu::Device,
    signal: Signal<T>,
    /// The last one where none is named.
    submission: Option<wgpu::SubmissionIndex>,
}

impl<T> Future for Waiting<'_, T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let arrived = self.signal.take(context.waker());
        if arrived.is_some() {
            return Poll::Ready(arrived);
        }
        if cfg!(target_family = "wasm") {
            return Poll::Pending;
        }
        let is_over = look_after(self.device, self.submission.clone());
        let arrived = self.signal.take(context.waker());
        if arrived.is_some() || is_over {
            return Poll::Ready(arrived);
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Lets a device call its callbacks, for [`SLICE`] at most; whether there are none left that it could call.
fn look_after(device: &wgpu::Device, submission: Option<wgpu::SubmissionIndex>) -> bool {
    let wait = wgpu::PollType::Wait { submission_index: submission, timeout: Some(SLICE) };
    // wgpu panics where a driver gives a device up during a wait.
    let polled = catch_unwind(AssertUnwindSafe(|| match device.poll(wait) {
        // A submission that was refused is never waited for, and what hangs on it is called without a wait.
        Err(wgpu::PollError::WrongSubmissionIndex(..)) => device.poll(wgpu::PollType::Poll),
        polled => polled,
    }));
    match polled {
        Ok(Ok(status)) => status.is_queue_empty(),
        Ok(Err(_)) => false,
        Err(_) => true,
    }
}

impl OpenDevice {
    /// Waits for a callback that comes when a submission is done, the last one where none is named; none where the device is
    /// lost before.
    pub(crate) async fn wait_for<T>(&self, signal: &Signal<T>, submission: Option<wgpu::SubmissionIndex>) -> Option<T> {
        Waiting { device: self.wgpu(), signal: signal.clone(), submission }.await
    }

    /// Waits until a buffer is mapped that a submission copies to.
    ///
    /// # Errors
    /// The device's first failure; [`BackendError::DeviceLost`] where it has none and the buffer cannot be mapped.
    pub(crate) async fn mapped(&self, mapped: &Signal<Result<(), String>>, submission: wgpu::SubmissionIndex) -> Result<()> {
        let outcome = self.wait_for(mapped, Some(submission)).await;
        if let Some(error) = self.failure() {
            return Err(error);
        }
        let detail = match outcome {
            Some(Ok(())) => return Ok(()),
            Some(Err(detail)) => one_line(&detail),
            None => "its driver gave it up".into(),
        };
        Err(BackendError::DeviceLost { detail })
    }

    /// Waits for all that was sent.
    pub(crate) async fn idle(&self) {
        let done = Signal::new();
        let callback = done.clone();
        self.queue().on_submitted_work_done(move || callback.set(()));
        self.wait_for(&done, None).await;
    }
}
