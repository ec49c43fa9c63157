//! A training under way: its steps, epochs, validations and checkpoints.
//!
//! Where a run stands is its number of steps: all random numbers are counted, so with parameters, moments and the
//! predictions of the unfinished epoch it goes on bit for bit.

mod keep;
mod ranks;

use std::sync::atomic::{AtomicBool, Ordering};

use super::batches::{epoch_batches, epoch_length, unlabelled, unlabelled_batch};
use super::checkpoint::{Checkpoint, Plateaus};
use super::evaluate::{metrics, not_finite};
use super::fit;
use super::group::Together;
use super::metrics::{Metrics, Tally};
use super::observe::{Event, Observers};
use super::run_folder::SavedRun;
use super::session::{Session, Weights};
use super::{Origin, Outcome, Pending, TrainError, Trainer};
use crate::backend::{Backend, BackendError};
use crate::base::clock::Instant;
use crate::base::streams::{AUDIO, TEXT};
use crate::base::utterances::Split;
use crate::config::{Config, Schedule, Settings};
use crate::dataset::Dataset;
use crate::model::cost;

/// A training under way.
pub(super) struct Run<'r, B: Backend> {
    pub observers: Observers<'r>,
    /// See [`Training::stop`](super::Training::stop).
    pub stop: Option<&'r AtomicBool>,
    /// See [`Training::until`](super::Training::until).
    pub until: Option<u64>,
    backend: &'r B,
    settings: &'r Settings,
    /// The setting `run.device`, which checkpoints name; of several the first.
    device: &'r str,
    data: &'r Dataset,
    session: Session<'r, B>,
    trainer: Trainer<'r, B>,
    train: Vec<usize>,
    validation: Vec<usize>,
    /// Without label, to be learned from.
    unlabelled: Vec<usize>,
    /// Utterances of the largest batch.
    largest_batch: usize,
    /// The ranks that it is computed by, where they are several.
    together: Option<Together<'r>>,
    steps_an_epoch: u64,
    planned_steps: u64,
    pub losses: Vec<f32>,
    /// The best model so far.
    best: Option<Checkpoint>,
    /// Its validation figure.
    best_figure: Option<f64>,
    /// Epochs finished, by now and at the best model.
    epochs: u64,
    best_epoch: u64,
    plateaus: Plateaus,
    /// Parts that batches are computed in.
    parts: usize,
    /// The training predictions of the epoch under way.
    tally: Tally,
    /// Steps left out by now because a gradient overflowed.
    skipped: u64,
    /// What the device said that was to keep the features, to be told at the beginning.
    no_room_to_keep: Option<BackendError>,
    fingerprint: String,
}

impl<'r, B: Backend> Run<'r, B> {
    /// A run at its beginning, or where it was stopped.
    pub(crate) async fn start(backend: &'r B, config: &'r Config, data: &'r Dataset, saved: Option<&SavedRun>) -> Result<Self, TrainError> {
        let Config { settings, execution } = config;
        let train = data.training();
        let weights = saved.map_or_else(|| Weights::of(settings), |saved| Weights::Saved(&saved.last));
        let session = Session::new(backend, settings, data, &train, weights)?;
        let unlabelled = unlabelled(data, settings);
        for utterances in [&train, &unlabelled].into_iter().filter(|utterances| !utterances.is_empty()) {
            let length = epoch_length(data, utterances, &settings.train);
            session.check_batch(utterances, settings.train.largest_batch(length).div_ceil(settings.train.accumulate))?;
        }
        if settings.model.system.has_machine() {
            fit::check_room(settings, &session.dimensions, train.len())?;
        }
        let mut trainer = session.trainer();
        let steps_an_epoch = settings.train.steps_an_epoch(epoch_length(data, &train, &settings.train));
        let all_steps = steps_an_epoch.saturating_mul(settings.train.epochs as u64);
        let planned_steps = if settings.train.steps > 0 { all_steps.min(settings.train.steps) } else { all_steps };
        trainer.plan(planned_steps);
        let mut run = Self {
            observers: Observers::default(),
            stop: None,
            until: None,
            backend,
            settings,
            largest_batch: settings.train.largest_batch(epoch_length(data, &train, &settings.train)),
            together: None,
            device: execution.first_device(),
            data,
            session,
            trainer,
            train,
            validation: data.split(Split::Validation),
            unlabelled,
            steps_an_epoch,
            planned_steps,
            losses: Vec::new(),
            best: None,
            best_figure: None,
            epochs: 0,
            best_epoch: 0,
            plateaus: Plateaus::default(),
            parts: settings.train.accumulate,
            tally: Tally::new(data.classes.len()),
            skipped: 0,
            no_room_to_keep: None,
            fingerprint: data.fingerprint_with_splits()?,
        };
        if let Some(saved) = saved {
            run.resume(saved)?;
        }
        match backend.failure() {
            None => {
                run.no_room_to_keep = run.session.batches.keep_on_device().await?;
                Ok(run)
            }
            // Where there is no room for the model, no part of a batch is small enough.
            Some(error) if error.smaller_batch_helps() => Err(run.session.no_room(&error)),
            Some(error) => Err(error.into()),
        }
    }

