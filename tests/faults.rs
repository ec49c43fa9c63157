//! A device that fails during a training: at every buffer that it makes, every submission and every copy to the host.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use mcsan::backend::Storage;
use mcsan::backend::gpu::{Checking, Counters, Gpu, InjectedFault};
use mcsan::base::remedy::{Remedied, Remedy};
use mcsan::config::{Config, Settings};
use mcsan::corpus::manifest;
use mcsan::dataset::store::Store;
use mcsan::dataset::{BatchShape, Dataset};
use mcsan::prepare::prepare_held;
use mcsan::text::TextTable;
use mcsan::train::group::threads::{Meeting, Member};
use mcsan::train::group::{Group, GroupError, Message};
use mcsan::train::run::{Finished, Start};
use mcsan::train::{Checkpoint, Event, TrainError, Training};

use crate::cli::corpus::corpus;
use crate::common::adapters;
use crate::program::default_adapter;

/// Relative difference of losses at which two runs are the same to rounding, over few steps.
const ROUNDING: f32 = 1e-5;

/// What is trained on what.
struct Course {
    data: Dataset,
    settings: Settings,
}

/// Two epochs of three steps with a checkpoint after each, and all that has a state of its own.
fn small() -> Course {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/small.dataset.safetensors");
    Course { data: Dataset::load(&path).unwrap(), settings: settings("full") }
}

fn settings(variant: &str) -> Settings {
    let assignments = [
        "model.hidden=8",
        "model.heads=2",
        "model.feed_forward=8",
        "model.dropout=0.2",
        "train.epochs=2",
        "train.batch_size=3",
        "train.clip_norm=0.5",
        "train.checkpoint_every=1",
    ];
    let variant = format!("model.variant={variant}");
    Config::default().assign(&assignments.map(String::from)).and_then(|config| config.assign(&[variant])).unwrap().settings
}

/// What a training told of a device without room.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Told {
    /// Batches are computed in parts.
    split: bool,
    /// Batches bring their features.
    not_kept: bool,
}

/// A training in a folder, and what it told.
fn train(course: &Course, gpu: &Gpu, folder: &Path, start: Start) -> (Result<Finished, TrainError>, Told) {
    let settings = course.settings.clone();
    let training = Training { settings, out: Some(folder.into()), start, ..Training::of(&course.data) };
    let mut told = Told::default();
    let mut observe = |event: Event<'_>| match event {
        Event::Split { .. } => told.split = true,
        Event::NotKept { .. } => told.not_kept = true,
        _ => {}
    };
    let outcome = pollster::block_on(training.run_on(gpu, &mut observe));
    (outcome, told)
}

/// The files of a run that do not depend on the clock, by their names.
fn results(folder: &Path) -> BTreeMap<&'static str, Vec<u8>> {
    ["best.safetensors", "last.safetensors"].map(|name| (name, fs::read(folder.join(name)).unwrap())).into()
}

/// How often a fault can strike in a training, by the device's counters.
fn occasions(course: &Course, gpu: &Gpu, fault: InjectedFault, folder: &Path) -> u64 {
    pollster::block_on(gpu.recover());
    let before = gpu.counters();
    train(course, gpu, folder, Start::New).0.unwrap();
    let after = gpu.counters();
    match fault {
        InjectedFault::OutOfMemory => after.allocations - before.allocations,
        InjectedFault::Refused | InjectedFault::Lost => after.submissions - before.submissions,
        InjectedFault::Unreadable => after.readbacks - before.readbacks,
    }
}

/// What became of runs that a fault struck.
#[derive(Default, Debug)]
struct Fates {
    went_on_in_parts: usize,
    /// Had no room for the features on the device, and went on with those of a batch at a time.
    went_on_uploading: usize,
    /// Ended in a line, and were gone on with from a checkpoint.
    resumed: usize,
    /// Ended in a line before there was a checkpoint, and were begun again.
    begun_again: usize,
}

