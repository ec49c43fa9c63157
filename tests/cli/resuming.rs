//! Runs that are stopped at any moment, go on, stop by themselves, or are computed in parts.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use mcsan::base::philox::Stream;
use mcsan::dataset::store::Store;
use serde_json::Value;

use super::corpus::{TINY, prepared};
use super::training::{assert_same_results, losses, metrics};
use crate::program::{Outcome, default_adapter, mcsan};

const TRAIN: &str = "train --data data.safetensors --device cpu";

/// Dropout, masks, mixup, shuffling, a warm-up, plateaus, clipping and an average: all that has a state of its own.
const EVENTFUL: &str = "--set model.dropout=0.2 --set train.warmup_steps=7 --set train.clip_norm=0.5 --set train.time_masks=1 \
                        --set train.frequency_masks=2 --set train.word_dropout=0.2 --set train.mixup=0.4 --set train.average=0.9 --set train.schedule=plateau";

/// The log without what depends on the clock, and without what a test wrote into it.
fn timeless_log(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.retain(|line| line.get("note").is_none());
    lines.iter_mut().for_each(|line| drop(line.as_object_mut().unwrap().remove("utterances_per_s")));
    lines
}

/// Every file that does not depend on the clock.
pub fn assert_same_run(folder: &Path, a: &str, b: &str) {
    assert_same_results(folder, a, b);
    let [ours, expected] = [a, b].map(|run| timeless_log(&folder.join(run)));
    assert_eq!(ours, expected, "metrics.jsonl");
    let config = |run: &str| fs::read_to_string(folder.join(run).join("config.toml")).unwrap();
    assert_eq!(config(a), config(b));
}

/// Starts the program and kills it at a moment.
fn killed_when(folder: &Path, arguments: &str, now: impl Fn() -> bool) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_mcsan"))
        .current_dir(folder)
        .args(arguments.split_whitespace())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !now() && program.try_wait().unwrap().is_none() {
        sleep(Duration::from_millis(1));
    }
    program.kill().unwrap();
    program.wait().unwrap();
}

#[test]
fn a_run_killed_at_twenty_random_moments_ends_as_one_that_was_left_alone() {
    let folder = prepared();
    let here = folder.path();
    let settings = format!("{TINY} {EVENTFUL} --epochs 40 --checkpoint-every 2");
    let started = Instant::now();
    mcsan(here, &format!("{TRAIN} --out alone {settings}")).succeeds();
    let whole = started.elapsed();
    let random = Stream { seed: 20, stream: 0 };
    let mut stopped_at = Vec::new();
    for run in 0..10 {
        let _ = fs::remove_dir_all(here.join("run"));
        for kill in 0..2 {
            let (begun, moment) = (Instant::now(), whole.mul_f32(random.uniform(2 * run + kill)));
            killed_when(here, &format!("{TRAIN} --out run --resume {settings}"), || begun.elapsed() >= moment);
            let last = here.join("run/last.safetensors");
            let step = last.exists().then(|| Store::open(&last).unwrap().metadata("step").unwrap().to_owned());
            stopped_at.push(step.unwrap_or_else(|| "none".into()));
        }
        mcsan(here, &format!("{TRAIN} --out run --resume {settings}")).succeeds();
        assert_same_run(here, "run", "alone");
    }
    println!("a run of {whole:?} was killed with checkpoints of the steps {}", stopped_at.join(", "));
    let within = stopped_at.iter().filter(|step| !["none", "120"].contains(&step.as_str())).count();
    assert!(within >= 5, "hardly a run was killed while it trained: {stopped_at:?}");
}

#[test]
fn a_run_whose_best_model_is_newer_than_its_last_checkpoint_makes_the_same_best_again() {
    let folder = prepared();
    let here = folder.path();
    let settings = format!("{TINY} {EVENTFUL} --set train.selection=loss");
    mcsan(here, &format!("{TRAIN} --out alone {settings} --epochs 6")).succeeds();
    // As if the program had been killed between the two files of the last epoch that was the best.
    mcsan(here, &format!("{TRAIN} --out run {settings} --epochs 6")).succeeds();
    let best = fs::read(here.join("run/best.safetensors")).unwrap();
    let newest: u64 = Store::open(&here.join("run/best.safetensors")).unwrap().metadata("epoch").unwrap().parse().unwrap();
    assert!(newest > 1, "the loss falls");
    fs::remove_dir_all(here.join("run")).unwrap();
    mcsan(here, &format!("{TRAIN} --out run {settings} --epochs {}", newest - 1)).succeeds();
    fs::write(here.join("run/best.safetensors"), best).unwrap();
    mcsan(here, &format!("{TRAIN} --out run --resume --epochs 6")).succeeds();
    assert_same_run(here, "run", "alone");
}

