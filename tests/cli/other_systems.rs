//! Networks beside MCSAN's, and features beside recording and words: prepared, trained on, gone on with, predicted from, refused by name.

use std::fs;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use mcsan::backend::cpu::Cpu;
use mcsan::base::streams::{Reading, Readings};
use mcsan::config::{Config, Normalise};
use mcsan::dataset::store::Store;
use mcsan::dataset::{Batcher, DataStream, Dataset, HostStream, Normalisation};
use mcsan::train::{Event, TrainError, Training};
use serde_json::Value;
use tempfile::TempDir;

use super::corpus::{CLASSES, SPLITS, TINY, UTTERANCES, corpus, prepared};
use super::failures::refused;
use super::own_features::{f32s, npy};
use super::resuming::assert_same_run;
use crate::program::{call, mcsan};

const PICTURE_COLUMNS: usize = 6;
const FUNCTIONALS: usize = 4;

const CMKL: &str = "--set model.system=cmkl --set cmkl.maps=8 --set cmkl.features=6";

/// Of each system, small.
const SYSTEMS: [&str; 9] = [
    "--set model.system=mdre --set mdre.hidden=12",
    "--set model.system=mdrea --set mdre.hidden=12",
    "--set model.system=mha --set mha.hidden=10",
    "--set model.system=xu --set xu.dense=16 --set xu.hidden=8 --set xu.heads=2",
    "--set model.system=xu --set xu.form=paper --set xu.hidden=8",
    "--set model.system=can --set can.hidden=10",
    "--set model.system=mcsan3",
    CMKL,
    "--set model.system=liang --set liang.hidden=16",
];

/// Which utterance has neither pictures nor prosody.
const WITHOUT: &str = "calm1";

/// The corpus with features of pictures in `faces/` and a table of prosody, as openSMILE writes it.
pub fn with_features() -> TempDir {
    let folder = corpus();
    let faces = folder.path().join("faces");
    fs::create_dir(&faces).unwrap();
    let mut table = "name;frameTime;F0_amean;F0_stddev;loudness_amean;loudness_stddev\n".to_owned();
    for (class, (label, ..)) in CLASSES.into_iter().enumerate() {
        for take in (0..SPLITS.len()).filter(|take| format!("{label}{take}") != WITHOUT) {
            let rows = 2 + take;
            let values: Vec<f32> = (0..rows * PICTURE_COLUMNS).map(|place| ((place * 5 + take) % 7 + 3 * class) as f32 / 8.0).collect();
            let shape = format!("{rows}, {PICTURE_COLUMNS}");
            fs::write(faces.join(format!("{label}{take}.npy")), npy("<f4", "False", &shape, &f32s(&values))).unwrap();
            table += &format!("'audio/{label}{take}.wav';0.0;{};{};1.5;{}\n", 100 + 40 * class, 10 + take, class);
        }
    }
    fs::write(folder.path().join("prosody.csv"), table).unwrap();
    folder
}

pub const PREPARE: &str = "prepare manifest manifest.csv --vectors vectors.txt";

/// Notes of a kind in a report.
pub fn notes<'r>(report: &'r Value, kind: &str) -> Vec<&'r Value> {
    report["notes"].as_array().map_or_else(Vec::new, |notes| notes.iter().filter(|note| note["kind"] == kind).collect())
}

fn with_prepared_features() -> TempDir {
    let folder = with_features();
    let report = mcsan(
        folder.path(),
        &format!(
            "{PREPARE} --device cpu --visual-features faces --prosody prosody.csv --functionals prosody.csv --out data.safetensors --json"
        ),
    )
    .json();
    let lacking = notes(&report, "lacks_features");
    assert_eq!(lacking.len(), 3, "{report}");
    assert!(lacking.iter().all(|note| note["ids"][0] == WITHOUT && note["of"] == UTTERANCES), "{report}");
    folder
}