/// Requires that a run which a fault struck went on by itself, or said what there is and ends as `expected` once it goes on.
fn mend(course: &Course, fates: &mut Fates, struck: (Result<Finished, TrainError>, Told), healthy: &Gpu, run: &Path, expected: &Expected) {
    let error = match struck {
        (Ok(finished), told) => {
            let apart = finished.losses.iter().zip(&expected.losses).map(|(a, b)| ((a - b) / b).abs()).fold(0.0, f32::max);
            assert!(finished.losses.len() == expected.losses.len() && apart < ROUNDING, "{:?}", finished.losses);
            if told.split {
                fates.went_on_in_parts += 1;
            } else {
                assert!(told.not_kept, "a run that does not keep the features says so");
                assert!(finished.losses == expected.losses && results(run) == expected.files, "{:?}", finished.losses);
                fates.went_on_uploading += 1;
            }
            return;
        }
        (Err(error), _) => error,
    };
    let checkpoint = run.join("last.safetensors");
    let kept = error.remedies().into_iter().find_map(|remedy| match remedy {
        Remedy::ResumeFrom { path, step } => Some((path, step)),
        _ => None,
    });
    if checkpoint.exists() {
        let step = Store::open(&checkpoint).unwrap().metadata("step").unwrap().parse().unwrap();
        assert_eq!(kept, Some((checkpoint, step)), "{error}");
        fates.resumed += 1;
    } else {
        assert_eq!(kept, None, "{error}");
        fates.begun_again += 1;
    }
    train(course, healthy, run, Start::Resume).0.unwrap_or_else(|next| panic!("after '{error}': {next}"));
    assert!(results(run) == expected.files, "after '{error}' the run ended otherwise");
}

/// What a run that was left alone came to.
struct Expected {
    losses: Vec<f32>,
    files: BTreeMap<&'static str, Vec<u8>>,
}

impl Expected {
    fn of(course: &Course, gpu: &Gpu, folder: &Path) -> Self {
        let losses = train(course, gpu, folder, Start::New).0.unwrap().losses;
        Self { losses, files: results(folder) }
    }
}

/// The first adapter, opened anew.
fn gpu(test: &str) -> Option<Gpu> {
    let adapter = default_adapter(test).and_then(|_| adapters().into_iter().next())?;
    Some(pollster::block_on(Gpu::open(&adapter, Checking::Off)).unwrap())
}

#[test]
fn a_run_whose_device_fails_at_any_buffer_submission_or_copy_goes_on_or_ends_in_a_line_and_loses_nothing() {
    let Some(gpu) = gpu("injected faults") else { return };
    let course = small();
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let expected = Expected::of(&course, &gpu, &folder.path().join("alone"));
    for fault in [InjectedFault::OutOfMemory, InjectedFault::Refused, InjectedFault::Unreadable] {
        let count = occasions(&course, &gpu, fault, &folder.path().join(format!("{fault:?}")));
        let mut fates = Fates::default();
        for after in 0..count {
            let _ = fs::remove_dir_all(&run);
            pollster::block_on(gpu.recover());
            gpu.inject(fault, after);
            let struck = train(&course, &gpu, &run, Start::New);
            pollster::block_on(gpu.recover());
            mend(&course, &mut fates, struck, &gpu, &run, &expected);
        }
        println!("{fault:?}: {count} injected, {fates:?}");
        assert!(count > 10);
    }
}

/// Where the device keeps no features that it could give up, a batch without room is computed in parts.
#[test]
fn a_run_whose_device_has_no_memory_for_a_batch_of_its_own_features_goes_on_in_parts() {
    let Some(mut gpu) = gpu("injected faults of a device that keeps nothing") else { return };
    let (batch, frames) = (9, 90);
    let course = Course { data: BatchShape { batch, frames, words: 5, ragged: false }.dataset(), settings: settings("no_text") };
    // A number too few for the 40 coefficients of all frames.
    gpu.restrict_buffers((4 * 40 * batch * frames - 4) as u64);
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let expected = Expected::of(&course, &gpu, &folder.path().join("alone"));
    let count = occasions(&course, &gpu, InjectedFault::OutOfMemory, &folder.path().join("counted"));
    let mut fates = Fates::default();
    for after in (0..count).step_by(8) {
        let _ = fs::remove_dir_all(&run);
        pollster::block_on(gpu.recover());
        gpu.inject(InjectedFault::OutOfMemory, after);
        let struck = train(&course, &gpu, &run, Start::New);
        assert!(!struck.1.not_kept, "nothing was kept");
        pollster::block_on(gpu.recover());
        mend(&course, &mut fates, struck, &gpu, &run, &expected);
    }
    println!("OutOfMemory: {fates:?}");
    assert!(fates.went_on_in_parts > 0, "{fates:?}");
}

