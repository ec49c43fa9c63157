//! `mcsan evaluate`

use std::process::ExitCode;

use serde_json::json;

use super::arguments::{Common, Evaluate};
use super::device::{self, on_device};
use super::{Done, print_json, tables};
use crate::backend::gpu::Checking;
use crate::dataset::Dataset;
use crate::train::{Checkpoint, TrainError, run};

pub fn run(common: &Common, arguments: &Evaluate) -> Done {
    let checkpoint = Checkpoint::load(&arguments.run.join(run::files::BEST))?;
    let data = Dataset::load(&arguments.data)?;
    let utterances = data.split(arguments.split);
    if utterances.is_empty() {
        return Err(TrainError::EmptySplit { split: arguments.split }.into());
    }
    let device = device::open(common, &checkpoint.settings.run.device, Checking::Off)?;
    let evaluation = on_device!(device, |backend| pollster::block_on(checkpoint.evaluate(backend, &data, &utterances)))?;
    if common.json {
        let mut document = json!(evaluation.metrics);
        document["split"] = json!(arguments.split);
        print_json(&document);
    } else {
        println!("{} split   {}\n\n{}", arguments.split, tables::headline(&evaluation.metrics), tables::details(&evaluation.metrics));
    }
    Ok(ExitCode::SUCCESS)
}