#[test]
fn features_beside_recording_and_words_become_streams_in_which_an_utterance_may_be_missing() {
    let folder = with_prepared_features();
    let data = Dataset::load(&folder.path().join("data.safetensors")).unwrap();
    let place = data.utterances.iter().position(|utterance| utterance.id == WITHOUT).unwrap();
    let visual = data.streams.frames("visual").unwrap();
    assert_eq!((visual.columns, visual.of(place, 99).len(), visual.of(place + 1, 99).len()), (PICTURE_COLUMNS, 0, 4));
    let Some(DataStream::Vector(prosody)) = data.streams.get("audio.prosody") else { panic!("prosody is a vector an utterance") };
    assert_eq!((prosody.columns, prosody.of(place).unwrap().as_ref()), (FUNCTIONALS, &[0.0; FUNCTIONALS][..]));
    assert_eq!(prosody.of(place + 1).unwrap().as_ref(), [140.0, 12.0, 1.5, 1.0]);
    assert!(matches!(data.streams.get("audio.functionals"), Some(DataStream::Vector(same)) if same == prosody));
    // What is missing is the mean of those that are there, of which the z-score makes zeros.
    let readings = Readings::new(&[Reading::vector("audio.prosody")], 1000);
    let normalisation = Normalisation::fit(Normalise::Corpus, &data, &data.training(), &readings).unwrap();
    let batch = Batcher::new(&data, &normalisation, readings).unwrap().batch(&[place]).unwrap();
    let HostStream::Vector(laid_out) = &batch.streams["audio.prosody"] else { panic!("{batch:?}") };
    assert_eq!((laid_out.values[2], &laid_out.values), (1.5, &laid_out.statistics.mean));

    // By columns of the manifest, an empty field where there are none.
    let manifest = fs::read_to_string(folder.path().join("manifest.csv")).unwrap();
    let line = |(number, line): (usize, &str)| match line.split_once(',') {
        _ if number == 0 => format!("{line},visual\n"),
        Some((WITHOUT, _)) => format!("{line},\n"),
        Some((id, _)) => format!("{line},faces/{id}.npy\n"),
        None => unreachable!(),
    };
    fs::write(folder.path().join("faces.csv"), manifest.lines().enumerate().map(line).collect::<String>()).unwrap();
    mcsan(folder.path(), "prepare manifest faces.csv --vectors vectors.txt --device cpu --out column.safetensors").succeeds();
    let by_column = Dataset::load(&folder.path().join("column.safetensors")).unwrap();
    let rows = |data: &Dataset| data.streams.frames("visual").unwrap().rows(0..visual.count()).unwrap().into_owned();
    assert_eq!(rows(&by_column), rows(&data));
}

#[test]
fn features_beside_recording_and_words_that_cannot_be_read_are_named() {
    let folder = with_features();
    refused(&folder, &format!("{PREPARE} --out d --visual-features nowhere"), &["nowhere: there is no such file or folder"]);
    refused(&folder, &format!("{PREPARE} --out d --visual-features prosody.csv"), &["prosody.csv: is no folder"]);
    refused(&folder, &format!("{PREPARE} --out d --visual-features audio"), &["none of the 15 utterances has features 'visual'"]);
    refused(
        &folder,
        &format!("{PREPARE} --out d --prosody manifest.csv"),
        &["manifest.csv: has no column of numbers behind the column 'name'"],
    );
    refused(&folder, &format!("{PREPARE} --out d --prosody faces"), &["angry0.npy: has the shape (2, 6), not (columns) or (1, columns)"]);
    let file = folder.path().join("faces/glad2.npy");
    fs::write(&file, npy("<f4", "False", "1, 5", &f32s(&[0.5; 5]))).unwrap();
    refused(&folder, &format!("{PREPARE} --out d --visual-features faces"), &["glad2.npy: has 5 columns, not 6"]);
    let table = fs::read_to_string(folder.path().join("prosody.csv")).unwrap();
    fs::write(folder.path().join("prosody.csv"), table.replace("'audio/calm2.wav';0.0;140", "'audio/calm2.wav';0.0;?")).unwrap();
    refused(&folder, &format!("{PREPARE} --out d --prosody prosody.csv"), &["prosody.csv, line 8: '?' in column F0_amean is no number"]);
}

