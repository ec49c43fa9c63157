//! Cross-validation: a run for each fold, in `DIR/fold-1` to `DIR/fold-K`, by any number of processes.
//!
//! A fold is done when its `test.json` is there; a process trains the folds that are neither done nor another's, so a call
//! after an interruption goes on where that stopped, and several calls at once, on one machine or on several that share
//! the folder, divide the folds among themselves.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::ExperimentError;
use super::folds::{By, Folds};
use super::spec::{Identity, Spec, newer_file, settings_difference};
use crate::backend::Backend;
use crate::base::input;
use crate::base::remedy::Remedy;
use crate::config::Config;
use crate::dataset::Dataset;
use crate::report;
use crate::train::claim::{Claim, Taken};
use crate::train::metrics::is_confusion;
use crate::train::run::{Start, Training, files};
use crate::train::run_folder;
use crate::train::{Evaluation, Event, Metrics, TrainError, rehearse};

/// What a cross-validation tells while it goes on.
pub enum FoldEvent<'e> {
    /// A fold's training begins.
    Begin {
        /// Which, from 1.
        fold: usize,
        /// Utterances that it trains on.
        train: usize,
        /// Utterances that it validates on.
        validation: usize,
        /// Utterances that it tests.
        test: usize,
    },
    /// What the training of the fold tells.
    Run(Event<'e>),
    /// A fold is done, with its result on the test part.
    End {
        /// Which, from 1.
        fold: usize,
        /// Over the utterances that it tests.
        test: &'e Metrics,
    },
    /// A fold waits, see [`CrossValidation::until`].
    Waits {
        /// Which, from 1.
        fold: usize,
        /// Epochs that it has done.
        epochs: u64,
    },
    /// A fold was done before.
    Kept {
        /// Which, from 1.
        fold: usize,
    },
    /// Another process trains a fold.
    Elsewhere {
        /// Which, from 1.
        fold: usize,
    },
}

/// A cross-validation and its folder.
pub struct CrossValidation<'c> {
    /// The whole data set, of which each fold sees its parts as splits.
    pub data: &'c Dataset,
    /// What every fold is trained with.
    pub config: Config,
    /// Which utterances each fold tests.
    pub folds: &'c Folds,
    /// Holds `folds.json` and a folder for each fold.
    pub folder: PathBuf,
    /// As [`Training::stop`]: the fold that is under way goes on at the next call.
    pub stop: Option<&'c AtomicBool>,
    /// As [`Training::until`]: epochs after which a fold waits until a later call.
    pub until: Option<u64>,
}

impl<'c> CrossValidation<'c> {
    /// Takes a folder that is new or was begun with the same.
    ///
    /// # Errors
    /// [`ExperimentError::Folder`], naming what differs, there or in one of its folds.
    pub fn open(data: &'c Dataset, identity: &Identity, config: Config, folds: &'c Folds, folder: &Path) -> Result<Self, ExperimentError> {
        Spec::of(data, identity, &config.settings, folds).agree(folder)?;
        let opened = Self { data, config, folds, folder: folder.into(), stop: None, until: None };
        // A fold of something else is found before the others are trained.
        (1..=folds.count()).try_for_each(|fold| opened.result(fold).map(drop))?;
        Ok(opened)
    }