#[test]
fn a_finished_run_can_be_made_longer_and_is_then_one_that_was_so_from_the_start() {
    let folder = prepared();
    let here = folder.path();
    mcsan(here, &format!("{TRAIN} --out alone {TINY} {EVENTFUL} --epochs 5")).succeeds();
    mcsan(here, &format!("{TRAIN} --out run {TINY} {EVENTFUL} --epochs 2")).succeeds();
    let report = mcsan(here, "train --data data.safetensors --out run --resume --epochs 5 --json").json();
    assert_eq!(report["steps"], 15, "the steps before count too");
    assert_same_run(here, "run", "alone");
    let again = mcsan(here, "train --data data.safetensors --out run --resume").succeeds();
    assert!(again.stdout.contains("best epoch: "), "{}", again.stdout);
    assert_same_run(here, "run", "alone");
    // Batches of like length come again as they were, within an epoch too.
    let grouped = format!("{TINY} {EVENTFUL} --order grouped");
    mcsan(here, &format!("{TRAIN} --out whole {grouped} --steps 8")).succeeds();
    mcsan(here, &format!("{TRAIN} --out halved {grouped} --steps 4")).succeeds();
    mcsan(here, "train --data data.safetensors --out halved --resume --set train.steps=8").succeeds();
    assert_eq!(losses(&here.join("halved")), losses(&here.join("whole")));
    assert_ne!(losses(&here.join("whole")), losses(&here.join("alone"))[..8]);
    // A run that was cut short within an epoch goes on within it; its early validation counts as one more.
    mcsan(here, &format!("{TRAIN} --out cut {TINY} {EVENTFUL} --steps 4")).succeeds();
    mcsan(here, "train --data data.safetensors --out cut --resume --set train.steps=15").succeeds();
    assert_eq!(timeless_log(&here.join("cut")), timeless_log(&here.join("alone")));
}

#[test]
fn what_would_change_a_run_is_refused_by_name() {
    let folder = prepared();
    let here = folder.path();
    mcsan(here, &format!("{TRAIN} --out run {TINY} --epochs 2")).succeeds();
    mcsan(here, &format!("{TRAIN} --out falling {TINY} --epochs 2 --set train.schedule=cosine")).succeeds();
    let before = fs::read(here.join("run/last.safetensors")).unwrap();
    for (options, parts) in [
        ("--set train.lr=0.5", vec!["train.lr = 0.5", "started with 0.001", "--out"]),
        ("--set model.layers=2", vec!["model.layers = 2", "started with 1"]),
        ("--seed 3", vec!["train.seed = 3", "started with 0"]),
        ("--weights run/best.safetensors", vec!["run.weights", "run/best.safetensors"]),
        ("--epochs 1", vec!["has done 6 steps", "3 asked for"]),
    ] {
        let line = mcsan(here, &format!("train --data data.safetensors --out run --resume {options}")).fails();
        assert!(parts.iter().all(|part| line.contains(part)), "{line}");
    }
    let line = mcsan(here, "train --data data.safetensors --out falling --resume --epochs 3").fails();
    assert!(line.contains("train.epochs = 3") && line.contains("cosine"), "{line}");
    // What decides no more than rounding or the end may change.
    mcsan(here, "train --data data.safetensors --out run --resume --device cpu --checkpoint-every 5 --set train.patience=9").succeeds();

    let manifest = fs::read_to_string(here.join("manifest.csv")).unwrap();
    fs::write(here.join("manifest.csv"), manifest.replacen("Go away", "Go, away", 1)).unwrap();
    mcsan(here, "prepare manifest manifest.csv --vectors vectors.txt --out other.safetensors --device cpu").succeeds();
    let line = mcsan(here, "train --data other.safetensors --out run --resume").fails();
    assert!(line.contains("other.safetensors") && line.contains("started with other data"), "{line}");
    assert_eq!(fs::read(here.join("run/last.safetensors")).unwrap().len(), before.len());
}

