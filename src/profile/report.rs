//! A profile as numbers: what is printed, written as JSON, drawn and compared.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::measure::{Measurement, ProfiledStep};
use super::peaks::{Bound, Peaks};
use super::work::ProfileError;
use crate::backend::Execution;
use crate::backend::gpu::{Counters, Timing};
use crate::base::format::Format;

/// Milliseconds of several steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// Half of the steps took no longer.
    pub median: f64,
    /// The fastest step.
    pub min: f64,
    /// The slowest step.
    pub max: f64,
    /// First and third quartile.
    pub q1: f64,
    /// Third quartile.
    pub q3: f64,
}

impl Quantiles {
    /// Of nanoseconds; quantiles between two of them are interpolated.
    pub(crate) fn of(nanoseconds: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = nanoseconds.into_iter().map(|time| time / 1e6).collect();
        sorted.sort_by(f64::total_cmp);
        let quantile = |share: f64| {
            let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
            let place = share * last as f64;
            let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
            below + (above - below) * place.fract()
        };
        Self { median: quantile(0.5), min: quantile(0.0), max: quantile(1.0), q1: quantile(0.25), q3: quantile(0.75) }
    }

    /// Whether the middle halves of both overlap.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.q1 <= other.q3 && other.q1 <= self.q3
    }
}

/// Work, time and what they say of each other; of one dispatch or of several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// Median over the steps of the time in one step.
    pub ms: f64,
    pub spread: Quantiles,
    /// Of one step.
    pub gflop: f64,
    pub gbyte: f64,
    pub gflops: f64,
    pub gbytes_per_s: f64,
    /// Share of what the roofline allows.
    pub of_peak: f64,
    /// Whether that is more than all of it, so that the roof is none for this work.
    #[serde(default)]
    pub above_roof: bool,
    pub bound: Bound,
}

/// A share of a roof that rounding and the clock do not explain.
const ABOVE: f64 = 1.005;

impl Figures {
    /// `times` in nanoseconds, one a step; `floors` are the sums of [`Peaks::floors`].
    fn new(times: Vec<f64>, flop: f64, bytes: f64, peaks: &Peaks, floor: f64) -> Self {
        let spread = Quantiles::of(times);
        let nanoseconds = spread.median * 1e6;
        let over = |work: f64| if nanoseconds > 0.0 { work / nanoseconds } else { 0.0 };
        let [arithmetic, traffic] = peaks.floors(flop, bytes);
        Self {
            ms: spread.median,
            spread,
            gflop: flop / 1e9,
            gbyte: bytes / 1e9,
            gflops: over(flop),
            gbytes_per_s: over(bytes),
            of_peak: over(floor),
            above_roof: over(floor) > ABOVE,
            bound: if arithmetic > traffic { Bound::Compute } else { Bound::Memory },
        }
    }
}

/// An entry point of a kernel: all its dispatches of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct KernelRow {
    /// `linear.forward`
    pub name: String,
    pub dispatches: usize,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub variants: Vec<String>,
    #[serde(flatten)]
    pub figures: Figures,
}

/// One dispatch of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Dispatch {
    pub name: String,
    pub variant: Option<String>,
    pub grid: Option<[u32; 3]>,
    /// `14400×128→512`, and what else the launch was told.
    pub sizes: String,
    #[serde(flatten)]
    pub figures: Figures,
}

/// What a profile that is kept says of itself.
pub(crate) const FORMAT: Format = Format::new("mcsan-profile", 1);

/// A profile: its kernels, the slowest first, against the device's peaks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProfileReport {
    /// Of which kind the document is; at first it said nothing.
    #[serde(default)]
    pub(crate) format: String,
    pub(crate) device: Value,
    /// What was done: `train`, `inference`, `prepare` or a kernel's name.
    pub(crate) what: String,
    /// On which shape or file.
    pub(crate) on: String,
    pub(crate) warmup: usize,
    pub(crate) steps: usize,
    /// Of the steps whose kernels were not timed.
    pub(crate) step_ms: Quantiles,
    /// Of those whose were.
    pub(crate) timed_step_ms: Quantiles,
    /// The very first step, before or among them.
    #[serde(default)]
    pub(crate) first_step_ms: f64,
    /// What the first step takes beyond a later one: compiling shaders, finding memory. Unknown where no other step is like it.
    #[serde(default)]
    pub(crate) compile_ms: Option<f64>,
    /// Sum of the kernels' `ms`.
    pub(crate) gpu_ms: f64,
    /// What of a step's median no kernel accounts for: the host's own work, and waiting.
    pub(crate) waiting_ms: f64,
    /// `timestamps` of the device or the `wall` clock.
    pub(crate) clock: String,
    /// How long the device was at work on what it was given at once, at most; a driver gives a device up that takes too long (on
    /// Windows after two seconds). Unknown by the wall clock.
    #[serde(default)]
    pub(crate) longest_submission_ms: Option<f64>,
    /// The slowest first.
    pub(crate) kernels: Vec<KernelRow>,
    pub(crate) peaks: Peaks,
    /// What a step asked of the device, where that is counted.
    pub(crate) counters: Option<Counters>,
    /// Every dispatch of a step, in order, where asked for.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) each: Vec<Dispatch>,
}

impl ProfileReport {
    /// The device's name, as it calls itself.
    pub(crate) fn device_name(&self) -> &str {
        self.device["name"].as_str().unwrap_or("an unnamed device")
    }

