//! `mcsan sweep`: grids, draws and successive halving; what is chosen and by what; going on, sharing, failing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::corpus::{TINY, prepared};
use super::failures;
use crate::program::mcsan;

/// What a sweep writes beside its trials.
const SUMMARY: [&str; 6] = ["sweep.csv", "sweep.json", "sweep.md", "sweep.tex", "report.html", "best.toml"];

fn sweep(out: &str, more: &str) -> String {
    format!("sweep --data data.safetensors --out {out} {TINY} --device cpu {more}")
}

fn refused(folder: &TempDir, arguments: &str, parts: &[&str]) {
    failures::refused(folder, &arguments.replace("--device cpu", ""), parts);
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn read_json(path: &Path) -> Value {
    serde_json::from_str(&read(path)).unwrap()
}

fn assert_same_summary(folder: &Path, a: &str, b: &str) {
    for file in SUMMARY {
        assert_eq!(read(&folder.join(a).join(file)), read(&folder.join(b).join(file)), "{file}");
    }
}

/// The best validation figure of a run within its first epochs.
fn validated(run: &Path, figure: &str, epochs: usize) -> f64 {
    let log = read(&run.join("metrics.jsonl"));
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let of_epochs = lines.filter(|line| line["step"].is_null()).take(epochs);
    of_epochs.map(|line| line["validation"][figure].as_f64().unwrap()).fold(f64::NEG_INFINITY, f64::max)
}

fn rows(document: &Value) -> BTreeMap<String, Value> {
    document["rows"].as_array().unwrap().iter().map(|row| (row["trial"].as_str().unwrap().to_owned(), row.clone())).collect()
}

#[test]
fn a_grid_is_tried_over_seeds_and_the_best_by_validation_can_be_trained_again() {
    let folder = prepared();
    let here = folder.path();
    let grid = "--grid train.lr=1e-3,0.05 --grid model.variant=full,no_text --seeds 2 --epochs 2";
    let document = mcsan(here, &sweep("out", &format!("{grid} --json"))).json();
    let out = here.join("out");
    let rows = rows(&document);
    let settings = |trial: &str| (rows[trial]["settings"]["train.lr"].as_f64(), rows[trial]["settings"]["model.variant"].as_str());
    assert_eq!(settings("trial-002"), (Some(0.001), Some("no_text")));
    assert_eq!(settings("trial-003"), (Some(0.05), Some("full")));
    let mut means = Vec::new();
    for (trial, row) in &rows {
        let figures = [1, 2].map(|seed| validated(&out.join(format!("{trial}/seed-{seed}/run")), "ua", 2));
        let mean = row["validation_ua"]["mean"].as_f64().unwrap();
        assert!((mean - (figures[0] + figures[1]) / 2.0).abs() < 1e-12, "{trial}: {row}");
        assert!(row["low"].as_f64().unwrap() <= mean && mean <= row["high"].as_f64().unwrap());
        means.push((trial.clone(), mean));
    }
    // By validation, the first of equals; the test figures are those of that trial.
    means.reverse();
    let best = means.iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap().0.clone();
    assert_eq!(document["best"]["trial"], best);
    let tested = [1, 2].map(|seed| read_json(&out.join(format!("{best}/seed-{seed}/run/test.json")))["wa"].as_f64().unwrap());
    assert!((document["best"]["test"]["wa"]["mean"].as_f64().unwrap() - (tested[0] + tested[1]) / 2.0).abs() < 1e-12);
    assert_eq!((&document["selection"], &document["done"]), (&"ua".into(), &true.into()));

    let markdown = read(&out.join("sweep.md"));
    assert!(markdown.contains("| rank | trial     | train.lr | model.variant | runs |") && markdown.contains("| best "), "{markdown}");
    assert!(markdown.contains("Test utterances decide nothing.") && markdown.contains("over the seeds"), "{markdown}");
    assert!(
        read(&out.join("sweep.csv")).starts_with("rank,trial,train.lr,model.variant,epochs,runs,validation_ua,validation_ua_deviation,low")
    );
    assert!(read(&out.join("report.html")).contains("Validation UA"));

    // The best settings are what a training takes, and make the same model.
    mcsan(here, "train --data data.safetensors --out again --config out/best.toml --device cpu").succeeds();
    let weights = |run: &str| fs::read(here.join(run).join("best.safetensors")).unwrap();
    assert!(weights("again") == weights(&format!("out/{best}/seed-1/run")));

    // A later call goes on, and trains nothing anew.
    fs::remove_file(out.join("trial-002/seed-2/run/test.json")).unwrap();
    let before = SUMMARY.map(|file| read(&out.join(file)));
    let later = mcsan(here, &sweep("out", grid)).succeeds();
    assert_eq!(later.stderr.matches("trains on").count(), 1, "{}", later.stderr);
    assert_eq!(SUMMARY.map(|file| read(&out.join(file))), before);
    assert!(later.stdout.contains("best settings, of trial-"), "{}", later.stdout);
    refused(&folder, &sweep("out", &grid.replace("0.05", "0.5")), &["out/space.json: belongs to another sweep: trial 3 is train.lr=0.05"]);
    refused(&folder, &sweep("out", &format!("{grid} --seed 3")), &["out/space.json", "train.seed is 0 there and 3 now"]);
}

#[test]
fn halving_trains_the_best_further_to_the_bytes_of_a_run_that_never_waited() {
    let folder = prepared();
    let here = folder.path();
    // A cosine is laid out for all epochs, however early a run waits.
    let more = "--grid train.lr=1e-5,3e-3,1e-3,1e-2 --halving=2 --epochs 4 --set train.schedule=cosine";
    let told = mcsan(here, &sweep("out", more)).succeeds();
    assert!(
        told.stderr.contains("rung 1 of 3: at most 4 trials to 1 epoch") && told.stderr.contains("waits after 1 epoch"),
        "{}",
        told.stderr
    );
    let out = here.join("out");
    let document = read_json(&out.join("sweep.json"));
    let rows = rows(&document);
    let names = ["trial-001", "trial-002", "trial-003", "trial-004"];
    let going = |mut alive: Vec<&'static str>, epochs: usize, count: usize| {
        let figure = |trial: &str| validated(&out.join(trial).join("run"), "ua", epochs);
        alive.sort_by(|a, b| figure(b).total_cmp(&figure(a)).then(a.cmp(b)));
        alive.truncate(count);
        alive.sort();
        alive
    };
    let second = going(names.to_vec(), 1, 2);
    let third = going(second.clone(), 2, 1);
    for name in names {
        let epochs = if third.contains(&name) { 4 } else { 1 + usize::from(second.contains(&name)) };
        assert_eq!(rows[name]["epochs"], epochs, "{name}");
        assert_eq!(out.join(name).join("run/test.json").exists(), epochs == 4, "only what was trained to its end is tested: {name}");
    }
    assert_eq!(document["best"]["trial"], third[0]);
    assert_eq!(rows[second.iter().find(|name| **name != third[0]).unwrap().to_owned()]["state"], "left behind after 2 epochs");

    mcsan(here, "train --data data.safetensors --out whole --config out/best.toml --device cpu").succeeds();
    let file = |run: &str, name: &str| fs::read(here.join(run).join(name)).unwrap();
    for name in ["best.safetensors", "last.safetensors", "test.json"] {
        assert!(file("whole", name) == file(&format!("out/{}/run", third[0]), name), "{name}");
    }

    // Two calls at once find the same, and train every run once.
    let start = || -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcsan"));
        command.args(sweep("both", more).split_whitespace()).current_dir(here);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let outputs = [start(), start()].map(|child| child.wait_with_output().unwrap());
    let said: String = outputs.iter().map(|output| String::from_utf8_lossy(&output.stderr)).collect();
    assert!(outputs.iter().all(|output| output.status.success()), "{said}");
    assert_eq!(said.matches("waits after 1 epoch").count(), 4, "{said}");
    assert_same_summary(here, "out", "both");
    refused(&folder, &sweep("out", &more.replace("--halving=2", "--halving=3")), &["the halving is one in 2 there and one in 3 now"]);
}

