//! A whole training: epochs of steps, validation, the best epoch kept, everything written to a run folder.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use serde_json::json;

use super::batches::{Batches, epoch_batches};
use super::checkpoint::{Checkpoint, read_named};
use super::evaluate::{Evaluation, metrics};
use super::metrics::Metrics;
use super::{Pending, TrainError, Trainer};
use crate::backend::Backend;
use crate::config::{Selection, Settings};
use crate::corpus::Split;
use crate::dataset::store::Store;
use crate::dataset::{Dataset, Normalisation, replace_file};
use crate::model::{Dimensions, Mcsan};

/// What a run tells while it goes on.
pub enum Event<'e> {
    Start { parameters: usize, epochs: usize, steps: u64, train: usize, validation: usize },
    Step { step: u64, epoch: u64, loss: f32, utterances_per_s: f64 },
    Epoch { epoch: u64, train: &'e Metrics, validation: Option<&'e Metrics>, best: bool },
}

/// What a finished run says.
pub struct Finished {
    /// The best epoch's model.
    pub best: Checkpoint,
    /// Its result on the test split, where there is one.
    pub test: Option<Evaluation>,
    /// Loss of every step.
    pub losses: Vec<f32>,
}

/// A run's files.
pub mod files {
    pub const CONFIG: &str = "config.toml";
    pub const METRICS: &str = "metrics.jsonl";
    pub const BEST: &str = "best.safetensors";
    pub const LAST: &str = "last.safetensors";
    pub const TEST: &str = "test.json";
}

/// Trains on `data` and writes a run folder, if one is given.
///
/// `weights` are starting values in PyTorch's layout; without them they follow from the seed.
///
/// # Errors
/// [`TrainError`]; what the run folder held before stays whole.
pub async fn train<B: Backend>(
    backend: &B,
    settings: &Settings,
    data: &Dataset,
    folder: Option<&Path>,
    weights: Option<&Path>,
    observe: &mut dyn FnMut(Event<'_>),
) -> Result<Finished, TrainError> {
    let mut run = Run::start(backend, settings, data, weights)?;
    let mut log = folder.map(|folder| RunFolder::create(folder, settings, &backend.device_name(), data)).transpose()?;
    let parameters = run.trainer.model().layout().count();
    let (train, validation) = (run.train.len(), run.validation.len());
    observe(Event::Start { parameters, epochs: run.epochs, steps: run.planned_steps, train, validation });
    for epoch in 0..run.epochs as u64 {
        let train = run.train_epoch(epoch, log.as_mut(), observe).await?;
        let validation = run.validate().await?;
        let best = run.judge(epoch, validation.as_ref()).await?;
        observe(Event::Epoch { epoch, train: &train, validation: validation.as_ref(), best });
        if let Some(log) = &mut log {
            log.epoch(epoch, &train, validation.as_ref())?;
            log.checkpoints(&run, epoch + 1, best).await?;
        }
        if run.trainer.steps() >= run.planned_steps {
            break;
        }
    }
    run.finish(log.as_ref()).await
}

/// A training under way.
struct Run<'r, B: Backend> {
    backend: &'r B,
    settings: &'r Settings,
    data: &'r Dataset,
    batches: Batches<'r, B>,
    trainer: Trainer<'r, B>,
    dimensions: Dimensions,
    normalisation: Normalisation,
    train: Vec<usize>,
    validation: Vec<usize>,
    epochs: usize,
    planned_steps: u64,
    losses: Vec<f32>,
    best: Option<Checkpoint>,
}

impl<'r, B: Backend> Run<'r, B> {
    fn start(backend: &'r B, settings: &'r Settings, data: &'r Dataset, weights: Option<&Path>) -> Result<Self, TrainError> {
        let train = data.training();
        if train.is_empty() {
            return Err(TrainError::EmptySplit { split: Split::Train });
        }
        let dimensions = Dimensions::of(data, settings.model.word_width);
        settings.train.check_class_weights(data.classes.len())?;
        let class_weights = settings.train.class_weights(&data.class_counts(&train));
        let parameters = starting_values(settings, &dimensions, weights)?;
        let normalisation = Normalisation::fit(settings.data.normalise, data, &train, settings.data.max_frames)?;
        let mut trainer = Trainer::new(backend, settings, &dimensions, &parameters, &class_weights);
        let steps_an_epoch = train.len().div_ceil(settings.train.batch_size) as u64;
        let all_steps = steps_an_epoch * settings.train.epochs as u64;
        let planned_steps = if settings.train.steps > 0 { all_steps.min(settings.train.steps) } else { all_steps };
        trainer.plan(planned_steps);
        Ok(Self {
            backend,
            settings,
            data,
            batches: Batches::new(backend, data, &normalisation, settings.data.max_frames)?,
            trainer,
            dimensions,
            normalisation,
            train,
            validation: data.split(Split::Validation),
            epochs: settings.train.epochs,
            planned_steps,
            losses: Vec::new(),
            best: None,
        })
    }

