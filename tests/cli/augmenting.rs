//! What keeps a network from learning its training data by heart: masks, unknown words, balanced batches, plateaus, averaged weights.

use std::fs;
use std::path::Path;

use mcsan::dataset::store::Store;
use serde_json::{Value, json};

use super::corpus::{TINY, UTTERANCES, corpus, prepared};
use super::training::{losses, metrics};
use crate::program::mcsan;

const TRAIN: &str = "train --data data.safetensors --device cpu";
const MASKS: &str = "--set train.time_masks=2 --set train.frequency_masks=2 --set train.word_dropout=0.3 --set train.mixup=0.3";

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
    assert_eq!((&learned("")["steps"], masked["notes"].as_array().unwrap().len()), (&masked["steps"], 5), "{masked}");
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
        ("train.time_mask_share=0", "more than 0"),
        ("train.frequency_mask_columns=0", "at least 1"),
        ("train.average=1", "below 1"),
        ("train.mixup=-0.1", "train.mixup = -0.1: expected a number, at least 0"),
        ("train.mixup=0.2 --set train.accumulate=2", "train.accumulate = 2: expected 1 with train.mixup = 0.2, which mixes"),
        ("train.mixup=0.2 --set model.system=cmkl", "train.mixup = 0.2: expected 0 with model.system = cmkl, whose SVM"),
        ("train.plateau_factor=2", "at most 1"),
        ("train.plateau_patience=0", "at least 1"),
        ("train.order=even", "balanced"),
    ] {
        let line = mcsan(folder.path(), &format!("{TRAIN} --out run {TINY} --set {setting}")).fails();
        assert!(line.contains(part), "{setting}: {line}");
        assert!(!folder.path().join("run").exists());
    }
}

/// The utterances of a prepared file, as its metadata have them.
fn utterances(path: &Path) -> Vec<Value> {
    serde_json::from_str(Store::open(path).unwrap().metadata("utterances").unwrap()).unwrap()
}

