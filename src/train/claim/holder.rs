//! Who holds a claim, as its file says it.

use std::fmt;
use std::fs::Metadata;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Of which kind a claim's file is.
const FORMAT: &str = "mcsan-claim/1";

/// A process that holds a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holder {
    format: String,
    /// The machine's name.
    pub host: String,
    pub process: u32,
    /// Where a lock that is had proves that this process has it no more: one start of one machine, and one file system as it is mounted
    /// there; none where this process had no lock.
    place: Option<String>,
    /// Where the process' number is its own.
    numbers: Option<String>,
    /// Tells the claims of one process apart.
    claim: String,
}

impl Holder {
    /// This process, with a claim of its own on a folder whose lock, the file `about`, it has or not.
    pub(super) fn this(about: &Metadata, has_lock: bool) -> Self {
        static CLAIMS: AtomicU64 = AtomicU64::new(0);
        let moment = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let host = gethostname::gethostname().to_string_lossy().into_owned();
        let start = start_of_machine().unwrap_or_else(|| host.clone());
        Self {
            format: FORMAT.into(),
            place: has_lock.then(|| format!("{start}/{}", file_system(about))),
            numbers: numbers(&start),
            claim: format!("{moment:x}-{}", CLAIMS.fetch_add(1, Ordering::Relaxed)),
            process: process::id(),
            host,
        }
    }

    /// Whether this process has the lock that `other` had, which so has it no more.
    pub(super) fn has_lock_of(&self, other: &Self) -> bool {
        self.place.is_some() && self.place == other.place
    }

    /// Whether `other` is known to have ended: a process of this machine, numbered as this one is, that is there no more.
    pub(super) fn knows_ended(&self, other: &Self) -> bool {
        self.numbers.is_some() && self.numbers == other.numbers && has_ended(other.process)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "process {} on {}", self.process, self.host)
    }
}

/// A name that each start of a machine has for itself, containers on it included.
fn start_of_machine() -> Option<String> {
    #[cfg(target_os = "linux")]
    {
        Some(std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned())
    }
    #[cfg(not(target_os = "linux"))]
    {
        None
    }
}

/// The number of the file system, as it is mounted, that a file lies in.
fn file_system(about: &Metadata) -> u64 {
    #[cfg(unix)]
    {
        std::os::unix::fs::MetadataExt::dev(about)
    }
    #[cfg(not(unix))]
    {
        let _one_for_all = about;
        0
    }
}

/// What numbers processes: a machine's start and, on it, a namespace.
fn numbers(start: &str) -> Option<String> {
    #[cfg(target_os = "linux")]
    {
        Some(format!("{start}/{}", std::fs::read_link("/proc/self/ns/pid").ok()?.display()))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _numbers_are_not_looked_at = start;
        None
    }
}

/// Whether no process has a number; a process that one may not signal is one.
fn has_ended(process: u32) -> bool {
    #[cfg(target_os = "linux")]
    {
        let number = i32::try_from(process).ok().and_then(rustix::process::Pid::from_raw);
        number.is_some_and(|number| rustix::process::test_kill_process(number) == Err(rustix::io::Errno::SRCH))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _numbers_are_not_looked_at = process;
        false
    }
}
