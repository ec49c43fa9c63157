//! A training that tells Python how it goes on.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use mcsan::config::{Config, Devices};
use mcsan::train::group::threads::Meeting;
use mcsan::train::group::{Group, GroupError, Message};
use mcsan::train::run::{Finished as Trained, Start, Training};
use mcsan::train::{Event, TrainError, load_to_train, over_source};
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
    from: Option<PathBuf>,
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
    from: Option<PathBuf>,
    out: Option<PathBuf>,
    device: Option<String>,
    resume: bool,
    callback: Option<Bound<'py, PyAny>>,
) -> PyResult<(String, Bound<'py, PyArray1<f32>>)> {
    let job = Job { data, config, assignments, recipe, from, out, device, resume };
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
    let mut config = config(job)?;
    let data = load_to_train(&job.data, &config.settings)?;
    let names = match Devices::of(&config.execution.device) {
        Devices::One(name) => vec![name],
        Devices::Several(names) => names,
        Devices::All => return Err(Fault::new("device: 'all' is the command's; name them as ['0', '1'], mcsan.devices() lists them")),
    };
    let parts = &mut config.settings.train.accumulate;
    if *parts == 1 && names.len() > 1 {
        *parts = names.len();
    }
    config.settings.validate()?;
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
    let training = Training {
        settings: config.settings,
        out: job.out.clone(),
        start: if job.resume { Start::Resume } else { Start::New },
        execution: config.execution,
        stop: Some(stop),
        ..Training::of(&data)
    };
    let (device, finished) = match &names[..] {
        [name] => {
            let device = pollster::block_on(Device::open(name))?;
            (device.name(), train_on(&device, &training, &mut observe))
        }
        _ => train_on_several(&names, &training, &mut observe)?,
    };
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
    summary["device"] = json!(device);
    summary["ranks"] = json!(names.len());
    Ok(Finished { summary: summary.to_string(), losses })
}

fn train_on(device: &Device, training: &Training<'_>, observe: &mut dyn FnMut(Event<'_>)) -> Result<Trained, TrainError> {
    on_device!(*device, |backend| pollster::block_on(training.run_on(backend, observe)))
}

/// Trains on several devices, a thread on each; the calling one has the first and tells how it goes on. Returns the first's name, too.
fn train_on_several(
    names: &[String],
    training: &Training<'_>,
    observe: &mut dyn FnMut(Event<'_>),
) -> Result<(String, Result<Trained, TrainError>), Fault> {
    let meeting = Meeting::new(names.len());
    // A group is one thread's own: each makes its training of the same.
    let Training { data, settings, out, start, execution, stop, .. } = training;
    let as_rank = |name: &str, group: &dyn Group, observe: &mut dyn FnMut(Event<'_>)| {
        let device = agree(group, pollster::block_on(Device::open(name)).map_err(Fault::from))?;
        let (settings, out, execution) = (settings.clone(), out.clone(), execution.clone());
        let own = Training { settings, out, start: *start, execution, stop: *stop, group: Some(group), ..Training::of(data) };
        Ok((device.name(), train_on(&device, &own, observe)))
    };
    thread::scope(|scope| {
        let (meeting, as_rank) = (&meeting, &as_rank);
        for (rank, name) in names.iter().enumerate().skip(1) {
            // Whatever fails there the first tells.
            scope.spawn(move || drop(as_rank(name, &meeting.member(rank), &mut |_| ())));
        }
        as_rank(&names[0], &meeting.member(0), observe)
    })
}

/// Goes on where every rank has its device, and all are of one kind.
fn agree(group: &dyn Group, device: Result<Device, Fault>) -> Result<Device, Fault> {
    let name = device.as_ref().map(Device::name).map_err(|Fault(line)| line.clone());
    let names = group.exchange(name.map(|name| Message::ToAll(name.into_bytes()))).map_err(|error| match (&device, error) {
        (Err(own), GroupError::Failed { rank, .. }) if rank == group.rank() && rank == 0 => own.clone(),
        (_, error) => TrainError::from(error).into(),
    })?;
    let name = |rank: usize| String::from_utf8_lossy(&names[rank]).into_owned();
    match (1..names.len()).find(|&rank| names[rank] != names[0]) {
        Some(rank) => Err(TrainError::from(GroupError::Differs { rank, what: "device", found: name(rank), expected: name(0) }).into()),
        None => device,
    }
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
        None => {
            let (from, file): (_, Option<&Path>) = (job.from.as_deref(), job.config.as_deref());
            let defaults = over_source(Config::default(), from, file, &job.assignments)?;
            let system = load(defaults.clone())?.settings.model.system;
            load(if job.recipe { defaults.with_recipe(system)? } else { defaults })?
        }
    };
    if let Some(from) = &job.from {
        config.settings.start.from = from.display().to_string();
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
