//! `mcsan train --from`: a trained model for other classes and words, parts of which stay as they are.

use std::fs;
use std::path::Path;

use mcsan::dataset::store::Store;
use serde_json::Value;

use super::corpus::{TINY, prepared, trained};
use super::resuming::assert_same_run;
use crate::program::mcsan;

/// A tensor of a run's best model, or another file.
fn tensor(folder: &Path, file: &str, name: &str) -> Vec<f32> {
    Store::open(&folder.join(file)).unwrap().tensor(name).unwrap().floats().unwrap()
}

fn bytes(folder: &Path, file: &str, name: &str) -> Vec<u8> {
    Store::open(&folder.join(file)).unwrap().tensor(name).unwrap().bytes().unwrap()
}

fn names(folder: &Path, file: &str) -> Vec<String> {
    Store::open(&folder.join(file)).unwrap().names()
}

/// A prepared file of the corpus with another class and other words, without vectors unless `vectors` names some.
fn other_corpus(folder: &Path, out: &str, vectors: &str) {
    let manifest = fs::read_to_string(folder.join("manifest.csv")).unwrap();
    let manifest = manifest.replace(",glad,", ",bored,").replace("lovely Qwertzday", "dull sea");
    fs::write(folder.join("other.csv"), manifest).unwrap();
    mcsan(folder, &format!("prepare manifest other.csv --out {out} --device cpu {vectors}")).succeeds();
}

/// What is said of the run that was started from.
fn said(document: &Value) -> &Value {
    document["notes"].as_array().unwrap().iter().find(|note| note["kind"] == "starts_from").unwrap()
}

#[test]
fn classes_and_words_that_a_run_knows_keep_their_rows() {
    let folder = trained();
    let here = folder.path();
    other_corpus(here, "other.safetensors", "");
    // The run read given vectors: the table that is trained from here on has them, of the words that it knows.
    let train = "train --data other.safetensors --from run --epochs 1 --set train.lr=0 --device cpu --json";
    let document = mcsan(here, &format!("{train} --out tuned")).json();
    let note = said(&document);
    assert_eq!((&note["classes"], &note["new_classes"]), (&serde_json::json!(["angry", "calm"]), &serde_json::json!(["bored"])));
    assert_eq!(note["words"], serde_json::json!([14, 15]), "all but 'dull', 'What' as what: {note}");

    let (ours, theirs) = ("tuned/best.safetensors", "run/best.safetensors");
    let head = |file: &str, name: &str| tensor(here, file, &format!("classifier.2.{name}"));
    for name in ["weight", "bias"] {
        let [ours, theirs] = [ours, theirs].map(|file| head(file, name));
        let width = ours.len() / 3;
        // The classes are angry, bored, calm here and angry, calm, glad there.
        assert_eq!(ours[..width], theirs[..width]);
        assert_eq!(ours[2 * width..], theirs[width..2 * width]);
        assert!(ours[width..2 * width] != theirs[2 * width..], "what was glad is not bored");
    }
    for name in names(here, theirs).into_iter().filter(|name| !name.starts_with("classifier.2")) {
        assert_eq!(bytes(here, ours, &name), bytes(here, theirs, &name), "{name}");
    }
    let words = |file: &str| -> Vec<String> {
        serde_json::from_str(Store::open(&here.join(file)).unwrap().metadata("vocabulary").unwrap()).unwrap()
    };
    let [own, other] = [words("tuned/vocabulary.safetensors"), words("run/vocabulary.safetensors")];
    let table = tensor(here, ours, "text_encoder.embedding.weight");
    let given = tensor(here, "run/vocabulary.safetensors", "text.vectors");
    for (row, word) in own.iter().enumerate() {
        let place = [word.clone(), word.to_lowercase()].iter().find_map(|word| other.iter().position(|other| other == word));
        let same = place.is_some_and(|place| table[row * 8..][..8] == given[place * 8..][..8]);
        assert_eq!(same, word != "dull", "{word}");
    }
    // Normalised as the run was, which the same statistics say, byte for byte.
    let normalisation = |file: &str| Store::open(&here.join(file)).unwrap().metadata("normalisation").unwrap().to_owned();
    assert_eq!(normalisation(ours), normalisation(theirs));

    // From a table that was trained, by the same words; all rows of the head drawn; statistics of the data.
    let train = "train --data other.safetensors --from tuned --epochs 1 --set train.lr=0 --device cpu --json";
    let document = mcsan(here, &format!("{train} --out anew --set run.head=new --set data.max_frames=40 --normalisation data")).json();
    assert_eq!(said(&document)["words"], serde_json::json!([15, 15]));
    let anew = "anew/best.safetensors";
    assert_eq!(bytes(here, anew, "text_encoder.embedding.weight"), bytes(here, ours, "text_encoder.embedding.weight"));
    assert!(head(anew, "weight")[..16] != head(ours, "weight")[..16]);
    assert!(normalisation(anew) != normalisation(ours), "fewer frames have other statistics");
    let config: toml::Table = fs::read_to_string(here.join("anew/config.toml")).unwrap().parse().unwrap();
    assert_eq!(config["run"]["from"].as_str(), Some("tuned"));
    assert_eq!((config["run"]["normalisation"].as_str(), config["run"]["head"].as_str()), (Some("data"), Some("new")));
    assert_eq!(config["model"]["hidden"].as_integer(), Some(16), "the network is the run's");

    // The same classes: the model is the run's, and predicts as it does.
    mcsan(here, "train --data data.safetensors --from run --out same --epochs 1 --set train.lr=0 --device cpu").succeeds();
    let [same, before] = ["same", "run"].map(|run| fs::read(here.join(run).join("test.json")).unwrap());
    assert!(same == before, "test.json differs");
}

