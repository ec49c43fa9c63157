//! `mcsan crossval`

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::arguments::Common;
use super::device::{self, Device, on_device};
use super::notes::{FoldName, Note};
use super::progress::Progress;
use super::settings::Training;
use super::{Done, Failure, interrupt, remedy};
use crate::config::effect::Purpose;
use crate::config::{Config, Settings, Tiles};
use crate::dataset::{About, Dataset, Doubles};
use crate::experiment::crossval::{CrossValidation, FoldEvent, check_fold};
use crate::experiment::folds::{By, Folds};
use crate::experiment::gather::Gathered;
use crate::experiment::spec::Identity;
use crate::experiment::table::Results;

/// Data, folds and settings of an experiment.
#[derive(Args)]
pub(crate) struct Experiment {
    #[arg(long, value_name = "DATA")]
    pub data: PathBuf,
    /// The experiment's folder; one that was begun with the same goes on
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// How many folds; 10 by random, every speaker or session one where not given
    #[arg(long, value_name = "K")]
    pub folds: Option<usize>,
    /// What stays together in a fold; train.seed decides which
    #[arg(long, value_name = "GROUP", default_value = "random")]
    pub by: By,
    /// Train only this fold, from 1, and sum up what is there: folds can be spread over processes and machines
    #[arg(long, value_name = "K")]
    pub fold: Option<usize>,
    #[command(flatten)]
    pub settings: Training,
}

#[derive(Args)]
#[command(after_help = "Example: mcsan crossval --data corpus.safetensors --out runs/folds --by speaker --epochs 15")]
pub(crate) struct Crossval {
    #[command(flatten)]
    pub experiment: Experiment,
}

/// What an experiment computes with.
pub(crate) struct Prepared {
    pub config: Config,
    pub data: Dataset,
    pub identity: Identity,
    pub folds: Folds,
}

impl Experiment {
    /// Reads settings and data and makes the folds; writes nothing.
    pub(crate) fn prepare(&self, common: &Common) -> Result<Prepared, Failure> {
        let config = self.settings.load(common, Config::default())?;
        let settings = &config.settings.train;
        let data = Dataset::load(&self.data)?;
        settings.check_class_weights(data.classes.len())?;
        let purpose = Purpose::Training { steps_an_epoch: None, folds: true, validation: true };
        common.note_settings(&config.settings, &Settings::default(), purpose, Some(&data));
        common.note_cut(&data, &(0..data.len()).collect::<Vec<_>>(), &config.settings);
        let folds = match self.folds {
            Some(count) => Folds::assign_count(&data, self.by, count, settings.seed),
            None => Folds::assign(&data, self.by, settings.seed),
        };
        let folds = folds
            .and_then(|folds| check_fold(self.fold, &folds).map(|()| folds))
            .map_err(|error| Failure::of(self.data.display(), error))?;
        note_doubles(common, &data, folds.doubles());
        Ok(Prepared { config, identity: Identity::of(&data)?, data, folds })
    }

    /// Trains the folds of some cross-validations, one after the other, and sums each up; each has the name of its row, if it is
    /// one's.
    pub(crate) fn train(
        &self,
        common: &Common,
        tiles: &Tiles,
        device: &Device,
        of: &mut [(String, CrossValidation<'_>)],
    ) -> Result<Vec<Option<Gathered>>, Failure> {
        eprintln!("training on {}", device.name());
        device.tune(common, tiles, async |gpu| {
            for (_, validation) in &*of {
                // What goes wrong here goes wrong again in earnest.
                let _ = validation.rehearse(gpu).await;
            }
        })?;
        let mut gathered = Vec::new();
        for (name, validation) in of {
            validation.stop = Some(interrupt::wish());
            let mut show = Show { common, row: name, folds: validation.folds.count(), progress: Progress::new(common) };
            let done =
                on_device!(*device, |backend| pollster::block_on(validation.train(backend, self.fold, &mut |event| show.event(event))));
            show.progress.finish();
            let results = Gathered::write(validation);
            // Where a fold fails, what the others say is written all the same.
            let of = if name.is_empty() { String::new() } else { format!("{name}: ") };
            done.map_err(|error| Failure(of + &remedy::line(&error)))?;
            gathered.push(results?);
        }
        Ok(gathered)
    }
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

/// Shows the events of a cross-validation.
struct Show<'n> {
    common: &'n Common,
    row: &'n str,
    folds: usize,
    progress: Progress<'n>,
}

impl Show<'_> {
    fn event(&mut self, event: FoldEvent<'_>) {
        let name = |fold| FoldName { row: self.row.to_owned(), fold, folds: self.folds };
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
    let Prepared { config, data, identity, folds } = experiment.prepare(common)?;
    let device = device::open(common, &config.execution.device)?;
    let validation = CrossValidation::open(&data, &identity, config.clone(), &folds, &experiment.out)?;
    let gathered = experiment.train(common, &config.execution.tiles, &device, &mut [(String::new(), validation)])?;
    let results = gathered.into_iter().flatten().next().map(|gathered| gathered.tables());
    report(common, results.as_ref())
}
