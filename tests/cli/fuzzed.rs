//! What damaged files (`tests/fuzz`) brought to light, each as small as it did.

use std::fs;

use super::corpus::corpus;
use super::failures::refused;

#[test]
fn a_tables_own_words_stay_in_the_errors_line_and_steer_no_terminal() {
    let folder = corpus();
    fs::write(folder.path().join("bad.csv"), "audio,text,\"la\n\u{1b}[2Jbel\"\na.wav,Go,calm\n").unwrap();
    let parts = ["has no column 'label' (found: audio, text, la \\u001b[2Jbel)"];
    refused(&folder, "prepare manifest bad.csv --out bad.safetensors", &parts);
}

#[test]
fn a_table_of_one_long_word_is_refused_in_a_line_that_can_be_read() {
    let folder = corpus();
    fs::write(folder.path().join("bad.csv"), "a".repeat(1 << 20) + "\n1\n").unwrap();
    let line = crate::program::mcsan(folder.path(), "prepare manifest bad.csv --out bad.safetensors --device cpu").fails();
    assert!(line.len() < 5000 && line.ends_with("add it to the first line"), "{} characters", line.len());
}
