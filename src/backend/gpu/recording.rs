//! Work on its way to the device: recorded into one pass, sent as one submission.

use std::rc::Rc;

use super::device::Gpu;
use super::memory::{Lists, Words};
use super::readback::HostCopy;

/// Bytes of arguments in one submission.
pub(super) const ARGUMENT_BYTES: u64 = 1 << 18;

/// Work since the last submission.
#[derive(Default)]
pub(super) struct Recording {
    /// Ends when dropped; declared before the encoder that it belongs to.
    pub(super) pass: Option<wgpu::ComputePass<'static>>,
    pub(super) encoder: Option<wgpu::CommandEncoder>,
    pub(super) arguments: Vec<u8>,
    pub(super) lists: Option<Lists>,
    /// Lists that follow from two others.
    pub(super) derived: Vec<([Words; 2], Words)>,
    pub(super) copies: Vec<Rc<HostCopy>>,
    pub(super) flop: f64,
}

impl Gpu {
    pub(super) fn outside_pass(&self, record: impl FnOnce(&mut wgpu::CommandEncoder)) {
        let mut recording = self.recording.borrow_mut();
        recording.pass = None;
        record(recording.encoder.get_or_insert_with(|| self.device.create_command_encoder(&Default::default())));
    }

    /// Records into the pass that is open, or into a new one.
    pub(super) fn in_pass(&self, record: impl FnOnce(&mut wgpu::ComputePass<'static>)) {
        let mut recording = self.recording.borrow_mut();
        let Recording { pass, encoder, .. } = &mut *recording;
        let encoder = encoder.get_or_insert_with(|| self.device.create_command_encoder(&Default::default()));
        record(pass.get_or_insert_with(|| encoder.begin_compute_pass(&Default::default()).forget_lifetime()));
    }

    /// Sends the recorded work; returns its number where there was any.
    pub(super) fn send(&self) -> Option<wgpu::SubmissionIndex> {
        let mut recording = self.recording.borrow_mut();
        recording.pass = None;
        let encoder = recording.encoder.take()?;
        recording.derived.clear();
        drop(recording);
        let begin = self.profile_time();
        self.upload_lists();
        let mut recording = self.recording.borrow_mut();
        if !recording.arguments.is_empty() {
            let whole = recording.arguments.len().next_multiple_of(4);
            recording.arguments.resize(whole, 0);
            self.queue.write_buffer(&self.arguments, 0, &recording.arguments);
            self.count(|counters| counters.uploaded(whole));
            recording.arguments.clear();
        }
        recording.flop = 0.0;
        self.pool.submitted();
        let submission = self.queue.submit([encoder.finish()]);
        recording.copies.drain(..).for_each(|copy| copy.sent(&submission));
        self.count(|counters| counters.submissions += 1);
        self.note_submission(begin);
        Some(submission)
    }
}
