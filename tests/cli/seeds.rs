//! `--seeds` of `mcsan train`, `crossval` and `ablate`: where the runs lie, what is summed up and over what.

use std::fs;
use std::path::Path;

use mcsan::train::Evaluation;
use serde_json::Value;
use tempfile::TempDir;

use super::corpus::{TINY, UTTERANCES, prepared};
use super::failures;
use crate::program::mcsan;

fn train(out: &str, more: &str) -> String {
    format!("train --data data.safetensors --out {out} --epochs 1 {TINY} --device cpu {more}")
}

fn crossval(out: &str, more: &str) -> String {
    format!("crossval --data data.safetensors --out {out} --folds 3 --epochs 1 {TINY} --device cpu {more}")
}

fn refused(folder: &TempDir, arguments: &str, parts: &[&str]) {
    failures::refused(folder, &arguments.replace("--device cpu", ""), parts);
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn test(run: &Path) -> Evaluation {
    serde_json::from_str(&read(&run.join("test.json"))).unwrap()
}

/// Mean and sample standard deviation.
fn assert_spread(shown: &Value, values: &[f64]) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64).sqrt();
    for (key, expected) in [("mean", mean), ("deviation", deviation)] {
        let value = shown[key].as_f64().unwrap_or_else(|| panic!("{shown} has no {key}"));
        assert!((value - expected).abs() < 1e-12, "{key} of {shown}, expected {expected}");
    }
}

#[test]
fn a_training_with_several_seeds_is_summed_up_and_its_runs_are_ordinary_ones() {
    let folder = prepared();
    let report = mcsan(folder.path(), &train("out", "--seeds 2 --seed 5 --json")).json();
    let out = folder.path().join("out");
    let runs = [1, 2].map(|seed| test(&out.join(format!("seed-{seed}/run"))));
    for (key, figure) in [("wa", 0), ("ua", 1), ("weighted_f1", 2)] {
        assert_spread(&report[key], &runs.each_ref().map(|run| [run.metrics.wa, run.metrics.ua, run.metrics.weighted_f1][figure]));
    }
    assert_eq!((&report["seeds"], &report["done"], &report["by"]), (&2.into(), &2.into(), &"given".into()));
    let kept: Value = serde_json::from_str(&read(&out.join("seeds.json"))).unwrap();
    assert_eq!(kept["results"], report["results"]);
    assert!(read(&out.join("seeds.csv")).starts_with("model,over,values,wa,wa_deviation,"));
    assert_eq!(read(&out.join("seeds-runs.csv")).lines().count(), 3);
    let markdown = read(&out.join("seeds.md"));
    assert!(markdown.contains("over the seeds, all tested on the same utterances") && markdown.contains("Each seed"), "{markdown}");
    assert!(read(&out.join("seeds.tex")).contains("MCSAN & seeds & 2 & ") && out.join("report.html").exists());

    // The second seed's run is the one of that seed by itself.
    mcsan(folder.path(), &train("alone", "--seed 6")).succeeds();
    let weights = |run: &str| fs::read(folder.path().join(run).join("best.safetensors")).unwrap();
    assert!(weights("out/seed-2/run") == weights("alone"), "the seeds follow train.seed");

    // What a killed call left is gone on with.
    fs::remove_file(out.join("seed-2/run/test.json")).unwrap();
    let before = read(&out.join("seeds.json"));
    let again = mcsan(folder.path(), &train("out", "--seeds 2 --seed 5")).succeeds();
    assert!(again.stderr.contains("seed 1: done before") && again.stderr.contains("seed 2: trains on 9"), "{}", again.stderr);
    assert_eq!((read(&out.join("seeds.json")), again.stdout), (before, markdown));

    refused(&folder, &train("out", "--seeds 2"), &["out/seed-1/folds.json", "train.seed is 5 there and 0 now"]);
    refused(&folder, &train("alone", "--seeds 2"), &["alone: holds 'best.safetensors', which is no seed's", "choose another --out"]);
    refused(&folder, &train("out", ""), &["out: holds 'report.html', which is none of a run's files"]);
    let manifest = read(&folder.path().join("manifest.csv")).replace(",test,", ",train,");
    fs::write(folder.path().join("untested.csv"), manifest).unwrap();
    mcsan(folder.path(), "prepare manifest untested.csv --vectors vectors.txt --out untested.safetensors --device cpu").succeeds();
    let untested = train("new", "--seeds 2").replace("data.safetensors", "untested.safetensors");
    refused(&folder, &untested, &["untested.safetensors: the data have no utterance in the test split", "or use 'mcsan crossval'"]);
    for (more, part) in [("--seeds 1", "--seeds"), ("--seeds 2 --resume", "--resume")] {
        let outcome = mcsan(folder.path(), &train("new", more));
        assert!(outcome.code == Some(2) && outcome.stderr.contains(part), "{}", outcome.stderr);
    }
    assert!(!folder.path().join("new").exists());
}

