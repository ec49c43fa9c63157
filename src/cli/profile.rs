//! `mcsan profile`

use std::fmt::Display;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, ValueEnum};
use serde_json::json;

use super::arguments::{Common, Options};
use super::device::{self, Device};
use super::effect::no_effect;
use super::output::{self, Kind};
use super::settings::Configuration;
use super::{Done, Failure, cannot_write, prediction};
use crate::backend::gpu::Timing;
use crate::base::remedy::Remedy;
use crate::base::sizes::SizeError;
use crate::check::{Case, Kernel, SelectionError};
use crate::config::effect::Purpose;
use crate::config::{Config, Execution, Settings};
use crate::corpus::manifest;
use crate::dataset::{BatchShape, Dataset, replace_file};
use crate::profile::work::{self, ProfileError};
use crate::profile::{
    CHIPS, Chip, Measurement, Plan, ProfileReport, Profiled, REPEATS, Stopwatch, Sweep, compare, measure_peaks, roofline, sweep,
    sweep_plot, trace,
};
use crate::tape::Mode;
use crate::train::TrainError;

/// Options that say what is measured and how.
const MEASURING: [&str; 14] =
    ["data", "shape", "kernel", "what", "seconds", "manifest", "sweep", "steps", "warmup", "clock", "each", "trace", "config", "set"];

#[derive(Args)]
#[command(after_help = "Examples:
  mcsan profile --shape batch=256,frames=1000,words=50,ragged --roofline roofline.svg
  mcsan profile --shape batch=32,ragged --sweep frames=100,200,400,800 --plot frames.svg
  mcsan profile --kernel linear --shape rows=14400,inputs=128,outputs=512
  mcsan profile --predict h100 --shape batch=256,frames=1000,words=50,ragged
  mcsan profile --data corpus.safetensors --json > base.json, and later: mcsan profile --data corpus.safetensors --compare base.json")]
pub(crate) struct Profile {
    /// Profile a batch of this prepared file, the first of an epoch
    #[arg(long, value_name = "DATA", conflicts_with_all = ["shape", "kernel"])]
    pub data: Option<PathBuf>,
    /// Profile a drawn batch: batch=256,frames=1000,words=50[,ragged]; with --kernel the kernel's own sizes, as `mcsan check
    /// --list` names its cases, and as many --shape as wanted
    #[arg(long, value_name = "SIZES")]
    pub shape: Vec<String>,
    /// Profile one kernel alone, forward and back
    #[arg(long, value_name = "NAME", conflicts_with = "what")]
    pub kernel: Option<String>,
    /// What of it
    #[arg(long, value_name = "WORK", default_value = "train")]
    pub what: What,
    /// Seconds of noise that --what prepare takes features of
    #[arg(long, value_name = "N", value_parser = parse_seconds)]
    pub seconds: Option<f64>,
    /// Recordings that --what prepare takes features of: a manifest corpus
    #[arg(long, value_name = "FILE.csv", conflicts_with_all = ["seconds", "shape", "data"])]
    pub manifest: Option<PathBuf>,
    /// Show how a step's cost grows: steps at several values of one size of --shape, batch, frames or words
    #[arg(long, value_name = "SIZE=N,N,N…", value_parser = Sweep::from_str,
          conflicts_with_all = ["data", "kernel", "manifest", "clock", "each", "roofline", "trace", "compare"])]
    pub sweep: Option<Sweep>,
    /// Draw the sweep: time and memory of each value, and the line that fits them
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
    /// Steps whose wall time is taken, and, but for --sweep, as many again whose kernels are timed
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub steps: u32,
    /// Steps before them
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub warmup: u32,
    /// What times the kernels
    #[arg(long, value_name = "CLOCK", default_value = "auto")]
    pub clock: ClockChoice,
    /// Show every dispatch by itself
    #[arg(long)]
    pub each: bool,
    /// Draw the kernels under the device's roofs
    #[arg(long, value_name = "FILE.svg")]
    pub roofline: Option<PathBuf>,
    /// Write trace events for Perfetto or chrome://tracing
    #[arg(long, value_name = "FILE.json")]
    pub trace: Option<PathBuf>,
    /// Compare with a profile that was kept with --json; of --predict, with what was measured on such a chip
    #[arg(long, value_name = "BASE.json")]
    pub compare: Option<PathBuf>,
    /// Measure nothing; predict what a step takes on a chip that need not be here: a model by grids, work and compilers' listings
    #[arg(long, value_name = "CHIP", value_parser = parse_chip,
          conflicts_with_all = ["kernel", "from", "manifest", "seconds", "sweep", "steps", "warmup", "clock", "each", "roofline", "trace"])]
    pub predict: Option<Chip>,
    /// Measure nothing; show a profile that was kept with --json
    #[arg(long, value_name = "FILE.json", conflicts_with_all = MEASURING)]
    pub from: Option<PathBuf>,
    #[command(flatten)]
    pub configuration: Configuration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// A training step: forward, back, optimiser
    Train,
    /// Forward alone
    Inference,
    /// The acoustic front-end
    Prepare,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClockChoice {
    /// The device's timestamps, or the wall clock where it has none
    Auto,
    /// The wall clock: every dispatch is run several times and waited for
    Wall,
}

