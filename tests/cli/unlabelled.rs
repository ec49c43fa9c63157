//! Utterances without label: prepared and counted, left out where labels count, learned from by what can.

use std::collections::BTreeSet;
use std::fs;

use mcsan::corpus::Split;
use mcsan::dataset::{Dataset, NO_LABEL};
use mcsan::experiment::folds::{By, Folds};
use tempfile::TempDir;

use super::corpus::{CLASSES, TINY, UTTERANCES};
use super::failures::refused;
use super::other_systems::{PREPARE, notes, with_features};
use super::resuming::assert_same_run;
use super::training::losses;
use crate::program::mcsan;

const LIANG: &str = "train --data data.safetensors --device cpu --set model.system=liang --set liang.hidden=16 --set train.batch_size=4";

/// The corpus, in which the first recording of each class has no label.
fn partly_labelled() -> TempDir {
    let folder = with_features();
    let path = folder.path().join("manifest.csv");
    let manifest = fs::read_to_string(&path).unwrap();
    let hide =
        |manifest: String, (label, ..): &(&str, f32, &str)| manifest.replace(&format!(",{label},train,speaker0"), ",,unlabelled,speaker0");
    fs::write(&path, CLASSES.iter().fold(manifest, hide)).unwrap();
    let report = mcsan(folder.path(), &format!("{PREPARE} --device cpu --functionals prosody.csv --out data.safetensors --json")).json();
    assert_eq!((&report["unlabelled"], &report["utterances"]), (&CLASSES.len().into(), &UTTERANCES.into()), "{report}");
    folder
}

#[test]
fn utterances_without_label_are_of_a_split_of_their_own_and_of_no_class() {
    let folder = partly_labelled();
    let here = folder.path();
    let data = Dataset::load(&here.join("data.safetensors")).unwrap();
    assert_eq!((data.split(Split::Unlabelled), &data.labels[..2]), (vec![0, 5, 10], &[NO_LABEL, 0][..]));
    assert_eq!((data.class_of(0), data.class_of(1), data.training().len()), (None, Some("angry"), 6));
    let shown = mcsan(here, "inspect data.safetensors --json").json();
    assert_eq!((&shown["unlabelled"], &shown["splits"]["train"]["utterances"]), (&3.into(), &6.into()), "{shown}");
    assert!(mcsan(here, "inspect data.safetensors").succeeds().stdout.contains("and 3 without label, of the split unlabelled"));

    // A label that is only missing is still a fault, and so is one where there should be none.
    let manifest = fs::read_to_string(here.join("manifest.csv")).unwrap();
    fs::write(here.join("gap.csv"), manifest.replacen(",unlabelled,", ",train,", 1)).unwrap();
    refused(&folder, "prepare manifest gap.csv --out d", &["gap.csv, line 2"]);
    let mut labelled = data.clone();
    labelled.labels[5] = 1;
    let line = labelled.save(&here.join("no.safetensors")).unwrap_err().to_string();
    assert!(line.contains("labels, utterance calm0: label 1 is of an utterance of the split unlabelled"), "{line}");
}

#[test]
fn folds_divide_what_has_a_label_and_leave_the_rest_to_every_fold() {
    let folder = partly_labelled();
    let data = Dataset::load(&folder.path().join("data.safetensors")).unwrap();
    for by in [By::Random, By::Speaker] {
        let folds = Folds::assign_count(&data, by, 4, 3).unwrap();
        let mut tested = BTreeSet::new();
        for fold in 1..=folds.count() {
            tested.extend(folds.test(fold));
            assert_eq!(folds.dataset(&data, fold).split(Split::Unlabelled), [0, 5, 10]);
        }
        assert_eq!(tested, (0..UTTERANCES).filter(|utterance| utterance % 5 != 0).collect());
    }
}

#[test]
fn a_system_that_learns_labels_alone_learns_the_same_beside_utterances_without() {
    let folder = partly_labelled();
    let here = folder.path();
    let manifest = fs::read_to_string(here.join("manifest.csv")).unwrap();
    let labelled: String = manifest.lines().filter(|line| !line.contains(",unlabelled,")).map(|line| format!("{line}\n")).collect();
    fs::write(here.join("labelled.csv"), labelled).unwrap();
    mcsan(here, "prepare manifest labelled.csv --vectors vectors.txt --device cpu --out labelled.safetensors").succeeds();
    for data in ["data", "labelled"] {
        let train =
            format!("train --data {data}.safetensors --device cpu --epochs 2 {TINY} --set train.class_weights=balanced --out {data}");
        let outcome = mcsan(here, &train).succeeds();
        let is_said = outcome.stderr.contains("3 utterances without label are not learned from (model.system = mcsan)");
        assert_eq!(is_said, data == "data", "{}", outcome.stderr);
    }
    assert_eq!(losses(&here.join("data")), losses(&here.join("labelled")));
}

#[test]
fn utterances_without_label_are_learned_from_from_an_epoch_on_and_a_run_goes_on_bit_for_bit() {
    let folder = partly_labelled();
    let here = folder.path();
    let train = format!("{LIANG} --epochs 4 --set liang.from_epoch=1");
    let report = mcsan(here, &format!("{train} --out whole --json")).json();
    assert_eq!(notes(&report, "unlabelled")[0]["from_epoch"], 1, "{report}");
    // Within an epoch that learns from them.
    mcsan(here, &format!("{train} --out halved --steps 5")).succeeds();
    mcsan(here, &format!("{train} --out halved --resume --set train.steps=0")).succeeds();
    assert_same_run(here, "whole", "halved");
    mcsan(here, &format!("{train} --out labels --set liang.unlabelled=false")).succeeds();
    let [semi, labels] = ["whole", "labels"].map(|run| losses(&here.join(run)));
    // Two steps an epoch.
    assert_eq!((semi.len(), &semi[..2]), (8, &labels[..2]));
    assert!((2..8).all(|step| semi[step] != labels[step]), "{semi:?}\n{labels:?}");
}

#[test]
fn a_loss_that_compares_utterances_is_of_whole_batches() {
    let folder = partly_labelled();
    let here = folder.path();
    let train = format!("{LIANG} --epochs 2 --set liang.from_epoch=0");
    refused(
        &folder,
        &format!("{} --out no --set train.accumulate=2", train.replace(" --device cpu", "")),
        &["train.accumulate = 2: expected 1 with model.system = liang, whose loss compares the utterances of a batch"],
    );
    let of = |parts: usize| {
        let out = format!("parts{parts}");
        mcsan(here, &format!("{train} --out {out} --set liang.mmd=0 --set train.label_smoothing=0.1 --set train.accumulate={parts}"))
            .succeeds();
        losses(&here.join(&out))
    };
    for (whole, divided) in of(1).into_iter().zip(of(3)) {
        assert!((whole - divided).abs() < 1e-4 * whole, "{whole} {divided}");
    }
}
