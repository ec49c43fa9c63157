//! Acoustic features that another program computed, in place of our own: prepared, trained on, predicted from, and refused by name.

use std::fs;
use std::path::Path;

use mcsan::dataset::Dataset;
use mcsan::dataset::store::{self, Tensor};
use tempfile::TempDir;

use super::corpus::{CLASSES, SPLITS, TINY, corpus, trained};
use super::failures::refused;
use crate::program::mcsan;

const COLUMNS: usize = 12;

/// A NumPy file of a type, an order and a shape.
pub fn npy(descr: &str, fortran: &str, shape: &str, elements: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': ({shape}), }}\n");
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), elements].concat()
}

/// Frames of an utterance: what tells its class, and some of its own. Halves hold them exactly.
fn frames(class: usize, take: usize) -> Vec<f32> {
    let value = |place: usize| ((place * 7 + take * 5) % 16) as f32 / 16.0 + if place % CLASSES.len() == class { 1.0 } else { 0.0 };
    (0..(20 + 3 * take) * COLUMNS).map(value).collect()
}

pub fn f32s(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// A half of these values, which are whole sixteenths below two.
fn half(value: f32) -> u16 {
    let bits = value.to_bits();
    if value == 0.0 { 0 } else { (((bits >> 23) - 112) << 10 | (bits >> 13) & 0x3ff) as u16 }
}

/// The corpus with features of every utterance in `hubert/`, in each form that is read.
fn with_features() -> TempDir {
    let folder = corpus();
    let hubert = folder.path().join("hubert");
    fs::create_dir(&hubert).unwrap();
    for (class, (label, ..)) in CLASSES.into_iter().enumerate() {
        for take in 0..SPLITS.len() {
            let values = frames(class, take);
            let rows = values.len() / COLUMNS;
            let shape = format!("{rows}, {COLUMNS}");
            let file = |extension: &str| hubert.join(format!("{label}{take}.{extension}"));
            match take {
                0 => {
                    let tensors = [Tensor::f32("hidden", &[rows, COLUMNS], &values)];
                    store::write(&file("safetensors"), &Default::default(), &tensors).unwrap();
                }
                1 => {
                    let halves: Vec<u8> = values.iter().flat_map(|&value| half(value).to_le_bytes()).collect();
                    fs::write(file("npy"), npy("<f2", "False", &shape, &halves)).unwrap();
                }
                2 => {
                    let doubles: Vec<u8> = values.iter().flat_map(|&value| f64::from(value).to_le_bytes()).collect();
                    fs::write(file("npy"), npy("<f8", "False", &shape, &doubles)).unwrap();
                }
                _ => fs::write(file("npy"), npy("<f4", "False", &shape, &f32s(&values))).unwrap(),
            }
        }
    }
    folder
}

/// The manifest with a column of the files in `hubert/`.
fn manifest_with_features(folder: &Path) {
    let manifest = fs::read_to_string(folder.join("manifest.csv")).unwrap();
    let file = |id: &str| format!("hubert/{id}.{}", if id.ends_with('0') { "safetensors" } else { "npy" });
    let lines = manifest.lines().enumerate().map(|(number, line)| match line.split_once(',') {
        Some((id, _)) if number > 0 => format!("{line},{}\n", file(id)),
        _ => format!("{line},audio_features\n"),
    });
    fs::write(folder.join("own.csv"), lines.collect::<String>()).unwrap();
}

/// What files have of an utterance's words, and what they are called.
fn word_features(class: usize, take: usize) -> Vec<f32> {
    (0..(2 + take) * WORD_COLUMNS)
        .map(|place| ((place * 5 + take) % 11) as f32 / 8.0 + if place % 3 == class { 1.0 } else { 0.0 })
        .collect()
}

const WORD_COLUMNS: usize = 5;

/// Whose words have no file.
const WORDLESS: &str = "calm2";

#[test]
fn features_of_words_stand_in_their_place() {
    let folder = corpus();
    let at = folder.path();
    fs::create_dir(at.join("bert")).unwrap();
    let mut expected = Vec::new();
    for (class, (label, ..)) in CLASSES.into_iter().enumerate() {
        for take in (0..SPLITS.len()).filter(|take| format!("{label}{take}") != WORDLESS) {
            let values = word_features(class, take);
            let shape = format!("{}, {WORD_COLUMNS}", 2 + take);
            fs::write(at.join(format!("bert/{label}{take}.npy")), npy("<f4", "False", &shape, &f32s(&values))).unwrap();
            expected.extend(values);
        }
    }
    let prepare = "prepare manifest manifest.csv --text-features bert";
    refused(&folder, &format!("{prepare} --out none"), &["calm2.npy: cannot be read", "1 of 15 utterances cannot be used, at most 0"]);
    let report = mcsan(at, &format!("{prepare} --out own.safetensors --allow-missing 1 --vectors vectors.txt --device cpu --json")).json();
    assert_eq!((&report["tokens"], &report["left_out"][0]["id"]), (&(expected.len() / WORD_COLUMNS).into(), &WORDLESS.into()));
    assert_eq!(report["notes"].as_array().unwrap().iter().filter(|note| note["option"] == "--vectors").count(), 1, "{report}");
    let data = Dataset::load(&at.join("own.safetensors")).unwrap();
    let words = data.streams.frames("text").unwrap();
    assert_eq!((words.columns, words.rows(0..words.count()).unwrap().as_ref()), (WORD_COLUMNS, &expected[..]));
    assert!(data.text().is_none() && data.audio().is_some());

    let manifest = fs::read_to_string(at.join("manifest.csv")).unwrap();
    let lines = manifest.lines().enumerate().filter_map(|(number, line)| match line.split_once(',') {
        Some((id, _)) if number > 0 => (id != WORDLESS).then(|| format!("{line},bert/{id}.npy\n")),
        _ => Some(format!("{line},text_features\n")),
    });
    fs::write(at.join("bert.csv"), lines.collect::<String>()).unwrap();
    mcsan(at, "prepare manifest bert.csv --device cpu --out column.safetensors").succeeds();
    let by_column = Dataset::load(&at.join("column.safetensors")).unwrap();
    assert_eq!(by_column.streams.frames("text").unwrap().rows(0..words.count()).unwrap().as_ref(), &expected[..]);

    mcsan(at, &format!("train --data own.safetensors --out run --epochs 2 {TINY} --device cpu")).succeeds();
    fs::write(at.join("list.csv"), "id,audio,text_features\nglad4,audio/glad4.wav,bert/glad4.npy\nx,audio/glad4.wav,\n").unwrap();
    let listed = mcsan(at, "predict --run run --list list.csv --device cpu --json");
    assert!(listed.stderr.contains("list.csv, line 3: no text_features"), "{}", listed.stderr);
    let line: serde_json::Value = serde_json::from_str(listed.stdout.lines().next().unwrap()).unwrap();
    let alone = ["predict", "--run", "run", "--device", "cpu", "--json", "--audio", "audio/glad4.wav", "--text-features", "bert/glad4.npy"];
    let alone = crate::program::call(at, &alone).json();
    assert_eq!(alone["probabilities"], line["probabilities"]);
    let test: serde_json::Value = serde_json::from_str(&fs::read_to_string(at.join("run/test.json")).unwrap()).unwrap();
    let glad = test["predictions"].as_array().unwrap().iter().find(|one| one["id"] == "glad4").unwrap();
    assert!((glad["probabilities"][2].as_f64().unwrap() - alone["probabilities"]["glad"].as_f64().unwrap()).abs() < 1e-5, "{glad} {alone}");

    mcsan(at, "prepare manifest manifest.csv --vectors vectors.txt --device cpu --out words.safetensors").succeeds();
    refused(&folder, "evaluate --run run --data words.safetensors", &["its words are not represented as the model's"]);
    refused(&folder, "predict --run run --audio audio/glad4.wav --text go", &["give --text-features too"]);
    fs::write(at.join("bert/glad3.npy"), npy("<f4", "False", "1, 4", &f32s(&[0.5; 4]))).unwrap();
    refused(&folder, "prepare manifest bert.csv --out none", &["glad3.npy: has 4 columns, not 5"]);
}

#[test]
fn features_of_ones_own_are_prepared_trained_on_and_predicted_from() {
    let folder = with_features();
    let at = folder.path();
    let prepare = "--vectors vectors.txt --device cpu --json";
    let report = mcsan(at, &format!("prepare manifest manifest.csv --audio-features hubert --out own.safetensors {prepare}")).json();
    let rows: usize = (0..SPLITS.len()).map(|take| 20 + 3 * take).sum();
    assert_eq!(report["frames"], 3 * rows, "{report}");
    let data = Dataset::load(&at.join("own.safetensors")).unwrap();
    let audio = data.audio().unwrap();
    let expected: Vec<f32> = (0..CLASSES.len()).flat_map(|class| (0..SPLITS.len()).flat_map(move |take| frames(class, take))).collect();
    assert_eq!((audio.columns, audio.rows(0..audio.count()).unwrap().as_ref()), (COLUMNS, &expected[..]));
    assert_eq!(data.feature_settings, serde_json::json!({ "from": "files", "columns": COLUMNS }));

    manifest_with_features(at);
    mcsan(at, &format!("prepare manifest own.csv --out column.safetensors {prepare} --hop 80")).succeeds();
    let by_column = Dataset::load(&at.join("column.safetensors")).unwrap();
    assert_eq!(by_column.audio().unwrap().rows(0..audio.count()).unwrap().as_ref(), &expected[..]);

    mcsan(at, &format!("train --data own.safetensors --out run --epochs 6 {TINY} --device cpu")).succeeds();
    let text = "The sea is quiet today.";
    fs::write(at.join("list.csv"), format!("id,audio_features,text\na,hubert/calm0.safetensors,{text}\nb,hubert/calm4.npy,{text}\n"))
        .unwrap();
    let listed = mcsan(at, "predict --run run --list list.csv --device cpu --json").succeeds().stdout;
    for (line, file) in listed.lines().zip(["calm0.safetensors", "calm4.npy"]) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["audio_features"], format!("hubert/{file}"));
        let command =
            ["predict", "--run", "run", "--device", "cpu", "--json", "--audio-features", &format!("hubert/{file}"), "--text", text];
        let alone = crate::program::call(at, &command).json();
        assert_eq!(alone["probabilities"], line["probabilities"], "{file}");
        let sum: f64 = alone["probabilities"].as_object().unwrap().values().map(|p| p.as_f64().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-5, "{alone}");
    }
    let evaluated = mcsan(at, "evaluate --run run --data column.safetensors --device cpu --json").json();
    assert_eq!(evaluated["utterances"], 3);

    // Neither kind of features stands in for the other, of the same width even.
    mcsan(at, &format!("prepare manifest manifest.csv --out mfcc.safetensors {prepare} --coefficients {COLUMNS}")).succeeds();
    refused(
        &folder,
        "evaluate --run run --data mfcc.safetensors",
        &["acoustic features are made otherwise", "the model's come from files"],
    );
    mcsan(at, &format!("train --data mfcc.safetensors --out ours --epochs 1 {TINY} --device cpu")).succeeds();
    mcsan(at, &format!("prepare manifest manifest.csv --out hop.safetensors {prepare} --coefficients {COLUMNS} --hop 80")).succeeds();
    refused(&folder, "evaluate --run ours --data hop.safetensors", &["hop is 80, not 160"]);
    refused(&folder, "predict --run run --audio audio/calm4.wav --text go", &["give --audio-features too"]);
    refused(&folder, "prepare manifest manifest.csv --audio-features nowhere --out no.safetensors", &["nowhere: is no folder"]);
    let ours = trained();
    fs::copy(at.join("hubert/calm4.npy"), ours.path().join("calm4.npy")).unwrap();
    refused(&ours, "predict --run run --audio-features calm4.npy --text go", &["give --audio too"]);
    fs::write(at.join("wide.npy"), npy("<f4", "False", "1, 13", &f32s(&[0.5; 13]))).unwrap();
    refused(&folder, "predict --run run --audio-features wide.npy --text go", &["wide.npy: has 13 columns, not 12"]);
}

