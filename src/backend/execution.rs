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
    /// When work was handed to the driver, begin and end by the caller's clock.
    pub submissions: Vec<[f64; 2]>,
}

/// Nanoseconds since a time of the caller's choice.
pub type Clock = Box<dyn Fn() -> f64>;
