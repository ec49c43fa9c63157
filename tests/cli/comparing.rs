//! `mcsan compare`: systems over the same folds and seeds, and over the data's own splits.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use mcsan::train::Evaluation;
use serde_json::Value;
use tempfile::TempDir;

use super::corpus::{TINY, prepared};
use super::failures;
use crate::program::mcsan;

/// What a comparison writes beside its rows.
const SUMMARY: [&str; 5] = ["compare.csv", "compare.json", "compare.md", "compare.tex", "report.html"];

fn compare(out: &str, more: &str) -> String {
    format!("compare --data data.safetensors --out {out} --systems mcsan --epochs 1 {TINY} --device cpu {more}")
}

fn refused(folder: &TempDir, arguments: &str, parts: &[&str]) {
    failures::refused(folder, &arguments.replace("--device cpu", ""), parts);
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn read_json(path: &Path) -> Value {
    serde_json::from_str(&read(path)).unwrap()
}

fn test(run: &Path) -> Evaluation {
    serde_json::from_str(&read(&run.join("test.json"))).unwrap()
}

fn assert_spread(shown: &Value, values: &[f64]) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64).sqrt();
    for (key, expected) in [("mean", mean), ("deviation", deviation)] {
        let value = shown[key].as_f64().unwrap_or_else(|| panic!("{shown} has no {key}"));
        assert!((value - expected).abs() < 1e-12, "{key} of {shown}, expected {expected}");
    }
}

fn assert_same_summary(folder: &Path, a: &str, b: &str) {
    for file in SUMMARY {
        assert_eq!(read(&folder.join(a).join(file)), read(&folder.join(b).join(file)), "{file}");
    }
}

#[test]
fn a_system_is_trained_over_folds_and_seeds_and_stands_beside_what_was_published() {
    let folder = prepared();
    let report = mcsan(folder.path(), &compare("out", "--folds 3 --seeds 2 --json")).json();
    let out = folder.path().join("out");
    let row = &report["rows"][0];
    let runs: Vec<Evaluation> = [1, 2]
        .into_iter()
        .flat_map(|seed| (1..=3).map(move |fold| (seed, fold)))
        .map(|(seed, fold)| test(&out.join(format!("mcsan/seed-{seed}/fold-{fold}"))))
        .collect();
    assert_spread(&row["wa"], &runs.iter().map(|run| run.metrics.wa).collect::<Vec<_>>());
    assert_spread(&row["ua"], &runs.iter().map(|run| run.metrics.ua).collect::<Vec<_>>());
    assert_eq!((&row["runs"], &row["published_wa"]["mean"], &row["modalities"]), (&6.into(), &0.612.into(), &"A+L".into()));
    let weights = mcsan(folder.path(), "export --run out/mcsan/seed-2/fold-3 --out w.safetensors").succeeds();
    assert!(weights.stderr.is_empty(), "{}", weights.stderr);
    let store = mcsan::dataset::store::Store::open(&folder.path().join("w.safetensors")).unwrap();
    let elements: usize = store.names().iter().map(|name| store.tensor(name).unwrap().shape.iter().product::<usize>()).sum();
    assert_eq!(row["parameters"], elements);
    for fold in 1..=3 {
        let tested = |seed: usize| test(&out.join(format!("mcsan/seed-{seed}/fold-{fold}"))).predictions;
        let ids = |seed: usize| tested(seed).into_iter().map(|it| it.id).collect::<Vec<_>>();
        assert_eq!(ids(1), ids(2), "all seeds have the same folds");
    }
    let seed = |seed: usize| {
        read(&out.join(format!("mcsan/seed-{seed}/fold-1/config.toml"))).parse::<toml::Table>().unwrap()["train"]["seed"].as_integer()
    };
    assert_eq!([seed(1), seed(2)], [Some(0), Some(1)]);

    let markdown = read(&out.join("compare.md"));
    assert!(markdown.contains("| MCSAN | Sun et al. 2021 | A+L        |    6 | ") && markdown.contains(" 61.2 ± 1.2 % |"), "{markdown}");
    assert!(markdown.contains("over the folds and seeds") && markdown.contains("Sun et al. 2021, Table 1 (MCSAN)"), "{markdown}");
    assert!(read(&out.join("compare.tex")).contains("MCSAN & Sun et al. 2021 & A+L & 6 & "));
    assert!(read(&out.join("compare.csv")).starts_with("model,row,reference,modalities,runs,wa,wa_deviation,ua,ua_deviation,weighted_f1,"));

    // Measured times are said, and stand in a file by themselves.
    let note = report["notes"].as_array().unwrap().iter().find(|note| note["kind"] == "step_time").expect("steps are timed");
    assert!(note["ms"].as_f64().unwrap() > 0.0 && note["row"] == "mcsan", "{note}");
    let times = read(&out.join("compare.times.csv"));
    let line = format!("MCSAN,mcsan,{},{}", note["ms"], note["steps"]);
    assert!(times.starts_with("model,row,ms_per_step,steps\n") && times.lines().any(|own| own == line), "{times}\n{note}");
    let kept = read_json(&out.join("compare.json"));
    assert!(kept["notes"].is_null() && kept["rows"] == report["rows"]);

    // Spread over calls and gone on with, it is the same.
    for fold in [2, 1, 3] {
        mcsan(folder.path(), &compare("again", &format!("--folds 3 --seeds 2 --fold {fold}"))).succeeds();
    }
    assert_same_summary(folder.path(), "out", "again");
    let again = mcsan(folder.path(), &compare("again", "--folds 3 --seeds 2")).succeeds();
    assert!(again.stderr.contains("mcsan, seed 2: fold 3 of 3: done before"), "{}", again.stderr);
    assert_eq!(again.stdout, markdown);
    refused(
        &folder,
        &compare("out", "--folds 3"),
        &["out/mcsan: was begun with several seeds", "give --seeds as then", "choose another --out"],
    );
}

