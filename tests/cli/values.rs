//! Values that are no numbers, are out of range or say too little: refused before the first step, or said.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::corpus::{CLASSES, SPLITS, TINY, corpus, prepared, trained};
use super::failures::refused;
use crate::checkpoints::set_element;
use crate::program::{call, mcsan};

const TRAIN: &str = "train --data data.safetensors --out run --device cpu";

/// The notes of one kind in a document.
fn notes<'d>(document: &'d Value, kind: &str) -> Vec<&'d Value> {
    document["notes"].as_array().map_or_else(Vec::new, |notes| notes.iter().filter(|note| note["kind"] == kind).collect())
}

#[test]
fn weights_of_classes_are_above_zero_before_the_first_step() {
    let folder = prepared();
    for (weights, shown) in
        [("[1,0,0]", "[1.0, 0.0, 0.0]"), ("[0,0,0]", "[0.0, 0.0, 0.0]"), ("[-1,1,1]", "[-1.0, 1.0, 1.0]"), ("[nan,1,1]", "[NaN, 1.0, 1.0]")]
    {
        let parts = [&format!("train.class_weights = {shown}: expected numbers above 0"), "one for each class"];
        refused(&folder, &format!("train --data data.safetensors --out run --set train.class_weights={weights} {TINY}"), &parts);
    }
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cases/class-weights-zero-or-negative/manifest.csv");
    if !case.exists() {
        println!("skipped: {} is not here", case.display());
        return;
    }
    mcsan(folder.path(), &format!("prepare manifest {} --out case.safetensors --device cpu", case.display())).succeeds();
    let each = "train --data case.safetensors --out run --set train.batch_size=1 --set train.class_weights";
    refused(&folder, &format!("{each}=[1,0,0]"), &["train.class_weights", "expected numbers above 0"]);
}

#[test]
fn a_setting_out_of_range_in_a_file_is_named_with_its_line() {
    let folder = prepared();
    fs::write(folder.path().join("own.toml"), "[train]\nlr = 0.5\nepsilon = 0\n[model]\nlayers = 1000000000\n").unwrap();
    refused(&folder, "train --data data.safetensors --out run --config own.toml", &["own.toml, line 5: model.layers = 1000000000"]);
    fs::write(folder.path().join("own.toml"), "[train]\nlr = 0.5\nepsilon = 0\n").unwrap();
    refused(
        &folder,
        "train --data data.safetensors --out run --config own.toml",
        &["own.toml, line 3: train.epsilon = 0: expected a number"],
    );
}

#[test]
fn weights_that_are_no_numbers_end_every_command_that_reads_them() {
    let folder = trained();
    set_element(&folder.path().join("run/best.safetensors"), "classifier.0.weight", 7, f32::NAN);
    let part = &["run/best.safetensors: tensor 'classifier.0.weight' holds NaN (element 7)"];
    for command in [
        "predict --run run --audio audio/calm4.wav --text go",
        "evaluate --run run --data data.safetensors",
        "export --run run --out w.safetensors",
        "export --run run --onnx m.onnx",
        "gradients --data data.safetensors --weights run/best.safetensors --out g.safetensors",
    ] {
        let tiny = if command.starts_with("gradients") { TINY } else { "" };
        refused(&folder, &format!("{command} {tiny}"), part);
    }
}

#[test]
fn results_that_are_no_numbers_are_none() {
    let folder = trained();
    // Finite, and too large to be computed with.
    set_element(&folder.path().join("run/best.safetensors"), "classifier.0.weight", 7, 3e38);
    for element in 0..16 {
        set_element(&folder.path().join("run/best.safetensors"), "classifier.2.weight", element, -3e38);
    }
    let here = ["run/best.safetensors: utterances audio/calm4.wav: the model's results are not finite numbers", "extreme values"];
    refused(&folder, "predict --run run --audio audio/calm4.wav --text go", &here);
    refused(&folder, "predict --run run --audio audio/calm4.wav --text go --attention a.svg", &here);
    let results = "the model's results are not finite numbers";
    refused(&folder, "evaluate --run run --data data.safetensors", &["data.safetensors: utterances angry4, calm4, glad4", results]);
    let gradients = format!("gradients --data data.safetensors --weights run/best.safetensors --out g.safetensors {TINY}");
    refused(&folder, &gradients, &["data.safetensors: utterances ", results]);
    fs::write(folder.path().join("list.csv"), "audio,text\naudio/calm4.wav,go\n").unwrap();
    let outcome = mcsan(folder.path(), "predict --run run --list list.csv --json --device cpu");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""));
    assert!(outcome.stderr.contains(&format!("line 2: utterances audio/calm4.wav: {results}")), "{}", outcome.stderr);
}

