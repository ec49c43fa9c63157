//! How much memory the host could still give, so that what cannot be is refused before it is tried.

use std::fmt::{self, Display, Formatter};

use thiserror::Error;

use super::remedy::{Remedied, Remedy};

/// An amount of memory; its `Display` is in the largest unit of which it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Bytes(pub u64);

impl Display for Bytes {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let units = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
        match units.into_iter().find(|(unit, _)| self.0 as f64 >= *unit) {
            Some((unit, name)) => write!(formatter, "{:.1} {name}", self.0 as f64 / unit),
            None => write!(formatter, "{} bytes", self.0),
        }
    }
}

/// What the host cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what} alone takes {needed}, {free} are free")]
pub struct NoRoom {
    /// What it is of, and the part of it that is known beforehand.
    pub what: String,
    /// What that takes at least.
    pub needed: Bytes,
    /// What there is.
    pub free: Bytes,
}

impl Remedied for NoRoom {
    fn remedies(&self) -> Vec<Remedy> {
        vec![Remedy::SmallerSizes]
    }
}

/// Refuses what the host cannot hold.
///
/// # Errors
/// How much it has: what the system says is free, or nothing where one piece of this size is not given at all.
pub(crate) fn room_for(needed: Bytes) -> Result<(), Bytes> {
    if let Some(free) = free().filter(|free| *free < needed) {
        return Err(free);
    }
    // A limit of the process shows only here; nothing is touched, so this costs no memory.
    let mut piece = Vec::<u8>::new();
    let is_given = usize::try_from(needed.0).is_ok_and(|bytes| piece.try_reserve_exact(bytes).is_ok());
    std::hint::black_box(&piece);
    if is_given { Ok(()) } else { Err(free().filter(|free| *free < needed).unwrap_or_default()) }
}

/// What is free of the machine's memory and of the container's; none where the system does not say.
#[cfg(all(feature = "files", target_os = "linux"))]
fn free() -> Option<Bytes> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let kilobytes =
        |text: String| text.lines().find_map(|line| line.strip_prefix("MemAvailable:")?.split_whitespace().next()?.parse().ok());
    let machine = read("/proc/meminfo").and_then(kilobytes).map(|kilobytes: u64| kilobytes.saturating_mul(1024));
    let number = |file: &str| read(&format!("/sys/fs/cgroup/memory.{file}"))?.trim().parse::<u64>().ok();
    let container = number("max").map(|most| most.saturating_sub(number("current").unwrap_or(0)));
    machine.into_iter().chain(container).min().map(Bytes)
}

#[cfg(not(all(feature = "files", target_os = "linux")))]
fn free() -> Option<Bytes> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_little_is_given_and_more_than_any_machine_has_is_not() {
        room_for(Bytes(1 << 20)).unwrap();
        for bytes in [1 << 52, u64::MAX] {
            let free = room_for(Bytes(bytes)).unwrap_err();
            assert!(free < Bytes(bytes), "{free}");
        }
    }

    #[test]
    fn amounts_are_written_in_their_unit() {
        let shown = [12, 1_500, 2_000_000, 3_210_000_000, 5 << 40].map(|bytes| Bytes(bytes).to_string());
        assert_eq!(shown, ["12 bytes", "1.5 kB", "2.0 MB", "3.2 GB", "5.5 TB"]);
    }
}
