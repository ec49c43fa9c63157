//! What can be done with a corpus and is hardly meant is said, on standard error and in the notes of `--json`.

use std::fs;
use std::path::{Path, PathBuf};

use mcsan::dataset::Dataset;
use serde_json::Value;
use tempfile::TempDir;

use super::corpus::{CLASSES, SPLITS, TINY, UTTERANCES, corpus};
use crate::program::{Outcome, mcsan};

const PREPARE: &str = "prepare manifest manifest.csv --out data.safetensors --device cpu";

/// The corpus with another manifest.
fn corpus_of(manifest: &str) -> TempDir {
    let folder = corpus();
    fs::write(folder.path().join("manifest.csv"), manifest).unwrap();
    folder
}

/// Every recording in a line, as `line` says it of label, take and text.
fn every(head: &str, line: impl Fn(&str, usize, &str) -> String) -> String {
    let lines = CLASSES.iter().flat_map(|(label, _, text)| (0..SPLITS.len()).map(move |take| (*label, take, *text)));
    head.to_owned() + "\n" + &lines.map(|(label, take, text)| line(label, take, text) + "\n").collect::<String>()
}

fn kinds(document: &Value) -> Vec<&str> {
    document["notes"].as_array().map_or_else(Vec::new, |notes| notes.iter().map(|note| note["kind"].as_str().unwrap()).collect())
}

/// Says what `text` says, once, and still does its work.
fn says(outcome: Outcome, text: &str) -> Outcome {
    let outcome = outcome.succeeds();
    assert_eq!(outcome.stderr.matches(text).count(), 1, "'{text}' in\n{}", outcome.stderr);
    outcome
}

#[test]
fn a_corpus_as_it_should_be_raises_no_doubt() {
    let folder = corpus();
    let prepared = mcsan(folder.path(), &format!("{PREPARE} --vectors vectors.txt --json")).json();
    assert_eq!(kinds(&prepared), [] as [&str; 0]);
    assert_eq!(kinds(&mcsan(folder.path(), "inspect data.safetensors --json").json()), [] as [&str; 0]);
}

#[test]
fn one_recording_in_two_splits_or_with_two_labels_is_said_by_every_command_that_meets_it() {
    let folder = corpus_of(
        "audio,text,label,split\naudio/calm0.wav,Hi,calm,train\n./audio/calm0.wav,Hi,calm,test\naudio/glad0.wav,Ho,glad,train\n\
         copy.wav,Ho,calm,train\naudio/glad1.wav,Ho,glad,validation\n",
    );
    fs::copy(folder.path().join("audio/glad0.wav"), folder.path().join("copy.wav")).unwrap();
    let splits = "one recording has more than one split: calm0 (line 2, train) = calm0-2 (line 3, test); what was trained on is no test";
    let labels = "one recording has more than one label: glad0 (line 4, glad) = copy (line 5, calm); one at most is right";
    let prepared = says(says(mcsan(folder.path(), &format!("{PREPARE} --json")), splits), labels).json();
    assert_eq!(kinds(&prepared), ["conflict", "conflict"]);
    assert_eq!(prepared["notes"][0]["recordings"][0][1]["line"], 3);
    let without_lines = splits.replace("line 2, ", "").replace("line 3, ", "");
    says(mcsan(folder.path(), "inspect data.safetensors"), &without_lines);
    says(mcsan(folder.path(), &format!("train --data data.safetensors --out run --epochs 1 {TINY} --device cpu")), &without_lines);
}

