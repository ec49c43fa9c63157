//! `mcsan crossval`

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, value_parser};

use super::arguments::Common;
use super::data::Data;
use super::device::{self, Device, on_device};
use super::notes::{FoldName, Note};
use super::progress::Progress;
use super::settings::Training;
use super::{Done, Failure, interrupt, remedy, spread};
use crate::config::effect::Purpose;
use crate::config::{Config, ConfigError, Settings, Tiles};
use crate::corpus::Split;
use crate::dataset::{About, Dataset, Doubles};
use crate::experiment::ExperimentError;
use crate::experiment::crossval::{CrossValidation, FoldEvent, check_fold};
use crate::experiment::folds::{By, Folds};
use crate::experiment::gather::Gathered;
use crate::experiment::seeds::Seeded;
use crate::experiment::spec::Identity;
use crate::experiment::sweep::counted;
use crate::experiment::table::Results;
use crate::train::TrainError;

/// Data, folds and settings of an experiment.
#[derive(Args)]
pub(crate) struct Experiment {
    #[command(flatten)]
    pub data: Data,
    /// The experiment's folder; one that was begun with the same goes on
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// How many folds; 10 by random, every speaker or session one where not given
    #[arg(long, value_name = "K")]
    pub folds: Option<usize>,
    /// What stays together in a fold; train.seed decides which [default: random]
    #[arg(long, value_name = "GROUP")]
    pub by: Option<By>,
    /// Take the folds of EmoBox in this folder, of fold_1, fold_2 and so on, with its splits
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["folds", "by"])]
    pub emobox: Option<PathBuf>,
    /// Train only this fold, from 1, and sum up what is there: folds can be spread over processes and machines
    #[arg(long, value_name = "K")]
    pub fold: Option<usize>,
    /// Train on these devices at once, a process on each, which take folds and seeds from each other: all (adapters of hardware), or several
    /// like 0,1
    #[arg(long, value_name = "DEVICES", conflicts_with_all = ["fold", "device"])]
    pub devices: Option<String>,
    /// Train everything with so many seeds, train.seed and those that follow it
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u16).range(1..=1000))]
    pub seeds: u16,
    #[command(flatten)]
    pub settings: Training,
}

#[derive(Args)]
#[command(after_help = "Example: mcsan crossval --data corpus.safetensors --out runs/folds --by speaker --epochs 15")]
pub(crate) struct Crossval {
    #[command(flatten)]
    pub experiment: Experiment,
}

/// What an experiment divides.
pub(crate) struct Prepared {
    pub data: Dataset,
    pub identity: Identity,
    pub folds: Folds,
}

/// Which of an experiment's cross-validations.
#[derive(Default)]
pub(crate) struct Part {
    /// The row that it is of; empty where there is but one.
    pub row: String,
    /// Which seed, from 1, where there are several.
    pub seed: Option<usize>,
}

impl Part {
    pub(crate) fn fold(&self, fold: usize, folds: usize) -> FoldName {
        FoldName { row: self.row.clone(), seed: self.seed, fold, folds }
    }

    /// What a line of a failure begins with.
    pub(crate) fn prefix(&self) -> String {
        let name = self.fold(1, 1).to_string();
        if name.is_empty() { name } else { name + ": " }
    }
}

impl Experiment {
    /// The settings that were asked for.
    pub(crate) fn load(&self, common: &Common) -> Result<Config, TrainError> {
        self.settings.load(common, Config::default())
    }