#[test]
fn what_is_frozen_keeps_its_bytes_and_a_run_goes_on_with_it() {
    let folder = trained();
    let here = folder.path();
    let tune = "train --data data.safetensors --device cpu --from run --freeze audio_encoder,cross.0.text --set train.batch_size=4 \
                --set train.rates=self=0.25,classifier=10 --set train.clip_norm=0.5 --set train.weight_decay=0.1 \
                --set model.dropout=0.2 --set train.accumulate=2 --precision mixed";
    mcsan(here, &format!("{tune} --epochs 3 --out whole")).succeeds();
    let file = "whole/last.safetensors";
    for name in names(here, "run/best.safetensors") {
        let frozen = name.starts_with("audio_encoder") || name.starts_with("cross.0.text");
        assert_eq!(bytes(here, file, &name) == bytes(here, "run/best.safetensors", &name), frozen, "{name}");
        let moment = tensor(here, file, &format!("moment2.{name}"));
        assert!(!frozen || moment.iter().all(|&value| value == 0.0), "{name} has a moment");
    }
    // Stopped within an epoch, and gone on with where the run that it started from is no more.
    mcsan(here, &format!("{tune} --epochs 3 --steps 4 --out halved")).succeeds();
    fs::rename(here.join("run"), here.join("gone")).unwrap();
    mcsan(here, "train --data data.safetensors --out halved --resume --steps 0").succeeds();
    fs::rename(here.join("gone"), here.join("run")).unwrap();
    super::training::assert_same_results(here, "halved", "whole");
    let refused = mcsan(here, "train --data data.safetensors --out halved --resume --freeze text_encoder");
    assert!(
        refused.code == Some(1) && refused.stderr.contains("train.freeze = \"text_encoder\": the run was started with \"audio"),
        "{}",
        refused.stderr
    );
    assert!(!refused.stderr.contains("no effect"), "{}", refused.stderr);
    // Its own settings repeat it.
    mcsan(here, "train --data data.safetensors --out again --config whole/config.toml").succeeds();
    assert_same_run(here, "again", "whole");
}

#[test]
fn a_factor_makes_plain_descent_as_much_faster_and_clipping_counts_what_is_trained() {
    let folder = trained();
    let here = folder.path();
    let step = |out: &str, more: &str| {
        let train =
            "train --data data.safetensors --device cpu --from run --steps 1 --set train.optimizer=sgd --set train.lr=0.5 --order given";
        mcsan(here, &format!("{train} --out {out} {more}")).succeeds();
    };
    step("plain", "");
    step("fast", "--set train.rates=classifier=4,classifier.0=2");
    step("clipped", "--set train.clip_norm=0.001 --freeze audio,text,cross,self,classifier.0");
    let moved = |out: &str, name: &str| -> Vec<f64> {
        let [after, before] = [&format!("{out}/last.safetensors"), "run/best.safetensors"].map(|file| tensor(here, file, name));
        after.iter().zip(before).map(|(after, before)| f64::from(*after) - f64::from(before)).collect()
    };
    for (name, factor) in [("classifier.2.weight", 4.0), ("classifier.0.weight", 2.0), ("self_audio.0.q.weight", 1.0)] {
        let [plain, fast] = ["plain", "fast"].map(|out| moved(out, name));
        assert!(plain.iter().any(|&moved| moved.abs() > 1e-5), "{name}");
        for (plain, fast) in plain.iter().zip(&fast) {
            assert!((factor * plain - fast).abs() < 1e-6, "{name}: {plain} and {fast}");
        }
    }
    // The norm of what moved is the rate times the clipping norm, as that of the head's gradients alone.
    let squares: f64 =
        ["weight", "bias"].iter().flat_map(|part| moved("clipped", &format!("classifier.2.{part}"))).map(|moved| moved * moved).sum();
    assert!((squares.sqrt() / (0.5 * 0.001) - 1.0).abs() < 1e-2, "{}", squares.sqrt());
}

