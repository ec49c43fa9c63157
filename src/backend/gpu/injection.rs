//! Failures that a device is made to have at a chosen moment, as real ones have them: to see what a program does then.

use std::cell::Cell;

/// A failure to inject, and the occasions that it can strike at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InjectedFault {
    /// There is no memory for a buffer; at each that the device has to make.
    OutOfMemory,
    /// wgpu finds fault with the work and runs nothing of it; at each submission.
    Refused,
    /// The driver gives the device up before the work has run; at each submission.
    Lost,
    /// A copy cannot be mapped for the host; at each.
    Unreadable,
}

impl InjectedFault {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::OutOfMemory, Self::Refused, Self::Lost, Self::Unreadable];
}

/// The failure that is to come, and how many of its occasions pass before.
#[derive(Default)]
pub(super) struct Injection(Cell<Option<(InjectedFault, u64)>>);

impl Injection {
    pub(crate) fn set(&self, fault: InjectedFault, after: u64) {
        self.0.set(Some((fault, after)));
    }

    /// Whether the failure strikes at this occasion of its; then it is over.
    pub(crate) fn strikes(&self, fault: InjectedFault) -> bool {
        let Some((to_come, left)) = self.0.get().filter(|(to_come, _)| *to_come == fault) else { return false };
        self.0.set(left.checked_sub(1).map(|left| (to_come, left)));
        left == 0
    }
}