    /// Trains the folds that are neither done nor another process'; or fold `only`, unless it is done.
    ///
    /// # Errors
    /// [`ExperimentError::NoSuchFold`], [`ExperimentError::Busy`] where another process has fold `only`, a folder that
    /// holds a run of something else, or a failed training; finished folds are kept.
    pub async fn train<B: Backend>(
        &self,
        backend: &B,
        only: Option<usize>,
        observe: &mut dyn FnMut(FoldEvent<'_>),
    ) -> Result<(), ExperimentError> {
        let all = 1..=self.folds.count();
        check_fold(only, self.folds)?;
        for fold in all.filter(|&fold| only.is_none_or(|only| only == fold)) {
            let folder = self.folds.by.folder(&self.folder, fold);
            if self.result(fold)?.is_some() {
                observe(FoldEvent::Kept { fold });
                continue;
            }
            let claim = Claim::take(&folder).map_err(|source| ExperimentError::Write { path: folder.clone(), source })?;
            let claim = match claim {
                Taken::By(claim) => claim,
                Taken::Elsewhere(holder) if only.is_some() => return Err(ExperimentError::Busy { path: folder, holder }),
                Taken::Elsewhere(_) => {
                    observe(FoldEvent::Elsewhere { fold });
                    continue;
                }
            };
            // It may have been finished between the look and the claim.
            match self.result(fold)? {
                Some(_) => observe(FoldEvent::Kept { fold }),
                None if self.waits(&folder)? => observe(FoldEvent::Kept { fold }),
                None => self.train_fold(backend, fold, &folder, &claim, observe).await?,
            }
        }
        Ok(())
    }

    /// Whether the run in a folder has come to where it waits.
    fn waits(&self, folder: &Path) -> Result<bool, ExperimentError> {
        let Some(until) = self.until.filter(|_| folder.join(files::METRICS).exists()) else { return Ok(false) };
        Ok(report::validations(folder)?.len() as u64 >= until)
    }

    /// Rehearses the training of a fold (see [`rehearse`]); the others' batches are of about the same sizes.
    ///
    /// # Errors
    /// Those of the training.
    pub(crate) async fn rehearse<B: Backend>(&self, backend: &B) -> Result<(), TrainError> {
        rehearse(backend, &self.config.settings, &self.folds.dataset(self.data, 1)).await
    }

    /// Trains a fold, from where an interrupted run left a checkpoint, and writes its report. The one place that starts a run.
    async fn train_fold<B: Backend>(
        &self,
        backend: &B,
        fold: usize,
        folder: &Path,
        claim: &Claim,
        observe: &mut dyn FnMut(FoldEvent<'_>),
    ) -> Result<(), ExperimentError> {
        let failed = |source| match self.folds.by {
            By::Given => ExperimentError::Run { source },
            By::Random | By::Speaker | By::Session | By::EmoBox => ExperimentError::Train { fold, source },
        };
        run_folder::admit(folder, Start::Resume).map_err(failed)?;
        if !folder.join(files::LAST).exists() {
            run_folder::clear(folder).map_err(|source| ExperimentError::Write { path: folder.into(), source })?;
        }
        let data = self.folds.dataset(self.data, fold);
        let [_, validation, test] = crate::corpus::Split::ALL.map(|split| data.split(split).len());
        let train = data.training().len();
        observe(FoldEvent::Begin { fold, train, validation, test });
        let Config { settings, execution } = self.config.clone();
        let (start, stop, until) = (Start::Resume, self.stop, self.until);
        let training = Training { settings, execution, out: Some(folder.to_owned()), start, stop, until, ..Training::of(&data) };
        let finished = training.run_in(backend, Some(claim), &mut |event| observe(FoldEvent::Run(event))).await;
        let finished = match (finished, until) {
            (Err(TrainError::Stopped { .. }), Some(epochs)) if !stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) => {
                observe(FoldEvent::Waits { fold, epochs });
                return Ok(());
            }
            (finished, _) => finished.map_err(failed)?,
        };
        report::write_run(folder, Some(&data))?;
        if let Some(test) = &finished.test {
            observe(FoldEvent::End { fold, test: &test.metrics });
        }
        Ok(())
    }

    /// A fold's result, if it is done.
    ///
    /// # Errors
    /// [`ExperimentError::Folder`] where the run is of other settings or tests other utterances.
    pub fn result(&self, fold: usize) -> Result<Option<Evaluation>, ExperimentError> {
        let folder = self.folds.by.folder(&self.folder, fold);
        let path = folder.join(files::TEST);
        if !path.exists() {
            return Ok(None);
        }
        let broken = |path: &Path, problem: String| ExperimentError::Folder { path: path.into(), problem, remedy: Remedy::RemoveFold };
        let read = |path: &Path| input::text(path).map_err(|error| broken(path, format!("cannot be read ({error})")));

        let path_of_config = folder.join(files::CONFIG);
        let config = Config::from_toml(&read(&path_of_config)?).map_err(|fault| match fault.newer() {
            Some(newer) => newer_file(&path_of_config, newer),
            None => broken(&path_of_config, format!("cannot be read ({fault})")),
        })?;
        if let Some(difference) = settings_difference(&config.settings, &self.config.settings) {
            return Err(broken(&path_of_config, format!("is of a run with other settings: {difference}")));
        }
        let text = read(&path)?;
        run_folder::TEST_FORMAT.version_of_json(&text).map_err(|newer| newer_file(&path, &newer))?;
        let result: Evaluation = serde_json::from_str(&text).map_err(|error| broken(&path, format!("is no result of a run ({error})")))?;
        if !is_confusion(&result.metrics.confusion, result.metrics.classes.len()) {
            return Err(broken(&path, "its confusion matrix is not of its classes".into()));
        }
        let expected = self.folds.test(fold);
        let same = |(prediction, &utterance): (&crate::train::evaluate::Prediction, &usize)| {
            prediction.id == self.data.utterances[utterance].id && self.data.class_of(utterance) == Some(&prediction.label)
        };
        let classes: Vec<&str> = result.metrics.classes.iter().map(|class| class.name.as_str()).collect();
        if result.predictions.len() != expected.len() || !result.predictions.iter().zip(expected).all(same) || classes != self.data.classes
        {
            return Err(broken(&path, format!("tests other utterances than fold {fold} does")));
        }
        Ok(Some(result))
    }
}

/// Whether there is such a fold.
///
/// # Errors
/// [`ExperimentError::NoSuchFold`]
pub(crate) fn check_fold(fold: Option<usize>, folds: &Folds) -> Result<(), ExperimentError> {
    match fold {
        Some(fold) if !(1..=folds.count()).contains(&fold) => Err(ExperimentError::NoSuchFold { fold, folds: folds.count() }),
        _ => Ok(()),
    }
}
