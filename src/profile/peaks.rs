//! What a device can do at best: the roofs that kernels are held against (Williams, Waterman, Patterson: "Roofline", 2009).

use serde::{Deserialize, Serialize};

use super::measure::{Profiled, Stopwatch};
use crate::backend::gpu::Timing;
use crate::backend::{Execution, Result};

/// The two roofs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Peaks {
    /// Of float32.
    pub gflops: f64,
    pub gbytes_per_s: f64,
}

/// What bounds a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bound {
    Compute,
    Memory,
}

impl Peaks {
    /// Nanoseconds that arithmetic and traffic take at best. A FLOP a nanosecond is a GFLOP/s.
    pub(crate) fn floors(&self, flop: f64, bytes: f64) -> [f64; 2] {
        [flop / self.gflops, bytes / self.gbytes_per_s]
    }
}

/// Runs of each, of which the fastest counts.
const RUNS: usize = 5;
/// Nanoseconds that the arithmetic should take, so that starting it does not matter.
const LONG_ENOUGH: f64 = 10e6;
const MOST_ROUNDS: u32 = 1 << 14;

/// Measures both roofs.
///
/// # Errors
/// Whatever went wrong on the device.
pub(crate) async fn measure_peaks<B: Profiled>(backend: &B, timing: Timing, watch: &Stopwatch) -> Result<Peaks> {
    let mut rounds = 16;
    let arithmetic = loop {
        let fastest = fastest(backend, timing, watch, &|| backend.record_arithmetic(rounds)).await?;
        if rounds >= MOST_ROUNDS || fastest.duration().is_some_and(|duration| duration > LONG_ENOUGH) {
            break fastest;
        }
        rounds *= 4;
    };
    let copy = fastest(backend, timing, watch, &|| backend.record_copy()).await?;
    let rate = |work: f64, run: &Execution| work / run.duration().unwrap_or(f64::INFINITY).max(1.0);
    Ok(Peaks { gflops: rate(arithmetic.flop, &arithmetic), gbytes_per_s: rate(copy.bytes, &copy) })
}

async fn fastest<B: Profiled>(backend: &B, timing: Timing, watch: &Stopwatch, record: &dyn Fn()) -> Result<Execution> {
    record();
    backend.submit();
    backend.start(timing, watch.clock());
    (0..RUNS).for_each(|_| record());
    let executions = backend.finish().await?;
    let duration = |run: &Execution| run.duration().unwrap_or(f64::INFINITY);
    let fastest = executions.runs.into_iter().min_by(|a, b| duration(a).total_cmp(&duration(b)));
    // Nothing ran only where the device failed, and then the wait has said so.
    Ok(fastest.unwrap_or_else(|| Execution {
        kernel: "",
        entry: "",
        variant: None,
        grid: None,
        sizes: Vec::new(),
        flop: 0.0,
        bytes: 0.0,
        span: None,
    }))
}
