//! `mcsan train`

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use super::arguments::{Common, Train};
use super::device::{self, Device, on_device};
use super::progress::Progress;
use super::{Done, Failure, crossval, in_data, interrupt, ranks, tables};
use crate::base::remedy::Preparation;
use crate::config::effect::Purpose;
use crate::config::{Config, ConfigError, Devices, Settings};
use crate::corpus::Split;
use crate::dataset::{Dataset, Doubles};
use crate::experiment::folds::Folds;
use crate::experiment::seeds::Seeded;
use crate::experiment::spec::Identity;
use crate::report;
use crate::svm::Machine;
use crate::train::batches::epoch_length;
use crate::train::checkpoint::Checkpoint;
use crate::train::group::Group;
use crate::train::run::{Start, Training, files};
use crate::train::run_folder::device_of;
use crate::train::{TrainError, overfit, rehearse};

/// What a training begins with, but for its device.
pub(super) struct Ready {
    pub config: Config,
    pub data: Dataset,
    /// The device that a run which goes on was computed on.
    pub before: Option<String>,
}

pub(crate) fn run(common: &Common, arguments: &Train) -> Done {
    if let Some(processes) = ranks::launched(common)? {
        return run_process(common, arguments, &processes);
    }
    let mut ready = prepare(common, arguments)?;
    let several = match Devices::of(device::wanted(common, &ready.config.execution.device)) {
        Devices::One(_) => Vec::new(),
        Devices::All => ranks::all(common)?,
        Devices::Several(names) => names,
    };
    let device = match (&several[..], &ready.before) {
        ([first, ..], _) => device::open_named(common, first)?,
        ([], Some(before)) => device::open_again(common, &ready.config.execution.device, before)?,
        ([], None) => device::open(common, &ready.config.execution.device)?,
    };
    if several.len() > 1 {
        refuse_alone(arguments, several.len())?;
        ranks::divide(common, &mut ready.config, several.len())?;
        device.explain(common, ready.config.settings.train.precision);
        return ranks::run_threads(common, arguments, &ready, &device, &several);
    }
    common.note_unused(&["sum"], "one device adds in order");
    if arguments.seeds.is_none() {
        eprintln!("training on {}", device.name());
    }
    device.explain(common, ready.config.settings.train.precision);
    match (&arguments.out, arguments.seeds) {
        (Some(out), Some(seeds)) => {
            let Ready { config, data, .. } = ready;
            train_seeds(common, arguments, config, &data, &device, (out, seeds.into()))
        }
        (Some(out), None) => {
            tune(common, &ready, &device)?;
            train(common, arguments, &ready, &device, out, None)
        }
        (None, _) => overfit_one_batch(common, arguments, &ready.config.settings, &ready.data, &device),
    }
}

#[cfg(feature = "mpi")]
fn run_process(common: &Common, arguments: &Train, processes: &crate::train::group::mpi::Processes) -> Done {
    ranks::run_process(common, arguments, processes)
}

#[cfg(not(feature = "mpi"))]
fn run_process(_: &Common, _: &Train, _: &&'static dyn Group) -> Done {
    Ok(ExitCode::SUCCESS)
}

/// Refuses what is done on one device alone.
pub(super) fn refuse_alone(arguments: &Train, ranks: usize) -> Result<(), Failure> {
    let option = [("--seeds", arguments.seeds.is_some()), ("--overfit-one-batch", arguments.overfit_one_batch)];
    match option.iter().find(|(_, is_given)| *is_given) {
        Some((option, _)) => Err(Failure(format!("{option} is for one device, and {ranks} ranks would train; name one with --device"))),
        None => Ok(()),
    }
}

/// Reads settings and data, and says what is to be known of them.
pub(super) fn prepare(common: &Common, arguments: &Train) -> Result<Ready, Failure> {
    let config = config(common, arguments)?;
    let data = arguments.data.load_to_train(common, &config.settings)?;
    common.note_conflicts(&data, &Doubles::of(&data)?, &BTreeMap::new());
    if let (Some(own), false) = (arguments.out.as_ref().map(|out| out.join(files::CONFIG)), arguments.resume) {
        let is_input = |file: &Path| matches!((file.canonicalize(), own.canonicalize()), (Ok(file), Ok(own)) if file == own);
        if arguments.settings.file().is_some_and(is_input) {
            return Err(Failure(format!("{}: the run would write over its own input; choose another --out", own.display())));
        }
    }
    let before = arguments.out.as_deref().filter(|_| arguments.resume).and_then(device_of);
    note_settings(common, arguments, &config.settings, &data)?;
    common.note_cut(&data, &(0..data.len()).collect::<Vec<_>>(), &config.settings);
    common.note_own_vectors_read(&data, &config.settings);
    Ok(Ready { config, data, before })
}

/// Chooses the tiles of a run.
pub(super) fn tune(common: &Common, ready: &Ready, device: &Device) -> Result<(), Failure> {
    // What goes wrong in a rehearsal goes wrong again in earnest.
    device.tune(common, &ready.config.execution.tiles, async |gpu| drop(rehearse(gpu, &ready.config.settings, &ready.data).await))
}

