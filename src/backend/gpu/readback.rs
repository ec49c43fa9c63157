//! A future for wgpu's mapping callback, so that waiting needs no particular runtime.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

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
