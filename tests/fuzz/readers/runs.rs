//! What trainings and experiments leave, and what they begin with.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use mcsan::backend::Device;
use mcsan::backend::cpu::Cpu;
use mcsan::base::tiles::TileChoice;
use mcsan::config::{Config, Settings, TileFile};
use mcsan::dataset::{Dataset, DatasetError};
use mcsan::experiment::against;
use mcsan::experiment::crossval::CrossValidation;
use mcsan::experiment::folds::{By, Folds};
use mcsan::experiment::gather::Gathered;
use mcsan::experiment::spec::Identity;
use mcsan::experiment::sweep::{Sweep, Trial};
use mcsan::profile::{Change, ProfileReport, compare, roofline};
use mcsan::report::run_html;
use mcsan::train::packed::Packed;
use mcsan::train::run::Start;
use mcsan::train::{Checkpoint, Predictor, Session, Training, Weights};

use super::{At, said};

/// Settings of a network that computes in no time.
pub fn tiny() -> Settings {
    let mut settings = Settings::default();
    (settings.model.hidden, settings.model.heads, settings.model.feed_forward, settings.model.word_width) = (2, 1, 2, 2);
    (settings.train.epochs, settings.train.batch_size) = (1, 2);
    settings
}

pub(super) fn trained_on(at: At) -> Result<(), String> {
    let data = said(Dataset::load(&at.file))?;
    said(data.fingerprint())?;
    assert!((0..data.len()).all(|utterance| data.is_labelled(utterance) == data.class_of(utterance).is_some()));
    let training = Training { settings: tiny(), ..Training::of(&data) };
    let finished = said(pollster::block_on(training.run(&Device::Cpu(Cpu::default()))))?;
    assert!(finished.losses.iter().all(|loss| loss.is_finite()), "a training that ends has learned: {:?}", finished.losses);
    Ok(())
}

/// A shard beside a right one, by their index.
pub(super) fn shard(at: At) -> Result<(), String> {
    trained_on(At { file: at.folder.join("d.safetensors.index.json"), folder: at.folder })
}

pub(super) fn prediction(at: At) -> Result<(), String> {
    predicts(said(Predictor::load(&at.folder.join("run")))?)
}

/// A run that was packed, and goes on in a folder of its own.
pub(super) fn unpacked(at: At) -> Result<(), String> {
    let bytes = fs::read(&at.file).expect("the file is there");
    let packed = said(Packed::read(&at.file, &bytes))?;
    let copy = at.folder.join("unpacked");
    let _ = fs::remove_dir_all(&copy);
    said(packed.unpack(&copy))?;
    let data = said(Dataset::load(&at.folder.join("data.safetensors")))?;
    let training = Training { settings: tiny(), out: Some(copy), start: Start::Resume, ..Training::of(&data) };
    said(pollster::block_on(training.run(&Device::Cpu(Cpu::default())))).map(drop)
}

pub(super) fn predicts(predictor: Predictor) -> Result<(), String> {
    let samples: Vec<f32> = (0..1600).map(|place| (place as f32 * 0.1).sin()).collect();
    let predicted = pollster::block_on(predictor.predict(&Device::Cpu(Cpu::default()), &samples, "The sea is quiet."));
    let probabilities = said(predicted)?;
    assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-6, "probabilities sum to one: {probabilities:?}");
    Ok(())
}

pub(super) fn calibrated(at: At) -> Result<(), String> {
    let predictor = said(Predictor::load_calibrated(&at.folder.join("run")))?;
    let samples: Vec<f32> = (0..1600).map(|place| (place as f32 * 0.1).sin()).collect();
    let predicted = pollster::block_on(predictor.predict(&Device::Cpu(Cpu::default()), &samples, "The sea is quiet."));
    let sum: f64 = said(predicted)?.iter().sum();
    assert!((sum - 1.0).abs() < 1e-6, "probabilities sum to one at every temperature: {sum}");
    Ok(())
}

pub(super) fn machine(at: At) -> Result<(), String> {
    let checkpoint = said(Checkpoint::load(&at.file))?;
    if let Some(machine) = &checkpoint.machine {
        assert_eq!(machine.decide(&vec![0.5; machine.columns()]).len(), checkpoint.classes.len());
    }
    Ok(())
}

/// A run that goes on from its last checkpoint, in a copy of its folder.
pub(super) fn resumed(at: At) -> Result<(), String> {
    let (run, copy) = (at.folder.join("run"), at.folder.join("copy"));
    let _ = fs::remove_dir_all(&copy);
    fs::create_dir(&copy).expect("the folder can be written to");
    for file in ["config.toml", "metrics.jsonl", "vocabulary.safetensors", "best.safetensors", "last.safetensors"] {
        fs::copy(run.join(file), copy.join(file)).expect("the run is there");
    }
    let data = said(Dataset::load(&at.folder.join("data.safetensors")))?;
    let training = Training { settings: tiny(), out: Some(copy), start: Start::Resume, ..Training::of(&data) };
    said(pollster::block_on(training.run(&Device::Cpu(Cpu::default())))).map(drop)
}