    fn resume(&mut self, saved: &SavedRun) -> Result<(), TrainError> {
        let SavedRun { last, best } = saved;
        if last.step > self.planned_steps {
            return Err(TrainError::Resume { done: last.step, planned: self.planned_steps });
        }
        if let Some(moments) = &last.moments {
            let scaling = last.progress.as_ref().and_then(|progress| progress.scaling);
            self.skipped = scaling.map_or(0, |[_, _, skipped]| skipped as u64);
            self.trainer.resume(last.step, moments, scaling);
            last.average.iter().for_each(|average| self.trainer.resume_average(average));
        }
        self.best = best.clone().map(|best| Checkpoint { settings: self.settings.clone(), device: self.device.into(), ..best });
        self.best_figure = last.best;
        self.epochs = last.epoch;
        if let Some(progress) = &last.progress {
            self.best_epoch = progress.best_epoch;
            self.plateaus = progress.plateaus;
            self.trainer.reduce(self.plateaus.count);
            self.tally = progress.tally.clone();
            if self.settings.train.accumulate == last.settings.train.accumulate {
                self.parts = progress.parts;
            }
        }
        Ok(())
    }

    /// Epochs whose results stay in the log when a run goes on: one that `train.steps` cut short is taken up again.
    pub(crate) fn closed_epochs(&self, saved: &SavedRun) -> u64 {
        if saved.last.step < self.planned_steps { saved.last.step / self.steps_an_epoch } else { saved.last.epoch }
    }

    /// Tells what the run will be.
    pub(crate) fn begin(&mut self) -> Result<(), TrainError> {
        if let Some(taken) = &self.session.taken {
            self.observers.tell(Event::Taken { taken })?;
        }
        let [frames, tokens] = [AUDIO, TEXT].map(|stream| self.session.batches.mean_length(stream, &self.train));
        self.observers.tell(Event::Start {
            modules: &cost::modules(self.settings, &self.session.dimensions, frames, tokens),
            frames,
            tokens,
            epochs: self.settings.train.epochs,
            steps: self.planned_steps,
            done: self.trainer.steps(),
            train: self.train.len(),
            validation: self.validation.len(),
        })?;
        if let Some(error) = self.no_room_to_keep.take() {
            self.observers.tell(Event::NotKept { step: self.trainer.steps(), error: &error })?;
        }
        let (warmup_steps, steps) = (self.settings.train.warmup_steps, self.planned_steps);
        if warmup_steps > steps { self.observers.tell(Event::WarmupUnfinished { warmup_steps, steps }) } else { Ok(()) }
    }

    pub(crate) fn is_over(&mut self) -> Result<bool, TrainError> {
        let patience = self.settings.train.patience;
        let waited = self.epochs - self.best_epoch;
        let in_vain = patience > 0 && waited >= patience && self.trainer.steps().is_multiple_of(self.steps_an_epoch);
        if in_vain && self.trainer.steps() < self.planned_steps {
            self.observers.tell(Event::Stopped { epochs: waited })?;
        }
        Ok(in_vain || self.trainer.steps() >= self.planned_steps)
    }

    /// Whether the run is to go on: not where it waits after so many epochs, whose last checkpoint is there.
    ///
    /// # Errors
    /// [`TrainError::Stopped`]
    pub(crate) fn check_wait(&self) -> Result<(), TrainError> {
        let step = self.trainer.steps();
        match self.until {
            Some(until) if step / self.steps_an_epoch >= until => Err(TrainError::Stopped { step, kept: self.observers.kept() }),
            _ => Ok(()),
        }
    }