#[test]
fn settings_that_somebody_edited_are_told_by_their_file_and_what_is_said_helps() {
    let folder = prepared();
    let here = folder.path();
    let train = |out: &str, epochs: usize| mcsan(here, &format!("{TRAIN} --out {out} {TINY} --epochs {epochs}")).succeeds();
    train("run", 1);
    train("whole", 2);
    let settings = here.join("run/config.toml");
    let written = fs::read_to_string(&settings).unwrap();
    let go_on = || mcsan(here, "train --data data.safetensors --out run --resume --epochs 2");
    for (text, key, now, then) in [
        (written.replace("\ndropout = 0.0\n", "\ndropout = 0.25\n"), "model.dropout", "0.25", "0.0"),
        (String::new(), "model.hidden", "128", "16"),
    ] {
        fs::write(&settings, text).unwrap();
        let told = format!("mcsan: run/config.toml: {key} = {now}: the run was started with {then}, and another value would change it; ");
        let line = go_on().fails();
        assert!(line.contains(&told), "{line}");
        assert!(line.ends_with(&format!("write {then} there, or remove the file, whose settings the last checkpoint has too")), "{line}");
    }
    fs::remove_file(&settings).unwrap();
    let line = mcsan(here, "train --data data.safetensors --out run --resume --set train.lr=0.5").fails();
    assert!(
        line.contains("run/last.safetensors: train.lr = 0.5: the run was started with 0.001") && line.contains("leave train.lr out"),
        "{line}"
    );
    go_on().succeeds();
    assert_same_run(here, "run", "whole");
}

#[test]
fn the_best_model_of_another_run_is_none_of_this_one() {
    let folder = prepared();
    let here = folder.path();
    let manifest = fs::read_to_string(here.join("manifest.csv")).unwrap();
    fs::write(
        here.join("less.csv"),
        manifest.lines().enumerate().filter(|(line, _)| *line != 1).map(|(_, line)| format!("{line}\n")).collect::<String>(),
    )
    .unwrap();
    mcsan(here, "prepare manifest less.csv --vectors vectors.txt --out less.safetensors --device cpu").succeeds();
    let train = |out: &str, more: &str| mcsan(here, &format!("train --device cpu --out {out} {TINY} --epochs 2 {more}")).succeeds();
    train("run", "--data data.safetensors");
    train("seed", "--data data.safetensors --seed 7");
    train("data", "--data less.safetensors");
    let best = here.join("run/best.safetensors");
    let own = fs::read(&best).unwrap();
    let go_on = || mcsan(here, "train --data data.safetensors --out run --resume --epochs 3");
    let mend = "; restore it, or train anew with another --out";
    let of_another = "run/best.safetensors: is of another run than last.safetensors beside it";
    for (from, said) in [
        ("seed/best.safetensors", format!("{of_another}: train.seed is 7 here and 0 there{mend}")),
        ("data/best.safetensors", format!("{of_another}: it was trained on other data{mend}")),
        ("", format!("run/best.safetensors: is missing{mend}")),
    ] {
        if from.is_empty() { fs::remove_file(&best) } else { fs::copy(here.join(from), &best).map(drop) }.unwrap();
        let line = go_on().fails();
        assert!(line.contains(&said), "{line}");
        // Nothing of it was made this run's.
        assert!(from.is_empty() || fs::read(&best).unwrap() == fs::read(here.join(from)).unwrap());
    }
    fs::write(&best, own).unwrap();
    go_on().succeeds();
    fs::create_dir(here.join("folds")).unwrap();
    fs::rename(here.join("seed"), here.join("folds/fold-1")).unwrap();
    let line = mcsan(here, "train --data data.safetensors --device cpu --out new --from folds").fails();
    assert!(line.ends_with("mcsan: folds: holds the runs of several folds or seeds; give folds/fold-1"), "{line}");
}

/// Fills a log up so that, cut back to its checkpoint, it ends just below a multiple of a KiB; returns that multiple.
#[cfg(unix)]
fn pad_log(run: &Path) -> usize {
    let last = Store::open(&run.join("last.safetensors")).unwrap();
    let [steps, epochs] = ["step", "epoch"].map(|key| last.metadata(key).unwrap().parse::<u64>().unwrap());
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let stays = |line: &&str| {
        let Ok(line) = serde_json::from_str::<Value>(line) else { return false };
        line.get("step").map_or_else(|| line["epoch"].as_u64() < Some(epochs), |step| step.as_u64() < Some(steps))
    };
    let kept: String = text.lines().filter(stays).map(|line| format!("{line}\n")).collect();
    let note = format!("{{\"note\":\"{}\"}}\n", "x".repeat(2000 - kept.len() % 1024));
    fs::write(run.join("metrics.jsonl"), format!("{note}{kept}")).unwrap();
    let size = note.len() + kept.len();
    assert!(size % 1024 > 980, "{size}");
    size.div_ceil(1024)
}

