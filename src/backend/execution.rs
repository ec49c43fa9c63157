//! What is known of one run of a kernel: for profiles.

/// Arithmetic and memory traffic that a launch declares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Work {
    /// Floating-point operations; a multiplication with its addition counts as two.
    pub flop: f64,
    /// Compulsory traffic: each byte that has to be read or written at all, once. Where none is given it is what is bound.
    pub bytes: Option<f64>,
}

impl Work {
    /// For launches that touch only a part of what they bind.
    pub fn touching(flop: f64, bytes: f64) -> Self {
        Self { flop, bytes: Some(bytes) }
    }
}

impl From<f64> for Work {
    /// So many FLOP, and all that is bound.
    fn from(flop: f64) -> Self {
        Self { flop, bytes: None }
    }
}

/// A kernel that ran.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution {
    /// Name of the kernel, of its entry point, and of the variant where there are several.
    pub kernel: &'static str,
    pub entry: &'static str,
    pub variant: Option<&'static str>,
    /// Workgroups, on devices that have them.
    pub grid: Option<[u32; 3]>,
    /// The launch's whole numbers by name: rows, inputs, switches.
    pub sizes: Vec<(&'static str, u32)>,
    pub flop: f64,
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
