//! `mcsan sweep`

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::Args;

use super::arguments::Common;
use super::compare::Division;
use super::crossval::{self, Experiment, Part, Prepared, report};
use super::device::{self, Device, on_device};
use super::effect::no_effect;
use super::notes::Note;
use super::{Done, Failure, interrupt, remedy, spread};
use crate::backend::Storage;
use crate::config::{Config, Schedule, Settings};
use crate::corpus::Split;
use crate::experiment::ExperimentError;
use crate::experiment::crossval::CrossValidation;
use crate::experiment::folds::By;
use crate::experiment::gather::Gathered;
use crate::experiment::seeds::check_seeds;
use crate::experiment::sweep::{Failed, Point, Space, State, Summary, Sweep, SweepError, Trial, counted};

/// Seconds between two looks at what other processes train.
const LOOK: u64 = 2;

#[derive(Args)]
#[command(
    after_help = "Example: mcsan sweep --data corpus.safetensors --out runs/sweep --grid train.lr=1e-3,3e-4 --grid model.hidden=64,128\n\
                  Example: mcsan sweep --data corpus.safetensors --out runs/sweep --grid train.lr=1e-4..1e-2:log --random 27 --halving"
)]
pub(crate) struct Sweeping {
    #[command(flatten)]
    pub experiment: Experiment,
    /// A setting and its values, KEY=VALUE,VALUE,… or, with --random, a range KEY=FROM..TO, with :log behind it evenly by its
    /// logarithm; may be given many times
    #[arg(long, value_name = "KEY=VALUES", required = true)]
    pub grid: Vec<String>,
    /// Draw so many combinations of the values at random, by train.seed, in place of trying all
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub random: Option<u16>,
    /// Train all for a few epochs, the best one in N of them for N times as many, and so on to train.epochs [default: 3]
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "3",
          value_parser = clap::value_parser!(u16).range(2..=100))]
    pub halving: Option<u16>,
    /// What to train on and to validate on [default: given; folds with --folds, --by or --emobox]
    #[arg(long, value_name = "SOURCE")]
    pub split: Option<Division>,
}

impl Sweeping {
    /// # Errors
    /// Wrong usage: folds where there are none, or one of them.
    pub(crate) fn check_usage(&self) -> Result<(), clap::Error> {
        let Experiment { data, folds, by, emobox, fold, .. } = &self.experiment;
        data.check_usage()?;
        if fold.is_some() {
            return Err(no_effect("--fold is not needed: calls in one folder divide the runs among themselves; leave it out"));
        }
        let typed = [("--folds", folds.is_some()), ("--by", by.is_some()), ("--emobox", emobox.is_some())];
        match typed.iter().find(|(_, is_typed)| *is_typed && self.split == Some(Division::Given)) {
            Some((option, _)) => Err(no_effect(format!("{option} divides into folds, and --split given has none; leave one of them out"))),
            None => Ok(()),
        }
    }

    fn by(&self) -> By {
        let Experiment { folds, by, emobox, .. } = &self.experiment;
        match self.split {
            Some(Division::Given) => By::Given,
            None if folds.is_none() && by.is_none() && emobox.is_none() => By::Given,
            Some(Division::Folds) | None => self.experiment.by(),
        }
    }

    /// The trial of a point: its own system's defaults or recipe, what was given for all, and over them the point.
    fn trial(&self, common: &Common, base: &Config, (number, point): (usize, Point)) -> Result<Trial, Failure> {
        // Which system decides the recipe.
        let system = Trial::of(number, point.clone(), base.clone())?.config.settings.model.system;
        Ok(Trial::of(number, point, self.experiment.settings.load_system(common, system)?)?)
    }

    /// # Errors
    /// A setting that is swept and set for all besides.
    fn check_unset(&self, base: &Config, space: &Space) -> Result<(), Failure> {
        let usual = Config::from(self.experiment.settings.usual(base.settings.model.system)?);
        match space.keys().find(|key| base.value(key) != usual.value(key)) {
            Some(key) => Err(SweepError::Fixed { key: key.name, value: base.value(key) }.into()),
            None => Ok(()),
        }
    }
}