#[cfg(unix)]
#[test]
fn a_disk_that_fills_during_a_run_leaves_its_last_checkpoint_whole() {
    let folder = prepared();
    let here = folder.path();
    let train = format!("{TRAIN} {TINY} {EVENTFUL} --epochs 60");
    mcsan(here, &format!("{train} --out alone")).succeeds();
    let checkpoint = here.join("run/last.safetensors");
    killed_when(here, &format!("{train} --out run"), || checkpoint.exists());
    let last = fs::read(&checkpoint).unwrap();
    assert_ne!(Store::open(&checkpoint).unwrap().metadata("epoch"), Some("60"), "it was done before it was killed");
    let best = fs::metadata(here.join("run/best.safetensors")).unwrap().len() as usize;
    let program = env!("CARGO_BIN_EXE_mcsan");
    for (kibibytes, file) in
        [(pad_log(&here.join("run")), "metrics.jsonl"), (best / 1024 - 1, ""), (last.len() / 1024 - 1, "last.safetensors")]
    {
        // The limit is for each file, as if the disk were full at that size.
        let script = format!("trap '' XFSZ; ulimit -f {kibibytes}; exec '{program}' train --data data.safetensors --out run --resume");
        let output = Command::new("bash").current_dir(here).args(["-c", &script]).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        let failures: Vec<&str> = message.lines().filter(|line| line.starts_with("mcsan: ")).collect();
        assert_eq!((output.status.code(), failures.len()), (Some(1), 1), "{message}");
        assert!(failures[0].contains(file) && failures[0].contains("cannot be written"), "{kibibytes}: {}", failures[0]);
        assert!(failures[0].contains("run/last.safetensors is whole, of step"), "{kibibytes}: {}", failures[0]);
        println!("{}", failures[0]);
        assert!(fs::read(&checkpoint).unwrap() == last, "{kibibytes} KiB: the last checkpoint changed");
    }
    mcsan(here, "train --data data.safetensors --out run --resume").succeeds();
    assert_same_run(here, "run", "alone");
}

#[test]
fn a_run_stops_after_epochs_that_bring_nothing_better() {
    let folder = prepared();
    let here = folder.path();
    // At a learning rate of zero no epoch is better than the first.
    let settings = format!("{TINY} --epochs 9 --set train.lr=0 --set train.patience=2");
    let outcome = mcsan(here, &format!("{TRAIN} --out run {settings}")).succeeds();
    assert!(outcome.stderr.contains("stopped: 2 epochs without a better"), "{}", outcome.stderr);
    assert_eq!(metrics(&here.join("run")).1.len(), 3);
    mcsan(here, "train --data data.safetensors --out run --resume --set train.patience=4").succeeds();
    assert_eq!(metrics(&here.join("run")).1.len(), 5);
}

/// Relative difference of losses at which two runs are the same to rounding, over few steps.
const ROUNDING: f64 = 1e-5;

fn assert_same_losses(ours: &[f64], expected: &[f64]) {
    assert_eq!(ours.len(), expected.len());
    let apart = ours.iter().zip(expected).map(|(a, b)| ((a - b) / b).abs()).fold(0.0, f64::max);
    println!("losses differ by at most {apart:.1e}");
    assert!(apart < ROUNDING, "{ours:?}\n{expected:?}");
}

#[test]
fn a_batch_in_parts_makes_the_step_of_the_whole_batch_with_dropout_and_class_weights() {
    let folder = prepared();
    let here = folder.path();
    let more = "--set train.mixup=0 --set train.class_weights=[1,5,0.2] --set train.label_smoothing=0.1 --set train.batch_size=9 \
                --set train.optimizer=sgd --set train.lr=0.1";
    let settings = format!("{TINY} {EVENTFUL} {more} --epochs 6");
    mcsan(here, &format!("{TRAIN} --out whole {settings}")).succeeds();
    let whole = losses(&here.join("whole"));
    for parts in [2, 3, 9, 50] {
        mcsan(here, &format!("{TRAIN} --out parts{parts} {settings} --set train.accumulate={parts}")).succeeds();
        let run = here.join(format!("parts{parts}"));
        assert_same_losses(&losses(&run), &whole);
        assert!(metrics(&run).0.iter().all(|line| line["parts"] == parts.min(9)));
    }
}