#[test]
fn systems_are_trained_on_the_same_folds_and_tested_against_mcsan() {
    let folder = prepared();
    let systems = |names: &str, more: &str| {
        compare("out", &format!("--folds 3 --set mdre.hidden=8 {more}")).replace("--systems mcsan", &format!("--systems {names}"))
    };
    let report = mcsan(folder.path(), &systems("mdre,mcsan", "--json")).json();
    let out = folder.path().join("out");
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.iter().map(|row| row["row"].as_str().unwrap()).collect::<Vec<_>>(), ["mcsan", "mdre"], "in the tables' order");
    let results = |system: &str| (1..=3).map(|fold| test(&out.join(format!("{system}/fold-{fold}")))).collect::<Vec<_>>();
    let (ours, theirs) = (results("mdre"), results("mcsan"));
    let right = |results: &[Evaluation]| {
        let predictions = results.iter().flat_map(|result| &result.predictions);
        predictions.map(|it| (it.id.clone(), it.predicted == it.label)).collect::<Vec<_>>()
    };
    let pairs: Vec<_> = right(&theirs).into_iter().zip(right(&ours)).collect();
    assert!(pairs.iter().all(|((theirs, _), (ours, _))| theirs == ours), "the same folds");
    let only = |reference: bool| pairs.iter().filter(|((_, theirs), (_, ours))| *theirs == reference && *ours != reference).count();
    let mdre = &rows[1];
    assert_eq!((&mdre["only_mcsan_right"], &mdre["only_row_right"]), (&only(true).into(), &only(false).into()));
    assert!((0.0..=1.0).contains(&mdre["p_mcnemar"].as_f64().unwrap()) && rows[0]["p_mcnemar"].is_null());
    assert_spread(&mdre["weighted_f1"], &ours.iter().map(|run| run.metrics.weighted_f1).collect::<Vec<_>>());
    assert_eq!((&mdre["published_wa"]["mean"], &mdre["published_in"]), (&0.498.into(), &"Sun et al. 2021, Table 1".into()));
    assert!(mdre["parameters"].as_u64() < rows[0]["parameters"].as_u64() && rows[0]["defaults"].is_null());
    let markdown = read(&out.join("compare.md"));
    assert!(markdown.contains("Table 1 (MCSAN, MDRE).") && markdown.contains("MDRE: defaults of ours"), "{markdown}");

    // A file may say which system; each row has its own, and its recipe under the file.
    fs::write(folder.path().join("own.toml"), "[model]\nsystem = \"mcsan\"\n[train]\nlr = 0.25\n").unwrap();
    let recipe = compare("recipe", "--folds 3 --fold 1 --config own.toml --recipe paper --set mdre.hidden=8 --set train.steps=1");
    mcsan(folder.path(), &recipe.replace("--systems mcsan", "--systems mdre")).succeeds();
    let config: toml::Table = read(&folder.path().join("recipe/mdre/fold-1/config.toml")).parse().unwrap();
    let train = |key: &str| config["train"][key].as_float().unwrap();
    assert_eq!((train("clip_values"), train("lr"), config["model"]["system"].as_str()), (10.0, 0.25, Some("mdre")));

    let visual = ["data.safetensors: amh: the data set has no stream 'visual' of frames", "--visual-features", "leave the system out"];
    refused(&folder, &systems("mcsan,amh", ""), &visual);
    refused(&folder, &systems("mcsan", "--set model.system=mdre"), &["model.system is what the rows differ in", "choose with --systems"]);
}