    /// One pass over the training split; returns its metrics, taken from the steps' own logits.
    async fn train_epoch(
        &mut self,
        epoch: u64,
        mut log: Option<&mut RunFolder>,
        observe: &mut dyn FnMut(Event<'_>),
    ) -> Result<Metrics, TrainError> {
        let (mut logits, mut labels) = (Vec::new(), Vec::new());
        let mut waiting: Option<(Pending<B>, StepInfo)> = None;
        let started = Instant::now();
        let mut plan = epoch_batches(&self.train, &self.settings.train, epoch).into_iter();
        loop {
            let next = plan.next().filter(|_| self.trainer.steps() < self.planned_steps).map(|utterances| {
                let info = StepInfo { step: self.trainer.steps(), epoch, rate: self.trainer.learning_rate(), utterances };
                (self.trainer.train_step(&self.batches.batch(&info.utterances)), info)
            });
            // The last step's result is waited for while the device works on the next.
            let going_on = next.is_some();
            if let Some((pending, info)) = std::mem::replace(&mut waiting, next) {
                let outcome = self.trainer.outcome(pending).await?;
                info.check(outcome.loss, self.data, log.is_some() && epoch > 0)?;
                labels.extend(self.batches.labels(&info.utterances));
                // Since the epoch began, so that waiting for the device and preparing batches both count.
                let utterances_per_s = labels.len() as f64 / started.elapsed().as_secs_f64();
                observe(Event::Step { step: info.step, epoch, loss: outcome.loss, utterances_per_s });
                if let Some(log) = &mut log {
                    log.step(&info, outcome.loss, utterances_per_s)?;
                }
                self.losses.push(outcome.loss);
                logits.extend(outcome.logits);
            }
            if !going_on {
                break;
            }
        }
        Ok(Metrics::of(&logits, &labels, &self.data.classes))
    }

    async fn validate(&self) -> Result<Option<Metrics>, TrainError> {
        if self.validation.is_empty() {
            return Ok(None);
        }
        Ok(Some(metrics(self.backend, &self.trainer, &self.batches, self.data, &self.validation).await?))
    }

    /// Keeps the model if this epoch is the best so far; without a validation split, the last one is.
    async fn judge(&mut self, epoch: u64, validation: Option<&Metrics>) -> Result<bool, TrainError> {
        let figure = validation.map(|metrics| match self.settings.train.selection {
            Selection::Ua => metrics.ua,
            Selection::Wa => metrics.wa,
            Selection::WeightedF1 => metrics.weighted_f1,
            Selection::Loss => -metrics.loss,
        });
        let before = self.best.as_ref().and_then(|best| best.best);
        let better = match (figure, before) {
            (Some(figure), Some(before)) => figure > before,
            _ => true,
        };
        if better {
            self.best = Some(self.checkpoint(epoch + 1, figure).await?);
        }
        Ok(better)
    }

    async fn checkpoint(&self, epoch: u64, best: Option<f64>) -> Result<Checkpoint, TrainError> {
        Ok(Checkpoint {
            settings: self.settings.clone(),
            dimensions: self.dimensions,
            classes: self.data.classes.clone(),
            normalisation: self.normalisation.clone(),
            parameters: self.trainer.read_parameters().await?,
            moments: None,
            step: self.trainer.steps(),
            epoch,
            best,
        })
    }

    /// Evaluates the best model on the test split.
    async fn finish(self, log: Option<&RunFolder>) -> Result<Finished, TrainError> {
        let best = match self.best {
            Some(best) => best,
            None => self.checkpoint(0, None).await?,
        };
        let utterances = self.data.split(Split::Test);
        let test = if utterances.is_empty() { None } else { Some(best.evaluate(self.backend, self.data, &utterances).await?) };
        if let (Some(log), Some(test)) = (log, &test) {
            log.test(test)?;
        }
        Ok(Finished { best, test, losses: self.losses })
    }
}

fn starting_values(settings: &Settings, dimensions: &Dimensions, weights: Option<&Path>) -> Result<Vec<f32>, TrainError> {
    let model = Mcsan::new(&settings.model, dimensions);
    Ok(match weights {
        Some(path) => read_named(&Store::open(path)?, model.layout(), "")?,
        None => model.layout().initial_values(settings.train.seed),
    })
}

/// A step that was sent.
struct StepInfo {
    step: u64,
    epoch: u64,
    rate: f64,
    utterances: Vec<usize>,
}

impl StepInfo {
    fn check(&self, loss: f32, data: &Dataset, has_checkpoint: bool) -> Result<(), TrainError> {
        if loss.is_finite() {
            return Ok(());
        }
        let shown: Vec<&str> = self.utterances.iter().take(8).map(|&index| data.utterances[index].id.as_str()).collect();
        let more = self.utterances.len().saturating_sub(shown.len());
        let utterances = shown.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() };
        let kept = if has_checkpoint { "the last finished epoch is kept in last.safetensors" } else { "no epoch was finished" };
        Err(TrainError::NotFinite { step: self.step, loss, utterances, kept: kept.into() })
    }
}

