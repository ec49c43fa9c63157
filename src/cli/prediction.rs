//! `mcsan profile --predict`: what a step takes on a chip that need not be here, beside what was measured on one.

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use super::arguments::Common;
use super::profile::{Profile, Subject, measure_one, wrong};
use super::{Done, Failure, device, tables};
use crate::backend::gpu::{Feature, Gpu, Opening, SubmissionLimits, Timing};
use crate::base::sizes::SizeError;
use crate::config::{Execution, Settings};
use crate::profile::{Chip, Plan, ProfileReport, confirm, microseconds, predict};

/// Predicts and shows what a step takes on a chip. What it would be asked for is found in a rehearsal on an adapter that is here, used as
/// graphics hardware without optional features is, but with the matrices of the chip and the tiles that it is to take least time for.
pub(super) fn show(
    common: &Common,
    arguments: &Profile,
    chip: &Chip,
    execution: &Execution,
    subjects: &[([String; 2], Subject)],
    settings: &Settings,
) -> Done {
    let Some((names, subject @ Subject::Steps(..))) = subjects.first() else {
        wrong(&SizeError::Misfit("--predict takes --what train or inference".into()))
    };
    let measured = arguments.compare.as_deref().map(|path| measured_of(path, names)).transpose()?;
    let adapter = device::adapter(common, &execution.device)?;
    let adapter =
        adapter.ok_or_else(|| Failure("--predict lays a step out on an adapter, and the reference is none; see 'mcsan devices'".into()))?;
    let opening =
        Opening { without: Feature::ALL.into_iter().filter(|&feature| feature != Feature::Registers).collect(), ..Opening::default() };
    let mut gpu = pollster::block_on(Gpu::open(&adapter, opening))?;
    // Hardware is not sent long work in as many parts as a software adapter is.
    gpu.limit_submissions(SubmissionLimits { seconds: f64::INFINITY, commands: usize::MAX });
    if chip.has_matrices() {
        gpu.lay_out_with_matrices(Chip::MATRICES, chip.factor_registers);
    }
    gpu.limit_registers(chip.registers);
    let once = Plan { warmup: 0, steps: 1, kernels: false, timing: Timing::Timestamps };
    let (planned, products) = pollster::block_on(gpu.rehearse(measure_one(&gpu, once, subject, settings)));
    planned?;
    // A chip times its tiles.
    pollster::block_on(gpu.choose_tiles(&products, |dispatches| microseconds(chip, dispatches)));
    let (planned, dispatches) = pollster::block_on(gpu.plan(measure_one(&gpu, once, subject, settings)));
    planned?;
    let prediction = predict(chip, names.clone(), &dispatches);
    let changes = measured.as_ref().map(|measured| confirm(&prediction, measured));
    if common.json {
        let mut document = json!(prediction);
        if let Some(changes) = &changes {
            document["compared"] = json!(changes);
        }
        common.print_json(document);
    } else {
        println!("{}", tables::prediction(&prediction));
        if let (Some(changes), Some(measured)) = (&changes, &measured) {
            println!("\n{}", tables::confirmation(changes, measured));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A profile that was kept of the work that is predicted.
fn measured_of(path: &Path, [what, on]: &[String; 2]) -> Result<ProfileReport, Failure> {
    let measured = ProfileReport::read(path)?;
    if (&measured.what, &measured.on) != (what, on) {
        let kept = format!("{} of {}", measured.what, measured.on);
        return Err(Failure(format!("{}: is a profile of {kept}, not of {what} of {on}; predict the same", path.display())));
    }
    Ok(measured)
}
