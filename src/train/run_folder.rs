//! The files of a run: settings, log, checkpoints, results; and how they are taken up again.
//!
//! Checkpoints are written beside and renamed, `best.safetensors` before `last.safetensors`. A run that is killed between
//! the two goes on from the older `last`, which also says how good the best model was then, and makes the same best again:
//! so every moment may be the last one.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::checkpoint::{self, Checkpoint, Progress};
use super::claim::{Claim, Standing};
use super::evaluate::Evaluation;
use super::metrics::{Metrics, json_text};
use super::observe::{Event, Observer};
use super::run::{Start, files};
use super::tensorboard::EventFile;
use super::{Misfit, RunFault, TrainError, vocabulary};
use crate::base::contents::first_foreign;
use crate::base::files::{self as disk, File, OpenOptions};
use crate::base::format::Format;
use crate::base::input;
use crate::base::remedy::Remedy;
use crate::config::{self, Config, Schedule, Settings};
use crate::dataset::store::StoreError;
use crate::dataset::{Dataset, replace_file, replace_file_if};
use crate::model::{self, Dimensions};

/// What `test.json` says of itself; at first it said nothing.
pub(crate) const TEST_FORMAT: Format = Format::new("mcsan-test", 1);

/// What a stopped run left.
pub(super) struct SavedRun {
    pub last: Checkpoint,
    /// The best model; it may be of a later step than `last`, which is then reached again.
    pub best: Option<Checkpoint>,
}

impl SavedRun {
    /// Reads the checkpoints of a run; `None` where it was stopped before its first one.
    ///
    /// # Errors
    /// [`TrainError`] naming the file: a checkpoint that cannot be read, settings that would change the run, other data.
    pub(crate) fn load(folder: &Path, settings: &Settings, data: &Dataset) -> Result<Option<Self>, TrainError> {
        let path = folder.join(files::LAST);
        if !disk::exists(&path) {
            return Ok(None);
        }
        let last = Checkpoint::load(&path)?;
        let refused = |fault| TrainError::Run { path: path.clone(), fault };
        let (Some(progress), Some(_)) = (&last.progress, &last.moments) else {
            return Err(refused(RunFault::NoProgress));
        };
        for (key, now, then) in settings.differences(&last.settings) {
            let longer = ["train.epochs", "train.steps"].contains(&key.name);
            if longer && settings.train.schedule == Schedule::Cosine {
                return Err(refused(RunFault::Schedule { key, now, then }));
            }
            if !key.rule.resumable {
                let own = folder.join(files::CONFIG);
                let is_own = Config::default()
                    .load(&own, &[])
                    .is_ok_and(|own| !own.settings.differences(settings).iter().any(|(differing, ..)| differing.name == key.name));
                return Err(if is_own {
                    TrainError::Run { path: own, fault: RunFault::Edited { key, now, then } }
                } else {
                    refused(RunFault::Setting { key, now, then })
                });
            }
        }
        let parameters = model::parameters(settings, &Dimensions::of(data, &settings.model));
        if !checkpoint::is_of(&progress.data, data)? || parameters.len() != last.parameters.len() {
            return Err(Misfit::OtherData { run: folder.into() }.into());
        }
        let best = if progress.best_epoch > 0 { Some(best_of(folder, &last, progress)?) } else { None };
        Ok(Some(Self { last, best }))
    }
}

/// The best model of a run that stands at `last`.
///
/// # Errors
/// [`TrainError`] naming the file: one that is missing, cannot be read, or is of another run.
fn best_of(folder: &Path, last: &Checkpoint, progress: &Progress) -> Result<Checkpoint, TrainError> {
    let path = folder.join(files::BEST);
    let refused = |fault| TrainError::Run { path: path.clone(), fault };
    if !disk::exists(&path) {
        return Err(refused(RunFault::NoBest));
    }
    let best = Checkpoint::load_unfitted(&path)?;
    match other_run(&best, last, progress) {
        Some(difference) => Err(refused(RunFault::OtherRun { difference })),
        None => Ok(best),
    }
}

/// In what a best model is not of the run that stands at `last`. It may be newer, of a run that was killed before it had written `last`.
fn other_run(best: &Checkpoint, last: &Checkpoint, progress: &Progress) -> Option<String> {
    if let Some((key, here, there)) = best.settings.differences(&last.settings).into_iter().find(|(key, ..)| !key.rule.resumable) {
        return Some(format!("{} is {here} here and {there} there", key.name));
    }
    if best.classes != last.classes {
        return Some(format!("its classes are {:?} here and {:?} there", best.classes, last.classes));
    }
    if best.dimensions != last.dimensions || !best.normalisation.is_like(&last.normalisation) {
        return Some("it was trained on other data".into());
    }
    let of_epoch = |best: Option<f64>, epoch: u64| best.map_or(format!("of epoch {epoch}"), |figure| format!("{figure} of epoch {epoch}"));
    let (here, there) = (of_epoch(best.best, best.epoch), of_epoch(last.best, progress.best_epoch));
    (best.step <= last.step && here != there).then(|| format!("its best figure is {here} here and {there} there"))
}