#[test]
fn copies_are_trained_on_where_their_utterances_are_and_nowhere_else() {
    let folder = corpus();
    let here = folder.path();
    let prepare = "prepare manifest manifest.csv --vectors vectors.txt --device cpu";
    let changes = "--augment speed=0.8,noise=10dB,gain=-6dB";
    mcsan(here, &format!("{prepare} --out plain.safetensors")).succeeds();
    let report = mcsan(here, &format!("{prepare} --out data.safetensors {changes} --json")).json();
    // Nine of fifteen are of the training split.
    assert_eq!((&report["augmented"], &report["utterances"]), (&json!(27), &json!(UTTERANCES + 27)));
    let all = utterances(&here.join("data.safetensors"));
    let copies: Vec<&Value> = all.iter().filter(|info| info.get("copy_of").is_some()).collect();
    assert!(copies.len() == 27 && copies.iter().all(|copy| copy["split"] == "augmented"));
    assert!(copies.iter().any(|copy| copy["id"] == "glad1~speed0.8" && copy["copy_of"] == "glad1" && copy["speaker"] == "speaker1"));
    let store = |name: &str| Store::open(&here.join(name)).unwrap();
    let offsets = store("data.safetensors").tensor("audio.offsets").unwrap().integers().unwrap();
    let length = |id: &str| {
        let place = all.iter().position(|info| info["id"] == id).unwrap();
        offsets[place + 1] - offsets[place]
    };
    // 0.35 s and 1 / 0.8 of them, a row each hundredth of a second.
    assert_eq!(["calm1", "calm1~speed0.8", "calm1~noise10dB", "calm1~gain-6dB"].map(length), [36, 44, 36, 36]);
    // What is not copied is as it was; copies have the words of theirs.
    let rows = |name: &str| store(name).tensor("audio.features").unwrap().floats().unwrap();
    let (plain, augmented) = (rows("plain.safetensors"), rows("data.safetensors"));
    assert!(augmented[..plain.len()] == plain[..] && augmented.len() > 2 * plain.len());
    assert!(augmented[plain.len()..].iter().all(|value| value.is_finite()));

    let train = |data: &str, out: &str| {
        mcsan(here, &format!("train --data {data}.safetensors --out {out} {TINY} --epochs 1 --device cpu")).succeeds();
        metrics(&here.join(out)).0.len()
    };
    assert_eq!([train("plain", "a"), train("data", "b")], [3, 9], "batches of four of 9 and 36 utterances");
    // The statistics that features are normalised by are of no copies.
    let normalisation = |run: &str| store(&format!("{run}/best.safetensors")).metadata("normalisation").unwrap().to_owned();
    assert_eq!(normalisation("a"), normalisation("b"));
    let evaluated = mcsan(here, "evaluate --run b --data data.safetensors --device cpu --json").json();
    assert_eq!(evaluated["utterances"], 3);
    let inspected = mcsan(here, "inspect data.safetensors --json").json();
    assert_eq!((&inspected["augmented"], &inspected["splits"]["train"]["utterances"]), (&json!(27), &json!(9)));

    // Of an undivided corpus all are copied, since folds divide them anew.
    let manifest = fs::read_to_string(here.join("manifest.csv")).unwrap();
    let undivided: String =
        manifest.lines().map(|line| line.replace(",train,", ",,").replace(",validation,", ",,").replace(",test,", ",,") + "\n").collect();
    fs::write(here.join("undivided.csv"), undivided).unwrap();
    let prepare = "prepare manifest undivided.csv --vectors vectors.txt --device cpu --out undivided.safetensors --augment speed=1.1";
    assert_eq!(mcsan(here, &format!("{prepare} --json")).json()["augmented"], UTTERANCES);
    let folds = format!("crossval --data undivided.safetensors --out folds --folds 3 --by speaker {TINY} --epochs 1 --device cpu");
    let said = mcsan(here, &folds).succeeds();
    // Of five speakers a fold tests at most two, of three utterances each, and trains on the others and their copies.
    let mut tested = 0;
    for fold in 1..=3 {
        let test: Value = serde_json::from_str(&fs::read_to_string(here.join(format!("folds/fold-{fold}/test.json"))).unwrap()).unwrap();
        let ids: Vec<&str> = test["predictions"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
        assert!(ids.iter().all(|id| !id.contains('~')), "{ids:?}");
        tested += ids.len();
    }
    assert_eq!(tested, UTTERANCES);
    // Evaluated again by its own fold, it has no copy in any split.
    let evaluate = |split: &str| {
        let fold = format!("evaluate --run folds/fold-1 --data undivided.safetensors --split {split} --device cpu --json");
        mcsan(here, &fold).json()["utterances"].as_u64().unwrap() as usize
    };
    assert_eq!(["train", "validation", "test"].map(evaluate).iter().sum::<usize>(), UTTERANCES);
    assert!(said.stderr.contains("18 utterances to train on") || said.stderr.contains("12 utterances to train on"), "{}", said.stderr);
}

#[test]
fn copies_that_cannot_be_made_are_refused_or_said_to_be_none() {
    let folder = corpus();
    let here = folder.path();
    let prepare = "prepare manifest manifest.csv --out data.safetensors --device cpu";
    let usage = |more: &str| {
        let refused = mcsan(here, &format!("{prepare} {more}"));
        assert_eq!(refused.code, Some(2), "{more}");
        refused.stderr
    };
    assert!(usage("--augment pitch=2").contains("none of speed=, noise= and gain="));
    assert!(usage("--augment speed=1").contains("changes nothing"));
    assert!(usage("--augment speed=0.9 --audio-features audio").contains("leave one of them out"));
    let manifest = fs::read_to_string(here.join("manifest.csv")).unwrap();
    fs::write(here.join("manifest.csv"), manifest.replace("calm1,audio", "calm0~speed0.9,audio")).unwrap();
    let line = mcsan(here, &format!("{prepare} --augment speed=0.9")).fails();
    assert!(line.contains("manifest.csv: an utterance is called 'calm0~speed0.9'") && line.contains("rename it"), "{line}");
    fs::write(here.join("manifest.csv"), manifest.replacen(",train,", ",augmented,", 1)).unwrap();
    let line = mcsan(here, prepare).fails();
    assert!(line.contains("augmented"), "{line}");
    // A recording that cannot be read takes its copies with it, and is left out once.
    fs::write(here.join("manifest.csv"), &manifest).unwrap();
    fs::write(here.join("audio/calm1.wav"), "a letter").unwrap();
    let report = mcsan(here, &format!("{prepare} --augment speed=0.9 --allow-missing 1 --json")).json();
    assert_eq!((&report["utterances"], report["left_out"].as_array().unwrap().len()), (&json!(UTTERANCES - 1 + 8), 1));
    // Words alone have no recordings to change.
    let words: String = manifest
        .lines()
        .map(|line| {
            line.split(',').enumerate().filter(|(column, _)| *column != 1).map(|(_, value)| value).collect::<Vec<_>>().join(",") + "\n"
        })
        .collect();
    fs::write(here.join("words.csv"), words).unwrap();
    let report = mcsan(here, "prepare manifest words.csv --out words.safetensors --device cpu --augment speed=0.9 --json").json();
    let note = report["notes"].as_array().unwrap().iter().find(|note| note["option"] == "--augment").unwrap();
    assert_eq!((&note["reason"], &report["augmented"]), (&json!("no utterance that is trained on has a recording"), &json!(0)));
}