/// Most seconds of noise: ten hours.
const MOST_SECONDS: f64 = 36_000.0;

fn parse_seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| *seconds > 0.0 && *seconds <= MOST_SECONDS);
    seconds.ok_or_else(|| format!("'{text}' is no number above 0 and at most {MOST_SECONDS}"))
}

fn parse_chip(text: &str) -> Result<Chip, String> {
    let names = || CHIPS.map(|chip| chip.name).join(", ");
    CHIPS.into_iter().find(|chip| chip.name == text).ok_or_else(|| format!("'{text}' is no chip that there are figures of: {}", names()))
}

/// Bytes of a number of a kernel's input or result: as it is drawn, and as it is computed with.
const BYTES: u64 = 8;

/// Seconds of noise where nobody says how many.
const SECONDS: f64 = 60.0;

impl Profile {
    /// # Errors
    /// Wrong usage: what is said of recordings where no features are taken, or of a batch where they are, and what would be of the
    /// last of several shapes.
    pub(super) fn check_usage(&self) -> Result<(), clap::Error> {
        let takes_features = self.what == What::Prepare;
        let several = self.kernel.is_some() && self.shape.len() > 1;
        for (option, in_vain, other) in [
            ("--seconds", self.seconds.is_some() && !takes_features, "is of --what prepare alone; add that, or leave it out"),
            ("--manifest", self.manifest.is_some() && !takes_features, "is of --what prepare alone; add that, or leave it out"),
            ("--shape", !self.shape.is_empty() && takes_features, "is not of --what prepare; give it --seconds or --manifest"),
            ("--data", self.data.is_some() && takes_features, "is not of --what prepare; give it --seconds or --manifest"),
            ("--roofline", self.roofline.is_some() && several, "draws one --shape; give one, or leave it out"),
            ("--trace", self.trace.is_some() && several, "is of one --shape; give one, or leave it out"),
        ] {
            if in_vain {
                return Err(no_effect(format!("{option} {other}")));
            }
        }
        Ok(())
    }

    /// What settings are for.
    fn purpose(&self) -> Purpose {
        match self.what {
            _ if self.kernel.is_some() => Purpose::TimedAlone,
            What::Train => Purpose::TimedStep,
            What::Inference => Purpose::TimedInference,
            What::Prepare => Purpose::TimedAlone,
        }
    }
}

/// What is profiled, read from the arguments.
pub(super) enum Subject {
    Steps(Mode, Box<Dataset>),
    FrontEnd(Vec<Vec<f32>>),
    Kernel(Box<Case>),
}

pub(crate) fn run(common: &Common, arguments: &Profile) -> Done {
    let drawn = [&arguments.roofline, &arguments.plot].map(|path| (path.as_ref(), Kind::Svg));
    output::check_all(drawn.into_iter().chain([(arguments.trace.as_ref(), Kind::Trace)]))?;
    if let Some(path) = &arguments.from {
        return show(common, arguments, base(arguments)?.as_ref(), vec![ProfileReport::read(path)?]);
    }
    let Config { mut settings, execution } = arguments.configuration.load(Config::default())?;
    if arguments.data.is_none() {
        common.note_settings(&settings, &Settings::default(), arguments.purpose(), None);
    }
    if let Some(over) = &arguments.sweep {
        return show_sweep(common, arguments, &settings, &execution, over);
    }
    let subjects = subjects(common, arguments, &mut settings)?;
    if let Some(chip) = &arguments.predict {
        return prediction::show(common, arguments, chip, &execution, &subjects, &settings);
    }
    // What takes long is not done in vain.
    let base = base(arguments)?;
    let device = device::open_adapter(common, &execution.device)?;
    let timing = match arguments.clock {
        ClockChoice::Auto => Timing::Timestamps,
        ClockChoice::Wall => Timing::Clock { repeats: REPEATS },
    };
    let plan = Plan { warmup: arguments.warmup as usize, steps: arguments.steps as usize, kernels: true, timing };
    let has_timestamps = match &device {
        Device::Cpu(cpu) => cpu.has_timestamps(),
        Device::Gpu(gpu) => gpu.has_timestamps(),
    };
    if !has_timestamps {
        common.note_unused(&["clock"], "the device has no timestamps");
    }
    eprintln!("profiling {}", device.name());
    let described = device.to_json();
    let once = Plan { warmup: 0, steps: 1, kernels: false, timing };
    // What goes wrong in a rehearsal goes wrong again in earnest.
    device.tune(common, &execution.tiles, async |gpu| drop(measure(gpu, once, &subjects, &settings).await))?;
    let (reports, last) = match device {
        Device::Cpu(cpu) => pollster::block_on(profile(&cpu, described, plan, &subjects, &settings, arguments.each)),
        Device::Gpu(gpu) => pollster::block_on(profile(&*gpu, described, plan, &subjects, &settings, arguments.each)),
    }
    .map_err(in_shape(arguments))?;
    if let (Some(path), Some(measured)) = (&arguments.trace, &last) {
        write(path, &trace(measured).to_string())?;
    }
    show(common, arguments, base.as_ref(), reports)
}

