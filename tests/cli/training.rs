//! `mcsan train`: the run folder, repeatability, starting values.

use std::fs;
use std::path::Path;

use mcsan::dataset::store::Store;
use serde_json::Value;

use super::commands::keys;
use super::corpus::{CLASSES, SPLITS, TINY, UTTERANCES, WORD_WIDTH, prepared, trained};
use crate::program::mcsan;

/// The lines of a run's log: steps, then epochs.
pub fn metrics(run: &Path) -> (Vec<Value>, Vec<Value>) {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).partition(|line| line.get("step").is_some())
}

/// Loss of every step.
pub fn losses(run: &Path) -> Vec<f64> {
    metrics(run).0.iter().map(|line| line["loss"].as_f64().unwrap()).collect()
}

/// The files that depend on settings, data and device alone.
pub fn assert_same_results(folder: &Path, a: &str, b: &str) {
    for file in ["best.safetensors", "last.safetensors", "test.json", "vocabulary.safetensors"] {
        let [a, b] = [a, b].map(|run| fs::read(folder.join(run).join(file)).unwrap());
        assert!(a == b, "{file} differs");
    }
}

#[test]
fn a_run_folder_holds_settings_log_checkpoints_and_results() {
    let folder = trained();
    let run = folder.path().join("run");
    let mut files: Vec<String> = fs::read_dir(&run).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    let expected = [
        "best.safetensors",
        "config.toml",
        "last.safetensors",
        "metrics.jsonl",
        "report.html",
        "tensorboard",
        "test.json",
        "vocabulary.safetensors",
    ];
    assert_eq!(files, expected);

    let config: toml::Table = fs::read_to_string(run.join("config.toml")).unwrap().parse().unwrap();
    assert_eq!(config["run"]["device"].as_str(), Some("cpu"));
    assert_eq!(config["train"]["seed"].as_integer(), Some(0));
    assert_eq!(config["model"]["hidden"].as_integer(), Some(16));

    let (steps, epochs) = metrics(&run);
    assert_eq!((steps.len(), epochs.len()), (6, 2), "nine utterances in batches of four");
    for (step, line) in steps.iter().enumerate() {
        assert_eq!(keys(line), ["epoch", "loss", "lr", "step", "utterances_per_s"]);
        assert_eq!((line["step"].as_u64(), line["epoch"].as_u64()), (Some(step as u64), Some(step as u64 / 3)));
        assert!(line["loss"].as_f64().unwrap() > 0.0 && line["utterances_per_s"].as_f64().unwrap() > 0.0, "{line}");
    }
    for (epoch, line) in epochs.iter().enumerate() {
        assert_eq!(keys(line), ["epoch", "train", "validation"]);
        assert_eq!(line["epoch"].as_u64(), Some(epoch as u64));
        assert!(
            ["train", "validation"].iter().all(|split| keys(&line[split]) == ["loss", "macro_f1", "ua", "wa", "weighted_f1"]),
            "{line}"
        );
    }

    let [best, last] = ["best.safetensors", "last.safetensors"].map(|file| Store::open(&run.join(file)).unwrap());
    assert_eq!(last.names().len(), 3 * best.names().len(), "every parameter and its two moments");
    assert_eq!((last.metadata("step"), last.metadata("epoch")), (Some("6"), Some("2")));
    let vocabulary = Store::open(&run.join("vocabulary.safetensors")).unwrap();
    assert_eq!(vocabulary.tensor("text.vectors").unwrap().shape, [15, WORD_WIDTH]);
}

#[test]
fn training_twice_gives_the_same_bits() {
    let folder = trained();
    mcsan(folder.path(), &format!("train --data data.safetensors --out again --epochs 2 {TINY} --device cpu")).succeeds();
    assert_same_results(folder.path(), "run", "again");
    assert_eq!(losses(&folder.path().join("run")), losses(&folder.path().join("again")));
}

#[test]
fn the_settings_of_a_run_repeat_it() {
    let folder = prepared();
    let settings = "--set model.dropout=0.2 --set train.schedule=cosine --set train.class_weights=[1,2,0.5] --seed 9 --epochs 2";
    mcsan(folder.path(), &format!("train --data data.safetensors --out run {settings} {TINY} --device cpu")).succeeds();
    mcsan(folder.path(), "train --data data.safetensors --out again --config run/config.toml").succeeds();
    assert_same_results(folder.path(), "run", "again");
    let config = |run: &str| fs::read(folder.path().join(run).join("config.toml")).unwrap();
    assert_eq!(config("run"), config("again"));
}