pub(crate) fn run(common: &Common, arguments: &Sweeping) -> Done {
    let (experiment, by) = (&arguments.experiment, arguments.by());
    let space = Space::read(&arguments.grid, arguments.halving.is_some())?;
    let base = experiment.load(common)?;
    arguments.check_unset(&base, &space)?;
    check_seeds(&base, experiment.seeds.into())?;
    let points = match arguments.random {
        Some(count) => space.draw(count.into(), base.settings.train.seed)?,
        None => space.grid()?,
    };
    let trials = points.into_iter().enumerate().map(|point| arguments.trial(common, &base, point)).collect::<Result<Vec<_>, _>>()?;
    let settings: Vec<&Settings> = trials.iter().map(|trial| &trial.config.settings).collect();
    let Prepared { data, identity, folds } = experiment.prepare(common, &settings, by)?;
    let has_cosine = settings.iter().any(|settings| settings.train.schedule == Schedule::Cosine);
    let in_data = |error| Failure::of(experiment.data.name().display(), error);
    if by == By::Given && data.split(Split::Validation).is_empty() {
        return Err(in_data(ExperimentError::EmptySplit { split: Split::Validation }));
    }
    trials.iter().try_for_each(|trial| trial.check_streams(&data)).map_err(|error| Failure::of(experiment.data.name().display(), error))?;
    let (keys, eta) = (space.keys().collect(), arguments.halving.map(usize::from));
    let (folder, seeds) = (experiment.out.as_path(), experiment.seeds.into());
    let sweep = Sweep { data: &data, identity: &identity, folds: &folds, folder, seeds, trials, keys, eta, base };
    sweep.rungs()?;
    let chosen = spread::train(common, experiment.devices.as_deref())?;
    let device = device::open(common, chosen.as_deref().unwrap_or(&sweep.base.execution.device))?;
    sweep.agree()?;
    if has_cosine && sweep.eta.is_some() {
        common.note(Note::HalvedCosine);
    }
    let trained = train(common, &device, &sweep);
    let summary = sweep.gather();
    trained?;
    let Summary { results, best, is_over } = summary?;
    let done = report(common, Some(&results))?;
    match best {
        Some(name) if is_over && !common.json => println!("\nbest settings, of {name}: {}", folder.join("best.toml").display()),
        None if is_over => {
            return Err(Failure(format!("{}: no trial came to its end; its table says why, so sweep other values", folder.display())));
        }
        _ => {}
    }
    Ok(done)
}

/// Trains what is to be trained, rung by rung.
fn train(common: &Common, device: &Device, sweep: &Sweep<'_>) -> Result<(), Failure> {
    eprintln!("training on {}", device.name());
    let mut opened = Vec::new();
    for trial in &sweep.trials {
        opened.push(sweep.seeded(trial).open()?);
    }
    device.tune(common, &sweep.base.execution.tiles, async |gpu| {
        for (_, validation) in opened.iter().filter_map(|seeds| seeds.first()) {
            // What goes wrong here goes wrong again in earnest.
            let _ = validation.rehearse(gpu).await;
        }
    })?;
    let (mut told, mut elsewhere) = (None, BTreeSet::new());
    loop {
        let standing = sweep.standing()?;
        let until = standing.until();
        if told != Some(standing.rung) {
            told = Some(standing.rung);
            if sweep.eta.is_some() {
                let (rung, of) = (standing.rungs[standing.rung], standing.rungs.len());
                let (trials, epochs) = (counted(rung.trials as u64, "trial"), counted(rung.epochs, "epoch"));
                eprintln!("rung {} of {of}: at most {trials} to {epochs}", standing.rung + 1);
            }
        }
        let mut left_to_others = false;
        for (number, reached) in standing.trials.iter().enumerate() {
            let State::Underway(left) = &reached.state else { continue };
            let trial = &sweep.trials[number];
            for &(seed, fold) in left {
                let Some((_, validation)) = opened[number].get_mut(seed - 1) else { continue };
                validation.until = until;
                match train_run(common, device, sweep, (trial, seed, fold), validation)? {
                    Trained::Here => {}
                    Trained::Elsewhere => {
                        if elsewhere.insert((standing.rung, number, seed, fold)) {
                            common.note(Note::TrainedElsewhere(part(sweep, trial, seed).fold(fold, sweep.folds.count())));
                        }
                        left_to_others = true;
                    }
                    Trained::Failed => break,
                }
            }
        }
        let after = sweep.standing()?;
        // Which trials go on is known once others have trained theirs; without halving theirs decide nothing here.
        if after.is_over() || left_to_others && sweep.eta.is_none() {
            return Ok(());
        }
        if left_to_others && after.rung == standing.rung {
            if interrupt::wish().load(Ordering::Relaxed) {
                return Err(Failure("stopped while other processes train; call the same again".into()));
            }
            std::thread::sleep(Duration::from_secs(LOOK));
        }
    }
}

fn part(sweep: &Sweep<'_>, trial: &Trial, seed: usize) -> Part {
    Part { row: trial.name.clone(), seed: Some(seed).filter(|_| sweep.seeds > 1) }
}

/// What became of a run.
enum Trained {
    Here,
    Elsewhere,
    Failed,
}

fn train_run(
    common: &Common,
    device: &Device,
    sweep: &Sweep<'_>,
    (trial, seed, fold): (&Trial, usize, usize),
    validation: &mut CrossValidation<'_>,
) -> Result<Trained, Failure> {
    let part = part(sweep, trial, seed);
    let done = crossval::train_part(common, device, &part, validation, Some(fold));
    match done {
        Ok(()) => {
            Gathered::write(validation)?;
            Ok(Trained::Here)
        }
        Err(ExperimentError::Busy { .. }) => Ok(Trained::Elsewhere),
        Err(ExperimentError::Train { source, .. } | ExperimentError::Run { source }) if source.is_of_settings() => {
            let failed = Failed { seed, fold, error: source.to_string() };
            sweep.fail(trial, &failed)?;
            common.note(Note::TrialFailed { trial: trial.name.clone(), settings: trial.assignments(), error: failed.error });
            on_device!(*device, |backend| pollster::block_on(backend.recover()));
            Ok(Trained::Failed)
        }
        Err(error) => Err(Failure(part.prefix() + &remedy::line(&error))),
    }
}