/// Parts of a batch would be mixed otherwise than the whole: a run without room for it ends in a line, and says what may help.
#[test]
fn a_run_with_mixup_is_never_computed_in_parts() {
    let Some(mut gpu) = gpu("injected faults of a run with mixup") else { return };
    let (batch, frames) = (9, 90);
    let mut course = Course { data: BatchShape { batch, frames, words: 5, ragged: false }.dataset(), settings: settings("no_text") };
    (course.settings.train.mixup, course.settings.train.epochs) = (0.4, 1);
    gpu.restrict_buffers((4 * 40 * batch * frames - 4) as u64);
    let folder = tempfile::tempdir().unwrap();
    let count = occasions(&course, &gpu, InjectedFault::OutOfMemory, &folder.path().join("counted"));
    let mut ended = 0;
    for after in (0..count).step_by(16) {
        let run = folder.path().join(after.to_string());
        gpu.inject(InjectedFault::OutOfMemory, after);
        let (outcome, told) = train(&course, &gpu, &run, Start::New);
        pollster::block_on(gpu.recover());
        assert!(!told.split);
        if let Err(error) = outcome {
            let remedies = error.remedies();
            assert!(!remedies.contains(&Remedy::Raise("train.accumulate")), "{remedies:?}");
            ended += 1;
        }
    }
    assert!(ended > 0, "none of {count} struck");
}

#[test]
fn a_preparation_and_predictions_on_a_device_that_fails_end_in_a_line_or_are_what_they_are_without() {
    let Some(gpu) = gpu("injected faults outside of training") else { return };
    let course = small();
    let folder = corpus();
    let corpus = manifest::read(&folder.path().join("manifest.csv")).unwrap();
    let run = folder.path().join("run");
    train(&course, &gpu, &run, Start::New).0.unwrap();
    let checkpoint = Checkpoint::load(&run.join("best.safetensors")).unwrap();
    let data = &course.data;
    let utterances: Vec<usize> = (0..data.len()).collect();
    // Features of all recordings, then probabilities of all utterances.
    let work = || {
        let text = TextTable::learned(&corpus.utterances);
        let settings = Default::default();
        let prepared = pollster::block_on(prepare_held(&gpu, corpus.clone(), text, &settings)).map_err(|error| error.to_string())?;
        let evaluation = pollster::block_on(checkpoint.evaluate(&gpu, data, &utterances)).map_err(|error| error.to_string())?;
        Ok::<_, String>((prepared.fingerprint().unwrap(), evaluation.predictions))
    };
    pollster::block_on(gpu.recover());
    let before = gpu.counters();
    let expected = work().unwrap();
    let after = gpu.counters();
    let counts = [
        (InjectedFault::OutOfMemory, after.allocations - before.allocations),
        (InjectedFault::Refused, after.submissions - before.submissions),
        (InjectedFault::Unreadable, after.readbacks - before.readbacks),
    ];
    for (fault, count) in counts {
        let mut failed = 0;
        for after in 0..count {
            pollster::block_on(gpu.recover());
            gpu.inject(fault, after);
            match work() {
                Ok(found) => assert!(found == expected, "{fault:?} at {after} changed a result"),
                Err(line) => {
                    assert!(!line.is_empty() && !line.contains('\n'), "{line}");
                    failed += 1;
                }
            }
        }
        println!("{fault:?}: {count} injected, {failed} ended in a line, {} made no difference", count - failed);
        assert!(count > 0);
    }
}

/// A thread of a group whose gradients go in buckets of a hundred.
#[derive(Debug)]
struct InBuckets<'m>(Member<'m>);

impl Group for InBuckets<'_> {
    fn rank(&self) -> usize {
        self.0.rank()
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn exchange(&self, own: Result<Message, String>) -> Result<Vec<Vec<u8>>, GroupError> {
        self.0.exchange(own)
    }

    fn bucket(&self) -> usize {
        100
    }
}

/// What became of a rank: its losses and weights, what it told, and what its device was asked for.
type OfRank = (Result<(Vec<f32>, Vec<f32>), TrainError>, Told, Counters);