/// Measures, shows and draws how a step's cost grows.
fn show_sweep(common: &Common, arguments: &Profile, settings: &Settings, execution: &Execution, over: &Sweep) -> Done {
    let (what, mode) = arguments.mode().unwrap_or_else(|| wrong(&SizeError::Misfit("--sweep takes --what train or inference".into())));
    let shape = match arguments.shape.as_slice() {
        [] => BatchShape::default(),
        [shape] => shape.parse().unwrap_or_else(|error: SizeError| wrong(&error)),
        _ => wrong(&SizeError::Misfit("--sweep takes one --shape".into())),
    };
    let device = device::open_adapter(common, &execution.device)?;
    eprintln!("profiling {}", device.name());
    let (warmup, steps) = (arguments.warmup as usize, arguments.steps as usize);
    let plan = Plan { warmup, steps, kernels: false, timing: Timing::Timestamps };
    let described = device.to_json();
    let report = match device {
        Device::Cpu(cpu) => pollster::block_on(sweep(&cpu, described, plan, (what, mode), shape, over, settings)),
        Device::Gpu(gpu) => pollster::block_on(sweep(&*gpu, described, plan, (what, mode), shape, over, settings)),
    }
    .map_err(in_shape(arguments))?;
    if let Some(path) = &arguments.plot {
        write(path, &sweep_plot(&report))?;
    }
    if common.json {
        common.print_json(json!(report));
    } else {
        println!("{}", report.terminal());
    }
    Ok(ExitCode::SUCCESS)
}

impl Profile {
    /// The name of the way through the network, where it is one.
    fn mode(&self) -> Option<(String, Mode)> {
        let mode = match self.what {
            What::Train => Mode::Train,
            What::Inference => Mode::Infer,
            What::Prepare => return None,
        };
        Some((self.what.to_possible_value()?.get_name().to_owned(), mode))
    }
}

/// Names of what is profiled, with what it is.
fn subjects(common: &Common, arguments: &Profile, settings: &mut Settings) -> Result<Vec<([String; 2], Subject)>, Failure> {
    if let Some(name) = &arguments.kernel {
        let kernel: Kernel = name.parse().unwrap_or_else(|error: SelectionError| wrong(&error));
        let usual = [String::new()];
        let shapes = if arguments.shape.is_empty() { &usual[..] } else { &arguments.shape };
        let subject = |shape: &String| {
            let case = kernel.case(shape).unwrap_or_else(|error| wrong(&error));
            case.check_room(BYTES)?;
            Ok(([kernel.name().to_owned(), shape_name(shape)], Subject::Kernel(Box::new(case))))
        };
        return shapes.iter().map(subject).collect();
    }
    let Some((what, mode)) = arguments.mode() else {
        let (on, clips) = match &arguments.manifest {
            None => {
                let seconds = arguments.seconds.unwrap_or(SECONDS);
                (format!("{seconds} s of noise"), work::noise(seconds))
            }
            Some(path) => {
                let paths: Vec<PathBuf> = manifest::read(path)?.utterances.into_iter().map(|utterance| utterance.audio).collect();
                (path.display().to_string(), work::recordings(&paths)?)
            }
        };
        return Ok(vec![(["prepare".into(), on], Subject::FrontEnd(clips))]);
    };
    let (on, data) = match (&arguments.data, arguments.shape.as_slice()) {
        (Some(path), _) => {
            let data = Dataset::load(path)?;
            common.note_settings(settings, &Settings::default(), arguments.purpose(), Some(&data));
            common.note_cut(&data, &data.training(), settings);
            (path.display().to_string(), data)
        }
        (None, shapes @ ([] | [_])) => {
            let text = shapes.first().map_or("", String::as_str);
            let shape: BatchShape = text.parse().unwrap_or_else(|error: SizeError| wrong(&error));
            shape.check_room(size_of::<f32>())?;
            *settings = work::settings_of(shape, settings);
            (shape.to_string(), work::data_of(shape, settings))
        }
        (None, _) => wrong(&SizeError::Misfit("several --shape need --kernel".into())),
    };
    Ok(vec![([what, on], Subject::Steps(mode, Box::new(data)))])
}