#[test]
fn settings_that_cannot_be_trained_with_are_a_row_and_drawn_ones_may_become_more() {
    let folder = prepared();
    let here = folder.path();
    let document = mcsan(here, &sweep("wild", "--grid train.lr=1e-3,1e30 --epochs 3 --json")).json();
    let rows = rows(&document);
    assert!(rows["trial-002"]["state"].as_str().unwrap().starts_with("failed: step "), "{document}");
    assert!(rows["trial-002"]["validation_ua"].is_null() && rows["trial-002"]["rank"].is_null());
    assert_eq!((&document["best"]["trial"], &document["notes"][0]["kind"]), (&"trial-001".into(), &"trial_failed".into()));
    let again = mcsan(here, &sweep("wild", "--grid train.lr=1e-3,1e30 --epochs 3")).succeeds();
    assert!(!again.stderr.contains("trains on"), "{}", again.stderr);
    let all = mcsan(here, &sweep("all", "--grid train.lr=1e29,1e30 --epochs 3"));
    assert!(all.code == Some(1) && all.stderr.contains("no trial came to its end"), "{}", all.stderr);
    assert!(here.join("all/sweep.md").exists() && !here.join("all/best.toml").exists());

    let drawn = "--grid train.lr=1e-4..1e-2:log --grid model.layers=1,2 --folds 3 --epochs 1";
    let few = mcsan(here, &sweep("drawn", &format!("{drawn} --random 2 --json"))).json();
    assert_eq!((few["rows"].as_array().unwrap().len(), &few["by"]), (2, &"random".into()));
    let more = mcsan(here, &sweep("drawn", &format!("{drawn} --random 3 --json"))).json();
    let settings = |document: &Value| {
        let rows = document["rows"].as_array().unwrap();
        rows.iter().map(|row| (row["trial"].as_str().unwrap().to_owned(), row["settings"].clone())).collect::<BTreeMap<_, _>>()
    };
    let (few, more) = (settings(&few), settings(&more));
    assert!(more.len() == 3 && few.iter().all(|(trial, point)| more[trial] == *point), "{more:?}");
    assert!(more.values().all(|point| (1e-4..=1e-2).contains(&point["train.lr"].as_f64().unwrap())));
    assert!(here.join("drawn/trial-003/fold-3/test.json").exists());
    refused(&folder, &sweep("drawn", &format!("{drawn} --random 2")), &["drawn/space.json", "the number of trials is 3 there and 2 now"]);
}

