//! Trainings: a run whose folder lies in memory.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use js_sys::Function;
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;

use super::data::{Dataset, new_folder, unpacked};
use super::engine::Engine;
use super::error::{Failure, refuse};
use super::model::Model;
use super::values::{object, settings, tell};
use crate::base::files;
use crate::config::Config;
use crate::dataset;
use crate::on_device;
use crate::train::packed::{CHECKPOINT, MODEL, Packed, pack};
use crate::train::run::Start;
use crate::train::run::files::{BEST, LAST};
use crate::train::source::Source;
use crate::train::{Checkpoint, Event, Metrics, TrainError};

/// A training, which goes on from where it stands.
#[wasm_bindgen(skip_typescript)]
pub struct Training {
    data: Rc<dataset::Dataset>,
    config: Config,
    folder: PathBuf,
    stop: AtomicBool,
    runs: Cell<bool>,
}

#[wasm_bindgen]
impl Training {
    /// A new one, of the usual settings and those of `options`.
    ///
    /// # Errors
    /// A setting that there is not, or a value that it does not take.
    #[wasm_bindgen(skip_typescript)]
    pub fn create(data: &Dataset, options: JsValue) -> Result<Training, Failure> {
        Ok(Self::of(data, settings(Config::default(), &options)?, new_folder("run")))
    }

    /// A new one that starts from a model: its network, and its weights for the classes and words of the data.
    ///
    /// # Errors
    /// Those of [`Training::create`]; a model that has no such network is refused when it runs.
    #[wasm_bindgen(js_name = fromModel, skip_typescript)]
    pub fn from_model(model: &Model, data: &Dataset, options: JsValue) -> Result<Training, Failure> {
        let source = unpacked(model.file())?;
        let started = Config::default().with_network_of(&Source::load(&source).map_err(|error| refuse(&error))?.settings());
        let mut config = settings(started, &options)?;
        config.settings.start.from = source.display().to_string();
        config.settings.validate().map_err(|error| refuse(&error))?;
        Ok(Self::of(data, config, new_folder("run")))
    }

    /// One that was stopped, or whose page was closed, from its last checkpoint.
    ///
    /// # Errors
    /// Another kind of file, or one that is damaged; other data is refused when it runs.
    #[wasm_bindgen(skip_typescript)]
    pub fn resume(checkpoint: Vec<u8>, data: &Dataset, options: JsValue) -> Result<Training, Failure> {
        let folder = new_folder("run");
        let packed = Packed::read(Path::new("checkpoint.mcsan"), &checkpoint).and_then(|packed| packed.unpack(&folder));
        packed.map_err(|error| refuse(&error))?;
        let last = Checkpoint::load(&folder.join(LAST)).map_err(|error| refuse(&error).without(&folder))?;
        Ok(Self::of(data, settings(last.config(), &options)?, folder))
    }

    /// Trains to the end, or until it is stopped; `events` is told how it goes on.
    ///
    /// # Errors
    /// Those of the command line; what was kept before stays, and it may be called again.
    #[wasm_bindgen(skip_typescript)]
    pub async fn run(&self, engine: &Engine, events: Option<Function>) -> Result<JsValue, Failure> {
        if self.runs.replace(true) {
            return Err(Failure::new("the training runs already").with("wait for it, or stop it"));
        }
        let ran = self.run_on(engine, events).await;
        self.runs.set(false);
        self.stop.store(false, Ordering::Relaxed);
        ran
    }

    /// Ends it behind the step that it is at; what was learned is in its checkpoint.
    #[wasm_bindgen(skip_typescript)]
    pub fn stop(&self) {
        self.stop.store(self.runs.get(), Ordering::Relaxed);
    }

    /// All that it goes on from; unpacked it is a run's folder.
    ///
    /// # Errors
    /// There is none yet.
    #[wasm_bindgen(skip_typescript)]
    pub fn checkpoint(&self) -> Result<Vec<u8>, Failure> {
        self.packed(LAST, &CHECKPOINT)
    }

    /// The best model so far, in one file.
    ///
    /// # Errors
    /// There is none yet.
    #[wasm_bindgen(skip_typescript)]
    pub fn model(&self) -> Result<Vec<u8>, Failure> {
        self.packed(BEST, &MODEL)
    }

    /// The best model so far as the command line writes it, `best.safetensors`.
    ///
    /// # Errors
    /// There is none yet.
    #[wasm_bindgen(skip_typescript)]
    pub fn weights(&self) -> Result<Vec<u8>, Failure> {
        self.check(BEST)?;
        crate::train::packed::bytes(&self.folder.join(BEST)).map_err(|error| refuse(&error).without(&self.folder))
    }