/// Whether a run may begin or go on in a folder: it is not there, holds nothing, or what a run left there.
///
/// # Errors
/// [`RunFault::Exists`] where none was to be gone on with, [`RunFault::Foreign`].
pub(crate) fn admit(folder: &Path, start: Start) -> Result<(), TrainError> {
    let refused = |fault| Err(TrainError::Run { path: folder.into(), fault });
    if disk::exists(&folder.join(files::LAST)) {
        return if start == Start::New { refused(RunFault::Exists) } else { Ok(()) };
    }
    // The settings are what a run writes first.
    match first_foreign(folder, |_| false).filter(|_| device_of(folder).is_none()) {
        Some(name) => refused(RunFault::Foreign { name }),
        None => Ok(()),
    }
}

/// Removes the files of a run that has no checkpoint yet, but for its settings, by which the folder stays known as a run's.
pub(crate) fn clear(folder: &Path) -> io::Result<()> {
    for entry in disk::read_dir(folder)? {
        let entry = entry?;
        let is_folder = entry.file_type()?.is_dir();
        match entry.file_name().to_str() {
            Some(files::TENSORBOARD) if is_folder => disk::remove_dir_all(entry.path())?,
            Some(name) if files::ALL.contains(&name) && name != files::CONFIG && !is_folder => disk::remove_file(entry.path())?,
            _ => {}
        }
    }
    Ok(())
}

/// A run's folder, open for writing: it observes the run.
pub(super) struct RunFolder<'c> {
    path: PathBuf,
    claim: &'c Claim,
    metrics: File,
    events: EventFile,
    /// Step of the last checkpoint that was written.
    kept_step: Option<u64>,
}

impl<'c> RunFolder<'c> {
    /// Begins a run, in a folder that holds none.
    pub(crate) fn create(path: &Path, claim: &'c Claim, config: &Config, device: &str, data: &Dataset) -> Result<Self, TrainError> {
        // Another process may have been here before the folder was claimed.
        admit(path, Start::New)?;
        let denied = denied(path);
        write_config(path, config, device, &data.corpus)?;
        vocabulary::save(&path.join(vocabulary::FILE), data, config.settings.model.tune_words)?;
        let tensorboard = path.join(files::TENSORBOARD);
        if disk::exists(&tensorboard) {
            // Of a run that came to no checkpoint.
            disk::remove_dir_all(&tensorboard).map_err(&denied)?;
        }
        let metrics = open_log(path, "")?;
        let events = EventFile::create(&tensorboard).map_err(&denied)?;
        Ok(Self { path: path.into(), claim, metrics, events, kept_step: None })
    }

    /// Goes on with a run: its log is cut back to the checkpoint, with `epochs` finished. Returns the losses of the steps
    /// before it too.
    pub(crate) fn resume(
        path: &Path,
        claim: &'c Claim,
        config: &Config,
        device: &str,
        data: &Dataset,
        saved: &SavedRun,
        epochs: u64,
    ) -> Result<(Self, Vec<f32>), TrainError> {
        let denied = denied(path);
        let step = saved.last.step;
        write_config(path, config, device, &data.corpus)?;
        let asked = config.execution.first_device();
        if let Some(best) = saved.best.as_ref().filter(|best| best.settings != config.settings || best.device != asked) {
            // A run that was made longer has the files of one that was started so.
            Checkpoint { settings: config.settings.clone(), device: asked.into(), ..best.clone() }.save(&path.join(files::BEST))?;
        }
        let (lines, losses) = lines_before(&read_log(path)?, step, epochs);
        let metrics = open_log(path, &lines)?;
        let events = EventFile::resume(&path.join(files::TENSORBOARD), step).map_err(&denied)?;
        Ok((Self { path: path.into(), claim, metrics, events, kept_step: Some(step) }, losses))
    }

    /// Whether the folder is there, and still the run's own.
    ///
    /// # Errors
    /// [`RunFault::Gone`], [`RunFault::Lost`]
    fn check(&self) -> Result<(), TrainError> {
        let fault = match self.claim.standing() {
            Standing::Holds => return Ok(()),
            Standing::Gone => RunFault::Gone,
            Standing::Lost => RunFault::Lost,
        };
        Err(TrainError::Run { path: self.path.clone(), fault })
    }

    /// Refuses a file that is ready where the folder was made anew since: there it would be half of a run.
    fn confirm(&self) -> io::Result<()> {
        self.check().map_err(io::Error::other)
    }

