//! `mcsan check`

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::arguments::Common;
use super::device::{self, AUTO, Device, on_device};
use super::notes::Note;
use super::output::{self, Kind};
use super::settings::Configuration;
use super::{Done, Failure};
use crate::backend::Work;
use crate::backend::gpu::{self, Checking};
use crate::base::numbers::Precision;
use crate::check::model::{Point, check_model, check_room};
use crate::check::{Case, CaseReport, Kernel, dump, examine, fuzz, kernels_named, select};
use crate::config::effect::Purpose;
use crate::config::{Config, Settings};
use crate::dataset::BatchShape;

#[derive(Args)]
#[command(after_help = "Examples:
  mcsan check
  mcsan check --kernel linear,attention --case rows=1 --dump evidence
  mcsan check --kernel linear --case rows=1000,in=40,out=12,relu
  mcsan check --fuzz 60
  mcsan check --model --set model.layers=2 --shape batch=8,frames=300,words=20")]
pub(crate) struct Check {
    /// Only these kernels; may be given many times, or names between commas
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    kernel: Vec<String>,
    /// Only the case of this name, listed or not; or else the listed ones with this text in their names; or else the case of
    /// these sizes, the others as in the paper's network: rows=14400,in=128
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["fuzz", "fuzz_seed"])]
    case: Option<String>,
    /// Draw the inputs anew from this seed; of --fuzz the shapes too, of --model the parameters
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// List the kernels with their cases, run none
    #[arg(long, conflicts_with_all = ["fuzz", "fuzz_seed", "dump", "seed", "shaders"])]
    pub list: bool,
    /// For so many seconds, random shapes and inputs of the kernels in turn; failures alone are shown, each with its seed
    #[arg(long, value_name = "SECONDS")]
    fuzz: Option<f64>,
    /// Run the one case that --fuzz named by this seed, with --kernel
    #[arg(long, value_name = "S", conflicts_with_all = ["fuzz", "seed"])]
    fuzz_seed: Option<u64>,
    /// How shaders are compiled: as users run them (unchecked); with naga's run-time checks, outputs poisoned and guard
    /// words watched (checked); or each case both ways. Mesa's GL and DX12's FXC take minutes to compile the checks, so
    /// there the default is unchecked
    #[arg(long, value_name = "WAY")]
    shaders: Option<Shaders>,
    /// Write each failed case to this folder: KERNEL.CASE.safetensors with inputs, expected and computed outputs (of checked
    /// shaders KERNEL.CASE.checked.safetensors)
    #[arg(long, value_name = "DIR", conflicts_with = "model")]
    dump: Option<PathBuf>,
    /// Compare a whole forward and backward pass of the model instead, layer by layer
    #[arg(long, conflicts_with_all = ["kernel", "case", "list", "fuzz", "fuzz_seed"])]
    model: bool,
    /// The batch of --model, as that of `mcsan profile`
    #[arg(long, value_name = "SHAPE", default_value = "batch=4,frames=90,words=12,ragged")]
    shape: BatchShape,
    #[command(flatten)]
    configuration: Configuration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shaders {
    Unchecked,
    Checked,
    Both,
}

/// Bytes of a number of an input or a result: as it is drawn, kept and computed with, and in float64.
const BYTES: u64 = 16;

