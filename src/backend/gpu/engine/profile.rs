//! A profile: every dispatch timed.

use super::Gpu;
use crate::backend::gpu::timing::Timing;
use crate::backend::{Clock, Executions, Result};

impl Gpu {
    /// Whether the device tells when its dispatches ran.
    pub(crate) fn has_timestamps(&self) -> bool {
        self.device.wgpu().features().contains(wgpu::Features::TIMESTAMP_QUERY)
    }

    /// Times the dispatches from here to [`Gpu::finish_profile`]. By the clock, all that is recorded meanwhile runs when a
    /// result is waited for, and one future alone may wait.
    pub fn start_profile(&self, timing: Timing, clock: Clock) {
        self.add_up();
        self.send();
        self.timer.start(timing, clock);
    }

    /// Ends a profile and waits for its timestamps.
    ///
    /// # Errors
    /// Whatever went wrong on the device.
    pub async fn finish_profile(&self) -> Result<Executions> {
        self.add_up();
        self.send();
        self.run_by_the_clock().await;
        self.timer.finish(&self.device).await
    }

    /// Runs what was kept for the clock: every dispatch by itself, several times; its span is that of one of them.
    pub(super) async fn run_by_the_clock(&self) {
        let Some(Timing::Clock { repeats }) = self.timer.timing() else { return };
        let repeats = repeats.max(1);
        let next = || self.waiting_for_the_clock.borrow_mut().pop_front();
        while let Some(recording) = next() {
            self.write_arguments(&recording);
            for command in recording.commands() {
                let timed = command.dispatch().and_then(|dispatch| dispatch.timed);
                // What was sent before must not count.
                self.device.idle().await;
                let begin = self.timer.now();
                self.submit(std::slice::from_ref(command), if timed.is_some() { repeats } else { 1 });
                self.timer.note_submission(begin);
                let Some((dispatch, begin)) = timed.zip(begin) else { continue };
                self.device.idle().await;
                if let Some(end) = self.timer.now() {
                    self.timer.set_span(dispatch, [begin, begin + (end - begin) / f64::from(repeats)]);
                }
            }
        }
        // Buffers that the host may write from here on serve no work that is still to be sent.
        if self.recording.borrow().commands().is_empty() {
            self.memory.submitted();
        }
    }
}