#[test]
fn a_cross_validation_with_several_seeds_says_what_each_deviation_is_over() {
    let folder = prepared();
    let report = mcsan(folder.path(), &crossval("out", "--seeds 2 --json")).json();
    let out = folder.path().join("out");
    let wa = |seed: usize, fold: usize| test(&out.join(format!("seed-{seed}/fold-{fold}"))).metrics.wa;
    let of_seed = |seed| (1..=3).map(|fold| wa(seed, fold)).collect::<Vec<_>>();
    let of_fold = |fold| [1, 2].map(|seed| wa(seed, fold)).to_vec();
    let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
    assert_spread(&report["wa"], &[of_seed(1), of_seed(2)].concat());
    assert_spread(&report["over_seeds"]["wa"], &[1, 2].map(|seed| mean(of_seed(seed))));
    assert_spread(&report["over_folds"]["wa"], &[1, 2, 3].map(|fold| mean(of_fold(fold))));
    assert_eq!((&report["done"], &report["pooled"]["utterances"]), (&6.into(), &(2 * UTTERANCES).into()));
    let summary = read(&out.join("crossval.csv"));
    let over: Vec<&str> = summary.lines().skip(1).map(|line| line.split(',').nth(1).unwrap()).collect();
    assert_eq!(over, ["folds and seeds", "seeds", "folds"]);
    assert_eq!((read(&out.join("crossval-seeds.csv")).lines().count(), read(&out.join("crossval-runs.csv")).lines().count()), (3, 7));

    // Spread over calls it is the same; a seed that lacks a fold has no mean over folds.
    let part = mcsan(folder.path(), &crossval("again", "--seeds 2 --fold 2 --json")).json();
    assert!(part["over_seeds"].is_null() && part["done"] == 2, "{part}");
    assert!(read(&folder.path().join("again/crossval.md")).contains("Not done yet: 4 of 6 runs."));
    mcsan(folder.path(), &crossval("again", "--seeds 2")).succeeds();
    for file in ["crossval.json", "crossval.md", "crossval.tex", "crossval.csv", "crossval-seeds.csv", "crossval-runs.csv", "report.html"] {
        assert_eq!(read(&out.join(file)), read(&folder.path().join("again").join(file)), "{file}");
    }
    refused(&folder, &crossval("out", ""), &["out: was begun with several seeds", "give --seeds as then"]);
    mcsan(folder.path(), &crossval("one", "--fold 1")).succeeds();
    refused(&folder, &crossval("one", "--seeds 2"), &["one: was begun with one seed", "give --seeds as then"]);
}

#[test]
fn rows_of_table_3_are_tested_over_folds_and_utterances_whatever_the_seeds() {
    let folder = prepared();
    let line = crossval("rows", "--rows full,no_text --fold 1 --seeds 2 --json").replace("crossval", "ablate");
    let report = mcsan(folder.path(), &line).json();
    let out = folder.path().join("rows");
    let right = |row: &str, seed: usize| {
        let predictions = test(&out.join(format!("{row}/seed-{seed}/fold-1"))).predictions;
        predictions.into_iter().map(|it| it.predicted == it.label).collect::<Vec<_>>()
    };
    let only = |a: &str, b: &str| {
        (1..=2).map(|seed| right(a, seed).into_iter().zip(right(b, seed)).filter(|&(a, b)| a && !b).count()).sum::<usize>()
    };
    let row = &report["rows"][1];
    assert_eq!((&row["runs"], &row["only_row_right"]), (&2.into(), &only("no_text", "full").into()));
    assert_eq!(row["only_full_right"], only("full", "no_text"));
    assert!(row["p_wa"].is_null(), "one fold is no pair of units: {row}");
    assert!((0.0..=1.0).contains(&row["p_mcnemar"].as_f64().unwrap()));
    let markdown = read(&out.join("ablation.md"));
    assert!(markdown.contains("over the folds, each by the mean of its seeds (folds - 1 degrees of freedom)"), "{markdown}");
    assert!(markdown.contains("over the test utterances, each by how many of its seeds are right"), "{markdown}");
}
