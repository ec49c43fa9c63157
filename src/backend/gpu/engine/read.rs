//! Results on their way to the host: copied with the work around them, waited for late.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use super::Gpu;
use crate::backend::gpu::device::OpenDevice;
use crate::backend::gpu::fault::one_line;
use crate::backend::gpu::injection::InjectedFault;
use crate::backend::gpu::memory::{Allocation, BufferId, Memory, Tensor};
use crate::backend::gpu::recording::Command;
use crate::backend::gpu::waiting::Signal;
use crate::backend::{BackendError, Matrix, Result};

/// A copy on its way to the host.
pub struct Readback {
    copy: Option<Rc<HostCopy>>,
    count: usize,
}

/// A copy for the host, recorded or sent.
struct HostCopy {
    staging: Rc<Allocation>,
    bytes: u64,
    /// That it was sent with, and what tells that it is there.
    sent: OnceCell<(wgpu::SubmissionIndex, Signal<Result<(), String>>)>,
}

/// The copies that are recorded and not sent, by the buffers that they go to.
#[derive(Default)]
pub(super) struct Readbacks(RefCell<HashMap<BufferId, Rc<HostCopy>>>);

impl Readbacks {
    /// Asks for the copies among some commands that were sent.
    pub(crate) fn sent(&self, commands: &[Command], submission: &wgpu::SubmissionIndex, memory: &Memory, device: &OpenDevice) {
        let mut recorded = self.0.borrow_mut();
        for command in commands {
            let Command::Copy(_, to) = command else { continue };
            if let (Some(copy), Some(buffer)) = (recorded.remove(to), memory.buffer(*to)) {
                if device.injection.strikes(InjectedFault::Unreadable) {
                    buffer.destroy();
                }
                // It is recorded in one submission alone.
                let _ = copy.sent.set((submission.clone(), Signal::map(&buffer, copy.bytes)));
            }
        }
    }

    /// Forgets the copies that were not sent.
    pub(crate) fn give_up(&self) {
        self.0.borrow_mut().clear();
    }
}

impl Gpu {
    /// Records a copy for the host; it is sent with the work around it, at the latest when it is waited for.
    pub(in super::super) fn start(&self, tensor: &Tensor) -> Readback {
        let count = tensor.len();
        self.add_up();
        let Some(range) = tensor.elements().filter(|_| self.device.failure().is_none() && !self.is_rehearsing()) else {
            return Readback { copy: None, count };
        };
        let staging = self.memory.readback(&self.device, range.size);
        self.record(Command::Copy(range, staging.id()));
        self.device.count(|counters| {
            counters.readbacks += 1;
            counters.read_bytes += range.size;
        });
        let copy = Rc::new(HostCopy { staging, bytes: range.size, sent: OnceCell::new() });
        self.readbacks.0.borrow_mut().insert(copy.staging.id(), copy.clone());
        Readback { copy: Some(copy), count }
    }

    /// Waits for a copy, and sends it before where that was not done.
    pub(in super::super) async fn finish(&self, readback: Readback) -> Result<Vec<f32>> {
        if let Some(error) = self.device.failure() {
            return Err(error);
        }
        let Some(copy) = readback.copy else { return Ok(vec![0.0; readback.count]) };
        if copy.sent.get().is_none() {
            self.send();
            self.run_by_the_clock().await;
        }
        let (Some((submission, mapped)), Some(staging)) = (copy.sent.get(), self.memory.buffer(copy.staging.id())) else {
            return Err(BackendError::Refused { detail: "the result belongs to work that was given up".into() });
        };
        self.device.mapped(mapped, submission.clone()).await?;
        let view = staging.get_mapped_range(..copy.bytes);
        let view = view.map_err(|error| BackendError::Refused { detail: one_line(&error.to_string()) })?;
        let values = bytemuck::cast_slice(&view).to_vec();
        drop(view);
        staging.unmap();
        copy.staging.release();
        match self.device.failure() {
            Some(error) => Err(error),
            None => Ok(values),
        }
    }

    /// Reads the guard words of all buffers since the last call, and forgets those buffers.
    pub(in super::super) async fn check_guards(&self) -> Result<()> {
        for (all, guarded) in self.memory.take_guarded() {
            guarded.check(&self.finish(self.start(&all)).await?)?;
        }
        Ok(())
    }
}