/// A run in a folder that another process left long ago.
pub(super) fn claimed(at: At) -> Result<(), String> {
    let folder = at.folder.join("claimed");
    let bytes = fs::read(&at.file).expect("it was written");
    fs::remove_dir_all(&folder).and_then(|()| fs::create_dir(&folder)).expect("the folder can be written to");
    fs::write(&at.file, bytes).expect("the folder can be written to");
    let left = File::options().write(true).open(&at.file).expect("it was written");
    left.set_modified(SystemTime::now() - Duration::from_secs(3600)).expect("a file's time can be set");
    let data = said(Dataset::load(&at.folder.join("data.safetensors")))?;
    let training = Training { settings: tiny(), out: Some(folder), ..Training::of(&data) };
    said(pollster::block_on(training.run(&Device::Cpu(Cpu::default()))))?;
    assert!(!at.file.exists(), "what is taken over is removed");
    Ok(())
}

pub(super) fn weights(at: At) -> Result<(), String> {
    let data = said(Dataset::load(&at.folder.join("data.safetensors")))?;
    let cpu = Cpu::<f32>::default();
    said(Session::new(&cpu, &tiny(), &data, &data.training(), Weights::File(&at.file))).map(drop)
}

pub(super) fn settings(at: At) -> Result<(), String> {
    let config = said(Config::default().load(&at.file, &[]))?;
    fs::write(&at.file, config.to_toml()).expect("the folder can be written to");
    assert_eq!(Config::default().load(&at.file, &[]).expect("what is written is read"), config);
    Ok(())
}

pub(super) fn report(at: At) -> Result<(), String> {
    let data = said(Dataset::load(&at.folder.join("data.safetensors")))?;
    let page = said(run_html(&at.folder.join("run"), Some(&data)))?;
    assert!(!page.contains("<script") && !page.contains("<img"), "a report runs nothing and fetches nothing");
    is_drawn(&page);
    Ok(())
}

/// Everything in a picture has its place: an attribute that tells of numbers has them.
pub(super) fn is_drawn(page: &str) {
    let attributes = page.split("=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let is_number = |part: &str| !["NaN", "inf", "-inf"].contains(&part);
    for attribute in attributes {
        let is_whole = attribute.split([' ', ',', '(', ')', 'M', 'L', 'h', 'v', 'H', 'V', 'z']).all(is_number);
        assert!(is_whole, "what is drawn has a place: {attribute}");
    }
}

/// Three folds, the first of which is done.
pub(super) fn experiment(at: At) -> Result<(), String> {
    let data = said(Dataset::load(&at.folder.join("data.safetensors")))?;
    let identity = said(identity(&data))?;
    let folds = said(Folds::assign_count(&data, By::Random, 3, 0))?;
    let opened = said(CrossValidation::open(&data, &identity, Config::from(tiny()), &folds, &at.folder.join("cv")))?;
    said(Gathered::read(&opened)).map(drop)
}

/// A sweep of two trials over those folds, of which `of` is told.
pub fn with_sweep<T>(folder: &Path, data: &Dataset, of: impl FnOnce(&Sweep<'_>) -> T) -> T {
    let (identity, base) = (identity(data).expect("the data are read"), Config::from(tiny()));
    let folds = Folds::assign_count(data, By::Random, 3, 0).expect("nine can be divided by three");
    let key = mcsan::config::keys().find(|key| key.name == "train.lr").expect("there is one");
    let trial = |number: usize| Trial::of(number, vec![(key, (0.5 + number as f64).into())], base.clone());
    let trials = vec![trial(0).expect("a rate can be that"), trial(1).expect("a rate can be that")];
    let folder = folder.join("sw");
    of(&Sweep { data, identity: &identity, folds: &folds, folder: &folder, seeds: 1, trials, keys: vec![key], eta: None, base })
}

pub(super) fn swept(at: At) -> Result<(), String> {
    let data = said(Dataset::load(&at.folder.join("data.safetensors")))?;
    with_sweep(&at.folder, &data, |sweep| {
        said(sweep.agree())?;
        said(sweep.gather()).map(drop)
    })
}

/// A run against itself: nothing differs.
pub(super) fn compared(at: At) -> Result<(), String> {
    let run = at.folder.join("run");
    let comparison = said(against::compare(&run, &run, None))?;
    is_drawn(&comparison.page);
    Ok(())
}

/// A profile that is shown, drawn, and compared with itself.
pub(super) fn profile(at: At) -> Result<(), String> {
    let kept = said(ProfileReport::read(&at.file))?;
    is_drawn(&roofline(&kept));
    let lines = compare(&kept, &kept).iter().map(Change::line).count();
    assert!(lines > 0 && kept.terminal().lines().count() > lines, "there is a line a kernel, and some besides");
    Ok(())
}

pub(super) fn tiles(at: At) -> Result<(), String> {
    let file = TileFile::read(&at.file).ok_or("is none")?;
    for choice in file.tiles {
        assert_eq!(choice.to_string().parse::<TileChoice>().ok(), Some(choice), "a choice is read as it is written");
    }
    Ok(())
}

/// Which data set an experiment is of.
pub fn identity(data: &Dataset) -> Result<Identity, DatasetError> {
    Ok(Identity { corpus: data.corpus.clone(), utterances: data.len(), fingerprint: data.fingerprint()? })
}