#[test]
fn a_cross_validation_keeps_what_is_one_recording_in_one_fold() {
    let folder = corpus_of(&every("id,audio,text,label,speaker", |label, take, text| {
        let line = |copy: &str, speaker: usize| format!("{copy}{label}{take},audio/{label}{take}.wav,\"{text}\",{label},s{speaker}");
        format!("{}\n{}", line("", take), line("copy-", if take == 0 { 1 } else { take }))
    }));
    mcsan(folder.path(), &format!("{PREPARE} --split own")).succeeds();
    let fold = |by: &str, count: usize| {
        let out = format!("folds-{by}");
        let command = format!("crossval --data data.safetensors --out {out} --by {by} --folds {count} --epochs 1 {TINY} --device cpu");
        says(
            mcsan(folder.path(), &command),
            "15 recordings are of several utterances (angry0, copy-angry0, …): these are kept in one fold",
        );
        let folds: Value = serde_json::from_str(&fs::read_to_string(folder.path().join(out).join("folds.json")).unwrap()).unwrap();
        folds["folds"].as_array().unwrap().clone()
    };
    for (by, count) in [("random", 3), ("speaker", 4)] {
        let folds = fold(by, count);
        let tested: Vec<Vec<&str>> =
            folds.iter().map(|fold| fold["test"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect()).collect();
        assert_eq!(tested.iter().map(Vec::len).sum::<usize>(), 2 * UTTERANCES);
        for fold in &tested {
            let (copies, firsts): (Vec<&str>, Vec<&str>) = fold.iter().partition(|id| id.starts_with("copy-"));
            assert_eq!(copies.iter().map(|id| id.trim_start_matches("copy-")).collect::<Vec<_>>(), firsts, "by {by}: {tested:?}");
        }
        // Speakers who share a recording are one.
        let shared = folds.iter().any(|fold| fold["groups"] == serde_json::json!(["s0", "s1"]));
        assert_eq!(shared, by == "speaker", "{folds:?}");
    }
}

#[test]
fn a_manifest_without_splits_gets_some_the_same_each_time() {
    let folder =
        corpus_of(&every("id,audio,text,label", |label, take, text| format!("{label}{take},audio/{label}{take}.wav,\"{text}\",{label}")));
    let made = "no splits are named, so some were made at random, each class evenly: 11 utterances to train on, 2 to validate, 2 to test";
    says(mcsan(folder.path(), PREPARE), made);
    let bytes = fs::read(folder.path().join("data.safetensors")).unwrap();
    let made = Dataset::load(&folder.path().join("data.safetensors")).unwrap();
    mcsan(folder.path(), PREPARE).succeeds();
    assert_eq!(fs::read(folder.path().join("data.safetensors")).unwrap(), bytes);
    assert_eq!(kinds(&mcsan(folder.path(), &format!("{PREPARE} --split own --json")).json()), [] as [&str; 0]);
    let own = Dataset::load(&folder.path().join("data.safetensors")).unwrap();
    assert!(own.utterances.iter().all(|utterance| utterance.split.is_none()));
    assert_eq!((&own.streams, own.fingerprint().unwrap()), (&made.streams, made.fingerprint().unwrap()), "words and all else are the same");
    fs::write(
        folder.path().join("manifest.csv"),
        every("id,audio,text,label,speaker", |label, take, text| {
            format!("{label}{take},audio/{label}{take}.wav,\"{text}\",{label},s{take}")
        }),
    )
    .unwrap();
    says(mcsan(folder.path(), PREPARE), "so some were made by speaker: 9 utterances to train on, 3 to validate, 3 to test");
}

#[test]
fn a_corpus_without_words_or_without_recordings_trains_what_it_allows() {
    let train = |folder: &TempDir, variant: &str| {
        let arguments =
            format!("train --data data.safetensors --out {variant} --epochs 1 {TINY} --set model.variant={variant} --device cpu");
        mcsan(folder.path(), &arguments)
    };
    let silent = corpus_of(&every("audio,label,split", |label, take, _| format!("audio/{label}{take}.wav,{label},{}", SPLITS[take])));
    says(mcsan(silent.path(), PREPARE), "no utterance to train on has words: train with --set model.variant=no_text");
    train(&silent, "no_text").succeeds();
    let line = train(&silent, "full").fails();
    assert!(line.contains("has no stream 'text'") && line.ends_with("or set model.variant=no_text"), "{line}");
    mcsan(silent.path(), "inspect data.safetensors").succeeds();
    let unheard = corpus_of(&every("text,label,split", |label, take, text| format!("\"{text}\",{label},{}", SPLITS[take])));
    let prepared = says(mcsan(unheard.path(), &format!("{PREPARE} --json")), "no utterance has a recording").json();
    assert_eq!((kinds(&prepared), &prepared["frames"]), (vec!["without"], &Value::from(0)));
    train(&unheard, "no_audio").succeeds();
    let line = train(&unheard, "full").fails();
    assert!(line.contains("has no stream 'audio'") && line.ends_with("or set model.variant=no_audio"), "{line}");
    mcsan(unheard.path(), "inspect data.safetensors").succeeds();
    let neither = corpus_of("text,label\n,calm\n");
    let line = mcsan(neither.path(), PREPARE).fails();
    assert!(line.contains("none of the 1 utterances has a recording, and none a word; give a corpus with recordings or words"), "{line}");
}

#[test]
fn vectors_that_are_not_the_corpus_are_refused_or_doubted() {
    let folder = corpus();
    fs::write(folder.path().join("bad.txt"), "bonjour 1 2\nle 3 4\n").unwrap();
    let line = mcsan(folder.path(), &format!("{PREPARE} --vectors bad.txt")).fails();
    assert!(line.contains("bad.txt: has no vector for any of the corpus' 16 different words (") && line.contains("language"), "{line}");
    fs::write(folder.path().join("bad.txt"), "the 1 2\nle 3 4\n").unwrap();
    let outcome = mcsan(folder.path(), &format!("{PREPARE} --vectors bad.txt --json"));
    assert_eq!(
        kinds(&says(outcome, "bad.txt: has no vector for 75 of the corpus' 80 tokens, 15 of its 16 different words").json()),
        ["few_vectors"]
    );
}

#[test]
fn a_manifest_in_place_of_what_is_prepared_from_it_is_named() {
    let folder = corpus();
    for command in ["inspect manifest.csv", "train --data manifest.csv --out run --device cpu"] {
        let line = mcsan(folder.path(), command).fails();
        assert_eq!(
            line,
            "mcsan: manifest.csv: is a text, perhaps a manifest, and no prepared file; run 'mcsan prepare manifest' on it and give what \
             that writes"
        );
    }
    mcsan(folder.path(), PREPARE).succeeds();
    let shown = mcsan(folder.path(), "inspect data.safetensors").succeeds().stdout;
    assert!(shown.contains("class       train  validation        test\n"), "{shown}");
}

#[test]
fn options_that_nothing_would_use_are_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        "prepare manifest m.csv --out d --vectors none --oov random",
        "predict --run run --audio a.wav --heads all",
        "profile --shape batch=2 --seconds 3",
        "profile --shape batch=2 --manifest m.csv",
    ] {
        assert_eq!(mcsan(folder.path(), arguments).code, Some(2), "{arguments}");
    }
}