    /// A file for which there is no room, with what there is instead; or a folder that is gone.
    fn unwritten(&self, path: PathBuf, error: &io::Error) -> TrainError {
        let full = TrainError::Run { path, fault: RunFault::Full { reason: error.to_string(), kept: self.kept() } };
        self.check().err().unwrap_or(full)
    }

    fn full(&self, file: &str) -> impl Fn(io::Error) -> TrainError {
        let path = self.path.join(file);
        move |error| self.unwritten(path.clone(), &error)
    }

    /// A checkpoint's failure, with what there is instead.
    fn not_saved(&self, error: StoreError) -> TrainError {
        match error {
            StoreError::Write { path, source } => self.unwritten(path, &source),
            error => error.into(),
        }
    }

    fn line(&mut self, value: &Value) -> Result<(), TrainError> {
        // In one piece, so that no line is torn when the program is killed.
        self.metrics.write_all(format!("{value}\n").as_bytes()).map_err(self.full(files::METRICS))
    }

    fn scalars(&mut self, step: u64, values: &[(&str, f64)]) -> Result<(), TrainError> {
        self.events.scalars(step, values).map_err(self.full(files::TENSORBOARD))
    }

    /// Logs a step; how many parts it took only where they were several, the loss scale only in mixed precision, and that it was
    /// skipped only where it was.
    fn step(&mut self, event: Event<'_>) -> Result<(), TrainError> {
        let Event::Step { step, epoch, learning_rate, loss, utterances_per_s, parts, scaling, skipped } = event else { return Ok(()) };
        let mut value = json!({ "step": step, "epoch": epoch, "loss": loss, "lr": learning_rate, "utterances_per_s": utterances_per_s });
        if parts > 1 {
            value["parts"] = json!(parts);
        }
        if let Some(scaling) = scaling {
            value["loss_scale"] = json!(scaling.scale);
        }
        if skipped {
            value["skipped"] = json!(true);
        }
        self.line(&value)?;
        self.scalars(
            step,
            &[("step/loss", loss.into()), ("step/learning_rate", learning_rate), ("step/utterances_per_s", utterances_per_s)],
        )
    }

    /// Logs an epoch that ended after `steps` steps of the run.
    fn epoch(&mut self, epoch: u64, steps: u64, train: &Metrics, validation: Option<&Metrics>) -> Result<(), TrainError> {
        let brief = |metrics: &Metrics| {
            let Metrics { wa, ua, macro_f1, weighted_f1, loss, .. } = metrics;
            json!({ "wa": wa, "ua": ua, "macro_f1": macro_f1, "weighted_f1": weighted_f1, "loss": loss })
        };
        self.line(&json!({ "epoch": epoch, "train": brief(train), "validation": validation.map(brief) }))?;
        self.split("train", steps, train)?;
        validation.map_or(Ok(()), |validation| self.split("validation", steps, validation))
    }

    /// Figures of a split after `steps` steps. They stand at the last of them: a run that goes on makes TensorBoard forget
    /// what is at its first step and later.
    fn split(&mut self, name: &str, steps: u64, metrics: &Metrics) -> Result<(), TrainError> {
        let tags = ["loss", "wa", "ua", "macro_f1", "weighted_f1"].map(|figure| format!("{name}/{figure}"));
        let figures = [metrics.loss, metrics.wa, metrics.ua, metrics.macro_f1, metrics.weighted_f1];
        self.scalars(steps.saturating_sub(1), &tags.iter().map(String::as_str).zip(figures).collect::<Vec<_>>())
    }

    /// Writes the best model, where it is a new one, and then where the run stands.
    fn checkpoints(&mut self, best: Option<&Checkpoint>, last: &Checkpoint) -> Result<(), TrainError> {
        for (file, checkpoint) in best.map(|best| (files::BEST, best)).into_iter().chain([(files::LAST, last)]) {
            checkpoint.save_if(&self.path.join(file), || self.confirm()).map_err(|error| self.not_saved(error))?;
        }
        self.kept_step = Some(last.step);
        Ok(())
    }

    /// Writes the results on the test split.
    fn test(&mut self, steps: u64, test: &Evaluation) -> Result<(), TrainError> {
        let mut document = json!(test);
        document["format"] = json!(TEST_FORMAT.to_string());
        let text = json_text(&document) + "\n";
        let path = self.path.join(files::TEST);
        replace_file_if(&path, |file| file.write_all(text.as_bytes()), || self.confirm()).map_err(self.full(files::TEST))?;
        self.split("test", steps, &test.metrics)
    }
}