#[test]
fn every_system_trains_goes_on_bit_for_bit_is_evaluated_and_predicts() {
    let folder = with_prepared_features();
    let here = folder.path();
    for (number, system) in SYSTEMS.into_iter().enumerate() {
        let train = format!("train --data data.safetensors --device cpu --epochs 3 {TINY} {system}");
        let (whole, halved) = (format!("whole{number}"), format!("halved{number}"));
        mcsan(here, &format!("{train} --out {whole}")).succeeds();
        mcsan(here, &format!("{train} --out {halved} --steps 4")).succeeds();
        mcsan(here, &format!("{train} --out {halved} --resume --set train.steps=0")).succeeds();
        assert_same_run(here, &whole, &halved);
        let evaluated = mcsan(here, &format!("evaluate --run {whole} --data data.safetensors --device cpu --json")).json();
        let page = fs::read_to_string(here.join(&whole).join("report.html")).unwrap();
        let name = system.split(['=', ' ']).nth(2).unwrap();
        assert!(page.contains(&format!("Model {name}, ")), "{system}: {}", &page[..600]);

        let prosody = format!("prosody{number}.npy");
        fs::write(here.join(&prosody), npy("<f4", "False", "4,", &f32s(&[180.0, 14.0, 1.5, 2.0]))).unwrap();
        let further: &[&str] = match name {
            "mdre" | "mdrea" => &["--prosody", &prosody],
            "mcsan3" => &["--visual-features", "faces/glad4.npy"],
            "cmkl" | "liang" => &["--functionals", &prosody],
            _ => &[],
        };
        let arguments = ["predict", "--run", &whole, "--device", "cpu", "--json", "--audio", "audio/glad4.wav", "--text", CLASSES[2].2];
        let predicted = call(here, &[&arguments[..], further].concat()).json();
        let predictions = fs::read_to_string(here.join(&whole).join("test.json")).unwrap();
        let test: Value = serde_json::from_str(&predictions).unwrap();
        assert_eq!(test["wa"], evaluated["wa"]);
        let glad = test["predictions"].as_array().unwrap().iter().find(|one| one["id"] == "glad4").unwrap();
        for (place, (class, ..)) in CLASSES.into_iter().enumerate() {
            let [ours, theirs] = [&predicted["probabilities"][class], &glad["probabilities"][place]].map(|p| p.as_f64().unwrap());
            assert!((ours - theirs).abs() < 1e-5, "{system}: {predicted} {glad}");
        }
        assert!(notes(&predicted, "lacks_features").is_empty(), "{predicted}");
        if name == "mcsan3" {
            let without = call(here, &arguments).json();
            assert_eq!(notes(&without, "lacks_features")[0]["stream"], "visual", "{without}");
        }
        if name != "cmkl" {
            mcsan(here, &format!("export --run {whole} --onnx {whole}.onnx")).succeeds();
        }
        let drawn = call(here, &[&arguments[..], further, &["--attention", "a.svg"]].concat());
        if ["mdre", "cmkl", "liang"].contains(&name) {
            let said = "the model has no cross-attention (model.system, model.variant)";
            assert!(drawn.code == Some(1) && drawn.stderr.contains(said), "{}", drawn.stderr);
            continue;
        }
        drawn.succeeds();
        let picture = fs::read_to_string(here.join("a.svg")).unwrap();
        assert!(picture.contains("sums to 1</text>") && !picture.contains("NaN"), "{system}: {picture}");
    }
}