    /// An epoch, or what is left of it: steps, validation, checkpoints.
    pub(crate) async fn epoch(&mut self) -> Result<(), TrainError> {
        if self.is_stop_wished() {
            return self.stop().await;
        }
        let epoch = self.trainer.steps() / self.steps_an_epoch;
        self.train_epoch(epoch).await?;
        self.agree().await?;
        let train = self.tally.clone().metrics(&self.data.classes);
        if self.trainer.steps().is_multiple_of(self.steps_an_epoch) {
            self.tally = Tally::new(self.data.classes.len());
        }
        self.epochs = epoch + 1;
        let validation = self.validate().await?;
        let best = self.select_best(validation.as_ref()).await?;
        let steps = self.trainer.steps();
        self.observers.tell(Event::Epoch { epoch, steps, train: &train, validation: validation.as_ref(), best })?;
        self.follow_plateau()?;
        self.keep(best).await
    }

    /// Takes a smaller learning rate where whole epochs have brought nothing better for as long as `train.plateau_patience` says; those of
    /// the warm-up do not count.
    fn follow_plateau(&mut self) -> Result<(), TrainError> {
        let train = &self.settings.train;
        let steps = self.trainer.steps();
        if train.schedule != Schedule::Plateau || !steps.is_multiple_of(self.steps_an_epoch) {
            return Ok(());
        }
        if steps <= train.warmup_steps {
            self.plateaus.epoch = self.epochs;
        }
        let waited = self.epochs - self.best_epoch.max(self.plateaus.epoch);
        if waited < train.plateau_patience {
            return Ok(());
        }
        self.plateaus = Plateaus { count: self.plateaus.count + 1, epoch: self.epochs };
        self.trainer.reduce(self.plateaus.count);
        self.observers.tell(Event::Plateau { epochs: waited, factor: train.plateau_factor })
    }

    /// The steps of an epoch that are left; their predictions are counted in the tally.
    async fn train_epoch(&mut self, epoch: u64) -> Result<(), TrainError> {
        let mut waiting: Option<(Pending<B>, StepInfo)> = None;
        let mut clock = Clock { started: Instant::now(), utterances: 0 };
        let done = (self.trainer.steps() % self.steps_an_epoch) as usize;
        let mut plan = epoch_batches(self.data, &self.train, self.settings, epoch).into_iter().skip(done);
        loop {
            let next = match plan.next().filter(|_| self.trainer.steps() < self.planned_steps) {
                Some(utterances) => Some(self.send(epoch, utterances).await?),
                None => None,
            };
            // The last step's result is waited for while the device works on the next.
            let going_on = next.is_some();
            if let Some((pending, info)) = std::mem::replace(&mut waiting, next) {
                self.settle(pending, info, &mut clock).await?;
            }
            if !going_on {
                return Ok(());
            }
            let stops = self.is_stop_wished() && self.is_within_epoch();
            if stops || self.is_checkpoint_due() {
                if let Some((pending, info)) = waiting.take() {
                    self.settle(pending, info, &mut clock).await?;
                }
                if stops {
                    return self.stop().await;
                }
                self.keep(false).await?;
            }
        }
    }

    /// Of several ranks, whether any of them was to stop, as of when they last told each other.
    fn is_stop_wished(&self) -> bool {
        if let Some(together) = &self.together {
            return together.is_stop_wished();
        }
        self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }

    /// Ends the run where it stands, for it to be gone on with.
    async fn stop(&mut self) -> Result<(), TrainError> {
        self.keep(false).await?;
        Err(TrainError::Stopped { step: self.trainer.steps(), kept: self.observers.kept() })
    }

    /// Whether steps of the epoch are left; after its last one validation comes, and a checkpoint.
    fn is_within_epoch(&self) -> bool {
        let steps = self.trainer.steps();
        !steps.is_multiple_of(self.steps_an_epoch) && steps < self.planned_steps
    }

    /// Whether a checkpoint is to be written here, within an epoch; after its last step the epoch's own is.
    fn is_checkpoint_due(&self) -> bool {
        let (steps, every) = (self.trainer.steps(), self.settings.train.checkpoint_every);
        every > 0 && self.observers.keep() && steps.is_multiple_of(every) && self.is_within_epoch()
    }

    /// Those without label that the step under way learns from besides.
    fn unlabelled_of(&self, epoch: u64) -> Vec<usize> {
        match self.settings.unlabelled_from() {
            Some(from) if epoch >= from && !self.unlabelled.is_empty() => {
                unlabelled_batch(self.data, &self.unlabelled, &self.settings.train, self.trainer.steps() - from * self.steps_an_epoch)
            }
            _ => Vec::new(),
        }
    }