/// The cases that lie beside the repository, where they do.
fn case(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cases").join(name);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: ../shared/cases/{name} is not here");
    None
}

#[test]
fn tables_of_public_reports_are_read_or_refused_as_they_should_be() {
    let folder = tempfile::tempdir().unwrap();
    let prepare = |path: PathBuf, more: &str| {
        mcsan(folder.path(), &format!("prepare manifest {} --out data.safetensors --device cpu {more}", path.display()))
    };
    if let Some(case) = case("csv-semicolons") {
        for table in ["semicolons.csv", "sep.csv", "tabs.csv"] {
            prepare(case.join(table), "").succeeds();
        }
    }
    if let Some(case) = case("csv-stray-quote") {
        let line = prepare(case.join("manifest.csv"), "").fails();
        assert!(line.contains("manifest.csv, line 3: a quote"), "{line}");
    }
    if let Some(case) = case("labels-that-differ-by-case") {
        says(
            prepare(case.join("manifest.csv"), ""),
            "2 labels look alike and are not the same: \"Happy\" (line 2), \"happy\" (line 4 and 1 more)",
        );
    }
    if let Some(case) = case("same-recording-in-two-splits") {
        let outcome = prepare(case.join("manifest.csv"), "");
        let outcome = says(outcome, "2 recordings have more than one split: a0 (line 2, train) = a0-2 (line 3, test), a1 (line 4, train)");
        says(outcome, "one recording has more than one label: a2 (line 6, happy) = a2-2 (line 7, sad)");
    }
    if let Some(case) = case("vectors-tab-behind-word") {
        for vectors in ["vectors.txt", "all-tabs.txt"] {
            prepare(case.join("manifest.csv"), &format!("--vectors {}", case.join(vectors).display())).succeeds();
            let data = Dataset::load(&folder.path().join("data.safetensors")).unwrap();
            let text = data.text().unwrap();
            let row = text.vocabulary.iter().position(|word| word == "cat").unwrap();
            assert_eq!(text.vectors.as_ref().unwrap().values[3 * row..3 * row + 3], [4.0, 5.0, 6.0], "{vectors}");
        }
    }
    if let Some(case) = case("meld-cp1252-marks") {
        let lines = mcsan(folder.path(), &format!("tokens --list {}", case.join("lines.txt").display())).succeeds().stdout;
        let json = |text: &str| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
        assert_eq!(json(&lines), json(&fs::read_to_string(case.join("expected.jsonl")).unwrap()));
    }
}