/// The network is trained, but nothing is said by it alone; gone on with, the run ends as one that was left alone.
#[test]
fn a_run_that_is_stopped_while_its_svm_is_fitted_says_nothing_until_it_goes_on() {
    let folder = with_prepared_features();
    let here = folder.path();
    let train = format!("train --data data.safetensors --device cpu --epochs 2 {TINY} {}", SYSTEMS[7]);
    let whole = mcsan(here, &format!("{train} --out whole --json")).json();
    let (svm, weights) = (&whole["svm"], whole["svm"]["weights"].as_array().unwrap());
    let sum: f64 = weights.iter().map(|weight| weight.as_f64().unwrap()).sum();
    assert!(weights.len() == 16 && (sum - 1.0).abs() < 1e-12 && [0.1, 1.0, 10.0].contains(&svm["c"].as_f64().unwrap()), "{svm}");

    let data = Dataset::load(&here.join("data.safetensors")).unwrap();
    let settings = Config::default().load(&here.join("whole/config.toml"), &[]).unwrap().settings;
    let stop = AtomicBool::new(false);
    let training = Training { settings, out: Some(here.join("run")), stop: Some(&stop), ..Training::of(&data) };
    let mut observe = |event: Event<'_>| stop.store(stop.load(Relaxed) || matches!(event, Event::Fitting { .. }), Relaxed);
    let stopped = pollster::block_on(training.run_on(&Cpu::<f32>::default(), &mut observe)).err();
    assert!(matches!(stopped, Some(TrainError::Stopped { kept: Some(_), .. })), "{stopped:?}");
    let says = ["best.safetensors: is of a run that was stopped before its SVM was fitted; go on with --resume"];
    refused(&folder, "evaluate --run run --data data.safetensors", &says);
    refused(&folder, "predict --run run --text go", &says);
    mcsan(here, &format!("{train} --out run --resume")).succeeds();
    assert_same_run(here, "whole", "run");

    // What is no C is refused, and so is a file whose machine is not whole.
    refused(&folder, "train --data data.safetensors --out no --set model.system=cmkl --set cmkl.c=-1", &["cmkl.c = -1"]);
    refused(&folder, "export --run whole --out w --onnx m.onnx", &["model.system = cmkl has no ONNX form: an SVM"]);
    let evaluated = mcsan(here, "evaluate --run whole --data data.safetensors --device cpu --split train --json").json();
    assert!(evaluated["wa"].as_f64().unwrap() > 0.6, "{evaluated}");
    let best = fs::read(here.join("whole/best.safetensors")).unwrap();
    for (from, to, told) in [
        ("machine.chosen", "machine.chosan", "has no tensor 'machine.chosen'"),
        ("mean_diagonals", "mean_diagonalz", "metadata 'machine' is not the JSON that it should be (missing field `mean_diagonals`"),
        ("biases\\\":[", "biases\\\":[1,", "metadata 'machine' is not of 16 kernels and 3 classes"),
    ] {
        let at = best.windows(from.len()).position(|bytes| bytes == from.as_bytes()).unwrap();
        let mut header = [&best[8..at], to.as_bytes(), &best[at + from.len()..]].concat();
        let length = u64::from_le_bytes(best[..8].try_into().unwrap()) as usize + to.len() - from.len();
        header.splice(0..0, (length as u64).to_le_bytes());
        fs::write(here.join("whole/best.safetensors"), header).unwrap();
        refused(&folder, "evaluate --run whole --data data.safetensors", &["best.safetensors: ", told]);
    }
}

#[test]
fn cmkl_is_compared_as_the_others_are_and_its_defaults_are_said() {
    let folder = with_prepared_features();
    let compare = format!("compare --data data.safetensors --out out --systems cmkl --folds 3 --epochs 1 {TINY} --device cpu --json");
    let row = &mcsan(folder.path(), &format!("{compare} --set cmkl.maps=8 --set cmkl.c=1")).json()["rows"][0];
    assert!(row["model"] == "cMKL" && row["modalities"] == "A+L" && row["wa"]["mean"].is_number(), "{row}");
    assert!(row["defaults"].as_str().unwrap().starts_with("which 16 kernels"), "{row}");
}

