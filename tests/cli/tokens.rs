//! `mcsan tokens`, and the options that say which vectors words get.

use std::fs;

use mcsan::dataset::Dataset;
use serde_json::json;

use super::corpus::{SPLITS, corpus};
use crate::program::{Outcome, call, mcsan};

/// The lines of standard output, as JSON.
fn lines(outcome: Outcome) -> Vec<serde_json::Value> {
    outcome.succeeds().stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_text_gives_a_line_of_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let text = "Dr. Geller can\u{2019}t. Stop!";
    assert_eq!(lines(call(folder.path(), &["tokens", "--text", text])), [json!(["Dr.", "Geller", "ca", "n't", ".", "Stop", "!"])]);
    assert_eq!(lines(call(folder.path(), &["tokens", "--text", "", "--json"])), [json!([])]);
}

#[test]
fn a_list_gives_a_line_for_each_of_its_lines() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("list.txt"), "\u{feff}Oh no.\r\n\nGo!\n").unwrap();
    assert_eq!(lines(mcsan(folder.path(), "tokens --list list.txt")), [json!(["Oh", "no", "."]), json!([]), json!(["Go", "!"])]);
    fs::write(folder.path().join("list.txt"), "\n").unwrap();
    assert_eq!(lines(mcsan(folder.path(), "tokens --list list.txt")), [json!([])]);
    fs::write(folder.path().join("list.txt"), "").unwrap();
    assert_eq!(lines(mcsan(folder.path(), "tokens --list list.txt")), [] as [serde_json::Value; 0]);
}

#[test]
fn with_vectors_each_line_names_the_words_that_have_none() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("list.txt"), "Oh OH no, Ross.\nno oh\n").unwrap();
    fs::write(folder.path().join("vectors.txt"), "oh 1\n. 1\nROSS 1\n").unwrap();
    let expected = [
        json!({ "tokens": ["Oh", "OH", "no", ",", "Ross", "."], "missing": ["no", ",", "Ross"] }),
        json!({ "tokens": ["no", "oh"], "missing": ["no"] }),
    ];
    assert_eq!(lines(mcsan(folder.path(), "tokens --list list.txt --vectors vectors.txt")), expected);
    assert_eq!(lines(mcsan(folder.path(), "tokens --text no --vectors none")), [json!(["no"])]);
}

#[test]
fn a_list_that_cannot_be_read_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("list.txt"), b"Oh\nCaf\xe9\n").unwrap();
    let line = mcsan(folder.path(), "tokens --list list.txt").fails();
    assert!(line.contains("list.txt, line 2: is not UTF-8; save the file as UTF-8"), "{line}");
    assert!(mcsan(folder.path(), "tokens --list absent.txt").fails().contains("absent.txt: cannot be read"));
    assert!(mcsan(folder.path(), "tokens --text no --vectors absent.txt").fails().contains("absent.txt: cannot be read"));
    for usage in ["tokens", "tokens --text a --list list.txt", "prepare manifest manifest.csv --out d --oov random"] {
        assert_eq!(mcsan(folder.path(), usage).code, Some(2), "{usage}");
    }
}

#[test]
fn preparing_draws_vectors_for_missing_words_where_it_is_told_to() {
    let folder = corpus();
    let prepare = |out: &str, options: &str| {
        let report = mcsan(folder.path(), &format!("prepare manifest manifest.csv --out {out} --device cpu --json {options}")).json();
        (report, Dataset::load(&folder.path().join(out)).unwrap())
    };
    let (zero_report, zero) = prepare("zero.safetensors", "--vectors vectors.txt");
    let (report, random) = prepare("random.safetensors", "--vectors vectors.txt --oov random");
    assert_eq!(report["out_of_vocabulary"], zero_report["out_of_vocabulary"]);
    assert_eq!(report["commonest_missing"], json!(["Qwertzday"]));
    assert_eq!(zero.text().unwrap().tokens.iter().filter(|&&token| token < 0).count(), SPLITS.len());
    assert!(random.text().unwrap().tokens.iter().all(|&token| token >= 0));
    let added: Vec<&String> =
        random.text().unwrap().vocabulary.iter().filter(|word| !zero.text().unwrap().vocabulary.contains(word)).collect();
    assert_eq!(added, ["Qwertzday"]);

    let (_, learned) = prepare("none.safetensors", "--vectors none");
    let (_, left_out) = prepare("left-out.safetensors", "");
    assert!(learned == left_out && learned.text().unwrap().vectors.is_none());
}