    /// Its settings, as the command line reads them.
    #[wasm_bindgen(getter, skip_typescript)]
    pub fn settings(&self) -> String {
        self.config.to_toml()
    }
}

impl Training {
    fn of(data: &Dataset, config: Config, folder: PathBuf) -> Self {
        Self { data: data.data(), config, folder, stop: AtomicBool::new(false), runs: Cell::new(false) }
    }

    fn check(&self, name: &str) -> Result<(), Failure> {
        match files::exists(&self.folder.join(name)) {
            true => Ok(()),
            false => Err(Failure::new("the training has no checkpoint yet").with("let it finish an epoch")),
        }
    }

    fn packed(&self, needed: &str, names: &[&str]) -> Result<Vec<u8>, Failure> {
        self.check(needed)?;
        pack(&self.folder, names).map_err(|error| refuse(&error).without(&self.folder))
    }

    async fn run_on(&self, engine: &Engine, events: Option<Function>) -> Result<JsValue, Failure> {
        engine.recover().await?;
        let device = engine.device();
        let training = crate::train::Training {
            settings: self.config.settings.clone(),
            execution: self.config.execution.clone(),
            out: Some(self.folder.clone()),
            start: Start::Resume,
            stop: Some(&self.stop),
            ..crate::train::Training::of(&self.data)
        };
        let mut observe = |event: Event<'_>| {
            if let Some(event) = told(&event) {
                tell(events.as_ref(), &object(&event));
            }
        };
        match on_device!(*device, |backend| training.run_on(backend, &mut observe).await) {
            Ok(finished) => {
                let test = finished.test.map(|test| figures(&test.metrics));
                Ok(object(&json!({ "stopped": false, "epoch": finished.best.epoch, "test": test })))
            }
            Err(TrainError::Stopped { step, .. }) => Ok(object(&json!({ "stopped": true, "step": step }))),
            Err(error) => Err(refuse(&error).without(&self.folder)),
        }
    }
}

impl Drop for Training {
    fn drop(&mut self) {
        let _there_is_none = files::remove_dir_all(&self.folder);
    }
}

fn figures(metrics: &Metrics) -> Value {
    let Metrics { utterances, wa, ua, macro_f1, weighted_f1, loss, .. } = metrics;
    json!({ "utterances": utterances, "wa": wa, "ua": ua, "macroF1": macro_f1, "weightedF1": weighted_f1, "loss": loss })
}

/// What a page is told of an event.
fn told(event: &Event<'_>) -> Option<Value> {
    Some(match *event {
        Event::Start { epochs, steps, done, train, validation, .. } => {
            json!({ "type": "start", "epochs": epochs, "steps": steps, "done": done, "train": train, "validation": validation })
        }
        Event::Step { step, epoch, learning_rate, loss, utterances_per_s, .. } => json!({
            "type": "step", "step": step, "epoch": epoch, "loss": loss, "learningRate": learning_rate,
            "utterancesPerSecond": utterances_per_s,
        }),
        Event::Epoch { epoch, train, validation, best, .. } => json!({
            "type": "epoch", "epoch": epoch, "train": figures(train), "validation": validation.map(figures), "best": best,
        }),
        Event::Checkpoint { last, .. } => json!({ "type": "checkpoint", "step": last.step, "epoch": last.epoch }),
        Event::Test { test, .. } => json!({ "type": "test", "test": figures(&test.metrics) }),
        Event::Taken { taken } => json!({ "type": "notice", "notice": taken.to_string() }),
        Event::OtherDevice { before, now } => {
            json!({ "type": "notice", "notice": format!("begun on {before}, goes on on {now}: the last bits may differ") })
        }
        Event::WarmupUnfinished { warmup_steps, steps } => {
            json!({ "type": "notice", "notice": format!("train.warmup_steps = {warmup_steps}, and the run has {steps} steps") })
        }
        Event::Split { step, parts, error } => {
            json!({ "type": "notice", "notice": format!("step {step}: each batch is computed in {parts} parts ({error})") })
        }
        Event::NotKept { step, error } => {
            json!({ "type": "notice", "notice": format!("step {step}: features are not kept on the device ({error})") })
        }
        Event::Skipped { step, scale } => {
            json!({ "type": "notice", "notice": format!("step {step} was left out: a gradient overflowed; the loss scale is {scale}") })
        }
        Event::Plateau { epochs, factor } => {
            json!({ "type": "notice", "notice": format!("{epochs} epochs without a better one: the learning rate is {factor} of it") })
        }
        Event::Stopped { epochs } => {
            json!({ "type": "notice", "notice": format!("{epochs} epochs without a better one end the training") })
        }
        Event::Fitting { utterances, .. } => json!({ "type": "notice", "notice": format!("the SVM is fitted to {utterances} utterances") }),
        Event::Fitted { .. } => return None,
    })
}
