//! How far the trials of a sweep are, and what they reached there: a function of their runs' files alone, so that every process that
//! works in the folder finds the same.

use super::halving::{self, Rung};
use super::{Failed, Sweep, Trial};
use crate::config::Selection;
use crate::experiment::ExperimentError;
use crate::report::{Scores, validations};
use crate::train::run::files;

/// What has become of a trial.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum State {
    /// Runs of it are to be trained: which, by seed and fold from 1.
    Underway(Vec<(usize, usize)>),
    /// It has come to the end of its rung, and waits for the others.
    Waits,
    /// Others were better at its rung.
    LeftBehind,
    /// It was trained to its end.
    Done,
    /// It cannot be trained.
    Failed(Failed),
}

/// Where a trial is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reached {
    /// Its last rung, from 0.
    pub rung: usize,
    /// Epochs of its longest run that count there.
    pub epochs: u64,
    /// Of each run that has come to the end of the rung: seed, fold, the best validation figure until then, larger being better.
    pub figures: Vec<(usize, usize, f64)>,
    pub state: State,
}

impl Reached {
    /// The mean over all runs, once all have come so far.
    pub(crate) fn mean(&self) -> Option<f64> {
        let is_whole = !matches!(self.state, State::Underway(_) | State::Failed(_)) && !self.figures.is_empty();
        is_whole.then(|| self.figures.iter().map(|(.., figure)| figure).sum::<f64>() / self.figures.len() as f64)
    }
}

/// Where all trials are.
pub(crate) struct Standing {
    pub rungs: Vec<Rung>,
    /// The rung that trials are trained to, from 0.
    pub rung: usize,
    /// By number.
    pub trials: Vec<Reached>,
}

impl Standing {
    /// Epochs after which the runs of the rung wait; none where they end.
    pub(crate) fn until(&self) -> Option<u64> {
        until(&self.rungs, self.rung)
    }

    /// Whether nothing is left to be trained.
    pub(crate) fn is_over(&self) -> bool {
        self.trials.iter().all(|trial| !matches!(trial.state, State::Underway(_) | State::Waits))
    }

    /// The trials from the best to the worst: those that came farther first, then by their figure, the first of equals; then those
    /// without one.
    pub(crate) fn ranked(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.trials.len()).collect();
        let key = |trial: usize| {
            let reached = &self.trials[trial];
            let mean = reached.mean();
            (mean.is_some(), if mean.is_some() { reached.rung } else { 0 }, mean.unwrap_or(f64::NEG_INFINITY))
        };
        order.sort_by(|&a, &b| {
            let ((some_a, rung_a, mean_a), (some_b, rung_b, mean_b)) = (key(a), key(b));
            some_b.cmp(&some_a).then(rung_b.cmp(&rung_a)).then(mean_b.total_cmp(&mean_a)).then(a.cmp(&b))
        });
        order
    }

    /// The best trial of those that were trained to their end.
    pub(crate) fn best(&self) -> Option<usize> {
        self.ranked().into_iter().find(|&trial| self.trials[trial].state == State::Done)
    }
}

fn until(rungs: &[Rung], rung: usize) -> Option<u64> {
    rungs.get(rung).filter(|_| rung + 1 < rungs.len()).map(|rung| rung.epochs)
}

impl Sweep<'_> {
    /// Where all trials are.
    ///
    /// # Errors
    /// A run's file that cannot be read.
    pub(crate) fn standing(&self) -> Result<Standing, ExperimentError> {
        let rungs = self.rungs()?;
        let mut trials: Vec<Option<Reached>> = vec![None; self.trials.len()];
        let mut going: Vec<usize> = (0..self.trials.len()).collect();
        let mut rung = 0;
        loop {
            for &trial in &going {
                trials[trial] = Some(self.reached(&self.trials[trial], rung, until(&rungs, rung))?);
            }
            let at = |trial: usize| trials[trial].as_ref();
            let is_underway = going.iter().any(|&trial| matches!(at(trial), Some(Reached { state: State::Underway(_), .. })));
            if is_underway || rung + 1 == rungs.len() {
                break;
            }
            let figures: Vec<_> = going.iter().map(|&trial| (trial, at(trial).and_then(Reached::mean))).collect();
            let survivors = halving::survivors(&figures, rungs[rung + 1].trials);
            for &trial in going.iter().filter(|trial| !survivors.contains(trial)) {
                if let Some(Reached { state: state @ State::Waits, .. }) = &mut trials[trial] {
                    *state = State::LeftBehind;
                }
            }
            if survivors.is_empty() {
                break;
            }
            (going, rung) = (survivors, rung + 1);
        }
        Ok(Standing { rungs, rung, trials: trials.into_iter().flatten().collect() })
    }

    /// Where a trial is at a rung, whose runs wait after so many epochs, or end.
    fn reached(&self, trial: &Trial, rung: usize, until: Option<u64>) -> Result<Reached, ExperimentError> {
        let selection = self.selection();
        let seeded = self.seeded(trial);
        let (mut figures, mut left, mut epochs) = (Vec::new(), Vec::new(), 0);
        for seed in 1..=self.seeds {
            for fold in 1..=self.folds.count() {
                let folder = seeded.run(seed, fold);
                let mut scores = if folder.join(files::METRICS).exists() { validations(&folder)? } else { Vec::new() };
                scores.truncate(until.map_or(usize::MAX, |until| until as usize));
                let is_there = folder.join(files::TEST).exists() || until.is_some_and(|until| scores.len() as u64 >= until);
                if !is_there {
                    left.push((seed, fold));
                    continue;
                }
                epochs = epochs.max(scores.len() as u64);
                let best = scores.iter().map(|scores| figure(scores, selection)).filter(|figure| !figure.is_nan()).reduce(f64::max);
                figures.extend(best.map(|best| (seed, fold, best)));
            }
        }
        let state = match self.failed(trial)? {
            Some(failed) => State::Failed(failed),
            None if !left.is_empty() => State::Underway(left),
            None if until.is_some() => State::Waits,
            None => State::Done,
        };
        Ok(Reached { rung, epochs, figures, state })
    }
}

/// What makes an epoch the best one, larger being better.
fn figure(scores: &Scores, selection: Selection) -> f64 {
    match selection {
        Selection::Ua => scores.ua,
        Selection::Wa => scores.wa,
        Selection::MacroF1 => scores.macro_f1,
        Selection::WeightedF1 => scores.weighted_f1,
        Selection::Loss => -scores.loss,
    }
}