/// Trains, by itself or as the first rank of a group.
pub(super) fn train(common: &Common, arguments: &Train, ready: &Ready, device: &Device, out: &Path, group: Option<&dyn Group>) -> Done {
    let Ready { config: Config { settings, execution }, data, .. } = ready;
    common.note_unlabelled(data, settings);
    let mut progress = Progress::new(common);
    let start = if arguments.resume { Start::Resume } else { Start::New };
    let (settings, execution, stop) = (settings.clone(), execution.clone(), Some(interrupt::wish()));
    let training = Training { settings, out: Some(out.to_owned()), start, execution, stop, group, ..Training::of(data) };
    let finished = on_device!(*device, |backend| pollster::block_on(training.run_on(backend, &mut |event| { progress.show(&event) })));
    progress.finish();
    let finished = finished.map_err(|error| match error {
        TrainError::Stopped { .. } => Failure::of(out.display(), error),
        error => in_data(&arguments.data.name())(error),
    })?;
    report::write_run(out, Some(data))?;
    if common.json {
        let mut document = json!({ "run": out, "best_epoch": finished.best.epoch, "steps": finished.losses.len() });
        if let Some(group) = group {
            document["ranks"] = json!(group.size());
        }
        if let Some(corpora) = finished.test.as_ref().map(|test| &test.corpora).filter(|corpora| !corpora.is_empty()) {
            document["corpora"] = json!(corpora);
        }
        document["test"] = json!(finished.test.map(|test| test.metrics));
        if let Some(machine) = &finished.best.machine {
            let Machine { c, weights, chosen, .. } = &**machine;
            document["svm"] = json!({ "c": c, "weights": weights, "columns": chosen, "support_vectors": machine.support_vectors() });
        }
        common.print_json(document);
    } else {
        println!("best epoch: {}; run folder: {}", finished.best.epoch, out.display());
        if let Some(test) = finished.test {
            let of_corpora = tables::corpora(&test.corpora);
            println!("test split\n{}\n{of_corpora}\n{}", tables::headline(&test.metrics), tables::details(&test.metrics));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Trains with several seeds in a folder, on the data's own splits.
fn train_seeds(common: &Common, arguments: &Train, config: Config, data: &Dataset, device: &Device, (out, seeds): (&Path, usize)) -> Done {
    common.note_unlabelled(data, &config.settings);
    config.settings.train.check_class_weights(data.classes.len())?;
    let refused = |error| Failure(format!("{}: {error}; {}, or use 'mcsan crossval'", arguments.data.name().display(), Preparation::Split));
    let folds = Folds::given(data, config.settings.train.seed).map_err(refused)?;
    let identity = Identity::of(data, folds.by)?;
    let seeded = Seeded { data, identity: &identity, folds: &folds, config, folder: out.to_owned(), seeds };
    let results = crossval::train_seeds(common, device, None, &seeded)?;
    crossval::report(common, results.as_ref())
}

/// Steps between the lines that tell how the check goes.
const TOLD_EVERY: u64 = 100;

fn overfit_one_batch(common: &Common, arguments: &Train, settings: &Settings, data: &Dataset, device: &Device) -> Done {
    let mut tell = |step: u64, loss: f32| {
        if step.is_multiple_of(TOLD_EVERY) {
            eprintln!("training on one batch: step {step}, loss {loss:.4}");
        }
    };
    let learned = on_device!(*device, |backend| pollster::block_on(overfit::one_batch(backend, settings, data, &mut tell)));
    let learned = learned.map_err(in_data(&arguments.data.name()))?;
    if common.json {
        common.print_json(json!({ "utterances": learned.utterances, "steps": learned.steps, "loss": learned.loss }));
    } else {
        println!("one batch of {} utterances is learned: loss {:.5} after {} steps", learned.utterances, learned.loss, learned.steps);
    }
    Ok(ExitCode::SUCCESS)
}

fn note_settings(common: &Common, arguments: &Train, settings: &Settings, data: &Dataset) -> Result<(), ConfigError> {
    let length = epoch_length(data, &data.training(), &settings.train);
    let steps_an_epoch = Some(settings.train.steps_an_epoch(length)).filter(|&steps| steps > 0);
    let validation = !data.split(Split::Validation).is_empty();
    let run = Purpose::Training { steps_an_epoch, folds: false, validation };
    let purpose = if arguments.overfit_one_batch { Purpose::OneBatch } else { run };
    let usual = arguments.settings.usual(settings.model.system)?;
    common.note_settings(settings, &usual, purpose, Some(data));
    Ok(())
}

fn config(common: &Common, arguments: &Train) -> Result<Config, TrainError> {
    // A run that goes on has its own settings; what is given besides is compared with them.
    let own = |file: &str| arguments.out.as_ref().map(|out| out.join(file)).filter(|path| arguments.resume && path.exists());
    let own = match (own(files::CONFIG), own(files::LAST)) {
        (Some(settings), _) => Config::default().load(&settings, &[])?,
        // Who has lost the file, or has removed it, has them in the checkpoint too.
        (None, Some(last)) => Checkpoint::load(&last)?.config(),
        (None, None) => return arguments.settings.load(common, Config::default()),
    };
    Ok(arguments.settings.load_own(common, own)?)
}
