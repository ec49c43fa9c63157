//! What is typed and has no effect is refused or said.

use serde_json::Value;

use super::corpus::{TINY, corpus, prepared, trained};
use crate::program::mcsan;

/// The options of which a document says that they have no effect, with the reasons.
fn said(document: &Value) -> Vec<(&str, &str)> {
    let notes = document["notes"].as_array().into_iter().flatten().filter(|note| note["kind"] == "no_effect");
    notes.map(|note| (note["option"].as_str().unwrap(), note["reason"].as_str().unwrap())).collect()
}

const REFERENCE: &str = "the CPU reference computes";

#[test]
fn options_of_every_command_are_said_where_they_have_no_effect() {
    let folder = trained();
    let here = folder.path();
    let nothing = "the command computes nothing on a device";
    let tiles = "'train', 'crossval', 'ablate', 'compare', 'sweep' and 'profile' choose tiles";
    for (command, expected) in [
        ("inspect data.safetensors --device cpu --tiles fixed", vec![("--device", nothing), ("--tiles", nothing)]),
        ("export --run run --out w.safetensors --backend gl --without f16", vec![("--backend", nothing), ("--without", nothing)]),
        ("config --device 0", vec![("--device", nothing)]),
        ("check --list --device cpu", vec![("--device", "--list runs no case")]),
        ("evaluate --run run --data data.safetensors --device cpu --tiles timed", vec![("--tiles", tiles)]),
        (
            "predict --run run --audio audio/calm4.wav --text go --device cpu --backend gl --without f16",
            vec![("--without", REFERENCE), ("--backend", REFERENCE)],
        ),
        ("check --kernel sgd --case count=1 --device cpu --shaders both", vec![("--shaders", REFERENCE)]),
        (
            "profile --kernel sgd --shape count=9 --device cpu --clock wall --set train.lr=1 --steps 1 --warmup 0",
            vec![("train.lr", "what is profiled is no network"), ("--clock", "the device has no timestamps")],
        ),
        ("predict --run run --audio audio/calm4.wav --text go --device cpu", vec![]),
    ] {
        assert_eq!(said(&mcsan(here, &format!("{command} --json")).json()), expected, "{command}");
    }
    let stderr = mcsan(here, "inspect data.safetensors --device cpu").succeeds().stderr;
    assert_eq!(stderr, "--device has no effect: the command computes nothing on a device\n");
    let stderr = mcsan(here, "completions bash --json").succeeds().stderr;
    assert_eq!(stderr, "--json has no effect: it writes down what can be typed\n");
}

#[test]
fn settings_are_said_where_they_have_no_effect() {
    let folder = trained();
    let here = folder.path();
    let train = "train --data data.safetensors --device cpu --json";
    let sgd = "train.optimizer = sgd has no moments";
    for (command, expected) in [
        (
            format!("{train} --out a --epochs 1 {TINY} --set train.optimizer=sgd --set train.beta1=0.5 --set train.lr=0.1"),
            vec![("train.beta1", sgd)],
        ),
        (
            format!("{train} --out b --epochs 1 {TINY} --set model.variant=no_audio --set data.max_frames=50 --set model.word_width=9"),
            vec![
                ("model.word_width", "the data have vectors of their own"),
                ("data.max_frames", "model.variant = no_audio reads no recordings"),
            ],
        ),
        (
            format!("{train} --out c --epochs 1 {TINY} --steps 1000 --checkpoint-every 3"),
            vec![("train.steps", "train.epochs = 1 ends the run after 3 steps"), ("train.checkpoint_every", "the run has 3 steps")],
        ),
        (
            format!("{train} --out d --epochs 1 {TINY} --weights run/best.safetensors --order given --seed 3"),
            vec![("train.seed", "nothing is drawn with run.weights = 'run/best.safetensors' in the given order")],
        ),
        (
            format!("{train} --overfit-one-batch --epochs 1 {TINY} --set model.dropout=0.5"),
            vec![
                ("model.dropout", "--overfit-one-batch turns off what keeps a loss from zero"),
                ("train.epochs", "--overfit-one-batch has neither epochs nor checkpoints"),
            ],
        ),
        (
            format!("gradients --data data.safetensors --weights run/best.safetensors --out g --device cpu --json {TINY}"),
            vec![("train.batch_size", "gradients are of the batch and the weights that are given")],
        ),
        (
            "profile --shape batch=2,frames=20,words=3 --steps 1 --device cpu --json --set train.lr=1 --set train.batch_size=4".to_owned(),
            vec![("train.batch_size", "--shape is the batch"), ("train.lr", "a profile is of times alone")],
        ),
        (
            "check --model --shape batch=1,frames=9,words=1 --device cpu --json --set data.normalise=none --set model.hidden=8".to_owned(),
            vec![("data.normalise", "--model checks one pass of a drawn batch")],
        ),
    ] {
        assert_eq!(said(&mcsan(here, &command).json()), expected, "{command}");
    }
}

#[test]
fn options_of_recordings_are_said_where_there_are_none() {
    let folder = corpus();
    let here = folder.path();
    std::fs::write(here.join("texts.csv"), "text,label\nGo away,angry\nThe sea,calm\nA sea,calm\n").unwrap();
    let document = mcsan(here, "prepare manifest texts.csv --out texts.safetensors --hop 80 --window hamming --device cpu --json").json();
    let reason = "no utterance has a recording";
    assert_eq!(said(&document), [("--window", reason), ("--hop", reason)]);
}

#[test]
fn what_a_flag_replaces_is_said_once() {
    let folder = prepared();
    let said = |options: &str| {
        let outcome = mcsan(folder.path(), &format!("crossval --data data.safetensors --out new --folds 999 --device cpu {options}"));
        outcome.stderr.lines().filter(|line| line.contains(" has no effect: --")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(said("--seed 1 --set train.seed=2"), ["--set train.seed=2 has no effect: --seed 1 is given besides"]);
    assert_eq!(said("--seed 1 --set train.seed=1"), Vec::<String>::new());
    assert_eq!(said("--set train.seed=1 --set train.seed=2"), Vec::<String>::new());
}