#[test]
fn steps_end_a_training_early_and_seed_and_order_change_it() {
    let folder = prepared();
    let train = |out: &str, options: &str| {
        mcsan(folder.path(), &format!("train --data data.safetensors --out {out} {TINY} {options} --device cpu")).succeeds();
        losses(&folder.path().join(out))
    };
    let plain = train("plain", "--steps 4");
    assert_eq!(plain.len(), 4);
    assert_eq!(metrics(&folder.path().join("plain")).1.len(), 2, "the second epoch is cut short and closed");
    assert_ne!(train("seed", "--steps 4 --seed 1"), plain);
    let given = train("given", "--steps 4 --order given");
    assert_ne!(given, plain);
    assert_eq!(train("set", "--set train.steps=4 --set train.order=given"), given);
}

#[test]
fn in_the_given_order_each_step_takes_the_next_utterances() {
    let folder = prepared();
    let settings = format!("{TINY} --set train.batch_size=1 --set train.lr=0 --set data.normalise=none");
    mcsan(folder.path(), &format!("train --data data.safetensors --out run --order given --epochs 1 {settings} --device cpu")).succeeds();
    let training = (0..UTTERANCES).filter(|utterance| SPLITS[utterance % SPLITS.len()] == "train");
    for (utterance, loss) in training.zip(losses(&folder.path().join("run"))) {
        // At a learning rate of zero the weights are the same before every step.
        let gradients = "gradients --data data.safetensors --weights run/best.safetensors --out g.safetensors";
        let end = utterance + 1;
        let alone = mcsan(folder.path(), &format!("{gradients} --utterances {utterance}..{end} {settings} --device cpu --json")).json();
        assert_eq!(alone["loss"].as_f64(), Some(loss), "utterance {utterance}");
    }
}

#[test]
fn training_starts_from_given_weights() {
    let folder = trained();
    let arguments =
        format!("train --data data.safetensors --out next --weights run/best.safetensors --epochs 1 --set train.lr=0 {TINY} --device cpu");
    mcsan(folder.path(), &arguments).succeeds();
    let [given, kept] = ["run", "next"].map(|run| Store::open(&folder.path().join(run).join("best.safetensors")).unwrap());
    for name in given.names() {
        assert_eq!(given.tensor(&name).unwrap().bytes().unwrap(), kept.tensor(&name).unwrap().bytes().unwrap(), "{name}");
    }
}

#[test]
fn without_an_adapter_the_reference_computes_and_says_so() {
    let folder = prepared();
    let absent = if cfg!(target_os = "macos") { "dx12" } else { "metal" };
    let outcome = mcsan(folder.path(), &format!("train --data data.safetensors --out run --steps 1 {TINY} --backend {absent}")).succeeds();
    assert!(outcome.stderr.contains("no graphics adapter found: computing with the CPU reference"), "{}", outcome.stderr);
}

#[test]
fn words_without_vectors_are_learned() {
    let folder = prepared();
    mcsan(folder.path(), "prepare manifest manifest.csv --out words.safetensors --device cpu").succeeds();
    mcsan(folder.path(), &format!("train --data words.safetensors --out run --epochs 1 --set model.word_width=6 {TINY} --device cpu"))
        .succeeds();
    let report = mcsan(folder.path(), "predict --run run --audio audio/glad4.wav --text lovely --device cpu --json").json();
    assert_eq!(keys(&report["probabilities"]).len(), CLASSES.len());
    mcsan(folder.path(), "evaluate --run run --data words.safetensors --device cpu --json").json();
}

#[test]
fn the_report_of_a_training_names_its_run_and_its_test() {
    let folder = prepared();
    let report = mcsan(folder.path(), &format!("train --data data.safetensors --out run --epochs 1 {TINY} --device cpu --json")).json();
    assert_eq!((&report["run"], report["steps"].as_u64()), (&Value::from("run"), Some(3)));
    assert_eq!(report["test"]["utterances"], CLASSES.len());
    assert_eq!(report["best_epoch"], 1);
}

#[test]
fn mixed_precision_says_where_it_is_no_faster_and_logs_its_loss_scale() {
    let folder = prepared();
    let outcome =
        mcsan(folder.path(), &format!("train --data data.safetensors --out run --epochs 1 {TINY} --device cpu --precision mixed"));
    let outcome = outcome.succeeds();
    let told =
        "mixed precision: the CPU reference has no matrix units; factors are rounded to f16 all the same, which is no faster than f32";
    assert!(outcome.stderr.lines().any(|line| line == told), "{}", outcome.stderr);
    let log = fs::read_to_string(folder.path().join("run/metrics.jsonl")).unwrap();
    let step: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    assert_eq!(step["loss_scale"], 65536.0, "{step}");
    let refused = mcsan(folder.path(), "train --data data.safetensors --out run --resume --precision f32").fails();
    assert!(refused.contains("train.precision"), "{refused}");
}