#[test]
fn a_batch_that_the_device_has_no_room_for_is_computed_in_parts() {
    if default_adapter("a_batch_that_the_device_has_no_room_for_is_computed_in_parts").is_none() {
        return;
    }
    use mcsan::backend::gpu::{self, Checking, Gpu};
    use mcsan::base::remedy::{Remedied, Remedy};
    use mcsan::train::{Event, Training};
    let folder = prepared();
    let data = mcsan::dataset::Dataset::load(&folder.path().join("data.safetensors")).unwrap();
    let settings = ["model.hidden=8", "model.heads=2", "model.feed_forward=8", "train.epochs=2", "train.batch_size=9", "model.dropout=0.2"];
    let settings = mcsan::config::Config::default().assign(&settings.map(String::from)).unwrap().settings;
    let adapter = pollster::block_on(gpu::find("auto", gpu::instance().with_env())).unwrap().unwrap();
    let run = |largest: Option<u64>| {
        let mut gpu = pollster::block_on(Gpu::open(&adapter, Checking::Off)).unwrap();
        if let Some(bytes) = largest {
            gpu.restrict_buffers(bytes);
        }
        let mut splits = Vec::new();
        let mut observe = |event: Event<'_>| {
            if let Event::Split { step, parts, .. } = event {
                splits.push((step, parts));
            }
        };
        let finished = pollster::block_on(Training { settings: settings.clone(), ..Training::of(&data) }.run_on(&gpu, &mut observe));
        (finished.map(|finished| finished.losses.iter().map(|&loss| loss.into()).collect::<Vec<f64>>()), splits)
    };
    let (expected, splits) = run(None);
    assert_eq!(splits, []);
    // The features of the nine utterances, 36 frames of 40 coefficients each, are 52 KB, those of five of them 29 KB, and
    // all parameters less than 45 KB.
    let parameters = 4 * mcsan::model::parameters(&settings, &mcsan::model::Dimensions::of(&data, &settings.model)).len();
    assert!(parameters < 45_000, "{parameters}");
    let (losses, splits) = run(Some(45_000));
    assert_eq!(splits, [(0, 2)]);
    assert_same_losses(&losses.unwrap(), &expected.unwrap());
    // Where the model itself does not fit, no part is small enough.
    let (failed, _) = run(Some(4_000));
    let remedies = failed.unwrap_err().remedies();
    assert_eq!(remedies, [Remedy::SmallerNetwork, Remedy::UseCpu]);
}

#[test]
fn one_batch_is_learned_by_heart_or_the_check_fails_in_one_line() {
    let folder = prepared();
    let here = folder.path();
    let check = format!("{TRAIN} --overfit-one-batch {TINY} --set model.dropout=0.3 --set train.label_smoothing=0.2 --set train.lr=0.01");
    let learned = mcsan(here, &format!("{check} --json")).json();
    assert!(learned["loss"].as_f64().unwrap() < 1e-3 && learned["steps"].as_u64().unwrap() <= 1000, "{learned}");
    let line = mcsan(here, &format!("{check} --steps 3")).fails();
    assert!(line.contains("is not learned: after 3 steps") && line.contains("--steps"), "{line}");
    assert!(!here.join("run").exists());
}

#[test]
fn a_loss_that_is_not_finite_names_the_step_its_utterances_and_the_last_good_checkpoint() {
    let folder = prepared();
    let here = folder.path();
    // The first step makes weights of 1e30, which are finite; the second cannot compute with them.
    let exploding = format!("{TINY} --set train.lr=1e30 --set train.order=given --epochs 5");
    let Outcome { code, stderr, .. } = mcsan(here, &format!("{TRAIN} --out run {exploding} --checkpoint-every 1"));
    let failure = stderr.lines().find(|line| line.starts_with("mcsan: ")).unwrap();
    println!("{failure}");
    assert_eq!(code, Some(1));
    for part in [
        "mcsan: step 1: the loss is",
        "(utterances calm1, calm2, glad0, glad1)",
        "lower train.lr",
        "run/last.safetensors is whole, of step 1",
    ] {
        assert!(failure.contains(part), "{part}: {failure}");
    }
    assert_eq!(Store::open(&here.join("run/last.safetensors")).unwrap().metadata("step"), Some("1"));
    assert_eq!(losses(&here.join("run")).len(), 1);
}