/// The files of a run.
struct RunFolder {
    path: std::path::PathBuf,
    metrics: File,
}

impl RunFolder {
    fn create(path: &Path, settings: &Settings, device: &str, data: &Dataset) -> Result<Self, TrainError> {
        let failure = |reason: String| TrainError::Run { path: path.into(), reason };
        if path.join(files::LAST).exists() {
            return Err(failure("holds a run already; choose another --out, or remove it".into()));
        }
        let denied = |error: std::io::Error| failure(format!("cannot be written ({error}); choose another --out"));
        std::fs::create_dir_all(path).map_err(denied)?;
        let version = env!("CARGO_PKG_VERSION");
        let config = format!("# mcsan {version} on {device}\n# corpus: {}\n\n{}", data.corpus, settings.to_toml());
        replace_file(&path.join(files::CONFIG), |file| file.write_all(config.as_bytes())).map_err(denied)?;
        super::vocabulary::save(&path.join(super::vocabulary::FILE), data)?;
        let metrics = File::create(path.join(files::METRICS)).map_err(denied)?;
        Ok(Self { path: path.into(), metrics })
    }

    fn line(&mut self, value: &serde_json::Value) -> Result<(), TrainError> {
        writeln!(self.metrics, "{value}").map_err(|error| TrainError::Run {
            path: self.path.join(files::METRICS),
            reason: format!("cannot be written ({error}); free some space, finished checkpoints are whole"),
        })
    }

    fn step(&mut self, info: &StepInfo, loss: f32, utterances_per_s: f64) -> Result<(), TrainError> {
        let (step, epoch, lr) = (info.step, info.epoch, info.rate);
        self.line(&json!({ "step": step, "epoch": epoch, "loss": loss, "lr": lr, "utterances_per_s": utterances_per_s }))
    }

    fn epoch(&mut self, epoch: u64, train: &Metrics, validation: Option<&Metrics>) -> Result<(), TrainError> {
        let brief =
            |metrics: &Metrics| json!({ "wa": metrics.wa, "ua": metrics.ua, "weighted_f1": metrics.weighted_f1, "loss": metrics.loss });
        self.line(&json!({ "epoch": epoch, "train": brief(train), "validation": validation.map(brief) }))
    }

    async fn checkpoints<B: Backend>(&self, run: &Run<'_, B>, epoch: u64, best: bool) -> Result<(), TrainError> {
        if let Some(checkpoint) = run.best.as_ref().filter(|_| best) {
            checkpoint.save(&self.path.join(files::BEST))?;
        }
        let mut last = run.checkpoint(epoch, run.best.as_ref().and_then(|best| best.best)).await?;
        last.moments = Some(run.trainer.read_moments().await?);
        Ok(last.save(&self.path.join(files::LAST))?)
    }

    fn test(&self, test: &Evaluation) -> Result<(), TrainError> {
        let text = format!("{:#}\n", json!(test));
        replace_file(&self.path.join(files::TEST), |file| file.write_all(text.as_bytes())).map_err(|error| TrainError::Run {
            path: self.path.join(files::TEST),
            reason: format!("cannot be written ({error}); free some space, finished checkpoints are whole"),
        })
    }
}
