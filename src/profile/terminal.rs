//! Profiles and sweeps as tables in the terminal.

use std::fmt::Write;

use super::peaks::Bound;
use super::report::{Figures, ProfileReport};
use super::sweep::{Line, SweepReport};

impl ProfileReport {
    /// A line a kernel, slowest first, then where the rest of a step's time is; with each dispatch where it was kept.
    pub fn terminal(&self) -> String {
        let mut text = String::new();
        let clock = if self.clock == "wall" { "the wall clock" } else { "the device's timestamps" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{} of {}, {} steps after {}, kernels by {clock}", self.what, self.on, self.steps, self.warmup);
        let _ = writeln!(text, "\n{:34}  dispatches  {}", "kernel", FIGURES);
        for row in &self.kernels {
            let _ = writeln!(text, "{:34}  {:>10}  {}", row.name, row.dispatches, figures(&row.figures));
        }
        let dispatches: usize = self.kernels.iter().map(|row| row.dispatches).sum();
        let gflop: f64 = self.kernels.iter().map(|row| row.figures.gflop).sum();
        let over = |ms: f64| if ms > 0.0 { gflop / ms * 1e3 } else { 0.0 };
        let _ = writeln!(
            text,
            "{:34}  {dispatches:>10}  {:9.3}  {:17}  {gflop:9.3}  {:9.1}",
            "all kernels",
            self.gpu_ms,
            "",
            over(self.gpu_ms)
        );
        let step = self.step_ms;
        let _ = writeln!(
            text,
            "\na step takes {:.3} ms (quartiles {:.3} to {:.3}, least {:.3}), of which {:.3} ms are no kernel's; {:.3} ms with kernels \
             timed",
            step.median, step.q1, step.q3, step.min, self.waiting_ms, self.timed_step_ms.median
        );
        if let Some(compile) = self.compile_ms {
            let first = self.first_step_ms;
            let _ = writeln!(text, "the first took {first:.3} ms, so compiling shaders and finding memory took {compile:.3} ms");
        }
        if let Some(counters) = &self.counters {
            let megabytes = |bytes: u64| bytes as f64 / 1e6;
            let longest = self.longest_submission_ms.map_or_else(String::new, |longest| format!(" of at most {longest:.1} ms"));
            let _ = writeln!(
                text,
                "a step: {} dispatches in {} submissions{longest}, {} uploads of {:.3} MB, {} readbacks of {:.3} MB, {} buffers made; \
                 at most {:.1} MB held",
                counters.dispatches,
                counters.submissions,
                counters.uploads,
                megabytes(counters.uploaded_bytes),
                counters.readbacks,
                megabytes(counters.read_bytes),
                counters.allocations,
                megabytes(counters.peak_bytes)
            );
        }
        let _ = write!(text, "roofs, measured here: {:.1} GFLOP/s in float32, {:.1} GB/s", self.peaks.gflops, self.peaks.gbytes_per_s);
        let any_above = |bound| self.kernels.iter().any(|row| row.figures.above_roof && row.figures.bound == bound);
        if any_above(Bound::Memory) {
            text += "\ncached: faster than memory allows, as what it reads is still in a cache";
        }
        if any_above(Bound::Compute) {
            text += "\nabove: faster than the arithmetic roof, which is in float32, and too low where the machine did other work meanwhile";
        }
        if !self.each.is_empty() {
            let _ = write!(text, "\n\n{:34}  {FIGURES}  sizes", "dispatch");
        }
        for dispatch in &self.each {
            let variant = dispatch.variant.as_ref().map_or_else(String::new, |variant| format!(" [{variant}]"));
            let grid = dispatch.grid.map_or_else(String::new, |[x, y, z]| format!(" in {x}×{y}×{z}"));
            let _ = write!(text, "\n{:34}  {}  {}{grid}", dispatch.name.clone() + &variant, figures(&dispatch.figures), dispatch.sizes);
        }
        text
    }
}

impl SweepReport {
    /// A line a value, then the lines that fit time and memory.
    pub(crate) fn terminal(&self) -> String {
        let size = self.over.name();
        let mut text = format!("{} of {} over {size}, {} steps each\n\n", self.what, self.on, self.steps);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{size:>8}  all frames  all words    ms a step          quartiles  first step, ms    MB held");
        for point in &self.points {
            let spread = point.step_ms;
            let quartiles = format!("{:.3}–{:.3}", spread.q1, spread.q3);
            let held = point.held_bytes.map_or("-".into(), |bytes| format!("{:.1}", bytes as f64 / 1e6));
            let _ = writeln!(
                text,
                "{:8}  {:10}  {:9}  {:11.3}  {quartiles:>17}  {:14.3}  {held:>9}",
                point.value, point.frames, point.words, spread.median, point.first_step_ms
            );
        }
        let line = |line: Line, unit: f64| {
            let Line { at_zero, each, largest_deviation } = line;
            format!("{:.4} + {:.4} · {size}, off it by {:.1} % at most", at_zero / unit, each / unit, 100.0 * largest_deviation)
        };
        let _ = write!(text, "\nms a step: {}", line(self.milliseconds, 1.0));
        if let Some(bytes) = self.bytes {
            let _ = write!(text, "\nMB held:   {}", line(bytes, 1e6));
        }
        if let Some(ended) = &self.ended {
            let _ = write!(text, "\nnot measured: {ended}");
        }
        text
    }
}

const FIGURES: &str = "       ms          quartiles      GFLOP    GFLOP/s      GB/s  of roof";

fn figures(figures: &Figures) -> String {
    let bound = match figures.bound {
        Bound::Compute => "compute",
        Bound::Memory => "memory",
    };
    let Figures { ms, spread, gflop, gflops, gbytes_per_s, of_peak, above_roof, .. } = figures;
    let quartiles = format!("{:.3}–{:.3}", spread.q1, spread.q3);
    let share = match (above_roof, figures.bound) {
        (false, _) => format!("{:.0} %", 100.0 * of_peak),
        (true, Bound::Memory) => "cached".into(),
        (true, Bound::Compute) => "above".into(),
    };
    format!("{ms:9.3}  {quartiles:>17}  {gflop:9.3}  {gflops:9.1}  {gbytes_per_s:8.2}  {share:>6} {bound}")
}
