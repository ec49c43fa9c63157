//! Results as tables in the terminal.

use std::fmt::Write;

use crate::model::cost::ModuleCost;
use crate::profile::{Bound, Figures, Line, ProfileReport, SweepReport};
use crate::train::Metrics;

/// The network: parameters and work of each module for an utterance of so many frames and tokens.
pub(crate) fn modules(modules: &[ModuleCost], frames: usize, tokens: usize) -> String {
    let line = |name: &str, parameters: usize, forward: f64, step: f64| {
        format!("{name:14}  {parameters:10}  {:13.1}  {:12.1}\n", forward / 1e6, step / 1e6)
    };
    let mut text = format!("{:14}  parameters  MFLOP forward  MFLOP a step\n", "module");
    for module in modules {
        text += &line(&module.name, module.parameters, module.forward, module.step);
    }
    let sum = |part: fn(&ModuleCost) -> f64| modules.iter().map(part).sum();
    let parameters = modules.iter().map(|module| module.parameters).sum();
    text += &line("all", parameters, sum(|module| module.forward), sum(|module| module.step));
    text + &format!("for an utterance of {frames} frames and {tokens} tokens, the mean")
}

/// WA, UA and weighted F1 in one line.
pub(crate) fn headline(metrics: &Metrics) -> String {
    format!(
        "WA {:.1} %   UA {:.1} %   weighted F1 {:.1} %   loss {:.3}   ({} utterances)",
        100.0 * metrics.wa,
        100.0 * metrics.ua,
        100.0 * metrics.weighted_f1,
        metrics.loss,
        metrics.utterances
    )
}

/// A line a class, then the confusion matrix: rows are the true classes, columns the predicted ones.
pub(crate) fn details(metrics: &Metrics) -> String {
    let width = metrics.classes.iter().map(|class| class.name.chars().count()).max().unwrap_or(0).max(5);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{:width$}  precision  recall      F1  utterances", "class");
    for class in &metrics.classes {
        let [precision, recall, f1] = [class.precision, class.recall, class.f1].map(|share| 100.0 * share);
        let _ = writeln!(text, "{:width$}    {precision:6.1}  {recall:6.1}  {f1:6.1}  {:10}", class.name, class.support);
    }
    let _ = writeln!(text, "\n{:width$}  predicted", "true");
    let heads: Vec<String> = metrics.classes.iter().map(|class| class.name.chars().take(5).collect()).collect();
    let _ = writeln!(text, "{:width$}  {}", "", heads.iter().map(|head| format!("{head:>5}")).collect::<Vec<_>>().join(" "));
    for (class, row) in metrics.classes.iter().zip(&metrics.confusion) {
        let cells: Vec<String> = row.iter().map(|count| format!("{count:>5}")).collect();
        let _ = writeln!(text, "{:width$}  {}", class.name, cells.join(" "));
    }
    text
}

/// A profile: a line a kernel, slowest first, then where the rest of a step's time is; with each dispatch where it was kept.
pub(crate) fn profile(report: &ProfileReport) -> String {
    let mut text = String::new();
    let clock = if report.clock == "wall" { "the wall clock" } else { "the device's timestamps" };
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{} of {}, {} steps after {}, kernels by {clock}", report.what, report.on, report.steps, report.warmup);
    let _ = writeln!(text, "\n{:34}  dispatches  {}", "kernel", FIGURES);
    for row in &report.kernels {
        let _ = writeln!(text, "{:34}  {:>10}  {}", row.name, row.dispatches, figures(&row.figures));
    }
    let dispatches: usize = report.kernels.iter().map(|row| row.dispatches).sum();
    let gflop: f64 = report.kernels.iter().map(|row| row.figures.gflop).sum();
    let over = |ms: f64| if ms > 0.0 { gflop / ms * 1e3 } else { 0.0 };
    let _ = writeln!(
        text,
        "{:34}  {dispatches:>10}  {:9.3}  {:17}  {gflop:9.3}  {:9.1}",
        "all kernels",
        report.gpu_ms,
        "",
        over(report.gpu_ms)
    );
    let step = report.step_ms;
    let _ = writeln!(
        text,
        "\na step takes {:.3} ms (quartiles {:.3} to {:.3}, least {:.3}), of which {:.3} ms are no kernel's; {:.3} ms with kernels timed",
        step.median, step.q1, step.q3, step.min, report.waiting_ms, report.timed_step_ms.median
    );
    if let Some(compile) = report.compile_ms {
        let first = report.first_step_ms;
        let _ = writeln!(text, "the first took {first:.3} ms, so compiling shaders and finding memory took {compile:.3} ms");
    }
    if let Some(counters) = &report.counters {
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        let longest = report.longest_submission_ms.map_or_else(String::new, |longest| format!(" of at most {longest:.1} ms"));
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
    let _ = write!(text, "roofs, measured here: {:.1} GFLOP/s in float32, {:.1} GB/s", report.peaks.gflops, report.peaks.gbytes_per_s);
    if !report.each.is_empty() {
        let _ = write!(text, "\n\n{:34}  {FIGURES}  sizes", "dispatch");
    }
    for dispatch in &report.each {
        let variant = dispatch.variant.as_ref().map_or_else(String::new, |variant| format!(" [{variant}]"));
        let grid = dispatch.grid.map_or_else(String::new, |[x, y, z]| format!(" in {x}×{y}×{z}"));
        let _ = write!(text, "\n{:34}  {}  {}{grid}", dispatch.name.clone() + &variant, figures(&dispatch.figures), dispatch.sizes);
    }
    text
}

/// A sweep: a line a value, then the lines that fit time and memory.
pub(crate) fn sweep(report: &SweepReport) -> String {
    let size = report.over.name();
    let mut text = format!("{} of {} over {size}, {} steps each\n\n", report.what, report.on, report.steps);
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{size:>8}  all frames  all words    ms a step          quartiles  first step, ms    MB held");
    for point in &report.points {
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
    let _ = write!(text, "\nms a step: {}", line(report.milliseconds, 1.0));
    if let Some(bytes) = report.bytes {
        let _ = write!(text, "\nMB held:   {}", line(bytes, 1e6));
    }
    if let Some(ended) = &report.ended {
        let _ = write!(text, "\nnot measured: {ended}");
    }
    text
}

const FIGURES: &str = "       ms          quartiles      GFLOP    GFLOP/s      GB/s  of roof";

fn figures(figures: &Figures) -> String {
    let bound = match figures.bound {
        Bound::Compute => "compute",
        Bound::Memory => "memory",
    };
    let Figures { ms, spread, gflop, gflops, gbytes_per_s, of_peak, .. } = figures;
    let quartiles = format!("{:.3}–{:.3}", spread.q1, spread.q3);
    format!("{ms:9.3}  {quartiles:>17}  {gflop:9.3}  {gflops:9.1}  {gbytes_per_s:8.2}  {:4.0} % {bound}", 100.0 * of_peak)
}