#[test]
fn the_datas_own_splits_are_tested_over_seeds_by_weighted_f1() {
    let folder = prepared();
    let start = || -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcsan"));
        command.args(compare("both", "--split given --seeds 3").split_whitespace()).current_dir(folder.path());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let outputs = [start(), start()].map(|child| child.wait_with_output().unwrap());
    let said: String = outputs.iter().map(|output| String::from_utf8_lossy(&output.stderr)).collect();
    assert!(outputs.iter().all(|output| output.status.success()), "{said}");
    for seed in 1..=3 {
        assert_eq!(said.matches(&format!("mcsan, seed {seed}: trains on 9, validates on 3, tests on 3 utterances")).count(), 1, "{said}");
    }
    let out = folder.path().join("both");
    let runs: Vec<Evaluation> = (1..=3).map(|seed| test(&out.join(format!("mcsan/seed-{seed}/run")))).collect();
    let report = read_json(&out.join("compare.json"));
    let row = &report["rows"][0];
    assert_spread(&row["weighted_f1"], &runs.iter().map(|run| run.metrics.weighted_f1).collect::<Vec<_>>());
    assert_eq!((&row["seeds"], &row["published_weighted_f1"], &report["by"]), (&3.into(), &0.592.into(), &"given".into()));
    assert!(row["p_weighted_f1"].is_null() && row["p_weighted_f1_corrected"].is_null(), "a row is not compared with itself");
    let markdown = read(&out.join("compare.md"));
    assert!(markdown.contains("weighted F1, published (MELD)") && markdown.contains("the data's own splits"), "{markdown}");
    assert!(!markdown.contains("| WA"), "the form of Table 2 has one figure: {markdown}");

    mcsan(folder.path(), &compare("alone", "--split given --seeds 3")).succeeds();
    assert_same_summary(folder.path(), "both", "alone");
    // More seeds go on with those that are there.
    let more = mcsan(folder.path(), &compare("both", "--split given --seeds 4")).succeeds();
    assert!(more.stderr.contains("mcsan, seed 3: done before") && more.stderr.contains("mcsan, seed 4: trains on"), "{}", more.stderr);
}

#[test]
fn what_cannot_be_compared_is_said_before_anything_is_written() {
    let folder = prepared();
    let here = folder.path();
    mcsan(here, &compare("out", "--folds 3 --fold 1")).succeeds();
    refused(&folder, &compare("out", "--folds 3 --seeds 2"), &["out/mcsan: was begun with one seed", "give --seeds as then"]);
    refused(&folder, &compare("out", "--folds 3 --set train.lr=0.25"), &["out/mcsan/folds.json", "train.lr is 0.001 there and 0.25 now"]);
    refused(&folder, &compare("out", "--split given"), &["out/mcsan/folds.json", "the data set is", "choose another --out"]);
    let ablate = format!("ablate --data data.safetensors --out rows --rows n2 --folds 3 --fold 1 --epochs 1 {TINY} --device cpu");
    mcsan(here, &ablate).succeeds();
    refused(&folder, &compare("rows", "--folds 3"), &["rows: holds 'ablation-certainty.csv', which is none of a comparison's files"]);
    refused(
        &folder,
        &ablate.replace("--out rows", "--out out"),
        &["out: holds 'compare-certainty.csv', which is none of an ablation's files"],
    );

    let manifest = read(&here.join("manifest.csv"));
    let without_text = manifest.replace(",text,", ",words,");
    fs::write(here.join("sound.csv"), without_text).unwrap();
    mcsan(here, "prepare manifest sound.csv --out sound.safetensors --device cpu").succeeds();
    let line = compare("new", "--folds 3").replace("data.safetensors", "sound.safetensors");
    refused(
        &folder,
        &line,
        &[
            "sound.safetensors: mcsan: the data set has no stream 'text' of tokens",
            "prepare one that has it",
            "leave the system out of --systems",
        ],
    );
    fs::write(here.join("untested.csv"), manifest.replace(",test,", ",train,")).unwrap();
    mcsan(here, "prepare manifest untested.csv --vectors vectors.txt --out untested.safetensors --device cpu").succeeds();
    let line = compare("new", "--split given").replace("data.safetensors", "untested.safetensors");
    refused(&folder, &line, &["untested.safetensors: the data have no utterance in the test split", "use --split folds"]);

    for (line, part) in [
        (compare("new", "").replace("mcsan --epochs", "nobody --epochs"), "nobody"),
        (compare("new", "").replace("mcsan --epochs", "mcsan,mcsan --epochs"), "--systems names mcsan twice"),
        (compare("new", "--seeds 0"), "--seeds"),
        (compare("new", "--split given --by speaker"), "--by divides into folds"),
    ] {
        let outcome = mcsan(here, &line);
        assert!(outcome.code == Some(2) && outcome.stderr.contains(part) && outcome.stdout.is_empty(), "{line}: {}", outcome.stderr);
    }
    assert!(!here.join("new").exists());
}