impl Observer for RunFolder<'_> {
    fn observe(&mut self, event: Event<'_>) -> Result<(), TrainError> {
        match event {
            Event::Step { .. } => self.step(event),
            Event::Epoch { epoch, steps, train, validation, .. } => self.epoch(epoch, steps, train, validation),
            Event::Checkpoint { best, last } => self.checkpoints(best, last),
            Event::Test { steps, test } => self.test(steps, test),
            Event::Taken { .. }
            | Event::Start { .. }
            | Event::OtherDevice { .. }
            | Event::WarmupUnfinished { .. }
            | Event::Split { .. }
            | Event::NotKept { .. }
            | Event::Skipped { .. }
            | Event::Plateau { .. }
            | Event::Fitting { .. }
            | Event::Fitted { .. }
            | Event::Stopped { .. } => Ok(()),
        }
    }

    fn keeps(&self) -> bool {
        true
    }

    fn kept(&self) -> Option<Remedy> {
        Some(Remedy::ResumeFrom { path: self.path.join(files::LAST), step: self.kept_step? })
    }
}

fn denied(path: &Path) -> impl Fn(io::Error) -> TrainError {
    move |error| TrainError::Run { path: path.into(), fault: RunFault::Denied { reason: error.to_string() } }
}

fn write_config(path: &Path, config: &Config, device: &str, corpus: &str) -> Result<(), TrainError> {
    let version = env!("CARGO_PKG_VERSION");
    let format = config::FORMAT;
    let text = format!("# mcsan {version} on {device}\n# corpus: {corpus}\nformat = \"{format}\"\n\n{}", config.to_toml());
    replace_file(&path.join(files::CONFIG), |file| file.write_all(text.as_bytes())).map_err(denied(path))
}

/// The log of a run; of one that has lost it, nothing.
fn read_log(path: &Path) -> Result<String, TrainError> {
    let path = path.join(files::METRICS);
    match input::text(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(TrainError::Run { path, fault: RunFault::Unreadable { reason: format!("cannot be read ({error})") } }),
        Ok(text) => Ok(text),
    }
}

/// Begins the log of a run with some lines and opens it for more.
fn open_log(path: &Path, lines: &str) -> Result<File, TrainError> {
    let log = path.join(files::METRICS);
    let opened = replace_file(&log, |file| file.write_all(lines.as_bytes())).and_then(|()| OpenOptions::new().append(true).open(&log));
    opened.map_err(denied(path))
}

/// Version of the program that wrote a run's `config.toml` last, and the device that it computed on.
pub(crate) fn computed_by(config: &str) -> Option<(&str, &str)> {
    let mut comments = config.lines().map_while(|line| line.strip_prefix("# "));
    comments.find_map(|line| line.strip_prefix("mcsan ")?.split_once(" on "))
}

/// The device that the run in a folder was computed on last, where there is a run that says so.
pub(crate) fn device_of(folder: &Path) -> Option<String> {
    let config = input::text(&folder.join(files::CONFIG)).ok()?;
    computed_by(&config).map(|(_, device)| device.to_owned())
}

/// The lines of a log that belong to steps before `step` and to the first `epochs` epochs, and the steps' losses.
fn lines_before(log: &str, step: u64, epochs: u64) -> (String, Vec<f32>) {
    let (mut lines, mut losses) = (String::new(), Vec::new());
    for line in log.lines() {
        // The last line may be torn.
        let Ok(value) = serde_json::from_str::<Value>(line) else { continue };
        let number = |key: &str| value.get(key).and_then(Value::as_u64);
        let stays = match (number("step"), number("epoch")) {
            (Some(of_step), _) => of_step < step,
            (None, Some(epoch)) => epoch < epochs,
            (None, None) => true,
        };
        if !stays {
            continue;
        }
        lines += line;
        lines.push('\n');
        if number("step").is_some() {
            losses.push(value.get("loss").and_then(Value::as_f64).unwrap_or(f64::NAN) as f32);
        }
    }
    (lines, losses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_cut_back_to_the_checkpoint_and_loses_a_torn_line() {
        let log = "{\"step\":0,\"epoch\":0,\"loss\":1.5}\n{\"step\":1,\"epoch\":0,\"loss\":1.25}\n{\"epoch\":0}\n\
                   {\"step\":2,\"epoch\":1,\"loss\":1.125}\n{\"epoch\":1}\n{\"step\":3,\"epo";
        let count = |step, epochs| lines_before(log, step, epochs);
        assert_eq!(count(2, 1), (log.lines().take(3).map(|line| format!("{line}\n")).collect(), vec![1.5, 1.25]));
        assert_eq!(count(3, 1).1, [1.5, 1.25, 1.125]);
        assert_eq!(count(9, 9).0.lines().count(), 5);
        assert_eq!(count(0, 0), (String::new(), Vec::new()));
    }
}
