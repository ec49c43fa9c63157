//! Data of other front-ends: kept with what made them, predicted from by the same, evaluated on nothing else, refused by name.

use std::collections::BTreeMap;
use std::fs;

use mcsan::dataset::Dataset;
use serde_json::{Value, json};

use super::corpus::{CLASSES, TINY, corpus, prepared};
use super::failures::refused;
use crate::program::{call, mcsan};

const PREPARE: &str = "prepare manifest manifest.csv --vectors vectors.txt";
const TRAIN: &str = "train --device cpu --epochs 1";

#[test]
fn what_made_the_features_is_kept_with_them_and_makes_those_that_are_predicted_from() {
    let folder = prepared();
    let here = folder.path();
    let spectrum = "--set model.system=xu --set xu.dense=16 --set xu.hidden=8 --set xu.heads=2 --set train.batch_size=4";
    let front_ends = [("--features spectrum", 257, spectrum), ("--coefficients 13 --mel-bands 26 --lifter 22 --energy", 13, TINY)];
    for (number, (options, columns, settings)) in front_ends.into_iter().enumerate() {
        let (data, run) = (format!("data{number}"), format!("run{number}"));
        mcsan(here, &format!("{PREPARE} --out {data} {options} --device cpu")).succeeds();
        assert_eq!(mcsan(here, &format!("inspect {data} --json")).json()["coefficients"], columns);
        mcsan(here, &format!("{TRAIN} --data {data} {settings} --out {run}")).succeeds();
        let arguments = ["predict", "--run", &run, "--device", "cpu", "--json", "--audio", "audio/glad4.wav", "--text", CLASSES[2].2];
        let predicted = call(here, &arguments).json();
        let test: Value = serde_json::from_str(&fs::read_to_string(here.join(&run).join("test.json")).unwrap()).unwrap();
        let glad = test["predictions"].as_array().unwrap().iter().find(|one| one["id"] == "glad4").unwrap();
        for (place, (class, ..)) in CLASSES.into_iter().enumerate() {
            let [ours, theirs] = [&predicted["probabilities"][class], &glad["probabilities"][place]].map(|p| p.as_f64().unwrap());
            assert!((ours - theirs).abs() < 1e-5, "{options}: {predicted} {glad}");
        }
    }
    let features = |data: &str| mcsan(here, &format!("inspect {data} --json")).json()["features"].clone();
    assert_eq!(features("data0")["convention"], "spectrum");
    assert_eq!([&features("data1")["lifter"], &features("data1")["energy"]], [&json!(22), &json!(true)]);
    assert!(features("data.safetensors").get("lifter").is_none());

    mcsan(here, &format!("{PREPARE} --out plain --coefficients 13 --mel-bands 26 --device cpu")).succeeds();
    refused(&folder, "evaluate --run run1 --data plain", &["acoustic features are made otherwise", "energy is false, not true"]);
    refused(&folder, "evaluate --run run0 --data data.safetensors", &["acoustic features are made otherwise", "convention is librosa"]);
}

#[test]
fn vectors_of_our_own_are_told_from_those_of_files() {
    let folder = corpus();
    let here = folder.path();
    let report = mcsan(here, &format!("{PREPARE} --functionals mfcc --out d --device cpu --json")).json();
    let note = report["notes"].as_array().unwrap().iter().find(|note| note["kind"] == "own_vectors").unwrap();
    assert_eq!(note["stream"], "audio.functionals");
    assert!(note["text"].as_str().unwrap().contains("not what openSMILE computes: nine functionals of 40 MFCC"), "{note}");
    let inspected = mcsan(here, "inspect d").succeeds().stdout;
    assert!(inspected.contains("audio.functionals a vector of 1080 columns an utterance, our own, of mfcc"), "{inspected}");

    // A stream of files and one of our own stand for each other in neither direction.
    let mut data = Dataset::load(&here.join("d")).unwrap();
    let functionals = data.streams.get("audio.functionals").unwrap().clone();
    data.streams.insert("audio.prosody", functionals);
    let made = std::mem::take(&mut data.front_ends);
    data.save(&here.join("files")).unwrap();
    data.front_ends = BTreeMap::from([("audio.prosody".to_owned(), made["audio.functionals"].clone())]);
    data.save(&here.join("ours")).unwrap();
    for data in ["files", "ours"] {
        let mdre = "--set model.system=mdre --set mdre.hidden=8 --set train.batch_size=4";
        mcsan(here, &format!("{TRAIN} --data {data} {mdre} --out of_{data}")).succeeds();
    }
    refused(&folder, "evaluate --run of_files --data ours", &["made otherwise", "the model's audio.prosody comes from files"]);
    refused(&folder, "evaluate --run of_ours --data files", &["made otherwise", "its audio.prosody comes from files"]);
    let predict = "predict --run of_ours --audio audio/calm1.wav --text go";
    refused(&folder, predict, &["vocabulary.safetensors", "no front-end is known that makes its audio.prosody"]);
}