    /// Sends a step to the device; in more parts where the device has no room for it.
    async fn send(&mut self, epoch: u64, utterances: Vec<usize>) -> Result<(Pending<B>, StepInfo), TrainError> {
        let step = self.trainer.steps();
        let unlabelled = self.unlabelled_of(epoch);
        if self.together.is_some() {
            return self.send_together(epoch, utterances, unlabelled).await;
        }
        let all = [utterances.as_slice(), &unlabelled].concat();
        loop {
            match self.trainer.train_in_parts(&self.session.batches, &all, self.parts).await {
                Ok(pending) => {
                    let (rate, parts) = (pending.learning_rate, self.parts.min(all.len()));
                    return Ok((pending, StepInfo { step, epoch, rate, parts, utterances, unlabelled }));
                }
                // Where nothing was updated, the step is done anew.
                Err(TrainError::Backend(error))
                    if error.smaller_batch_helps() && self.parts < all.len() && self.trainer.steps() == step =>
                {
                    let gave_up = self.session.batches.give_up_kept();
                    self.backend.recover().await;
                    if gave_up {
                        self.observers.tell(Event::NotKept { step, error: &error })?;
                        continue;
                    }
                    if self.settings.compares_utterances() {
                        return Err(error.into());
                    }
                    self.parts = (2 * self.parts).min(all.len());
                    self.observers.tell(Event::Split { step, parts: self.parts, error: &error })?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits for a step's results and tells them.
    async fn settle(&mut self, pending: Pending<B>, info: StepInfo, clock: &mut Clock) -> Result<(), TrainError> {
        let outcome = self.trainer.outcome(pending).await?;
        if !outcome.loss.is_finite() {
            let start = &self.settings.start;
            let drawn = start.weights.is_empty() && start.from.is_empty();
            return Err(info.not_finite(&outcome, drawn, self.data, &self.observers));
        }
        clock.utterances += info.utterances.len() + info.unlabelled.len();
        let utterances_per_s = clock.rate();
        let skipped = outcome.scaling.is_some_and(|scaling| scaling.skipped > self.skipped);
        let StepInfo { step, epoch, rate, parts, utterances, .. } = info;
        let (loss, scaling) = (outcome.loss, outcome.scaling);
        if scaling.is_some_and(|scaling| scaling.scale < 1.0) {
            return Err(TrainError::GradientNotFinite { step, kept: self.observers.kept() });
        }
        self.observers.tell(Event::Step { step, epoch, learning_rate: rate, loss, utterances_per_s, parts, scaling, skipped })?;
        if let Some(scaling) = scaling {
            self.skipped = scaling.skipped;
            if skipped {
                self.observers.tell(Event::Skipped { step, scale: scaling.scale })?;
            }
        }
        self.losses.push(outcome.loss);
        self.tally.add(&outcome.logits, &self.session.batches.labels(&utterances));
        Ok(())
    }

    async fn validate(&self) -> Result<Option<Metrics>, TrainError> {
        if self.validation.is_empty() {
            return Ok(None);
        }
        let found = metrics(self.trainer.result(), &self.session.batches, self.data, &self.validation, self.together.as_ref()).await;
        found.map(Some).map_err(|error| match error {
            TrainError::ResultNotFinite { places, ids, .. } => TrainError::ResultNotFinite { places, ids, kept: self.observers.kept() },
            error => error,
        })
    }
}

/// How fast an epoch goes, waiting for the device and preparing batches included.
struct Clock {
    started: Instant,
    utterances: usize,
}

impl Clock {
    /// Utterances a second.
    fn rate(&self) -> f64 {
        self.utterances as f64 / self.started.elapsed().as_secs_f64()
    }
}

/// A step that was sent.
struct StepInfo {
    step: u64,
    epoch: u64,
    rate: f64,
    parts: usize,
    utterances: Vec<usize>,
    /// Those without label besides.
    unlabelled: Vec<usize>,
}

impl StepInfo {
    /// What is known of a loss that is no number: weights that were `drawn` are not to blame in the first step.
    fn not_finite(&self, outcome: &Outcome, drawn: bool, data: &Dataset, observers: &Observers<'_>) -> TrainError {
        let without_result = not_finite(&outcome.logits, self.utterances.len());
        let origin = match without_result.len() {
            0 => Origin::Loss,
            count if count < self.utterances.len() || drawn && self.step == 0 => Origin::Utterances,
            _ => Origin::Batch,
        };
        let utterances: Vec<usize> = match origin {
            Origin::Loss => self.utterances.iter().chain(&self.unlabelled).copied().collect(),
            Origin::Utterances | Origin::Batch => without_result.into_iter().map(|place| self.utterances[place]).collect(),
        };
        let utterances = utterances.into_iter().map(|utterance| data.utterances[utterance].id.clone()).collect();
        TrainError::NotFinite { step: self.step, loss: outcome.loss, origin, utterances, kept: observers.kept() }
    }
}
