//! `mcsan crossval` and `mcsan ablate`: folds, spreading them, going on, what is summed up and in which form.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use mcsan::dataset::store::Store;
use mcsan::train::Evaluation;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::commands::keys;
use super::corpus::{CLASSES, SPLITS, TINY, UTTERANCES, prepared};
use super::failures;
use crate::program::mcsan;

/// What a cross-validation writes beside its folds.
const SUMMARY: [&str; 7] =
    ["crossval.csv", "crossval-confusion.csv", "crossval-folds.csv", "crossval.json", "crossval.md", "crossval.tex", "report.html"];

/// A cross-validation of three folds and one epoch, of tiny models.
fn crossval(out: &str, more: &str) -> String {
    format!("crossval --data data.safetensors --out {out} --folds 3 --epochs 1 {TINY} --device cpu {more}")
}

fn ablate(rows: &str, more: &str) -> String {
    format!("ablate --data data.safetensors --out rows --rows {rows} --folds 3 --epochs 1 {TINY} --device cpu {more}")
}

/// As [`failures::refused`], which names the device itself.
fn refused(folder: &TempDir, arguments: &str, parts: &[&str]) {
    failures::refused(folder, &arguments.replace("--device cpu", ""), parts);
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn read_json(path: &Path) -> Value {
    serde_json::from_str(&read(path)).unwrap()
}

/// The result of a fold.
fn test(fold: &Path) -> Evaluation {
    serde_json::from_str(&read(&fold.join("test.json"))).unwrap()
}

fn ids(result: &Evaluation) -> BTreeSet<String> {
    result.predictions.iter().map(|prediction| prediction.id.clone()).collect()
}

fn assert_same_summary(folder: &Path, a: &str, b: &str) {
    for file in SUMMARY {
        assert_eq!(read(&folder.join(a).join(file)), read(&folder.join(b).join(file)), "{file}");
    }
}

fn assert_near(value: &Value, expected: f64) {
    let value = value.as_f64().unwrap_or_else(|| panic!("{value} is no number"));
    assert!((value - expected).abs() < 1e-12, "{value}, expected {expected}");
}

/// Mean and sample standard deviation.
fn spread(values: &[f64]) -> [f64; 2] {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    [mean, (squares / (values.len() - 1) as f64).sqrt()]
}

#[test]
fn a_cross_validation_tests_every_utterance_once_and_sums_up() {
    let folder = prepared();
    let report = mcsan(folder.path(), &crossval("out", "--json")).json();
    let out = folder.path().join("out");
    assert_eq!(read_json(&out.join("crossval.json")), report);

    let results: Vec<Evaluation> = (1..=3).map(|fold| test(&out.join(format!("fold-{fold}")))).collect();
    assert!(results.iter().all(|result| result.metrics.utterances == 5));
    assert_eq!(results.iter().flat_map(ids).collect::<BTreeSet<_>>().len(), UTTERANCES);
    assert_eq!(report["pooled"]["utterances"], UTTERANCES);
    for (key, figure) in [("wa", 0), ("ua", 1), ("weighted_f1", 2)] {
        let values: Vec<f64> = results.iter().map(|it| [it.metrics.wa, it.metrics.ua, it.metrics.weighted_f1][figure]).collect();
        let [mean, deviation] = spread(&values);
        assert_near(&report[key]["mean"], mean);
        assert_near(&report[key]["deviation"], deviation);
        let [mean, deviation] = [mean, deviation].map(|value| format!("{:.1}", 100.0 * value));
        assert!(read(&out.join("crossval.md")).contains(&format!(" {mean} ± {deviation} % |")), "{}", read(&out.join("crossval.md")));
        assert!(read(&out.join("crossval.tex")).contains(&format!("& {mean} $\\pm$ {deviation} \\%")));
    }
    let counted = |truth: usize, predicted: usize| {
        let predictions = results.iter().flat_map(|result| &result.predictions);
        predictions.filter(|it| it.label == CLASSES[truth].0 && it.predicted == CLASSES[predicted].0).count()
    };
    let confusion: Vec<Vec<usize>> = (0..3).map(|truth| (0..3).map(|predicted| counted(truth, predicted)).collect()).collect();
    assert_eq!(report["pooled"]["confusion"], json!(confusion));
    let right = (0..3).map(|class| confusion[class][class]).sum::<usize>();
    assert_near(&report["pooled"]["wa"], right as f64 / UTTERANCES as f64);

    assert!(read(&out.join("crossval.csv")).starts_with("model,folds,utterances,wa,wa_deviation,ua,ua_deviation,weighted_f1,"));
    assert_eq!(read(&out.join("crossval-folds.csv")).lines().count(), 4);
    assert!(read(&out.join("crossval-confusion.csv")).starts_with("true,angry,calm,glad,recall\nangry,"));

    // A fold is an ordinary run, which says what to repeat it with.
    let config: toml::Table = read(&out.join("fold-2/config.toml")).parse().unwrap();
    assert_eq!((config["train"]["epochs"].as_integer(), config["run"]["device"].as_str()), (Some(1), Some("cpu")));
    assert!(out.join("fold-2/best.safetensors").exists());
    let normalisation = |fold: usize| {
        let store = Store::open(&out.join(format!("fold-{fold}/best.safetensors"))).unwrap();
        store.metadata("normalisation").unwrap().to_owned()
    };
    assert_ne!(normalisation(1), normalisation(2), "each fold has its own");
}

#[test]
fn folds_that_are_spread_and_gathered_equal_one_call_byte_for_byte() {
    let folder = prepared();
    let plain = mcsan(folder.path(), &crossval("plain", "")).succeeds();
    for (fold, done) in [(3, 1), (1, 2)] {
        let report = mcsan(folder.path(), &crossval("spread", &format!("--fold {fold} --json"))).json();
        assert_eq!((report["done"].as_u64(), report["folds"].as_u64()), (Some(done), Some(3)));
        assert_eq!(report["wa"]["deviation"].is_null(), done == 1, "one fold has no deviation");
    }
    assert!(read(&folder.path().join("spread/crossval.md")).contains("Not done yet: folds 2."));
    let last = mcsan(folder.path(), &crossval("spread", "--fold 2")).succeeds();
    assert_same_summary(folder.path(), "plain", "spread");
    assert_eq!(plain.stdout, last.stdout);
    let again = mcsan(folder.path(), &crossval("spread", "")).succeeds();
    assert_eq!(again.stdout, plain.stdout);
    assert!((1..=3).all(|fold| again.stderr.contains(&format!("fold {fold} of 3: done before"))), "{}", again.stderr);
}

#[test]
fn a_later_call_trains_what_is_missing_and_nothing_else() {
    let folder = prepared();
    mcsan(folder.path(), &crossval("plain", "")).succeeds();
    mcsan(folder.path(), &crossval("out", "")).succeeds();
    let out = folder.path().join("out");
    // The log has measured times, so a fold that is trained again has another.
    let kept = [1, 3].map(|fold| read(&out.join(format!("fold-{fold}/metrics.jsonl"))));
    // As a run leaves it that is killed: with a checkpoint it goes on from there, without one it begins anew.
    for lost in [&["test.json"][..], &["test.json", "last.safetensors"]] {
        lost.iter().for_each(|file| fs::remove_file(out.join("fold-2").join(file)).unwrap());
        fs::create_dir_all(out.join("fold-2/left")).unwrap();
        let outcome = mcsan(folder.path(), &crossval("out", "")).succeeds();
        assert!(outcome.stderr.contains("fold 2 of 3: trains on 5, validates on 5, tests on 5 utterances"), "{}", outcome.stderr);
        assert_eq!([1, 3].map(|fold| read(&out.join(format!("fold-{fold}/metrics.jsonl")))), kept);
        assert!(out.join("fold-2/left").exists(), "what no run wrote is nobody's to remove");
        assert!(!out.join("fold-2/.lock").exists());
        assert_same_summary(folder.path(), "plain", "out");
    }
}

#[test]
fn two_calls_at_once_divide_the_folds() {
    let folder = prepared();
    mcsan(folder.path(), &crossval("plain", "")).succeeds();
    let start = || -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcsan"));
        command.args(crossval("both", "").split_whitespace()).current_dir(folder.path());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let outputs = [start(), start()].map(|child| child.wait_with_output().unwrap());
    let said: String = outputs.iter().map(|output| String::from_utf8_lossy(&output.stderr)).collect();
    assert!(outputs.iter().all(|output| output.status.success()), "{said}");
    for fold in 1..=3 {
        assert_eq!(said.matches(&format!("fold {fold} of 3: trains on")).count(), 1, "{said}");
    }
    assert_same_summary(folder.path(), "plain", "both");
}

#[test]
fn a_fold_that_another_process_trains_is_left_to_it() {
    let folder = prepared();
    fs::create_dir(folder.path().join("out")).unwrap();
    mcsan(folder.path(), &crossval("out", "--fold 2")).succeeds();
    fs::create_dir(folder.path().join("out/fold-1")).unwrap();
    let lock = fs::File::create(folder.path().join("out/fold-1/.lock")).unwrap();
    lock.lock().unwrap();
    refused(&folder, &crossval("out", "--fold 1"), &["out/fold-1: is being trained by another process", "--fold another number"]);
    let outcome = mcsan(folder.path(), &crossval("out", "--json"));
    assert!(outcome.stderr.contains("fold 1 of 3: another process trains it"), "{}", outcome.stderr);
    let report = outcome.json();
    assert_eq!(report["done"], 2);
    let notes: Vec<_> = report["notes"].as_array().unwrap().iter().map(|note| (&note["kind"], &note["fold"], &note["folds"])).collect();
    assert_eq!(notes, [(&json!("trained_elsewhere"), &json!(1), &json!(3)), (&json!("done_before"), &json!(2), &json!(3))]);
}

#[test]
fn a_fold_that_fails_is_named() {
    let folder = prepared();
    let wild = |fold: &str| crossval("out", &format!("{fold} --epochs 5 --set train.lr=1e30")).replace("--epochs 1 ", "");
    let outcome = mcsan(folder.path(), &wild("--fold 2"));
    let failure: Vec<&str> = outcome.stderr.lines().filter(|line| line.starts_with("mcsan: ")).collect();
    assert_eq!((outcome.code, outcome.stdout.as_str(), failure.len()), (Some(1), "", 1), "{}", outcome.stderr);
    assert!(["fold 2: step ", "lower train.lr", "finished folds are kept"].iter().all(|part| failure[0].contains(part)), "{}", failure[0]);
    assert!(!folder.path().join("out/crossval.json").exists() && !folder.path().join("out/fold-2/test.json").exists());
}

#[test]
fn folds_by_speaker_never_share_one() {
    let folder = prepared();
    let command = format!("crossval --data data.safetensors --out out --by speaker --epochs 1 {TINY} --device cpu --json");
    let report = mcsan(folder.path(), &command).json();
    assert_eq!(report["folds"].as_u64(), Some(SPLITS.len() as u64), "every speaker is a fold");
    let spec = read_json(&folder.path().join("out/folds.json"));
    for (place, part) in spec["folds"].as_array().unwrap().iter().enumerate() {
        let fold = place + 1;
        assert_eq!(part["groups"], json!([format!("speaker{place}")]));
        let expected: BTreeSet<String> = CLASSES.iter().map(|(class, ..)| format!("{class}{place}")).collect();
        assert_eq!(ids(&test(&folder.path().join(format!("out/fold-{fold}")))), expected);
        assert_eq!(part["test"], json!(expected));
    }
    let merged = mcsan(folder.path(), &command.replace("--out out", "--out three --folds 3")).json();
    let sizes: Vec<u64> = merged["results"].as_array().unwrap().iter().map(|fold| fold["utterances"].as_u64().unwrap()).collect();
    assert_eq!(sizes, [6, 6, 3], "five speakers of three utterances");
}

#[test]
fn another_experiment_is_never_mixed_in() {
    let folder = prepared();
    mcsan(folder.path(), &crossval("out", "--fold 1")).succeeds();
    let differs = |more: &str, part: &str| refused(&folder, &crossval("out", more), &["out/folds.json", part, "choose another --out"]);
    differs("--set train.lr=0.25", "train.lr is 0.001 there and 0.25 now");
    differs("--set train.batch_size=3", "train.batch_size is 4 there and 3 now");
    differs("--seed 7", "train.seed is 0 there and 7 now");
    differs("--by speaker", "the grouping is random there and speaker now");
    refused(&folder, &crossval("out", "").replace("--folds 3", "--folds 4"), &["the number of folds is 3 there and 4 now"]);
    mcsan(folder.path(), "prepare manifest manifest.csv --vectors vectors.txt --limit 14 --out data.safetensors --device cpu").succeeds();
    differs("", "the data set is 'manifest' with 15 utterances");
}

#[test]
fn a_fold_of_other_settings_or_other_utterances_is_refused() {
    let folder = prepared();
    mcsan(folder.path(), &crossval("out", "--fold 1")).succeeds();
    mcsan(folder.path(), &crossval("other", "--fold 1 --set train.lr=0.25")).succeeds();
    let at = |path: &str| folder.path().join(path);
    let remedy = "remove the fold's folder to train it anew";
    fs::rename(at("out/fold-1"), at("out/fold-2")).unwrap();
    refused(&folder, &crossval("out", ""), &["out/fold-2/test.json", "tests other utterances than fold 2", remedy]);
    fs::remove_dir_all(at("out/fold-2")).unwrap();
    fs::rename(at("other/fold-1"), at("out/fold-1")).unwrap();
    refused(&folder, &crossval("out", "--fold 3"), &["out/fold-1/config.toml", "train.lr is 0.25 there and 0.001 now", remedy]);
    fs::remove_dir_all(at("out")).unwrap();
    fs::create_dir_all(at("out/fold-1")).unwrap();
    refused(&folder, &crossval("out", ""), &["holds folders of folds but no folds.json", "choose another --out"]);
}

#[test]
fn what_cannot_be_done_is_said_before_anything_is_written() {
    let folder = prepared();
    refused(&folder, &crossval("out", "--fold 4"), &["data.safetensors", "there is no fold 4", "1 to 3"]);
    refused(&folder, &crossval("out", "--fold 0"), &["there is no fold 0", "1 to 3"]);
    refused(&folder, &crossval("out", "--by session"), &["utterance 'angry0' names no session", "--by random"]);
    refused(&folder, &crossval("out", "").replace("--folds 3", "--folds 16"), &["16 folds cannot be made of 15", "from 3 to 15"]);
    refused(&folder, &crossval("manifest.csv", ""), &["manifest.csv", "cannot be"]);
    refused(&folder, &ablate("full", "--set model.layers=2"), &["model.layers is what the rows differ in", "--rows"]);
    refused(&folder, &ablate("full", "--set model.variant=no_self"), &["model.variant is what the rows differ in"]);
    assert!(!folder.path().join("out").exists() && !folder.path().join("rows").exists());
}

#[test]
fn the_rows_of_table_3_are_compared_over_the_same_folds() {
    let folder = prepared();
    let report = mcsan(folder.path(), &ablate("full,no_audio,n2", "--json")).json();
    let out = folder.path().join("rows");
    assert_eq!(read_json(&out.join("ablation.json")), report);
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.iter().map(|row| row["row"].as_str().unwrap()).collect::<Vec<_>>(), ["full", "no_audio", "n2"]);

    let results = |row: &str| (1..=3).map(|fold| test(&out.join(format!("{row}/fold-{fold}")))).collect::<Vec<_>>();
    let full = results("full");
    for (row, variant, layers, paper) in [("full", "full", 1, 0.612), ("no_audio", "no_audio", 1, 0.509), ("n2", "full", 2, 0.601)] {
        let line = rows.iter().find(|line| line["row"] == row).unwrap();
        let config: toml::Table = read(&out.join(row).join("fold-3/config.toml")).parse().unwrap();
        assert_eq!((config["model"]["variant"].as_str(), config["model"]["layers"].as_integer()), (Some(variant), Some(layers)));
        let ours = results(row);
        assert_eq!(ours.iter().map(ids).collect::<Vec<_>>(), full.iter().map(ids).collect::<Vec<_>>());
        assert_near(&line["wa"]["mean"], spread(&ours.iter().map(|it| it.metrics.wa).collect::<Vec<_>>())[0]);
        let shown = line["paper_wa"].get("mean").unwrap_or(&line["paper_wa"]);
        assert_near(shown, paper);
        let right = |results: &[Evaluation]| {
            let predictions = results.iter().flat_map(|result| &result.predictions);
            predictions.map(|it| it.predicted == it.label).collect::<Vec<_>>()
        };
        let only = |a: &[Evaluation], b: &[Evaluation]| right(a).into_iter().zip(right(b)).filter(|&(a, b)| a && !b).count();
        if row == "full" {
            assert!(line["p_wa"].is_null() && line["p_mcnemar"].is_null(), "a row is not compared with itself");
        } else {
            assert_eq!(line["only_full_right"], only(&full, &ours));
            assert_eq!(line["only_row_right"], only(&ours, &full));
            assert!((0.0..=1.0).contains(&line["p_mcnemar"].as_f64().unwrap()));
        }
    }
    let markdown = read(&out.join("ablation.md"));
    assert!(markdown.contains("WA, paper (IEMOCAP)") && markdown.contains(" 61.2 ± 1.2 % |"), "{markdown}");
    assert!(read(&out.join("ablation.tex")).contains("w/o audio &"));
    assert!(read(&out.join("ablation.csv")).starts_with("model,row,folds,wa,wa_deviation,"));
    assert!(keys(&rows[1]).contains(&"p_wa_corrected"));

    // A later call for another row and one fold keeps the rows that are there.
    let outcome = mcsan(folder.path(), &ablate("no_text", "--fold 2")).succeeds();
    assert!(outcome.stderr.contains("no_text: fold 2 of 3: trains on"), "{}", outcome.stderr);
    assert_eq!(outcome.stdout, read(&out.join("ablation.md")));
    assert!(outcome.stdout.contains("| w/o audio ") && outcome.stdout.contains("Not every row has all of its 3 folds yet"));
    refused(&folder, &ablate("full", "--seed 3"), &["rows/full/folds.json", "train.seed is 0 there and 3 now"]);
}

#[test]
fn every_row_of_table_3_can_be_trained() {
    let folder = prepared();
    let command = ablate("full", "--fold 1 --json").replace("--rows full", "");
    let rows = mcsan(folder.path(), &command).json()["rows"].clone();
    let names: Vec<&str> = rows.as_array().unwrap().iter().map(|row| row["row"].as_str().unwrap()).collect();
    assert_eq!(names, ["full", "no_audio", "no_text", "no_self", "no_cross", "cross_self", "self_cross", "n2", "n3"]);
}