#[test]
fn vectors_of_a_recording_are_computed_to_predict_from_it_too() {
    let functionals = ("--functionals mfcc", "audio.functionals", "--set model.system=cmkl --set cmkl.maps=4");
    let prosody = ("--prosody shs", "audio.prosody", "--set model.system=mdre --set mdre.hidden=8");
    for (option, stream, system) in [functionals, prosody] {
        let folder = corpus();
        let here = folder.path();
        mcsan(here, &format!("{PREPARE} {option} --out d --device cpu")).succeeds();
        mcsan(here, &format!("{TRAIN} --data d {system} --set train.batch_size=4 --out run")).succeeds();
        let test: Value = serde_json::from_str(&fs::read_to_string(here.join("run/test.json")).unwrap()).unwrap();
        let glad = test["predictions"].as_array().unwrap().iter().find(|one| one["id"] == "glad4").unwrap();
        let arguments = ["predict", "--run", "run", "--device", "cpu", "--json"];
        let alone = call(here, &[&arguments[..], &["--audio", "audio/glad4.wav", "--text", CLASSES[2].2]].concat()).json();
        fs::write(here.join("list.csv"), format!("audio,text\naudio/glad4.wav,\"{}\"\n", CLASSES[2].2)).unwrap();
        let listed = call(here, &[&arguments[..], &["--list", "list.csv"]].concat()).json();
        for predicted in [&alone, &listed] {
            for (place, (class, ..)) in CLASSES.into_iter().enumerate() {
                let [ours, theirs] = [&predicted["probabilities"][class], &glad["probabilities"][place]].map(|p| p.as_f64().unwrap());
                assert!((ours - theirs).abs() < 1e-5, "{predicted} {glad}");
            }
            assert!(predicted.get("notes").is_none(), "{predicted}");
        }
        refused(&folder, "predict --run run --text go", &["its model needs both --audio and --text; give --audio too"]);
        let evaluated = mcsan(here, "evaluate --run run --data d --device cpu --json").json();
        assert!(evaluated["notes"].as_array().unwrap().iter().any(|note| note["kind"] == "own_vectors"), "{evaluated}");
        let mut data = Dataset::load(&here.join("d")).unwrap();
        data.front_ends.clear();
        data.save(&here.join("files")).unwrap();
        refused(&folder, "evaluate --run run --data files", &["made otherwise", &format!("its {stream} comes from files")]);
    }
}

#[test]
fn vectors_of_recordings_want_recordings() {
    let folder = corpus();
    let here = folder.path();
    fs::write(here.join("words.csv"), "text,label\ngo,angry\nstay,calm\n").unwrap();
    let none = ["'audio.functionals' is computed from recordings, of which none is read"];
    refused(&folder, "prepare manifest words.csv --functionals mfcc --out d", &none);
    fs::write(here.join("files.csv"), "id,audio_features,text,label\na,a.npy,go,angry\n").unwrap();
    let npy = super::own_features::npy("<f4", "False", "1, 2", &super::own_features::f32s(&[0.5; 2]));
    fs::write(here.join("a.npy"), npy).unwrap();
    refused(&folder, "prepare manifest files.csv --functionals mfcc --out d", &none);
    fs::create_dir(here.join("mfcc")).unwrap();
    refused(&folder, &format!("{PREPARE} --functionals mfcc --out d"), &["mfcc: is a file here and a word for our own", "write ./mfcc"]);
    refused(&folder, &format!("{PREPARE} --functionals ./mfcc --out d"), &["none of the 15 utterances has features 'audio.functionals'"]);
    // What a spectrum has no use for is wrong usage, not a fault of the data.
    let outcome = mcsan(here, "features --audio audio/calm1.wav --out a.npy --features spectrum --energy");
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("--energy is of MFCC, and --features spectrum computes none; leave it out"), "{}", outcome.stderr);
}