/// An open device, and how its shaders are compiled: `unchecked`, `checked`, or `none` of the CPU reference.
type Compiled = (&'static str, Device);

pub(crate) fn run(common: &Common, arguments: &Check) -> Done {
    if arguments.model {
        return run_model(common, arguments);
    }
    if arguments.configuration.config.is_some() || !arguments.configuration.set.is_empty() {
        return Err(Failure("--config, --set: kernels have no settings; add --model to check a pass of the model".into()));
    }
    let kernels = kernels_named(&arguments.kernel)?;
    let listed = || -> Result<Vec<Case>, Failure> {
        let cases = select(&kernels, arguments.case.as_deref().unwrap_or_default())?;
        Ok(cases.into_iter().map(|case| arguments.seed.map_or(case.clone(), |seed| case.reseeded(seed))).collect())
    };
    if arguments.list {
        list(common, &listed()?);
        return Ok(ExitCode::SUCCESS);
    }
    match (arguments.fuzz, arguments.fuzz_seed) {
        (Some(seconds), _) => {
            let time = Duration::try_from_secs_f64(seconds)
                .map_err(|_| Failure(format!("--fuzz {seconds}: is no time; give seconds, for example 60")))?;
            let seed = arguments.seed.unwrap_or_else(seed_of_now);
            eprintln!("fuzzing from --seed {seed}");
            let end = Instant::now() + time;
            let cases = fuzz(&kernels, seed).take_while(|_| Instant::now() < end);
            run_cases(common, arguments, cases, json!({ "seed": seed }))
        }
        (_, Some(seed)) => match kernels[..] {
            [kernel] => run_cases(common, arguments, [kernel.random_case(seed)].into_iter(), json!({})),
            _ => Err(Failure("--fuzz-seed: a seed belongs to one kernel; name just that with --kernel".into())),
        },
        _ => {
            let cases = listed()?;
            cases.iter().try_for_each(|case| case.check_room(BYTES))?;
            run_cases(common, arguments, cases.into_iter(), json!({}))
        }
    }
}

/// A seed that differs from run to run.
fn seed_of_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_micros() as u64)
}

fn list(common: &Common, cases: &[Case]) {
    let of = |kernel: Kernel| cases.iter().filter(move |case| case.kernel() == kernel).map(Case::name);
    let kernels = Kernel::ALL.iter().filter(|kernel| of(**kernel).next().is_some());
    if common.json {
        let kernels = kernels.map(|&kernel| json!({ "name": kernel.name(), "cases": of(kernel).collect::<Vec<_>>() }));
        common.print_json(json!({ "kernels": kernels.collect::<Vec<_>>() }));
    } else {
        for &kernel in kernels {
            println!("{kernel}");
            of(kernel).for_each(|case| println!("  {case}"));
        }
    }
}

/// Opens the device once for each way to compile that is asked for.
fn open(common: &Common, setting: &str, shaders: Option<Shaders>) -> Result<Vec<Compiled>, Failure> {
    let Some(adapter) = device::adapter(common, setting)? else {
        common.note_unused(&["shaders"], device::REFERENCE);
        return Ok(vec![("none", device::reference(common))]);
    };
    let slow = gpu::slow_at_checks(&adapter);
    if let (None, Some(compiler)) = (shaders, slow) {
        common.note(Note::UncheckedOnly { compiler });
    }
    let default = if slow.is_some() { Shaders::Unchecked } else { Shaders::Both };
    let (unchecked, checked) = (("unchecked", Checking::Off), ("checked", Checking::All));
    let ways = match shaders.unwrap_or(default) {
        Shaders::Unchecked => vec![unchecked],
        Shaders::Checked => vec![checked],
        Shaders::Both => vec![unchecked, checked],
    };
    ways.into_iter().map(|(label, checking)| Ok((label, Device::on(common, &adapter, checking)?))).collect()
}

fn run_cases(common: &Common, arguments: &Check, cases: impl Iterator<Item = Case>, more: Value) -> Done {
    let devices = open(common, AUTO, arguments.shaders)?;
    let device = &devices[0].1;
    eprintln!("checking {} against the CPU reference in float64", device.name());
    let (mut entries, mut passed, mut failed) = (Vec::new(), 0, 0);
    for case in cases {
        let work = case.work();
        for (shaders, device) in &devices {
            let (report, evidence) = on_device!(*device, |backend| pollster::block_on(examine(backend, &case)))?;
            let mut dumped = None;
            if let (false, Some(folder)) = (report.passed(), &arguments.dump) {
                std::fs::create_dir_all(folder).map_err(super::cannot_write(folder))?;
                let variant = if *shaders == "checked" { ".checked" } else { "" };
                let path = folder.join(dump::file_name(&case, variant));
                output::check(&path, Kind::Evidence)?;
                dump::write(&path, &case, &evidence, &device.name(), shaders)?;
                dumped = Some(path);
            }
            *(if report.passed() { &mut passed } else { &mut failed }) += 1;
            let options = options(common, &case, shaders);
            if common.json {
                let mut entry = serde_json::to_value(&report)?;
                entry["flop"] = json!(work.flop());
                entry["bytes"] = json!(work.bytes);
                entry["shaders"] = json!(shaders);
                entry["options"] = json!(options);
                entry["dump"] = json!(dumped);
                entries.push(entry);
            } else if arguments.fuzz.is_none() || !report.passed() {
                show(&report, &work, shaders);
                if !report.passed() {
                    match dumped {
                        Some(path) => println!("       written to {}", path.display()),
                        None => println!("       alone, with its numbers: mcsan check {options} --dump DIR"),
                    }
                }
            }
        }
    }
    if common.json {
        let mut document = json!({ "device": device.to_json(), "kernels": entries, "passed": passed, "failed": failed });
        if let (Some(document), Value::Object(more)) = (document.as_object_mut(), more) {
            document.extend(more);
        }
        common.print_json(document);
    } else {
        println!("{passed} passed, {failed} failed on {}", device.name());
    }
    Ok(code(failed))
}