#[test]
fn a_file_of_features_that_cannot_be_used_is_named_with_the_reason_and_its_utterance_left_out() {
    let folder = with_features();
    let at = folder.path();
    let file = at.join("hubert/calm3.npy");
    let whole = fs::read(&file).unwrap();
    let values = f32s(&frames(1, 3));
    let two = at.join("two.safetensors");
    let tensors = [Tensor::f32("a", &[1, COLUMNS], &[0.5; COLUMNS]), Tensor::f32("b", &[1, COLUMNS], &[0.5; COLUMNS])];
    store::write(&two, &Default::default(), &tensors).unwrap();
    let mut spoiled = whole.clone();
    let last = spoiled.len() - 4;
    spoiled[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    let cases = [
        (npy("<f4", "False", "1, 29, 12", &values), "has the shape (1, 29, 12), not (frames, columns)"),
        (npy("<f4", "False", "0, 12", &[]), "has the shape (0, 12), not (frames, columns) with one of each or more; save one matrix an"),
        (npy("<f4", "True", "29, 12", &values), "column by column"),
        (npy("<i4", "False", "29, 12", &values), "elements of type '<i4'"),
        (npy(">f4", "False", "29, 12", &values), "elements of type '>f4'"),
        (npy("<f4", "False", "30, 12", &values), "more or fewer elements than its shape says"),
        (npy("<f4", "False", "18446744073709551615, 12", &values), "more or fewer elements than its shape says"),
        (npy("<f4", "False", "29, 13", &f32s(&[0.5; 29 * 13])), "has 13 columns, not 12"),
        (whole[..whole.len() - 3].to_vec(), "an element is cut off"),
        (whole[..20].to_vec(), "its header is cut off"),
        (spoiled, "row 28, column 11 is NaN"),
        (fs::read(&two).unwrap(), "holds 2 tensors, and none is called 'features'"),
        (b"0.5 0.25 0.125\n".to_vec(), "is not a whole NumPy file (nor a safetensors file); write it again with numpy.save"),
        (
            b"PK\x03\x04 of numpy.savez".to_vec(),
            "(it is an archive, as numpy.savez makes it, not one array); write it again with numpy.save",
        ),
        (b"version https://git-lfs.github.com/spec/v1\n".to_vec(), "is a pointer of Git LFS in place of the file; run 'git lfs pull'"),
        (b"0.5".to_vec(), "is not a whole safetensors file"),
    ];
    let prepare = "prepare manifest manifest.csv --vectors vectors.txt --audio-features hubert --out own.safetensors";
    for (bytes, reason) in cases {
        fs::write(&file, bytes).unwrap();
        refused(&folder, prepare, &["calm3.npy", reason, "1 of 15 utterances cannot be used, at most 0 may be"]);
    }
    fs::remove_file(&file).unwrap();
    refused(&folder, prepare, &["hubert/calm3.npy: cannot be read"]);
    let report = mcsan(at, &format!("{prepare} --allow-missing 1 --device cpu --json")).json();
    assert_eq!((&report["utterances"], &report["left_out"][0]["id"]), (&14.into(), &"calm3".into()), "{report}");
}