#[test]
fn a_list_names_further_features_and_says_who_lacks_them() {
    let folder = with_prepared_features();
    let here = folder.path();
    mcsan(here, &format!("train --data data.safetensors --device cpu --epochs 1 {TINY} --set model.system=mcsan3 --out run")).succeeds();
    let text = CLASSES[0].2;
    let list = format!("audio,text,visual\naudio/angry3.wav,\"{text}\",faces/angry3.npy\naudio/angry4.wav,\"{text}\",\n");
    fs::write(here.join("list.csv"), list).unwrap();
    let outcome = mcsan(here, "predict --run run --list list.csv --device cpu").succeeds();
    assert_eq!(outcome.stdout.lines().count(), 3, "{}", outcome.stdout);
    assert!(
        outcome.stderr.contains("1 of 2 utterances have no features 'visual': each has a row of zeros: audio/angry4.wav"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_recipe_is_what_a_systems_authors_train_it_with_under_what_else_is_set() {
    let folder = prepared();
    let here = folder.path();
    let train = "train --data data.safetensors --device cpu --set model.system=mdre --set mdre.hidden=8 --recipe paper --out run";
    mcsan(here, &format!("{train} --steps 6 --set train.batch_size=4")).succeeds();
    let config: toml::Table = fs::read_to_string(here.join("run/config.toml")).unwrap().parse().unwrap();
    let train = &config["train"];
    let of = |key: &str| train[key].to_string();
    assert_eq!([of("order"), of("validate_every"), of("clip_values")], ["\"replacement\"", "0.3", "10.0"]);
    assert_eq!([of("batch_size"), of("steps"), of("patience"), of("selection")], ["4", "6", "8", "\"loss\""]);
    // Nine utterances are trained on: 0.3 of them are a batch of four.
    let log = fs::read_to_string(here.join("run/metrics.jsonl")).unwrap();
    assert_eq!(log.lines().filter(|line| line.contains("\"validation\"") || line.contains("\"epoch\"")).count() % 6, 0, "{log}");
    let line = mcsan(here, "train --data data.safetensors --device cpu --out no --set train.clip_values=1 --precision mixed").fails();
    assert!(line.contains("train.clip_values = 1.0: expected 0 with train.precision = mixed"), "{line}");
}

/// Given vectors that are trained further begin as the file has them, are parameters, and are those by which other data are read.
#[test]
fn vectors_of_words_can_be_trained_further() {
    let folder = prepared();
    let here = folder.path();
    let train = format!("train --data data.safetensors --device cpu {TINY} --set model.tune_words=true");
    mcsan(here, &format!("{train} --epochs 3 --out run")).succeeds();
    mcsan(here, &format!("{train} --epochs 1 --set train.lr=0 --out still")).succeeds();
    let vectors = |path: &str, name: &str| Store::open(&here.join(path)).unwrap().tensor(name).unwrap().floats().unwrap();
    let given = vectors("data.safetensors", "text.vectors");
    let table = "text_encoder.embedding.weight";
    assert_eq!(vectors("still/best.safetensors", table), given);
    let moved = vectors("run/best.safetensors", table).iter().zip(&given).filter(|(a, b)| a != b).count();
    assert!(moved > given.len() / 2, "{moved} of {}", given.len());
    let test: Value = serde_json::from_str(&fs::read_to_string(here.join("run/test.json")).unwrap()).unwrap();
    let evaluated = mcsan(here, "evaluate --run run --data data.safetensors --device cpu --json").json();
    assert_eq!(evaluated["loss"], test["loss"]);
    let arguments = ["predict", "--run", "run", "--device", "cpu", "--json", "--audio", "audio/glad4.wav", "--text", CLASSES[2].2];
    let predicted = call(here, &arguments).json();
    let glad = test["predictions"].as_array().unwrap().iter().find(|one| one["id"] == "glad4").unwrap();
    let [ours, theirs] = [&predicted["probabilities"]["glad"], &glad["probabilities"][2]].map(|p| p.as_f64().unwrap());
    assert!((ours - theirs).abs() < 1e-5, "{predicted} {glad}");

    let manifest = fs::read_to_string(here.join("manifest.csv")).unwrap().replace("The sea is quiet", "What is a lovely");
    fs::write(here.join("other.csv"), manifest).unwrap();
    mcsan(here, "prepare manifest other.csv --vectors vectors.txt --out other.safetensors --device cpu").succeeds();
    let other = mcsan(here, "evaluate --run run --data other.safetensors --device cpu --json").json();
    assert!(other["notes"].as_array().unwrap().iter().any(|note| note["kind"] == "words_of_run"), "{other}");
}

/// A model that reads what the data lack is refused with the stream's name.
#[test]
fn a_system_whose_streams_are_missing_is_refused() {
    let folder = prepared();
    refused(&folder, "train --data data.safetensors --out run --set model.system=mcsan3", &["visual"]);
    refused(&folder, "train --data data.safetensors --out run --set model.system=amh", &["visual"]);
    refused(&folder, "train --data data.safetensors --out run --set model.system=cmkl", &["audio.functionals", "--functionals"]);
}
