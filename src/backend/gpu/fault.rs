//! The first failure of a device, which the next read returns.

use std::sync::{Arc, Mutex, PoisonError};

use crate::backend::BackendError;

/// The first failure, shared with the device's callbacks.
#[derive(Clone, Default)]
pub(super) struct Fault(Arc<Mutex<Option<BackendError>>>);

impl Fault {
    /// Keeps the failures that a device reports by itself: memory that is used up, work that it refuses, and its own loss.
    pub(crate) fn of(device: &wgpu::Device) -> Self {
        let fault = Self::default();
        let uncaptured = fault.clone();
        device.on_uncaptured_error(Arc::new(move |error| {
            uncaptured.set(match &error {
                wgpu::Error::OutOfMemory { .. } => BackendError::OutOfMemory { detail: one_line(&error.to_string()) },
                _ => BackendError::Refused { detail: one_line(&error.to_string()) },
            });
        }));
        let lost = fault.clone();
        device.set_device_lost_callback(move |_, message| lost.set(BackendError::DeviceLost { detail: one_line(&message) }));
        fault
    }

    /// Keeps an error where it is the first.
    pub(crate) fn set(&self, error: BackendError) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    pub(crate) fn get(&self) -> Option<BackendError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// An error's text without its line breaks.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
