//! A training that tells Python how it goes on.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use mcsan::config::Config;
use mcsan::dataset::Dataset;
use mcsan::train::run::{Start, Training};
use mcsan::train::{Event, TrainError};
use mcsan::{Device, on_device, report};
use numpy::{PyArray1, ToPyArray};
use pyo3::prelude::*;
use serde_json::{Value, json};

use super::Fault;
use super::thread::wait;

/// What is trained.
struct Job {
    data: PathBuf,
    config: Option<PathBuf>,
    assignments: Vec<String>,
    recipe: bool,
    out: Option<PathBuf>,
    device: Option<String>,
    resume: bool,
}

/// What a training's thread tells.
enum Told {
    /// An event as JSON. Whoever is told answers; until then nothing is computed.
    Event(String, Sender<()>),
    /// It is over.
    Done(Result<Finished, Fault>),
}

struct Finished {
    /// As JSON.
    summary: String,
    losses: Vec<f32>,
}

/// Trains, and returns what came out as JSON, with the loss of each step that was done. `callback` is called with each event as JSON; where
/// it returns `False`, or raises, the training ends as Ctrl-C ends it: at its next step, with a whole checkpoint.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "the Python half names and defaults them")]
pub(crate) fn train<'py>(
    py: Python<'py>,
    data: PathBuf,
    config: Option<PathBuf>,
    assignments: Vec<String>,
    recipe: bool,
    out: Option<PathBuf>,
    device: Option<String>,
    resume: bool,
    callback: Option<Bound<'py, PyAny>>,
) -> PyResult<(String, Bound<'py, PyArray1<f32>>)> {
    let job = Job { data, config, assignments, recipe, out, device, resume };
    let stop = Arc::new(AtomicBool::new(false));
    let (tell, told) = channel();
    let thread = {
        let (stop, listens) = (stop.clone(), callback.is_some());
        thread::spawn(move || {
            let finished = run(&job, &stop, listens.then_some(&tell));
            let _nobody_waits = tell.send(Told::Done(finished));
        })
    };
    let found = listen(py, &Mutex::new(told), &stop, callback.as_ref());
    stop.store(true, Ordering::Relaxed);
    // Whatever was raised, the checkpoint is waited for.
    py.detach(|| drop(thread.join()));
    let finished = found??;
    Ok((finished.summary, finished.losses.to_pyarray(py)))
}

/// Hears a training's thread to its end.
fn listen(
    py: Python<'_>,
    told: &Mutex<Receiver<Told>>,
    stop: &AtomicBool,
    callback: Option<&Bound<'_, PyAny>>,
) -> PyResult<Result<Finished, Fault>> {
    loop {
        match wait(py, told)? {
            Told::Done(finished) => return Ok(finished),
            Told::Event(event, heard) => {
                if let Some(callback) = callback {
                    let answer = callback.call1((event,))?;
                    if answer.extract::<bool>().is_ok_and(|goes_on| !goes_on) {
                        stop.store(true, Ordering::Relaxed);
                    }
                }
                let _has_ended = heard.send(());
            }
        }
    }
}

fn run(job: &Job, stop: &AtomicBool, tell: Option<&Sender<Told>>) -> Result<Finished, Fault> {
    let config = config(job)?;
    let data = Dataset::load(&job.data)?;
    let device = pollster::block_on(Device::open(&config.execution.device))?;
    let start = if job.resume { Start::Resume } else { Start::New };
    let Config { settings, execution } = config;
    let training = Training { settings, out: job.out.clone(), start, execution, stop: Some(stop), ..Training::of(&data) };
    let mut losses = Vec::new();
    let mut observe = |event: Event<'_>| {
        if let Event::Step { loss, .. } = event {
            losses.push(loss);
        }
        if let (Some(tell), Some(event)) = (tell, json_of(&event)) {
            let (heard, is_heard) = channel();
            // Who has stopped listening wants the run to end.
            let _is_heard = tell.send(Told::Event(event.to_string(), heard)).is_ok() && is_heard.recv().is_ok();
        }
    };
    let finished = on_device!(device, |backend| pollster::block_on(training.run_on(backend, &mut observe)));
    let mut summary = match finished {
        Ok(finished) => {
            losses = finished.losses;
            json!({ "stopped": false, "best_epoch": finished.best.epoch, "steps": losses.len(), "test": finished.test.map(|test| test.metrics) })
        }
        Err(TrainError::Stopped { step, .. }) => json!({ "stopped": true, "best_epoch": null, "steps": step, "test": null }),
        Err(error) => return Err(error.into()),
    };
    if let (Some(out), false) = (&job.out, summary["stopped"] == json!(true)) {
        report::write_run(out, Some(&data))?;
    }
    summary["run"] = json!(job.out);
    summary["device"] = json!(device.name());
    Ok(Finished { summary: summary.to_string(), losses })
}

/// The settings: of a run that goes on its own, else the defaults or the recipe, under a file and assignments.
fn config(job: &Job) -> Result<Config, Fault> {
    let own = job.out.as_ref().map(|out| out.join("config.toml")).filter(|own| job.resume && own.exists());
    let load = |defaults: Config| match &job.config {
        Some(path) => defaults.load(path, &job.assignments),
        None => defaults.assign(&job.assignments),
    };
    let mut config = match own {
        Some(own) => load(Config::default().load(&own, &[])?)?,
        None if job.recipe => {
            let system = load(Config::default())?.settings.model.system;
            load(Config::default().with_recipe(system)?)?
        }
        None => load(Config::default())?,
    };
    if !config.settings.start.from.is_empty() && !job.resume {
        return Err(Fault::new("run.from: a training from another run is the command's; call mcsan.run('train', …) with it"));
    }
    if let Some(device) = &job.device {
        config.execution.device.clone_from(device);
    }
    Ok(config)
}

/// An event as it is told; none of those that only files are made of.
fn json_of(event: &Event<'_>) -> Option<Value> {
    Some(match event {
        Event::Start { epochs, steps, done, train, validation, .. } => {
            json!({ "event": "start", "epochs": epochs, "steps": steps, "done": done, "train": train, "validation": validation })
        }
        Event::Step { step, epoch, learning_rate, loss, utterances_per_s, skipped, .. } => json!({
            "event": "step", "step": step, "epoch": epoch, "learning_rate": learning_rate, "loss": loss,
            "utterances_per_s": utterances_per_s, "skipped": skipped,
        }),
        Event::Epoch { epoch, steps, train, validation, best } => {
            json!({ "event": "epoch", "epoch": epoch, "steps": steps, "train": train, "validation": validation, "best": best })
        }
        Event::Split { step, parts, error } => json!({ "event": "split", "step": step, "parts": parts, "error": error.to_string() }),
        Event::Plateau { epochs, factor } => json!({ "event": "plateau", "epochs": epochs, "factor": factor }),
        Event::Stopped { epochs } => json!({ "event": "stopped_early", "epochs": epochs }),
        Event::Test { steps, test } => json!({ "event": "test", "steps": steps, "test": test.metrics }),
        _ => return None,
    })
}
