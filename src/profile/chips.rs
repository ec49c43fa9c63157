//! Chips that a step is predicted on, by figures that are not measured here.

/// A graphics chip, by its maker's figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Chip {
    /// What `--predict` calls it.
    pub name: &'static str,
    pub title: &'static str,
    /// Streaming multiprocessors, compute units, cores.
    pub(super) processors: u32,
    /// Multiply-adds of a processor in a cycle.
    pub(super) lanes: u32,
    pub(super) gigahertz: f64,
    /// Gigabytes a second.
    pub(super) bandwidth: f64,
    /// Bytes of workgroup memory of a processor.
    pub(super) workgroup_memory: u32,
    /// Invocations that a processor holds at a time.
    pub(super) invocations: u32,
    /// Registers of an invocation, as [`registers_of`](crate::backend::gpu::registers_of) counts them.
    pub registers: u32,
    /// Those that a factor of cooperative matrices of 16 × 16 takes.
    pub factor_registers: u32,
    /// Multiply-adds of a processor in a cycle by cooperative matrices of 16 × 16 × 16, f16 to f32; 0 where it has none that shaders
    /// take, or no compiler has said what it makes of these.
    pub(super) by_matrices: u32,
    /// Microseconds from the end of a dispatch to the begin of the next that reads what it wrote.
    pub(super) between: f64,
}

/// The chips that there are figures of.
pub(crate) const CHIPS: [Chip; 5] = [
    Chip {
        name: "h100",
        title: "NVIDIA H100 (SXM)",
        processors: 132,
        lanes: 128,
        gigahertz: 1.755,
        bandwidth: 3350.0,
        workgroup_memory: 228 << 10,
        invocations: 2048,
        registers: 255,
        factor_registers: 4,
        by_matrices: 2048,
        between: 3.0,
    },
    Chip {
        name: "rx7900",
        // Its second multiply-add a cycle is one that compilers seldom find.
        title: "AMD Radeon RX 7900 XTX",
        processors: 96,
        lanes: 64,
        gigahertz: 2.5,
        bandwidth: 960.0,
        workgroup_memory: 64 << 10,
        invocations: 1024,
        registers: 255,
        factor_registers: 8,
        by_matrices: 256,
        between: 5.0,
    },
    Chip {
        name: "m1",
        title: "Apple M1 (8 cores)",
        processors: 8,
        lanes: 128,
        gigahertz: 1.278,
        bandwidth: 68.0,
        workgroup_memory: 64 << 10,
        invocations: 2048,
        registers: 128,
        factor_registers: 4,
        by_matrices: 0,
        between: 10.0,
    },
    Chip {
        name: "arc",
        title: "Intel Arc A770",
        processors: 32,
        lanes: 128,
        gigahertz: 2.1,
        bandwidth: 560.0,
        workgroup_memory: 128 << 10,
        invocations: 2048,
        registers: 96,
        factor_registers: 4,
        by_matrices: 0,
        between: 6.0,
    },
    Chip {
        name: "igpu",
        title: "an integrated GPU of 2 TFLOP/s",
        processors: 8,
        lanes: 64,
        gigahertz: 1.95,
        bandwidth: 60.0,
        workgroup_memory: 64 << 10,
        invocations: 1024,
        registers: 128,
        factor_registers: 4,
        by_matrices: 0,
        between: 10.0,
    },
];

impl Chip {
    /// FLOP of a microsecond.
    pub(super) fn peak(&self) -> f64 {
        2.0 * f64::from(self.processors * self.lanes) * self.gigahertz * 1e3
    }

    /// Rows and columns of the matrices that are counted.
    pub(crate) const MATRICES: u32 = 16;

    /// Whether a device is laid out with them for it.
    pub(crate) fn has_matrices(&self) -> bool {
        self.by_matrices > 0
    }

    /// Bytes of a microsecond.
    pub(super) fn traffic(&self) -> f64 {
        self.bandwidth * 1e3
    }
}
