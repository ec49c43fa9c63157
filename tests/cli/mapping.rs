//! `mcsan evaluate` of other data: classes of other names, words of another vocabulary.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::corpus::{TINY, corpus, trained};
use super::failures::refused;
use crate::program::mcsan;

/// Prepares the corpus anew, its manifest changed.
fn prepare(folder: &TempDir, name: &str, change: impl Fn(String) -> String, options: &str) {
    let manifest = fs::read_to_string(folder.path().join("manifest.csv")).unwrap();
    fs::write(folder.path().join(format!("{name}.csv")), change(manifest)).unwrap();
    mcsan(folder.path(), &format!("prepare manifest {name}.csv --out {name}.safetensors {options} --device cpu")).succeeds();
}

fn evaluate(folder: &TempDir, arguments: &str) -> Value {
    mcsan(folder.path(), &format!("evaluate {arguments} --device cpu --json")).json()
}

fn note<'a>(report: &'a Value, kind: &str) -> &'a Value {
    let notes = report["notes"].as_array().unwrap_or_else(|| panic!("{report} has no notes"));
    notes.iter().find(|note| note["kind"] == kind).unwrap_or_else(|| panic!("{report} has no {kind}"))
}

#[test]
fn classes_of_other_names_are_matched_by_emotion_or_by_a_table() {
    let folder = trained();
    let renamed = |manifest: String| manifest.replace(",angry,", ",Anger,").replace(",calm,", ",serene,").replace(",glad,", ",happy,");
    prepare(&folder, "other", renamed, "--vectors vectors.txt");
    let own = evaluate(&folder, "--run run --data data.safetensors");

    let auto = evaluate(&folder, "--run run --data other.safetensors --map auto");
    assert_eq!((&auto["map"], &auto["left_out"]), (&json!({ "Anger": "angry" }), &json!({ "happy": 1, "serene": 1 })));
    assert_eq!((&auto["absent"], &auto["utterances"]), (&json!(["calm", "glad"]), &json!(1)));
    assert_eq!(auto["confusion"].as_array().unwrap().len(), 3, "classes that the data never have stay in the matrix");
    assert_eq!(auto["confusion"][0], own["confusion"][0]);
    let told = note(&auto, "classes_mapped")["text"].as_str().unwrap();
    assert_eq!(
        told,
        "classes: Anger is angry; left out without a counterpart: 1 happy, 1 serene; of the model's classes the data have no calm, glad"
    );

    fs::write(folder.path().join("labels.toml"), "happy = \"glad\"\nserene = \"calm\"\nAnger = \"angry\"\n").unwrap();
    let whole = evaluate(&folder, "--run run --data other.safetensors --map labels.toml");
    for figure in ["wa", "ua", "weighted_f1", "macro_f1", "loss", "confusion", "classes"] {
        assert_eq!(whole[figure], own[figure], "{figure}");
    }
    assert_eq!((&whole["left_out"], &whole["absent"]), (&json!({}), &json!([])));
    let shown = mcsan(folder.path(), "evaluate --run run --data other.safetensors --map labels.toml --device cpu").succeeds();
    assert!(
        shown.stderr.contains("classes: Anger is angry, happy is glad, serene is calm") && shown.stdout.contains("true"),
        "{}",
        shown.stderr
    );

    let with = |table: &str, parts: &[&str]| {
        fs::write(folder.path().join("wrong.toml"), table).unwrap();
        refused(&folder, "evaluate --run run --data other.safetensors --map wrong.toml", parts);
    };
    with("hapy = \"glad\"", &["wrong.toml: 'hapy' is no class of the data, the nearest is 'happy'"]);
    with(
        "happy = \"glda\"",
        &["wrong.toml: 'happy' is to be 'glda', which no class of the model or of the first file is, the nearest is 'glad'"],
    );
    with("Anger = \"\"", &["other.safetensors: none of the data's classes (Anger, happy, serene)", "(angry, calm, glad)"]);
    with("happy = 1", &["wrong.toml: 'happy' has no text behind it"]);
    with("happy = ", &["wrong.toml: is no TOML"]);
    refused(&folder, "evaluate --run run --data other.safetensors --map absent.toml", &["absent.toml: cannot be read", "check the path"]);
    refused(&folder, "evaluate --run run --data other.safetensors", &["its classes are", "--map"]);
}

#[test]
fn words_of_other_data_are_those_of_the_run_whatever_their_rows() {
    let folder = corpus();
    prepare(&folder, "learned", |manifest| manifest, "");
    mcsan(folder.path(), &format!("train --data learned.safetensors --out learned --epochs 1 {TINY} --device cpu")).succeeds();
    let own = evaluate(&folder, "--run learned --data learned.safetensors");
    assert_eq!(own["notes"], Value::Null);
    // Words that come before those of the run move all rows.
    let more = |manifest: String| manifest.replacen("Go away, you liar!", "Aardvark, avoid a big baboon!", 1);
    prepare(&folder, "more", more, "");
    let other = evaluate(&folder, "--run learned --data more.safetensors");
    assert_eq!((&other["loss"], &other["confusion"]), (&own["loss"], &own["confusion"]));
    let note = note(&other, "words_of_run");
    assert_eq!((&note["unknown"], &note["other_vectors"]), (&json!(4), &json!(false)), "{note}");

    prepare(&folder, "given", |manifest| manifest, "--vectors vectors.txt");
    mcsan(folder.path(), &format!("train --data given.safetensors --out given --epochs 1 {TINY} --device cpu")).succeeds();
    let own = evaluate(&folder, "--run given --data given.safetensors");
    let vectors = fs::read_to_string(folder.path().join("vectors.txt")).unwrap();
    fs::write(folder.path().join("changed.txt"), vectors.replace("sea ", "pond ").replace("unused ", "sea ")).unwrap();
    prepare(&folder, "changed", |manifest| manifest, "--vectors changed.txt");
    let other = evaluate(&folder, "--run given --data changed.safetensors");
    assert_eq!(other["loss"], own["loss"], "another vector of a word that the run knows is not taken");
    assert_eq!(self::note(&other, "words_of_run")["other_vectors"], true);
    assert_eq!(evaluate(&folder, "--run given --data given.safetensors")["notes"], Value::Null);
}