/// What runs a case alone, as it was run here.
fn options(common: &Common, case: &Case, shaders: &str) -> String {
    let device = common.execution.device.as_ref().map(|device| format!(" --device '{device}'")).unwrap_or_default();
    let shaders = if shaders == "none" { String::new() } else { format!(" --shaders {shaders}") };
    format!("{}{shaders}{device}", case.options())
}

fn code(failed: usize) -> ExitCode {
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn verdict(pass: bool) -> &'static str {
    if pass { "ok    " } else { "FAILED" }
}

fn show(report: &CaseReport, work: &Work, shaders: &str) {
    let CaseReport { name, case, agreement, .. } = report;
    let verdict = verdict(report.passed());
    let differences = format!("max abs {:.2e}  rel L2 {:.2e}", agreement.max_abs, agreement.rel_l2);
    println!("{verdict} {name:18} {case:50} {shaders:9} {differences}  {:9.3} MFLOP {:9.3} MB", work.flop() / 1e6, work.bytes / 1e6);
    if let Some(reason) = &agreement.reason {
        println!("       {reason}");
    }
}

fn run_model(common: &Common, arguments: &Check) -> Done {
    let Config { settings, execution } = arguments.configuration.load(Config::default())?;
    if settings.train.precision != Precision::F32 {
        return Err(Failure(
            "--model compares in f32; leave train.precision out (the mixed cases of --kernel linear,bilstm compare the other)".into(),
        ));
    }
    common.note_settings(&settings, &Settings::default(), Purpose::CheckedPass, None);
    check_room(&settings, arguments.shape)?;
    let seed = arguments.seed.unwrap_or(settings.train.seed);
    let devices = open(common, &execution.device, arguments.shaders)?;
    eprintln!("checking a pass of the model on {} against the CPU reference in float64", devices[0].1.name());
    let (mut entries, mut departed) = (Vec::new(), Vec::new());
    for (shaders, device) in &devices {
        let points = on_device!(*device, |backend| pollster::block_on(check_model(backend, &settings, arguments.shape, seed)))?;
        if common.json {
            for point in &points {
                let mut entry = serde_json::to_value(point)?;
                entry["shaders"] = json!(shaders);
                entries.push(entry);
            }
        } else {
            println!("{shaders} shaders, {}, seed {seed}", arguments.shape);
            points.iter().for_each(show_point);
        }
        let first = points.iter().find(|point| !point.agreement.pass);
        departed.extend(first.map(|point| json!({ "shaders": shaders, "name": point.name, "reason": point.agreement.reason })));
        if let (Some(point), false) = (first, common.json) {
            let reason = point.agreement.reason.as_deref().unwrap_or_default();
            println!("first to depart, {shaders} shaders: {}\n       {reason}", point.name);
        }
    }
    let device = &devices[0].1;
    if common.json {
        common.print_json(
            json!({ "device": device.to_json(), "shape": arguments.shape.to_string(), "seed": seed, "points": entries, "first": departed }),
        );
    } else if departed.is_empty() {
        println!("no layer departs on {}", device.name());
    }
    Ok(code(departed.len()))
}

fn show_point(point: &Point) {
    let Point { name, shape: [rows, columns], agreement } = point;
    let shape = format!("{rows}×{columns}");
    println!(
        "{} {name:50} {shape:>10}  rel L2 {:.2e}  max abs {:.2e}  outside {} of {}",
        verdict(agreement.pass),
        agreement.rel_l2,
        agreement.max_abs,
        agreement.outside,
        agreement.elements
    );
}
