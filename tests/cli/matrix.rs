//! `mcsan matrix`: a run on each of some corpora, tested on all of them.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::corpus::{TINY, corpus};
use super::failures::refused;
use crate::program::mcsan;

const SUMMARY: [&str; 8] =
    ["matrix.csv", "matrix.json", "matrix.md", "matrix.tex", "matrix-ua.csv", "matrix-wa.csv", "matrix-macro_f1.csv", "report.html"];

fn prepare(folder: &TempDir, name: &str, changes: &[(&str, &str)], options: &str) {
    let manifest = fs::read_to_string(folder.path().join("manifest.csv")).unwrap();
    let changed = changes.iter().fold(manifest, |manifest, (from, to)| manifest.replace(from, to));
    fs::write(folder.path().join(format!("{name}.csv")), changed).unwrap();
    mcsan(folder.path(), &format!("prepare manifest {name}.csv --out {name}.safetensors {options} --device cpu")).succeeds();
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn summary(folder: &Path) -> Vec<String> {
    SUMMARY.map(|file| read(&folder.join(file))).to_vec()
}

#[test]
fn every_corpus_is_trained_on_and_every_other_tested_by_the_classes_that_both_have() {
    let folder = corpus();
    let here = folder.path();
    prepare(&folder, "ours", &[], "");
    // Other words before those of the first shift the rows of a table that is trained.
    prepare(&folder, "theirs", &[(",angry,", ",anger,"), (",glad,", ",happy,"), ("What a lovely", "Aha, a lovely")], "");
    let matrix = |data: &str, out: &str, more: &str| format!("matrix --data {data} --out {out} --epochs 1 {TINY} --device cpu {more}");
    let both = "ours.safetensors,theirs.safetensors";
    let report = mcsan(here, &matrix(both, "m", "--json")).json();
    let cell = |train: &str, test: &str| {
        let cells = report["cells"].as_array().unwrap().iter();
        cells.clone().find(|cell| cell["train"] == train && cell["test"] == test).unwrap_or_else(|| panic!("{report}")).clone()
    };
    for (train, test) in [("ours", "theirs"), ("theirs", "ours")] {
        let line = format!("evaluate --run m/{train}/run --data {test}.safetensors --map auto --device cpu --json");
        let alone = mcsan(here, &line).json();
        let cell = cell(train, test);
        for figure in ["wa", "ua", "macro_f1", "weighted_f1", "confusion", "utterances", "map", "left_out", "absent"] {
            assert_eq!(cell[figure], alone[figure], "{train} on {test}: {figure}");
        }
        let own: Value = serde_json::from_str(&read(&here.join(format!("m/{train}/run/test.json")))).unwrap();
        assert_eq!((&self::cell(&report, train, train)["ua"], &self::cell(&report, train, train)["utterances"]), (&own["ua"], &json!(3)));
    }
    assert_eq!((&cell("ours", "theirs")["left_out"], &cell("theirs", "ours")["absent"]), (&json!({ "happy": 1 }), &json!(["happy"])));

    let out = here.join("m");
    let markdown = read(&out.join("matrix.md"));
    assert!(markdown.contains("**UA of MCSAN: rows trained on, columns tested on**") && markdown.contains("| trained on |"), "{markdown}");
    assert!(markdown.contains("ours on theirs: 2 utterances are tested, left out: 1 happy."), "{markdown}");
    let listed = read(&out.join("matrix.csv"));
    assert!(listed.starts_with("train,test,utterances,left_out,classes,ua,wa,macro_f1,weighted_f1\nours,ours,3,0,3,"), "{listed}");
    assert_eq!(read(&out.join("matrix-ua.csv")).lines().next(), Some("train,ours,theirs"));
    assert!(read(&out.join("report.html")).contains("Trained on theirs, tested on ours"));

    // Gone on with, it is the same; what is missing of it is made again, and another corpus may join.
    let whole = summary(&out);
    let again = mcsan(here, &matrix(both, "m", "")).succeeds();
    assert!(again.stderr.contains("ours: done before") && !again.stderr.contains("testing "), "{}", again.stderr);
    fs::remove_file(out.join("ours/on-theirs.json")).unwrap();
    fs::write(out.join("theirs/on-ours.json"), "{}").unwrap();
    fs::remove_dir_all(out.join("theirs/run")).unwrap();
    let again = mcsan(here, &matrix(both, "m", "")).succeeds();
    assert!(again.stderr.contains("testing ours on theirs") && again.stderr.contains("testing theirs on ours"), "{}", again.stderr);
    assert_eq!(summary(&out), whole);
    prepare(&folder, "third", &[(",calm,", ",neutral,")], "");
    let three = mcsan(here, &matrix(&format!("{both},third.safetensors"), "m", "--map merged --json")).json();
    assert_eq!(three["cells"].as_array().map(Vec::len), Some(9));
    assert_eq!(self::cell(&three, "third", "theirs")["map"], json!({ "anger": "angry", "calm": "neutral" }));
    refused(&folder, &matrix(both, "m", "--set train.lr=0.5").replace("--device cpu", ""), &["m/ours/folds.json", "train.lr is", "--out"]);
}

fn cell<'r>(report: &'r Value, train: &str, test: &str) -> &'r Value {
    let cells = report["cells"].as_array().unwrap();
    cells.iter().find(|cell| cell["train"] == train && cell["test"] == test).unwrap_or_else(|| panic!("{report}"))
}