#[test]
fn what_is_cut_is_said_by_every_command() {
    let folder = prepared();
    let here = folder.path();
    // The clips are 31, 36, … 51 frames long: those of the last two takes are cut.
    let said = |document: &Value, of: usize, ids: &[&str]| {
        let notes = notes(document, "cut");
        assert_eq!(notes.len(), 1, "{document}");
        assert_eq!((&notes[0]["utterances"], &notes[0]["of"], &notes[0]["max_frames"]), (&json!(ids.len()), &json!(of), &json!(42)));
        assert_eq!(notes[0]["ids"], json!(ids));
    };
    let all = ["angry3", "angry4", "calm3", "calm4", "glad3", "glad4"];
    let short = "--set data.max_frames=42";
    said(&mcsan(here, &format!("{TRAIN} --epochs 1 {TINY} {short} --json")).json(), 15, &all);
    said(&mcsan(here, "evaluate --run run --data data.safetensors --device cpu --json").json(), 3, &["angry4", "calm4", "glad4"]);
    let gradients = "gradients --data data.safetensors --weights run/best.safetensors --out g.safetensors --utterances 0..4 --device cpu";
    said(&mcsan(here, &format!("{gradients} {TINY} {short} --json")).json(), 4, &["angry3"]);
    let folds = "crossval --data data.safetensors --out folds --folds 3 --epochs 1 --device cpu";
    said(&mcsan(here, &format!("{folds} {TINY} {short} --json")).json(), 15, &all);
    let clip = |clip: &str| mcsan(here, &format!("predict --run run --audio audio/{clip}.wav --text go --device cpu --json")).json();
    said(&clip("calm4"), 1, &["audio/calm4.wav"]);
    assert!(notes(&clip("calm1"), "cut").is_empty());
    fs::write(here.join("list.csv"), "id,audio,text\nx,audio/calm4.wav,go\ny,audio/calm0.wav,go\n").unwrap();
    let listed = mcsan(here, "predict --run run --list list.csv --device cpu").succeeds().stderr;
    assert!(listed.contains("1 of 2 utterances are longer than data.max_frames = 42 and are cut there: x"), "{listed}");
    assert!(notes(&mcsan(here, "inspect data.safetensors --json").json(), "cut").is_empty());
}

#[test]
fn a_list_that_names_its_speakers_is_predicted_as_the_data_set_is() {
    let folder = prepared();
    let here = folder.path();
    mcsan(here, &format!("{TRAIN} --epochs 1 {TINY} --set data.normalise=speaker")).succeeds();
    let test: Value = serde_json::from_str(&fs::read_to_string(here.join("run/test.json")).unwrap()).unwrap();
    let line = |(name, text): (&str, &str), take: usize| format!("{name}{take},audio/{name}{take}.wav,\"{text}\",speaker{take}\n");
    let lines: Vec<String> =
        CLASSES.iter().flat_map(|&(name, _, text)| (0..SPLITS.len()).map(move |take| line((name, text), take))).collect();
    let predict = |list: String| {
        fs::write(here.join("list.csv"), list).unwrap();
        let outcome = mcsan(here, "predict --run run --list list.csv --json --device cpu").succeeds();
        let found: Vec<Value> = outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (found, outcome.stderr)
    };
    let (named, said) = predict(format!("id,audio,text,speaker\n{}", lines.concat()));
    assert!(!said.contains("normalised by speaker"), "{said}");
    for prediction in test["predictions"].as_array().unwrap() {
        let line = named.iter().find(|line| line["id"] == prediction["id"]).unwrap();
        let probabilities: Vec<&Value> = CLASSES.iter().map(|(name, ..)| &line["probabilities"][name]).collect();
        assert_eq!(probabilities, prediction["probabilities"].as_array().unwrap().iter().collect::<Vec<_>>(), "{line}");
    }
    // Where nobody says who speaks, that is said, and each is alone.
    let (unnamed, said) = predict(format!("id,audio,text,voice\n{}", lines.concat()));
    assert!(said.contains("the model of run is normalised by speaker: 15 utterances whose speaker is not named"), "{said}");
    assert_ne!(unnamed[4]["probabilities"], named[4]["probabilities"]);
    let alone =
        call(here, &["predict", "--run", "run", "--audio", "audio/angry4.wav", "--text", CLASSES[0].2, "--json", "--device", "cpu"]).json();
    assert_eq!(alone["probabilities"], unnamed[4]["probabilities"]);
    assert_eq!(notes(&alone, "speaker_unknown").len(), 1, "{alone}");
    let (some, said) = predict(format!("id,audio,text,speaker\n{}", lines.concat().replace("speaker3", "")));
    assert!(said.contains("3 utterances whose speaker is not named"), "{said}");
    assert_eq!(some[4]["probabilities"], named[4]["probabilities"]);
}

#[test]
fn what_a_setting_does_not_reach_is_said() {
    let folder = corpus();
    let here = folder.path();
    let prepare = "prepare manifest manifest.csv --vectors vectors.txt --out data.safetensors --device cpu --json";
    assert!(notes(&mcsan(here, prepare).json(), "empty_bands").is_empty());
    let narrow = mcsan(here, "features --audio audio/calm0.wav --out a.npy --transform 64 --window-length 64 --device cpu --json").json();
    assert_eq!(notes(&narrow, "empty_bands").len(), 1, "{narrow}");
    let run = mcsan(here, &format!("{TRAIN} --epochs 1 {TINY} --set train.warmup_steps=100 --json")).json();
    let warmups = notes(&run, "warmup_unfinished");
    assert!(warmups.len() == 1 && warmups[0]["warmup_steps"] == 100 && warmups[0]["steps"] == 3, "{run}");
}
