//! Several prepared files in one training.

use std::fs;
use std::path::Path;

use mcsan::dataset::store::Store;
use serde_json::Value;

use super::corpus::{TINY, prepared};
use super::training::{assert_same_results, losses};
use crate::program::mcsan;

/// A second corpus: the same ids, speakers and classes in another order, fewer utterances, one other word; its recordings are cut.
fn another(folder: &Path, name: &str, options: &str) {
    let manifest = fs::read_to_string(folder.join("manifest.csv")).unwrap();
    let lines = manifest.lines().filter(|line| !line.contains("1,audio")).map(|line| line.replace("lovely", "dull") + "\n");
    fs::write(folder.join(format!("{name}.csv")), lines.collect::<String>()).unwrap();
    mcsan(folder, &format!("prepare manifest {name}.csv --out {name}.safetensors --device cpu {options}")).succeeds();
}

const VECTORS: &str = "--vectors vectors.txt --classes glad,angry,calm";

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn several_files_are_one_data_set_with_figures_of_each() {
    let folder = prepared();
    let here = folder.path();
    another(here, "other", VECTORS);
    let train = format!("train --data data.safetensors --data other.safetensors --epochs 2 {TINY} --device cpu");
    let document = mcsan(here, &format!("{train} --out run --json")).json();
    assert_eq!(document["steps"], 2 * 4, "nine utterances and six in batches of four");
    let test = json(&here.join("run/test.json"));
    let corpora: Vec<(&str, u64)> =
        test["corpora"].as_array().unwrap().iter().map(|of| (of["corpus"].as_str().unwrap(), of["utterances"].as_u64().unwrap())).collect();
    assert_eq!(corpora, [("manifest", 3), ("other", 3)]);
    assert_eq!(test["utterances"], 6);
    assert_eq!(document["corpora"], test["corpora"]);
    // An utterance of either is its own, though the ids are the same, and each has the class that its file says.
    let predictions = test["predictions"].as_array().unwrap();
    let ids: Vec<&str> = predictions.iter().map(|of| of["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["manifest/angry4", "manifest/calm4", "manifest/glad4", "other/angry4", "other/calm4", "other/glad4"]);
    for of in predictions {
        assert!(of["id"].as_str().unwrap().contains(of["label"].as_str().unwrap()), "{of}");
    }
    // Words of both, each once.
    let store = Store::open(&here.join("run/vocabulary.safetensors")).unwrap();
    let words: Vec<String> = serde_json::from_str(store.metadata("vocabulary").unwrap()).unwrap();
    let mut unique = words.clone();
    unique.sort();
    unique.dedup();
    assert_eq!((words.len(), unique.len()), (15, 15), "{words:?}");
    let page = fs::read_to_string(here.join("run/report.html")).unwrap();
    assert!(page.contains("Corpora") && page.contains("manifest + other"));
    // Each file alone has the figures that it has beside the other, and both together those of the test.
    for (file, place) in [("data", 0), ("other", 1)] {
        let alone = mcsan(
            here,
            &format!("evaluate --run run --data {file}.safetensors --device cpu --json{}", if place == 1 { " --map auto" } else { "" }),
        )
        .json();
        assert_eq!(alone["confusion"], test["corpora"][place]["confusion"], "{file}");
        assert_eq!(alone["wa"], test["corpora"][place]["wa"], "{file}");
    }
    let both = "--data data.safetensors --data other.safetensors";
    let again = mcsan(here, &format!("evaluate --run run {both} --device cpu --json")).json();
    assert_eq!((&again["corpora"], &again["confusion"]), (&test["corpora"], &test["confusion"]));
    let told = mcsan(here, &format!("evaluate --run run {both} --device cpu")).succeeds().stdout;
    assert!(told.lines().any(|line| line.starts_with("other ") && line.ends_with(" 3")), "{told}");
    mcsan(here, &format!("report --run run {both} --out page.html")).succeeds();
    let line = mcsan(here, "report --run run --data data.safetensors --out page.html").fails();
    assert!(line.contains("data.safetensors: ") && line.contains("manifest/angry4"), "{line}");
    // It goes on as it would have gone on.
    mcsan(here, &format!("{train} --out halved --steps 3")).succeeds();
    mcsan(here, &format!("train {both} --out halved --resume --steps 0")).succeeds();
    assert_same_results(here, "halved", "run");
    let line = mcsan(here, "train --data other.safetensors --data data.safetensors --out halved --resume").fails();
    assert!(line.contains("other.safetensors + data.safetensors: ") && line.contains("started with other data"), "{line}");
}

#[test]
fn files_whose_classes_are_called_otherwise_are_joined_as_they_are_said_to_be() {
    let folder = prepared();
    let here = folder.path();
    another(here, "other", VECTORS);
    // The same utterances by other names of their classes, of which one is nobody else's.
    let manifest = fs::read_to_string(here.join("other.csv")).unwrap();
    fs::create_dir(here.join("named")).unwrap();
    fs::write(here.join("other.csv"), manifest.replace(",angry,", ",anger,").replace(",glad,", ",happy,")).unwrap();
    mcsan(here, "prepare manifest other.csv --out named/other.safetensors --vectors vectors.txt --device cpu").succeeds();
    fs::write(here.join("map.toml"), "happy = \"glad\"\nanger = \"angry\"\n").unwrap();
    let both = "--data data.safetensors --data named/other.safetensors";
    let train = format!("train {both} --epochs 2 {TINY} --device cpu");
    mcsan(here, &format!("train --data data.safetensors --data other.safetensors --epochs 2 {TINY} --device cpu --out same")).succeeds();
    let document = mcsan(here, &format!("{train} --out run --map map.toml --json")).json();
    let best = |run: &str| fs::read(here.join(run).join("best.safetensors")).unwrap();
    assert!(best("same") == best("run"));
    assert_eq!(json(&here.join("same/test.json"))["predictions"], json(&here.join("run/test.json"))["predictions"]);
    let note = &document["notes"].as_array().unwrap().iter().find(|note| note["kind"] == "classes_joined").unwrap()["text"];
    assert_eq!(note, "classes of named/other.safetensors: anger is angry, happy is glad");
    let map = serde_json::json!({ "anger": "angry", "happy": "glad" });
    assert_eq!((&document["corpora"][0]["map"], &document["corpora"][1]["map"]), (&Value::Null, &map));
    assert_eq!(json(&here.join("run/test.json"))["corpora"][1]["map"], map);
    // Tested, shown, divided and gone on with in the same way.
    let tested = mcsan(here, &format!("evaluate --run run {both} --map map.toml --device cpu --json")).json();
    assert_eq!((&tested["confusion"], &tested["corpora"][1]["map"]), (&document["test"]["confusion"], &map));
    mcsan(here, &format!("report --run run {both} --map map.toml --out page.html")).succeeds();
    mcsan(here, &format!("{train} --out halved --map map.toml --steps 3")).succeeds();
    mcsan(here, &format!("train {both} --map map.toml --out halved --resume --steps 0")).succeeds();
    assert_same_results(here, "halved", "run");
    mcsan(here, &format!("crossval {both} --map map.toml --out folds --folds 3 --fold 1 --epochs 1 {TINY} --device cpu")).succeeds();
    // By emotions alone those of 'happy' are left out.
    let document = mcsan(here, &format!("{train} --out auto --map auto --json")).json();
    assert_eq!(document["corpora"][1]["left_out"], serde_json::json!({ "happy": 4 }));
    assert_eq!((&document["test"]["utterances"], &document["corpora"][1]["utterances"]), (&5.into(), &2.into()));
    let refused = |map: &str, part: &str| {
        let line = mcsan(here, &format!("{train} --out new {map}")).fails();
        assert!(line.contains(part) && !here.join("new").exists(), "{map}: {line}");
    };
    refused("", "its classes are anger, calm, happy, there they are angry, calm, glad; say which is which with --map");
    fs::write(here.join("map.toml"), "happy = \"joyful\"\n").unwrap();
    refused("--map map.toml", "map.toml: 'happy' is to be 'joyful', which no class of the model or of the first file is, the nearest is");
    fs::write(here.join("map.toml"), "happy = \"\"\nanger = \"\"\ncalm = \"\"\n").unwrap();
    let none =
        "named/other.safetensors: does not go with data.safetensors: none of its classes (anger, calm, happy) is one of angry, glad; say";
    refused("--map map.toml", none);
    refused("--map absent.toml", "absent.toml: cannot be read");
}

#[test]
fn a_balanced_epoch_takes_the_smaller_corpus_as_often_and_goes_on_with_the_same_bits() {
    let folder = prepared();
    let here = folder.path();
    another(here, "other", VECTORS);
    let both = "--data data.safetensors --data other.safetensors";
    let train = format!("train {both} --epochs 2 {TINY} --balance corpus --device cpu");
    mcsan(here, &format!("{train} --out whole")).succeeds();
    assert_eq!(losses(&here.join("whole")).len(), 2 * 5, "nine utterances of each in batches of four");
    mcsan(here, &format!("{train} --out halved --steps 7")).succeeds();
    mcsan(here, &format!("train {both} --out halved --resume --steps 0")).succeeds();
    assert_same_results(here, "halved", "whole");
    // Folds of all of them; of one corpus there is nothing to balance.
    mcsan(here, &format!("crossval {both} --out folds --folds 3 --fold 1 --by speaker --epochs 1 {TINY} --device cpu")).succeeds();
    let test = json(&here.join("folds/fold-1/test.json"));
    assert!(test["predictions"].as_array().unwrap().iter().all(|of| of["id"].as_str().unwrap().contains('/')), "{test}");
    let alone = format!("train --data data.safetensors --epochs 1 {TINY} --balance corpus --device cpu --out alone --json");
    let notes = mcsan(here, &alone).json()["notes"].clone();
    assert!(notes.as_array().unwrap().iter().any(|note| note["option"] == "train.balance"), "{notes}");
}

#[test]
fn files_that_do_not_go_together_are_refused_by_name() {
    let folder = prepared();
    let here = folder.path();
    let manifest = fs::read_to_string(here.join("manifest.csv")).unwrap();
    fs::write(
        here.join("two.csv"),
        manifest.lines().filter(|line| !line.contains(",calm,")).map(|line| format!("{line}\n")).collect::<String>(),
    )
    .unwrap();
    mcsan(here, "prepare manifest two.csv --out two.safetensors --vectors vectors.txt --device cpu").succeeds();
    another(here, "bare", "");
    another(here, "narrow", &format!("{VECTORS} --coefficients 20"));
    another(here, "hop", &format!("{VECTORS} --hop 200"));
    let vectors = fs::read_to_string(here.join("vectors.txt")).unwrap();
    fs::write(here.join("vectors.txt"), vectors.replace("sea 0", "sea 1")).unwrap();
    another(here, "changed", VECTORS);
    for (file, said) in [
        (
            "two",
            "two.safetensors: does not go with data.safetensors: its classes are angry, glad, there they are angry, calm, glad; say which is which with --map, or prepare",
        ),
        ("bare", "bare.safetensors: does not go with data.safetensors: its words have no vectors, there vectors of 8 numbers; prepare"),
        (
            "narrow",
            "narrow.safetensors: does not go with data.safetensors: its acoustic features are made otherwise: coefficients is 20, not 40",
        ),
        ("hop", "hop.safetensors: does not go with data.safetensors: its acoustic features are made otherwise: hop is 200, not 160"),
        ("changed", "changed.safetensors: does not go with data.safetensors: the word 'sea' has another vector; prepare"),
        ("./data", "./data.safetensors is given twice"),
        ("absent", "absent.safetensors: cannot be read"),
    ] {
        let line = mcsan(here, &format!("train --data data.safetensors --data {file}.safetensors --out new {TINY} --device cpu")).fails();
        assert!(line.contains(said), "{line}");
        assert!(!here.join("new").exists());
    }
    // Tables that are trained are joined by their words.
    another(here, "second", "");
    let train = format!(
        "train --data bare.safetensors --data second.safetensors --out learned --steps 1 --set model.word_width=6 {TINY} --device cpu"
    );
    mcsan(here, &train).succeeds();
    let words = |file: &str| Store::open(&here.join(file)).unwrap().metadata("vocabulary").unwrap().to_owned();
    assert_eq!(words("learned/vocabulary.safetensors"), words("bare.safetensors"));
}
