//! `mcsan train`

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;
use toml::Value;

use super::arguments::{Common, Configuration, Train};
use super::device::{self, Device, on_device};
use super::progress::Progress;
use super::{Done, Failure, in_data, print_json, tables};
use crate::backend::gpu::Checking;
use crate::config::{ConfigError, Settings};
use crate::dataset::Dataset;
use crate::report;
use crate::train::overfit;
use crate::train::run::{self, Event, Options, Start, files};

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
    device.explain(settings.train.precision);
    match &arguments.out {
        Some(out) => train(common, arguments, &settings, &data, &device, out),
        None => overfit_one_batch(common, arguments, &settings, &data, &device),
    }
}

fn train(common: &Common, arguments: &Train, settings: &Settings, data: &Dataset, device: &Device, out: &Path) -> Done {
    let mut progress = Progress::new();
    let tuning = device.tune(common, &settings.run.tiles);
    let start = if arguments.resume { Start::Resume } else { Start::New };
    let options = Options { folder: Some(out), weights: None, start };
    let finished = on_device!(*device, |backend| pollster::block_on(run::train_with(backend, settings, data, &options, &mut |event| {
        if let Event::Epoch { .. } = event {
            tuning.keep(backend);
        }
        progress.show(&event)
    })));
    progress.finish();
    let finished = finished.map_err(in_data(&arguments.data))?;
    report::write_run(out, Some(data))?;
    if common.json {
        print_json(
            &json!({ "run": out, "best_epoch": finished.best.epoch, "steps": finished.losses.len(), "test": finished.test.map(|test| test.metrics) }),
        );
    } else {
        println!("best epoch: {}; run folder: {}", finished.best.epoch, out.display());
        if let Some(test) = finished.test {
            println!("test   {}\n\n{}", tables::headline(&test.metrics), tables::details(&test.metrics));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Steps between the lines that tell how the check goes.
const TOLD_EVERY: u64 = 100;

fn overfit_one_batch(common: &Common, arguments: &Train, settings: &Settings, data: &Dataset, device: &Device) -> Done {
    let mut tell = |step: u64, loss: f32| {
        if step.is_multiple_of(TOLD_EVERY) {
            eprintln!("training on one batch: step {step}, loss {loss:.4}");
        }
    };
    let learned = on_device!(*device, |backend| pollster::block_on(overfit::one_batch(backend, settings, data, &mut tell)));
    let learned = learned.map_err(in_data(&arguments.data))?;
    if common.json {
        print_json(&json!({ "utterances": learned.utterances, "steps": learned.steps, "loss": learned.loss }));
    } else {
        println!("one batch of {} utterances is learned: loss {:.5} after {} steps", learned.utterances, learned.loss, learned.steps);
    }
    Ok(ExitCode::SUCCESS)
}

fn settings(common: &Common, arguments: &Train) -> Result<Settings, Failure> {
    // A run that goes on has its own settings; what is given besides is compared with them.
    let own = arguments.out.as_ref().map(|out| out.join(files::CONFIG)).filter(|path| arguments.resume && path.exists());
    let defaults = Settings::default().load(own.as_deref(), &[])?;
    let mut settings = arguments.configuration.load(defaults)?;
    let integer = |value: u64| Value::Integer(value.try_into().unwrap_or(i64::MAX));
    let options = [
        ("train.epochs", arguments.epochs.map(|epochs| integer(epochs as u64))),
        ("train.steps", arguments.steps.map(integer)),
        ("train.seed", arguments.seed.map(integer)),
        ("train.checkpoint_every", arguments.checkpoint_every.map(integer)),
        ("run.weights", arguments.weights.as_ref().map(|path| Value::String(path.display().to_string()))),
        ("run.device", common.device.clone().map(Value::String)),
    ];
    for (key, value) in options.into_iter().filter_map(|(key, value)| Some((key, value?))) {
        settings.set(key, value)?;
    }
    settings.train.order = arguments.order.unwrap_or(settings.train.order);
    settings.train.precision = arguments.precision.unwrap_or(settings.train.precision);
    Ok(settings.load(None, &[])?)
}