#[test]
fn what_does_not_fit_a_run_is_refused_in_one_line() {
    let folder = trained();
    let here = folder.path();
    other_corpus(here, "bare.safetensors", "");
    mcsan(here, "prepare manifest manifest.csv --out wide.safetensors --coefficients 20 --vectors vectors.txt --device cpu").succeeds();
    mcsan(here, &format!("train --data bare.safetensors --out learned --steps 1 --set model.word_width=8 {TINY} --device cpu")).succeeds();
    let train = "train --device cpu --out new --epochs 1";
    for (options, parts) in [
        (
            "--data data.safetensors --from run --set model.hidden=32",
            vec![
                "run/best.safetensors: 'audio_encoder.conv1.weight' has the shape [16, 40, 3], in the network to be trained [32, 40, 3]; ",
            ],
        ),
        ("--data data.safetensors --from run --set model.layers=2", vec!["run/best.safetensors: has no 'cross.1.audio.q.weight'"]),
        ("--data data.safetensors --from run --set model.system=mdre", vec!["model.system = mdre: expected mcsan, which run is"]),
        ("--data data.safetensors --from run --set data.normalise=none", vec!["data.normalise = none: expected corpus, by which run"]),
        ("--data data.safetensors --from run --weights run/best.safetensors", vec!["run.from = run: expected none beside run.weights"]),
        (
            "--data bare.safetensors --weights run/best.safetensors",
            vec![
                "run/best.safetensors: is of the classes angry, calm, glad, and the data of angry, bored, calm; ",
                "train from the run's folder",
            ],
        ),
        ("--data wide.safetensors --from run", vec!["wide.safetensors: ", "coefficients is 20, not 40; prepare"]),
        ("--data data.safetensors --from learned", vec!["data.safetensors: ", "words are not represented as the model's; prepare"]),
        ("--data data.safetensors --from absent", vec!["absent/best.safetensors: cannot be read"]),
        (
            "--data data.safetensors --from run --freeze encoder",
            vec!["train.freeze = encoder: expected", "audio_encoder, text_encoder, cross"],
        ),
        ("--data data.safetensors --from run --set train.rates=text", vec!["train.rates = text: expected names with factors"]),
        ("--data data.safetensors --from run --set train.rates=text=0", vec!["train.rates = text=0: expected names with factors above 0"]),
        ("--data data.safetensors --from run --set train.rates=text=1,text=2", vec!["train.rates = text=2: expected each name once"]),
        (
            "--data data.safetensors --from run --freeze text_encoder.lstm.weight_ih_l0_reverse",
            vec!["both directions of a recurrent layer, text_encoder.lstm.weight_ih_l0 and text_encoder.lstm.weight_ih_l0_reverse"],
        ),
    ] {
        let line = mcsan(here, &format!("{train} {options}")).fails();
        assert!(parts.iter().all(|part| line.contains(part)), "{line}");
        assert!(!here.join("new").exists(), "{options}");
    }
    for command in ["ablate", "compare --systems mcsan,mdre"] {
        for (option, key) in [("--from run", "run.from"), ("--freeze text", "train.freeze"), ("--set train.rates=text=2", "train.rates")] {
            let line = mcsan(here, &format!("{command} --data data.safetensors --out new {option} --device cpu")).fails();
            assert!(line.contains(&format!("{key} is of one network, and the rows are several; leave {key} out")), "{line}");
        }
    }
    // Without a run to start from its options decide nothing.
    let command =
        format!("train --data data.safetensors --out plain --steps 1 {TINY} --normalisation data --device cpu --set run.head=new --json");
    let document = mcsan(here, &command).json();
    let notes: Vec<&str> = document["notes"].as_array().unwrap().iter().filter_map(|note| note["option"].as_str()).collect();
    assert_eq!(notes, ["run.normalisation", "run.head"]);
}

#[test]
fn every_fold_starts_from_the_run() {
    let folder = prepared();
    let here = folder.path();
    let words = "--set model.system=mdre --set mdre.hidden=6 --set train.batch_size=8 --device cpu";
    mcsan(here, &format!("train --data data.safetensors --out run --steps 1 {words}")).succeeds();
    let folds = "crossval --data data.safetensors --out folds --folds 3 --fold 2 --from run --freeze audio_encoder --epochs 1 --device cpu";
    mcsan(here, folds).succeeds();
    let name = names(here, "run/best.safetensors").into_iter().find(|name| name.starts_with("audio_encoder")).unwrap();
    assert_eq!(bytes(here, "folds/fold-2/best.safetensors", &name), bytes(here, "run/best.safetensors", &name));
    let again = mcsan(
        here,
        &folds
            .replace("--from run ", "")
            .replace("--epochs", "--set model.system=mdre --set mdre.hidden=6 --set model.word_width=8 --epochs"),
    )
    .fails();
    assert!(again.contains("run.from is \"run\" there and \"\" now"), "{again}");
}