/// A training by two ranks, each a thread with an adapter of its own; the second one's is made to fail.
fn by_two(course: &Course, fault: Option<(InjectedFault, u64)>) -> Vec<OfRank> {
    let meeting = Meeting::new(2);
    std::thread::scope(|scope| {
        let meeting = &meeting;
        let train = move |rank| {
            let gpu = gpu("injected faults of a rank").unwrap();
            let member = InBuckets(meeting.member(rank));
            if let (Some((fault, after)), 1) = (fault, rank) {
                gpu.inject(fault, after);
            }
            let group: Option<&dyn Group> = Some(&member);
            let training = Training { settings: course.settings.clone(), group, ..Training::of(&course.data) };
            let mut told = Told::default();
            let mut observe = |event: Event<'_>| match event {
                Event::Split { .. } => told.split = true,
                Event::NotKept { .. } => told.not_kept = true,
                _ => {}
            };
            let finished = pollster::block_on(training.run_on(&gpu, &mut observe));
            (finished.map(|finished| (finished.losses, finished.best.parameters)), told, gpu.counters())
        };
        let threads: Vec<_> = (0..2).map(|rank| scope.spawn(move || train(rank))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn ranks_on_adapters_end_in_the_bytes_of_one_and_where_one_fails_in_the_midst_of_a_step_all_do_in_a_line() {
    let Some(alone) = gpu("injected faults of a rank") else { return };
    let mut course = small();
    (course.settings.train.accumulate, course.settings.train.epochs) = (2, 1);
    let expected =
        pollster::block_on(Training { settings: course.settings.clone(), ..Training::of(&course.data) }.run_on(&alone, &mut |_| ()));
    let expected = expected.map(|finished| (finished.losses, finished.best.parameters)).unwrap();
    let mut counted = Counters::default();
    for (result, _, counters) in by_two(&course, None) {
        assert!(result.unwrap() == expected, "ranks end otherwise");
        counted = counters;
    }
    // A step has a copy and a submission of each bucket: some before the last are within the last step.
    assert!(counted.readbacks > 15 && counted.submissions > 15, "{counted:?}");
    let faults = [(InjectedFault::Unreadable, counted.readbacks), (InjectedFault::Lost, counted.submissions)];
    for (fault, count) in faults.into_iter().flat_map(|(fault, count)| [7, 9].map(|from_last| (fault, count - from_last))) {
        let results = by_two(&course, Some((fault, count)));
        let lines: Vec<String> = results.into_iter().map(|(result, ..)| result.map(drop).unwrap_err().to_string()).collect();
        println!("{lines:?}");
        assert!(lines[0].starts_with(&format!("rank 1: {}", lines[1])) && !lines[1].contains('\n'), "{lines:?}");
    }
    // Without memory for a part no rank counts the step; all do it again, without the features that are kept or in more parts.
    let mut went_on = 0;
    for from_last in (1..counted.allocations).step_by((counted.allocations / 6).max(1) as usize) {
        let mut results = by_two(&course, Some((InjectedFault::OutOfMemory, counted.allocations - from_last)));
        let (second, first) = (results.pop().unwrap(), results.pop().unwrap());
        match (first.0, second.0) {
            (Ok(one), Ok(other)) => {
                assert!(one == other && first.1 == second.1);
                assert!(first.1.split || one == expected, "{:?}", first.1);
                went_on += usize::from(first.1 != Told::default());
            }
            (Err(one), Err(other)) => println!("{one}; {other}"),
            _ => panic!("one rank went on alone"),
        }
    }
    assert!(went_on > 0);
}

#[test]
fn a_run_whose_device_is_lost_goes_on_on_another() {
    let Some(healthy) = gpu("a lost device") else { return };
    let course = small();
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let expected = Expected::of(&course, &healthy, &folder.path().join("alone"));
    let count = occasions(&course, &healthy, InjectedFault::Lost, &folder.path().join("counted"));
    let mut fates = Fates::default();
    for after in 0..count {
        let _ = fs::remove_dir_all(&run);
        let Some(lost) = gpu("a lost device") else { return };
        lost.inject(InjectedFault::Lost, after);
        let outcome = train(&course, &lost, &run, Start::New);
        mend(&course, &mut fates, outcome, &healthy, &run, &expected);
    }
    println!("Lost: {count} injected, {fates:?}");
    assert!(count > 10);
}
