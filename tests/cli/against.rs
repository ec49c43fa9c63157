//! `mcsan report --compare`: two runs, or two folders of runs, by their predictions of the same utterances.

use std::fs;
use std::path::Path;

use mcsan::train::Evaluation;
use tempfile::TempDir;

use super::corpus::{TINY, UTTERANCES, trained};
use super::failures;
use crate::program::mcsan;

fn test(run: &Path) -> Evaluation {
    let path = run.join("test.json");
    serde_json::from_str(&fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))).unwrap()
}

/// As [`failures::refused`], without the device, which a comparison has no use for.
fn refused(folder: &TempDir, arguments: &str, parts: &[&str]) {
    failures::refused(folder, arguments, parts);
}

#[test]
fn two_runs_are_compared_on_the_same_utterances() {
    let folder = trained();
    let here = folder.path();
    mcsan(here, &format!("train --data data.safetensors --out other --epochs 3 {TINY} --set model.variant=no_text --device cpu"))
        .succeeds();
    let document = mcsan(here, "report --compare run other --out page.html --json").json();
    let (a, b) = (test(&here.join("run")), test(&here.join("other")));
    for (key, [a, b]) in [
        ("wa", [a.metrics.wa, b.metrics.wa]),
        ("ua", [a.metrics.ua, b.metrics.ua]),
        ("macro_f1", [a.metrics.macro_f1, b.metrics.macro_f1]),
        ("weighted_f1", [a.metrics.weighted_f1, b.metrics.weighted_f1]),
    ] {
        assert_eq!((document["a"][key].as_f64(), document["b"][key].as_f64()), (Some(a), Some(b)), "{key}");
        let of = &document["differences"][key];
        let [low, high] = [0, 1].map(|end| of["interval"][end].as_f64().unwrap());
        assert!(of["difference"] == b - a && low <= b - a && b - a <= high, "{key}: {of}");
    }
    let right = |of: &Evaluation| of.predictions.iter().map(|it| it.predicted == it.label).collect::<Vec<_>>();
    let only = |a: &Evaluation, b: &Evaluation| right(a).into_iter().zip(right(b)).filter(|&(a, b)| a && !b).count();
    assert_eq!((&document["only_a_right"], &document["only_b_right"]), (&only(&a, &b).into(), &only(&b, &a).into()));
    assert_eq!(
        (&document["drawn"], &document["clusters"], &document["notes"][0]["kind"]),
        (&"utterance".into(), &3.into(), &"utterances_drawn".into())
    );
    let page = fs::read_to_string(here.join("page.html")).unwrap();
    assert!(page.contains("B against A, on 3 test utterances") && page.contains("Which utterances are right"));
    let same = mcsan(here, "report --compare run run --json").json();
    assert_eq!((&same["p_mcnemar"], &same["differences"]["ua"]["interval"]), (&1.0.into(), &serde_json::json!([0.0, 0.0])));

    let crossval = |out: &str, more: &str| {
        let line = format!("crossval --data data.safetensors --out {out} --folds 3 --epochs 1 {TINY} --device cpu {more}");
        mcsan(here, &line).succeeds();
    };
    crossval("folds", "--seeds 2");
    crossval("others", "--seeds 2 --set model.variant=no_audio");
    let document = mcsan(here, "report --compare folds others --data data.safetensors --json").json();
    assert_eq!((&document["utterances"], &document["a"]["runs"], &document["clusters"]), (&UTTERANCES.into(), &6.into(), &5.into()));
    assert!(document["drawn"] == "speaker" && document["notes"].is_null(), "{document}");
    let wa: f64 = (1..=2)
        .flat_map(|seed| (1..=3).map(move |fold| format!("folds/seed-{seed}/fold-{fold}")))
        .map(|run| test(&here.join(run)).metrics.wa)
        .sum();
    assert!((document["a"]["wa"].as_f64().unwrap() - wa / 6.0).abs() < 1e-12, "folds are of one size");
    let text = mcsan(here, "report --compare folds others --data data.safetensors").succeeds();
    assert!(
        text.stdout.contains("draws of 5 speakers") && text.stdout.contains("each by how many of its runs are right"),
        "{}",
        text.stdout
    );
    assert_eq!(text.stderr, "");

    refused(&folder, "report --compare run folds", &["folds: cannot be compared with run: tests 'angry0', which is not tested there"]);
    refused(&folder, "report --compare folds run", &["run: cannot be compared with folds: does not test 'angry0', which is tested there"]);
    crossval("once", "");
    refused(&folder, "report --compare folds once", &["once: cannot be compared with folds: tests 'angry0' 1 time, there 2 times"]);
    refused(&folder, "report --compare run audio", &["audio: holds no run that was tested", "give the folder of a run"]);
    refused(&folder, "report --compare run nowhere", &["nowhere: holds no run that was tested"]);
    let other = fs::read_to_string(here.join("other/test.json")).unwrap();
    fs::create_dir(here.join("edited")).unwrap();
    fs::write(here.join("edited/test.json"), other.replacen("\"label\": \"angry\"", "\"label\": \"calm\"", 1)).unwrap();
    refused(&folder, "report --compare run edited", &["edited: cannot be compared with run: 'angry4' is calm, there angry"]);
    fs::write(here.join("edited/test.json"), other.replace("angry", "cross")).unwrap();
    refused(&folder, "report --compare run edited", &["edited: cannot be compared with run: its classes are cross,"]);
    fs::write(here.join("edited/test.json"), "{}").unwrap();
    refused(&folder, "report --compare run edited", &["edited/test.json", "missing field"]);
    mcsan(here, "prepare manifest manifest.csv --vectors vectors.txt --limit 9 --out few.safetensors --device cpu").succeeds();
    refused(
        &folder,
        "report --compare run other --data few.safetensors",
        &["few.safetensors: the tested utterance 'calm4' (calm) is not in the data"],
    );
    for (line, part) in [("report --compare run", "--compare"), ("report", "--run"), ("report --run run --compare run other", "--run")] {
        let outcome = mcsan(here, line);
        assert!(outcome.code == Some(2) && outcome.stderr.contains(part), "{line}: {}", outcome.stderr);
    }
}
