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
        for case in Kernel::ALL.into_iter().flat_map(Kernel::cases) {
            let report = check(backend, &case).await?;
            if !common.json {
                show(&report);
            }
            reports.push(report);
        }
        Ok::<_, BackendError>(reports)
    }))?;
    let failed = reports.iter().filter(|report| !report.pass).count();
    let passed = reports.len() - failed;
    if common.json {
        print_json(&json!({ "device": device.to_json(), "kernels": reports, "passed": passed, "failed": failed }));
    } else {
        println!("{passed} passed, {failed} failed on {}", device.name());
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show(report: &Report) {
    let verdict = if report.pass { "ok    " } else { "FAILED" };
    println!("{verdict} {:20} {:44} max abs {:.2e}  rel L2 {:.2e}", report.name, report.case, report.max_abs, report.rel_l2);
    if !report.pass {
        println!("       {}", report.reason.as_deref().unwrap_or_default());
    }
}
