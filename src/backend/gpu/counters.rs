//! What a device was asked for, counted all the time.

/// Totals since the device was opened; `Counters::since` makes them those of a stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Counters {
    /// Dispatches that were recorded; those that a profile runs again do not count.
    pub dispatches: u64,
    /// Command buffers of work that were handed to the driver.
    pub submissions: u64,
    /// Entry points that were compiled.
    #[serde(default)]
    pub pipelines: u64,
    /// Copies from the host: matrices, lists, and the arguments of a submission as one.
    pub uploads: u64,
    /// Bytes of all uploads.
    pub uploaded_bytes: u64,
    /// Copies to the host that were asked for.
    pub readbacks: u64,
    /// Bytes of all readbacks.
    pub read_bytes: u64,
    /// Buffers that the device had to make; those that served again do not count.
    pub allocations: u64,
    /// Bytes that the device holds, in use or free to serve again. Not a total.
    pub held_bytes: u64,
    /// The most that `held_bytes` has been since the device was opened.
    pub peak_bytes: u64,
}

impl Counters {
    /// What came after `earlier`; bytes held are those of now.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self {
            dispatches: self.dispatches - earlier.dispatches,
            pipelines: self.pipelines - earlier.pipelines,
            submissions: self.submissions - earlier.submissions,
            uploads: self.uploads - earlier.uploads,
            uploaded_bytes: self.uploaded_bytes - earlier.uploaded_bytes,
            readbacks: self.readbacks - earlier.readbacks,
            read_bytes: self.read_bytes - earlier.read_bytes,
            allocations: self.allocations - earlier.allocations,
            ..*self
        }
    }

    pub(super) fn allocated(&mut self, bytes: u64) {
        self.allocations += 1;
        self.held_bytes += bytes;
        self.peak_bytes = self.peak_bytes.max(self.held_bytes);
    }

    pub(super) fn uploaded(&mut self, bytes: usize) {
        self.uploads += 1;
        self.uploaded_bytes += bytes as u64;
    }
}