    /// Reads the data and divides them for trainings with some settings, which have the seed in common; writes nothing.
    pub(crate) fn prepare(&self, common: &Common, settings: &[&Settings], by: By) -> Result<Prepared, Failure> {
        let data = self.data.load(common)?;
        let seed = settings.first().map_or(0, |settings| settings.train.seed);
        let validation = by != By::Given || !data.split(Split::Validation).is_empty();
        let purpose = Purpose::Training { steps_an_epoch: None, folds: by != By::Given, validation };
        check_data(common, &data, settings, &self.settings, purpose)?;
        let folds = match (&self.emobox, self.folds) {
            (Some(folder), _) => Folds::of_emobox(&data, folder, seed).map(|(folds, found)| (folds, Some(found))),
            (None, Some(count)) => Folds::assign_count(&data, by, count, seed).map(|folds| (folds, None)),
            (None, None) => Folds::assign(&data, by, seed).map(|folds| (folds, None)),
        };
        let folds = folds.and_then(|(folds, found)| check_fold(self.fold, &folds).map(|()| (folds, found)));
        let (folds, found) = folds.map_err(|error| match self.emobox {
            // Its files are named.
            Some(_) => Failure::from(error),
            None => Failure::of(self.data.name().display(), error),
        })?;
        found.into_iter().for_each(|found| common.note(Note::FoldsOfEmoBox(found)));
        match by {
            By::Given => common.note_conflicts(&data, folds.doubles(), &BTreeMap::new()),
            By::EmoBox => note_conflicts_of_folds(common, &data, &folds),
            By::Random | By::Speaker | By::Session => note_doubles(common, &data, folds.doubles()),
        }
        Ok(Prepared { identity: Identity::of(&data, by)?, data, folds })
    }

    /// What stays together where nobody says it.
    pub(crate) fn by(&self) -> By {
        if self.emobox.is_some() { By::EmoBox } else { self.by.unwrap_or(By::Random) }
    }
}

/// Checks data for trainings with some settings, and says what is to be known of them.
pub(crate) fn check_data(
    common: &Common,
    data: &Dataset,
    settings: &[&Settings],
    given: &Training,
    purpose: Purpose,
) -> Result<(), ConfigError> {
    settings.iter().try_for_each(|settings| settings.train.check_class_weights(data.classes.len()))?;
    let usual = settings.iter().map(|settings| Ok((*settings, given.usual(settings.model.system)?)));
    common.note_settings_of_all(&usual.collect::<Result<Vec<_>, ConfigError>>()?, purpose, Some(data));
    for settings in settings {
        common.note_own_vectors_read(data, settings);
        common.note_unlabelled(data, settings);
        if !common.notes.any(|note| matches!(note, Note::Cut { .. })) {
            common.note_cut(data, &(0..data.len()).collect::<Vec<_>>(), settings);
        }
    }
    Ok(())
}

