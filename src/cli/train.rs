//! `mcsan train`

use std::process::ExitCode;

use serde_json::json;
use toml::Value;

use super::arguments::{Common, Configuration, Precision, Train};
use super::device::{self, on_device};
use super::progress::Progress;
use super::{Done, Failure, in_data, print_json, tables};
use crate::backend::gpu::Checking;
use crate::config::{ConfigError, Settings};
use crate::dataset::Dataset;
use crate::report;
use crate::train::run;

impl Configuration {
    /// The settings over some defaults.
    pub fn load(&self, defaults: Settings) -> Result<Settings, ConfigError> {
        defaults.load(self.config.as_deref(), &self.set)
    }
}

pub fn run(common: &Common, arguments: &Train) -> Done {
    let settings = settings(common, arguments)?;
    let data = Dataset::load(&arguments.data)?;
    let device = device::open(common, &settings.run.device, Checking::Off)?;
    eprintln!("training on {}", device.name());
    let mut progress = Progress::new();
    let finished = on_device!(device, |backend| pollster::block_on(run::train(
        backend,
        &settings,
        &data,
        Some(&arguments.out),
        arguments.weights.as_deref(),
        &mut |event| progress.show(&event),
    )));
    progress.finish();
    let finished = finished.map_err(in_data(&arguments.data))?;
    report::write_run(&arguments.out, Some(&data))?;
    if common.json {
        print_json(
            &json!({ "run": arguments.out, "best_epoch": finished.best.epoch, "steps": finished.losses.len(), "test": finished.test.map(|test| test.metrics) }),
        );
    } else {
        println!("best epoch: {}; run folder: {}", finished.best.epoch, arguments.out.display());
        if let Some(test) = finished.test {
            println!("test   {}\n\n{}", tables::headline(&test.metrics), tables::details(&test.metrics));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn settings(common: &Common, arguments: &Train) -> Result<Settings, Failure> {
    if arguments.precision == Precision::Mixed {
        return Err(Failure("--precision mixed is not available yet; leave it out to train in f32".into()));
    }
    let mut settings = arguments.configuration.load(Settings::default())?;
    let integer = |value: u64| Value::Integer(value.try_into().unwrap_or(i64::MAX));
    let options = [
        ("train.epochs", arguments.epochs.map(|epochs| integer(epochs as u64))),
        ("train.steps", arguments.steps.map(integer)),
        ("train.seed", arguments.seed.map(integer)),
        ("run.device", common.device.clone().map(Value::String)),
    ];
    for (key, value) in options.into_iter().filter_map(|(key, value)| Some((key, value?))) {
        settings.set(key, value)?;
    }
    settings.train.order = arguments.order.unwrap_or(settings.train.order);
    Ok(settings.load(None, &[])?)
}
