//! What is known of one run of a kernel: for profiles.

/// A kernel that ran.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution {
    /// Name of the kernel.
    pub kernel: &'static str,
    /// Name of its entry point.
    pub entry: &'static str,
    /// Name of the variant, where there are several.
    pub variant: Option<&'static str>,
    /// Workgroups, on devices that have them.
    pub grid: Option<[u32; 3]>,
    /// The launch's whole numbers by name: rows, inputs, switches.
    pub sizes: Vec<(&'static str, u32)>,
    /// Arithmetic, as [`super::Work`] counts it.
    pub flop: f64,
    /// Traffic: an operation's own, or of an auxiliary dispatch what it binds.
    pub bytes: f64,
    /// Begin and end in nanoseconds; none where the device did not say. Spans of one profile have one zero.
    pub span: Option<[f64; 2]>,
}

impl Execution {
    /// How long it took, in nanoseconds.
    pub fn duration(&self) -> Option<f64> {
        self.span.map(|[begin, end]| end - begin)
    }
}

/// What ran while a profile was made.
#[derive(Debug, Clone, Default)]
pub struct Executions {
    /// In their order on the device.
    pub runs: Vec<Execution>,
    /// How they were handed to the driver.
    pub submissions: Vec<Submission>,
}

/// Work that was handed to the driver at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Submission {
    /// Begin and end of handing it over, by the caller's clock.
    pub span: [f64; 2],
    /// Which of the profile's runs it consists of, those before this one.
    pub end: usize,
}

impl Executions {
    /// Nanoseconds that the longest submission took on the device, from its first kernel to its last; none where kernels were not
    /// timed in their submissions.
    pub(crate) fn longest_submission(&self) -> Option<f64> {
        let begins = std::iter::once(0).chain(self.submissions.iter().map(|submission| submission.end));
        let spans = begins.zip(&self.submissions).filter_map(|(begin, submission)| {
            let runs = self.runs.get(begin..submission.end)?;
            Some(runs.last()?.span?[1] - runs.first()?.span?[0])
        });
        spans.reduce(f64::max)
    }
}

/// Nanoseconds since a time of the caller's choice.
pub type Clock = Box<dyn Fn() -> f64>;