/// What the host has no room for is a failed trial, and the next one is trained.
#[test]
fn a_trial_without_room_in_memory_is_a_row_and_the_others_are_trained() {
    let folder = prepared();
    let here = folder.path();
    let grid = "--grid train.batch_size=10000000,4 --set train.order=replacement --epochs 1 --json";
    let line = sweep("out", grid).replace("--set train.batch_size=4 ", "");
    let document = mcsan(here, &line).json();
    let rows = rows(&document);
    let state = rows["trial-001"]["state"].as_str().unwrap();
    assert!(state.starts_with("failed: a batch of 10000000 utterances takes about ") && state.ends_with(" are free"), "{state}");
    assert_eq!((&document["best"]["trial"], &document["notes"][0]["kind"]), (&"trial-002".into(), &"trial_failed".into()));
    assert!(here.join("out/trial-002/run/test.json").exists());
}

#[test]
fn halving_says_that_a_cosine_has_not_come_down() {
    let folder = prepared();
    let more = "--grid train.lr=1e-3,1e-2 --halving=2 --set train.schedule=cosine --epochs 2 --json";
    let document = mcsan(folder.path(), &sweep("out", more)).json();
    assert_eq!(document["notes"].as_array().unwrap().iter().filter(|note| note["kind"] == "halved_cosine").count(), 1, "{document}");
}

#[test]
fn what_cannot_be_swept_is_said_before_anything_is_written() {
    let folder = prepared();
    let here = folder.path();
    for (more, parts) in [
        ("--grid train.lrr=1", &["unknown setting 'train.lrr' (nearest: train.lr"][..]),
        ("--grid train.lr=1e-3,-1", &["train.lr = -1: expected a number"]),
        ("--set model.system=xu --grid xu.heads=4,7", &["xu.heads = 7: expected a divisor of 2 xu.hidden"]),
        ("--grid model.variant=full,half", &["model.variant = \"half\": expected full,"]),
        ("--grid train.seed=1,2", &["train.seed is not swept", "repeat each with --seeds"]),
        ("--grid run.device=cpu,0", &["run.device is not swept: it decides no result", "leave run.device out"]),
        ("--grid train.selection=ua,wa", &["train.selection is not swept: it says what the settings are chosen by"]),
        ("--grid train.lr=1e-4..1e-2", &["train.lr = 1e-4..1e-2 is a range", "draw some with --random, or list values"]),
        ("--grid train.lr=1,1.0", &["train.lr = 1.0 is listed twice; leave one of them out"]),
        ("--grid train.lr=1 --grid train.lr=2", &["train.lr is named twice; give all its values with one --grid"]),
        ("--grid train.lr=0.1,0.2 --set train.lr=0.3", &["train.lr is swept and set to 0.3 besides; leave train.lr out"]),
        ("--grid train.lr=0.1,0.2 --random 3", &["3 different combinations cannot be drawn of 2; give --random at most 2"]),
        ("--grid train.lr=0.1,0.2 --halving", &["2 trials of 30 epochs cannot be reduced to one in 3; leave --halving out"]),
        ("--grid train.epochs=1,2 --halving", &["train.epochs is not swept: epochs are the budget"]),
        ("--grid model.system=mcsan,amh", &["data.safetensors: amh: the data set has no stream 'visual' of frames", "--visual-features"]),
        ("--grid train.class_weights=balanced,[1,2]", &["train.class_weights"]),
        ("--grid train.lr=0.1,0.2 --folds 99", &["99 folds cannot be made of 15"]),
    ] {
        refused(&folder, &sweep("out", more), parts);
    }
    fs::create_dir(here.join("full")).unwrap();
    fs::write(here.join("full/notes.txt"), "mine").unwrap();
    refused(&folder, &sweep("full", "--grid train.lr=0.1,0.2"), &["full: holds 'notes.txt', which is none of a sweep's files"]);
    let manifest = read(&here.join("manifest.csv")).replace(",validation,", ",train,");
    fs::write(here.join("blind.csv"), manifest).unwrap();
    mcsan(here, "prepare manifest blind.csv --vectors vectors.txt --out blind.safetensors --device cpu").succeeds();
    let line = sweep("out", "--grid train.lr=0.1,0.2").replace("data.safetensors", "blind.safetensors");
    refused(&folder, &line, &["blind.safetensors: the data have no utterance in the validation split", "use --split folds"]);
    for (more, part) in
        [("", "--grid"), ("--grid train.lr=1,2 --split given --by speaker", "--by"), ("--grid train.lr=1 --fold 2", "--fold")]
    {
        let outcome = mcsan(here, &sweep("out", more));
        assert!(outcome.code == Some(2) && outcome.stderr.contains(part), "{}", outcome.stderr);
    }
    assert!(!here.join("out").exists());
}