/// Two calls at once train every run once, test every pair, and leave what one call leaves.
#[test]
fn several_seeds_are_means_with_deviations_and_two_processes_share_them() {
    let folder = corpus();
    let here = folder.path();
    prepare(&folder, "ours", &[], "");
    prepare(&folder, "theirs", &[(",angry,", ",anger,"), ("What a lovely", "Aha, a lovely")], "");
    let matrix = |out: &str, more: &str| {
        format!("matrix --data ours.safetensors,theirs.safetensors --out {out} --epochs 1 --seeds 2 {TINY} --device cpu {more}")
    };
    let report = mcsan(here, &matrix("alone", "--json")).json();
    let start = || -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcsan"));
        command.args(matrix("shared", "").split_whitespace()).current_dir(here);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let outputs = [start(), start()].map(|child| child.wait_with_output().unwrap());
    let said: String = outputs.iter().map(|output| String::from_utf8_lossy(&output.stderr)).collect();
    assert!(outputs.iter().all(|output| output.status.success()), "{said}");
    assert_eq!(said.matches("trains on").count(), 4, "{said}");
    // Who ends first may find runs of the other that are not done: a call later all is there.
    let again = mcsan(here, &matrix("shared", "")).succeeds();
    assert!(!again.stderr.contains("trains on"), "{}", again.stderr);
    assert_eq!(summary(&here.join("shared")), summary(&here.join("alone")));

    let tested = |seed: usize| {
        let line = format!("evaluate --run alone/ours/seed-{seed}/run --data theirs.safetensors --map auto --device cpu --json");
        mcsan(here, &line).json()["wa"].as_f64().unwrap()
    };
    let (first, second) = (tested(1), tested(2));
    let cell = cell(&report, "ours", "theirs");
    let (mean, deviation) = ((first + second) / 2.0, (first - second).abs() / 2f64.sqrt());
    for (key, expected) in [("mean", mean), ("deviation", deviation)] {
        assert!((cell["wa"][key].as_f64().unwrap() - expected).abs() < 1e-12, "{cell}: {expected}");
    }
    assert_eq!((&report["seeds"], &cell["done"], &cell["utterances"]), (&json!(2), &json!(2), &json!(3)));
    let counted: u64 =
        cell["confusion"].as_array().unwrap().iter().flat_map(|row| row.as_array().unwrap()).map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(counted, 6, "of both seeds");
    assert!(read(&here.join("alone/matrix.md")).contains("Mean ± standard deviation over 2 seeds"));
    refused(&folder, &matrix("alone", "").replace("--seeds 2", "").replace("--device cpu", ""), &["alone/ours", "several seeds"]);
}

#[test]
fn what_does_not_go_together_is_refused_before_anything_is_trained() {
    let folder = corpus();
    let refused =
        |data: &str, more: &str, parts: &[&str]| refused(&folder, &format!("matrix --data {data} --out m --epochs 1 {TINY} {more}"), parts);
    prepare(&folder, "ours", &[], "--vectors vectors.txt");
    prepare(&folder, "other", &[(",angry,", ",a,"), (",calm,", ",b,"), (",glad,", ",c,")], "--vectors vectors.txt");
    let parts = ["other.safetensors on the model of ours.safetensors: none of the data's classes (a, b, c)", "(angry, calm, glad)"];
    refused("ours.safetensors,other.safetensors", "", &parts);
    prepare(&folder, "narrow", &[], "--vectors vectors.txt --coefficients 13");
    refused("ours.safetensors,narrow.safetensors", "", &["narrow.safetensors on the model of ours.safetensors", "same front-end"]);
    prepare(&folder, "learned", &[], "");
    refused("ours.safetensors,learned.safetensors", "", &["its words are not represented as the model's", "same vectors"]);
    prepare(&folder, "undivided", &[(",train,", ",,"), (",validation,", ",,"), (",test,", ",,")], "--vectors vectors.txt --split own");
    let parts = ["undivided.safetensors: the data have no utterance in the train split", "--split speaker or random"];
    refused("ours.safetensors,undivided.safetensors", "", &parts);
    refused("ours.safetensors,absent.safetensors", "", &["absent.safetensors: cannot be read"]);
    fs::create_dir(folder.path().join("m")).unwrap();
    fs::write(folder.path().join("m/letter.txt"), "").unwrap();
    prepare(&folder, "alike", &[], "--vectors vectors.txt");
    refused(
        "ours.safetensors,alike.safetensors",
        "",
        &["m: holds 'letter.txt', which is none of a matrix's files", "choose another --out"],
    );
}