/// Trains the folds of some cross-validations, or of each fold `only`, one after the other, and sums each up.
pub(crate) fn train(
    common: &Common,
    tiles: &Tiles,
    device: &Device,
    only: Option<usize>,
    of: &mut [(Part, CrossValidation<'_>)],
) -> Result<Vec<Option<Gathered>>, Failure> {
    eprintln!("training on {}", device.name());
    device.tune(common, tiles, async |gpu| {
        // Other seeds have the same products.
        for (_, validation) in of.iter().filter(|(part, _)| part.seed.is_none_or(|seed| seed == 1)) {
            // What goes wrong here goes wrong again in earnest.
            let _ = validation.rehearse(gpu).await;
        }
    })?;
    let mut gathered = Vec::new();
    for (part, validation) in of {
        let done = train_part(common, device, part, validation, only);
        let results = Gathered::write(validation);
        // Where a fold fails, what the others say is written all the same.
        done.map_err(|error| Failure(part.prefix() + &remedy::line(&error)))?;
        gathered.push(results?);
    }
    Ok(gathered)
}

/// Trains the folds of a cross-validation, or fold `only`, and shows how it goes on.
pub(crate) fn train_part(
    common: &Common,
    device: &Device,
    part: &Part,
    validation: &mut CrossValidation<'_>,
    only: Option<usize>,
) -> Result<(), ExperimentError> {
    validation.stop = Some(interrupt::wish());
    let mut show = Show { common, part, folds: validation.folds.count(), progress: Progress::new(common) };
    let done = on_device!(*device, |backend| pollster::block_on(validation.train(backend, only, &mut |event| show.event(event))));
    show.progress.finish();
    done
}

/// Trains a network with its seeds and sums up what there is of them; nothing where no run is done.
pub(crate) fn train_seeds(common: &Common, device: &Device, only: Option<usize>, seeded: &Seeded<'_>) -> Result<Option<Results>, Failure> {
    let has_several = seeded.seeds > 1;
    if has_several {
        seeded.check_folder()?;
    }
    let part = |seed| Part { row: String::new(), seed: Some(seed).filter(|_| has_several) };
    let mut parts: Vec<_> = seeded.open()?.into_iter().map(|(seed, validation)| (part(seed), validation)).collect();
    let trained = train(common, &seeded.config.execution.tiles, device, only, &mut parts);
    if has_several {
        let summary = seeded.gather();
        trained?;
        return Ok(summary?);
    }
    Ok(trained?.into_iter().flatten().next().map(|gathered| gathered.tables()))
}

/// Says which recordings have several utterances, and where these say different things. The data's own splits are not used.
fn note_doubles(common: &Common, data: &Dataset, doubles: &Doubles) {
    let recordings = doubles.recordings();
    if let Some(first) = recordings.first() {
        let example = first.iter().map(|&utterance| data.utterances[utterance].id.clone()).collect();
        common.note(Note::KeptTogether { recordings: recordings.len(), example });
    }
    let conflicts = doubles.conflicts(data, &BTreeMap::new());
    conflicts.into_iter().filter(|conflict| conflict.about == About::Labels).for_each(|conflict| common.note(Note::Conflict(conflict)));
}

/// Says where utterances of one recording have several labels, or several splits in the first fold in which some have.
fn note_conflicts_of_folds(common: &Common, data: &Dataset, folds: &Folds) {
    let conflicts = |fold| folds.doubles().conflicts(&folds.dataset(data, fold), &BTreeMap::new());
    let mut all: Vec<_> = (1..=folds.count()).flat_map(conflicts).collect();
    for about in [About::Splits, About::Labels] {
        if let Some(place) = all.iter().position(|conflict| conflict.about == about) {
            common.note(Note::Conflict(all.swap_remove(place)));
        }
    }
}

/// Shows the events of a cross-validation.
struct Show<'n> {
    common: &'n Common,
    part: &'n Part,
    folds: usize,
    progress: Progress<'n>,
}

impl Show<'_> {
    fn event(&mut self, event: FoldEvent<'_>) {
        let name = |fold| self.part.fold(fold, self.folds);
        match event {
            FoldEvent::Begin { fold, train, validation, test } => {
                eprintln!("{}: trains on {train}, validates on {validation}, tests on {test} utterances", name(fold));
                self.progress = Progress::new(self.common);
            }
            FoldEvent::Run(event) => self.progress.show(&event),
            FoldEvent::End { fold, test } => {
                self.progress.finish();
                eprintln!("{}: {}", name(fold), super::tables::accuracies(test));
            }
            FoldEvent::Waits { fold, epochs } => {
                self.progress.finish();
                eprintln!("{}: waits after {}", name(fold), counted(epochs, "epoch"));
            }
            // Others have told it.
            FoldEvent::Kept { .. } if self.common.is_spread.get() => {}
            FoldEvent::Kept { fold } => self.common.note(Note::DoneBefore(name(fold))),
            FoldEvent::Elsewhere { fold } => self.common.note(Note::TrainedElsewhere(name(fold))),
        }
    }
}

/// Shows what an experiment says, if it says anything yet.
pub(crate) fn report(common: &Common, results: Option<&Results>) -> Done {
    let nothing = "no fold is done yet; call again when the processes that train them have ended";
    let results = results.ok_or_else(|| Failure(nothing.into()))?;
    if common.json {
        common.print_json(results.document.clone());
    } else {
        let text = if std::io::stdout().is_terminal() { results.terminal() } else { results.markdown() };
        println!("{}", text.trim_end());
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn run(common: &Common, arguments: &Crossval) -> Done {
    let experiment = &arguments.experiment;
    let config = experiment.load(common)?;
    let Prepared { data, identity, folds } = experiment.prepare(common, &[&config.settings], experiment.by())?;
    let chosen = spread::train(common, experiment.devices.as_deref())?;
    let device = device::open(common, chosen.as_deref().unwrap_or(&config.execution.device))?;
    let (folder, seeds) = (experiment.out.clone(), experiment.seeds.into());
    let seeded = Seeded { data: &data, identity: &identity, folds: &folds, config, folder, seeds };
    let results = train_seeds(common, &device, experiment.fold, &seeded)?;
    report(common, results.as_ref())
}
