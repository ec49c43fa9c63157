//! `mcsan features`

use std::process::ExitCode;

use npyz::WriterBuilder;
use serde_json::json;

use super::arguments::{Common, Features};
use super::device::{self, on_device};
use super::{Done, Failure, cannot_write, print_json};
use crate::audio::decode;
use crate::backend::MfccTables;
use crate::backend::gpu::Checking;
use crate::dataset::replace_file;
use crate::prepare::{PrepareError, extract};

pub fn run(common: &Common, arguments: &Features) -> Done {
    let settings = arguments.front_end.settings()?;
    let samples = decode(&arguments.audio)?;
    let device = device::open(common, "auto", Checking::Off)?;
    let (values, frames) = on_device!(device, |backend| pollster::block_on(async {
        let tables = MfccTables::new(backend, &settings)?;
        let extracted = extract(backend, &tables, std::slice::from_ref(&samples)).await;
        Ok::<_, Failure>(extracted.map_err(|error| PrepareError::of_recording(error, &arguments.audio))?)
    }))?;
    let shape = [frames[0], settings.columns()];
    replace_file(&arguments.out, |file| {
        let mut writer = npyz::WriteOptions::new().default_dtype().shape(&shape.map(|size| size as u64)).writer(file).begin_nd()?;
        writer.extend(values.iter().copied())?;
        writer.finish()
    })
    .map_err(cannot_write(&arguments.out))?;
    if common.json {
        print_json(&json!({ "out": arguments.out, "shape": shape, "samples": samples.len() }));
    } else {
        println!("{}: {} frames of {} columns", arguments.out.display(), shape[0], shape[1]);
    }
    Ok(ExitCode::SUCCESS)
}