fn shape_name(text: &str) -> String {
    if text.is_empty() { "usual sizes".into() } else { text.into() }
}

/// Where the batch is a shape, that is what can be smaller.
fn in_shape(arguments: &Profile) -> impl Fn(ProfileError) -> Failure {
    |error| match error {
        ProfileError::Train(error @ TrainError::BatchTooLarge { .. }) if arguments.data.is_none() => {
            Failure(format!("--shape: {error}; {}", Remedy::SmallerSizes))
        }
        error => error.into(),
    }
}

/// Ends the program as wrong usage does.
pub(super) fn wrong(error: &impl Display) -> ! {
    Options::command().error(ErrorKind::ValueValidation, error).exit()
}

/// Measures everything.
async fn measure<B: Profiled>(
    backend: &B,
    plan: Plan,
    subjects: &[([String; 2], Subject)],
    settings: &Settings,
) -> Result<Vec<Measurement>, ProfileError> {
    let mut measurements = Vec::new();
    for (_, subject) in subjects {
        measurements.push(measure_one(backend, plan, subject, settings).await?);
    }
    Ok(measurements)
}

pub(super) async fn measure_one<B: Profiled>(
    backend: &B,
    plan: Plan,
    subject: &Subject,
    settings: &Settings,
) -> Result<Measurement, ProfileError> {
    match subject {
        Subject::Steps(mode, data) => work::steps(backend, plan, *mode, settings, data).await,
        Subject::FrontEnd(clips) => work::front_end(backend, plan, clips).await,
        Subject::Kernel(case) => work::kernel(backend, plan, case).await,
    }
}

/// Measures everything and the device's roofs; returns the reports and the last measurement.
async fn profile<B: Profiled>(
    backend: &B,
    device: serde_json::Value,
    plan: Plan,
    subjects: &[([String; 2], Subject)],
    settings: &Settings,
    each: bool,
) -> Result<(Vec<ProfileReport>, Option<Measurement>), ProfileError> {
    let mut measurements = measure(backend, plan, subjects, settings).await?;
    // Last, so that the memory it takes does not count.
    let timing = measurements.first().map_or(plan.timing, |measured| measured.timing);
    let peaks = measure_peaks(backend, timing, &Stopwatch::start()).await?;
    let reports = subjects.iter().zip(&measurements);
    let reports =
        reports.map(|((names, _), measured)| ProfileReport::new(names.clone(), device.clone(), plan.warmup, measured, peaks, each));
    Ok((reports.collect::<Result<_, _>>()?, measurements.pop()))
}

/// The profile to compare with.
fn base(arguments: &Profile) -> Result<Option<ProfileReport>, Failure> {
    Ok(arguments.compare.as_deref().map(ProfileReport::read).transpose()?)
}

fn show(common: &Common, arguments: &Profile, base: Option<&ProfileReport>, reports: Vec<ProfileReport>) -> Done {
    if let (Some(path), Some(report)) = (&arguments.roofline, reports.last()) {
        write(path, &roofline(report))?;
    }
    let mut documents = Vec::new();
    for report in &reports {
        let changes = base.map(|base| compare(base, report));
        if common.json {
            let mut document = json!(report);
            if let Some(changes) = &changes {
                document["compared"] = json!(changes);
            }
            documents.push(document);
            continue;
        }
        println!("{}", report.terminal());
        if let Some(changes) = changes {
            println!("\n{:34}  {:>10}  {:>10}  change", "", "before, ms", "now, ms");
            for change in changes {
                println!("{}", change.line());
            }
        }
    }
    if common.json {
        match documents.as_slice() {
            [document] => common.print_json(document.clone()),
            _ => common.print_json(json!({ "profiles": documents })),
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    replace_file(path, |file| file.write_all(text.as_bytes())).map_err(cannot_write(path))
}
