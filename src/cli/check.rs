//! `mcsan check`

use std::process::ExitCode;

use serde_json::json;

use super::arguments::{Check, Common};
use super::device::{self, on_device};
use super::{Done, print_json};
use crate::backend::BackendError;
use crate::backend::gpu::Checking;
use crate::check::{Kernel, Report, check};

pub fn run(common: &Common, arguments: &Check) -> Done {
    let checking = if arguments.guarded { Checking::All } else { Checking::Off };
    let device = device::open(common, "auto", checking)?;
    eprintln!("checking {} against the CPU reference in float64", device.name());
    let reports = on_device!(device, |backend| pollster::block_on(async {
        let mut reports = Vec::new();
        for case in Kernel::ALL.iter().flat_map(|kernel| kernel.cases()) {
            let report = check(backend, &case).await?;
            if !common.json {
                show(&report);
            }
            reports.push(report);
        }
        Ok::<_, BackendError>(reports)
    }))?;
    let failed = reports.iter().filter(|report| !report.passed()).count();
    let passed = reports.len() - failed;
    if common.json {
        print_json(&json!({ "device": device.to_json(), "kernels": reports, "passed": passed, "failed": failed }));
    } else {
        println!("{passed} passed, {failed} failed on {}", device.name());
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show(report: &Report) {
    let verdict = if report.passed() { "ok    " } else { "FAILED" };
    let agreement = &report.agreement;
    println!("{verdict} {:20} {:50} max abs {:.2e}  rel L2 {:.2e}", report.name, report.case, agreement.max_abs, agreement.rel_l2);
    if let Some(reason) = &agreement.reason {
        println!("       {reason}");
    }
}
