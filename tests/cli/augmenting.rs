//! What keeps a network from learning its training data by heart: masks, unknown words, balanced batches, plateaus, averaged weights.

use std::fs;

use mcsan::dataset::store::Store;

use super::corpus::{TINY, prepared};
use super::training::{losses, metrics};
use crate::program::mcsan;

const TRAIN: &str = "train --data data.safetensors --device cpu";
const MASKS: &str = "--set train.time_masks=2 --set train.frequency_masks=2 --set train.word_dropout=0.3";

#[test]
fn masks_change_what_is_learned_from_and_nothing_that_is_measured() {
    let folder = prepared();
    let here = folder.path();
    mcsan(here, &format!("{TRAIN} --out plain {TINY} --epochs 1")).succeeds();
    mcsan(here, &format!("{TRAIN} --out masked {TINY} {MASKS} --epochs 1")).succeeds();
    mcsan(here, &format!("{TRAIN} --out other {TINY} {MASKS} --set train.frequency_mask_columns=20 --epochs 1")).succeeds();
    let [plain, masked, other] = ["plain", "masked", "other"].map(|run| losses(&here.join(run)));
    assert!(plain[0] != masked[0] && masked[0] != other[0], "{plain:?} {masked:?} {other:?}");
    // By what was trained with masks, twice, the same is predicted.
    let report =
        |split: &str| mcsan(here, &format!("evaluate --run masked --data data.safetensors --split {split} --device cpu --json")).json();
    let kept: serde_json::Value = serde_json::from_str(&fs::read_to_string(here.join("masked/test.json")).unwrap()).unwrap();
    assert_eq!(report("test")["loss"], kept["loss"]);
    let validation = &metrics(&here.join("masked")).1[0]["validation"];
    assert_eq!(report("validation")["loss"], validation["loss"]);
    // A batch that is to be learned by heart is not changed, nor is one whose gradients are asked for.
    let learned = |more: &str| mcsan(here, &format!("{TRAIN} --overfit-one-batch {TINY} --set train.lr=0.01 {more} --json")).json();
    let masked = learned(&format!("{MASKS} --set train.average=0.9"));
    assert_eq!((&learned("")["steps"], masked["notes"].as_array().unwrap().len()), (&masked["steps"], 4), "{masked}");
    let gradients = |out: &str, more: &str| {
        let options = format!("--weights plain/best.safetensors --out {out} {TINY} {more} --device cpu");
        mcsan(here, &format!("gradients --data data.safetensors {options}")).succeeds();
        fs::read(here.join(out)).unwrap()
    };
    assert!(gradients("a.safetensors", "") == gradients("b.safetensors", MASKS));
}

#[test]
fn a_fold_is_trained_with_all_of_it_and_again_gives_the_same() {
    let folder = prepared();
    let here = folder.path();
    let all = format!("{TINY} {MASKS} --set train.order=balanced --set train.average=0.9 --set train.schedule=plateau --epochs 1");
    for out in ["a", "b"] {
        mcsan(here, &format!("crossval --data data.safetensors --out {out} --folds 3 --fold 1 {all} --device cpu")).succeeds();
    }
    let best = |out: &str| fs::read(here.join(out).join("fold-1/best.safetensors")).unwrap();
    assert!(best("a") == best("b"));
}

#[test]
fn a_plateau_makes_the_learning_rate_less_and_is_remembered() {
    let folder = prepared();
    let here = folder.path();
    // Steps so small that no epoch is better than the first.
    let settings = format!("{TINY} --set train.lr=1e-12 --set train.schedule=plateau --set train.plateau_factor=0.25");
    let trained = mcsan(here, &format!("{TRAIN} --out run {settings} --epochs 4")).succeeds();
    assert!(trained.stderr.contains("2 epochs without a better validation figure: learning rate times 0.25"), "{}", trained.stderr);
    mcsan(here, &format!("{TRAIN} --out run --resume --epochs 8")).succeeds();
    mcsan(here, &format!("{TRAIN} --out alone {settings} --epochs 8")).succeeds();
    let rates = |run: &str| metrics(&here.join(run)).0.iter().map(|line| line["lr"].as_f64().unwrap()).collect::<Vec<f64>>();
    let expected = [0, 0, 0, 1, 1, 2, 2, 3].iter().flat_map(|&times| [1e-12 * 0.25f64.powi(times); 3]);
    assert_eq!(rates("alone"), expected.collect::<Vec<f64>>());
    assert_eq!(rates("run"), rates("alone"));
}

#[test]
fn the_average_is_what_is_validated_and_kept() {
    let folder = prepared();
    let here = folder.path();
    // With the same seed the weights are the same until they are averaged.
    mcsan(here, &format!("{TRAIN} --out plain {TINY} --epochs 2")).succeeds();
    mcsan(here, &format!("{TRAIN} --out averaged {TINY} --set train.average=0.9 --set train.selection=loss --epochs 2")).succeeds();
    assert_eq!(losses(&here.join("plain")), losses(&here.join("averaged")));
    let store = |path: &str| Store::open(&here.join(path)).unwrap();
    let [plain, best, last] = ["plain/last", "averaged/best", "averaged/last"].map(|run| store(&format!("{run}.safetensors")));
    let values = |store: &Store, name: &str| store.tensor(name).unwrap().floats().unwrap();
    let name = "classifier.2.weight";
    assert_eq!(values(&plain, name), values(&last, name));
    // The second epoch is the better one.
    assert_eq!(best.metadata("epoch"), Some("2"));
    assert_eq!(values(&best, name), values(&last, &format!("average.{name}")));
    assert_ne!(values(&best, name), values(&last, name));
    assert!(!best.names().iter().any(|name| name.starts_with("average.")));
    let validation = |run: &str| metrics(&here.join(run)).1[1]["validation"]["loss"].clone();
    assert_ne!(validation("plain"), validation("averaged"));
    let evaluated = mcsan(here, "evaluate --run averaged --data data.safetensors --split validation --device cpu --json").json();
    assert_eq!(evaluated["loss"], validation("averaged"));
}

#[test]
fn values_that_cannot_be_are_refused() {
    let folder = prepared();
    for (setting, part) in [
        ("train.word_dropout=1", "train.word_dropout = 1: expected"),
        ("train.time_masks=101", "0 to 100"),
        ("train.time_mask_share=0", "above 0"),
        ("train.frequency_mask_columns=0", "at least 1"),
        ("train.average=1", "below 1"),
        ("train.plateau_factor=2", "at most 1"),
        ("train.plateau_patience=0", "at least 1"),
        ("train.order=even", "balanced"),
    ] {
        let line = mcsan(folder.path(), &format!("{TRAIN} --out run {TINY} --set {setting}")).fails();
        assert!(line.contains(part), "{setting}: {line}");
        assert!(!folder.path().join("run").exists());
    }
}