    /// Sums a measurement up; `each` keeps every dispatch.
    ///
    /// # Errors
    /// [`ProfileError::UnequalSteps`].
    pub(crate) fn new(
        [what, on]: [String; 2],
        device: Value,
        warmup: usize,
        measured: &Measurement,
        peaks: Peaks,
        each: bool,
    ) -> Result<Self, ProfileError> {
        let first: &[Execution] = measured.steps.first().map_or(&[], |step| &step.executions.runs);
        for (place, step) in measured.steps.iter().enumerate() {
            let found = step.executions.runs.len();
            if found != first.len() {
                return Err(ProfileError::UnequalSteps { step: place + 1, found, expected: first.len() });
            }
        }
        let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
        for (place, run) in first.iter().enumerate() {
            let name = name(run);
            match groups.iter_mut().find(|(other, _)| *other == name) {
                Some((_, places)) => places.push(place),
                None => groups.push((name, vec![place])),
            }
        }
        let mut kernels: Vec<KernelRow> = groups
            .into_iter()
            .map(|(name, places)| {
                let mut variants: Vec<String> = places.iter().filter_map(|&place| first[place].variant.map(str::to_owned)).collect();
                variants.sort();
                variants.dedup();
                KernelRow { name, dispatches: places.len(), variants, figures: figures(&measured.steps, &places, &peaks) }
            })
            .collect();
        kernels.sort_by(|a, b| b.figures.ms.total_cmp(&a.figures.ms));
        let dispatch = |(place, run): (usize, &Execution)| Dispatch {
            name: name(run),
            variant: run.variant.map(str::to_owned),
            grid: run.grid,
            sizes: sizes(&run.sizes),
            figures: figures(&measured.steps, &[place], &peaks),
        };
        let step_ms = Quantiles::of(measured.walls.iter().copied());
        let gpu_ms = kernels.iter().map(|row| row.figures.ms).sum();
        Ok(Self {
            format: FORMAT.to_string(),
            device,
            what,
            on,
            warmup,
            steps: measured.steps.len(),
            step_ms,
            timed_step_ms: Quantiles::of(measured.steps.iter().map(|step| step.wall)),
            first_step_ms: measured.first / 1e6,
            compile_ms: compile_ms(measured, warmup),
            gpu_ms,
            waiting_ms: (step_ms.median - gpu_ms).max(0.0),
            clock: match measured.timing {
                Timing::Timestamps => "timestamps",
                Timing::Clock { .. } => "wall",
            }
            .into(),
            longest_submission_ms: longest_submission_ms(measured),
            kernels,
            peaks,
            counters: measured.counters,
            each: if each { first.iter().enumerate().map(dispatch).collect() } else { Vec::new() },
        })
    }
}

/// Milliseconds that the first step took beyond the median of those after it, of `warmup` steps and those by the wall clock;
/// where it is the only one, beyond its like with timestamps.
fn compile_ms(measured: &Measurement, warmup: usize) -> Option<f64> {
    let by_wall = measured.walls.iter().copied().skip(usize::from(warmup == 0));
    let timed = measured.steps.iter().map(|step| step.wall).filter(|_| measured.timing == Timing::Timestamps);
    let later: Vec<f64> = if warmup + measured.walls.len() > 1 { by_wall.collect() } else { timed.collect() };
    (!later.is_empty()).then(|| (measured.first / 1e6 - Quantiles::of(later).median).max(0.0))
}

/// The longest of all steps.
fn longest_submission_ms(measured: &Measurement) -> Option<f64> {
    let steps = measured.steps.iter().filter(|_| measured.timing == Timing::Timestamps);
    steps.filter_map(|step| step.executions.longest_submission()).reduce(f64::max).map(|nanoseconds| nanoseconds / 1e6)
}

/// `linear.forward`; a kernel's only entry point has the kernel's name.
pub(crate) fn name(run: &Execution) -> String {
    if run.kernel == run.entry { run.kernel.into() } else { format!("{}.{}", run.kernel, run.entry) }
}

/// Of the dispatches at `places` of every step.
fn figures(steps: &[ProfiledStep], places: &[usize], peaks: &Peaks) -> Figures {
    let time = |step: &ProfiledStep| places.iter().filter_map(|&place| step.executions.runs[place].duration()).sum();
    let runs = || places.iter().filter_map(|&place| steps.first().map(|step| &step.executions.runs[place]));
    let sum = |part: fn(&Execution) -> f64| runs().map(part).sum();
    let floor = runs().map(|run| peaks.floors(run.flop, run.bytes).into_iter().fold(0.0, f64::max)).sum();
    Figures::new(steps.iter().map(time).collect(), sum(|run| run.flop), sum(|run| run.bytes), peaks, floor)
}

/// A product's sizes as `rows×inputs→outputs`, everything else by name; what is zero is off.
pub(crate) fn sizes(sizes: &[(&'static str, u32)]) -> String {
    const PRODUCT: [&str; 3] = ["rows", "inputs", "outputs"];
    let of = |name| sizes.iter().find(|(other, _)| *other == name).map(|&(_, size)| size);
    let (mut text, product) = match PRODUCT.map(of) {
        [Some(rows), Some(inputs), Some(outputs)] => (vec![format!("{rows}×{inputs}→{outputs}")], true),
        _ => (Vec::new(), false),
    };
    let others = sizes.iter().filter(|(name, size)| *size != 0 && !(product && PRODUCT.contains(name)));
    text.extend(others.map(|(name, size)| format!("{name}={size}")));
    text.join(" ")
}
