//! What people see: names of others in a terminal and in pages, many classes, lines that fit.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use super::corpus::{CLASSES, MONO_16_KHZ, TINY, corpus, tone, trained};
use crate::program::mcsan;

/// Names that a stranger's table may have: orders to a terminal, a direction of writing, markup, and one that is too long.
const HOSTILE: [&str; 3] = ["\u{1b}]0;owned\u{7}\u{1b}[31mangry", "calm\u{202e}gnp.exe", "<img src=x onerror=alert(1)>"];

/// The small corpus with its classes renamed.
fn renamed(names: [&str; 3]) -> TempDir {
    let folder = corpus();
    let manifest = folder.path().join("manifest.csv");
    let mut text = fs::read_to_string(&manifest).unwrap();
    for ((name, ..), other) in CLASSES.into_iter().zip(names) {
        text = text.replace(&format!(",{name},"), &format!(",{other},"));
    }
    fs::write(manifest, text).unwrap();
    folder
}

/// That a text has letters alone, and no line is wider than a terminal.
fn is_harmless(text: &str, what: &str) {
    let is_order = |letter: char| {
        letter.is_control() && letter != '\n'
            || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!text.contains(is_order), "{what}: {text:?}");
}

fn fits(text: &str, what: &str) {
    for line in text.lines().filter(|line| !line.contains("run folder: ")) {
        assert!(line.chars().count() <= 80, "{what}: {line}");
    }
}

#[test]
fn names_of_others_give_no_orders_to_a_terminal_or_a_page() {
    let folder = renamed(HOSTILE);
    let here = folder.path();
    for command in [
        "prepare manifest manifest.csv --vectors vectors.txt --out data.safetensors",
        "inspect data.safetensors",
        &format!("train --data data.safetensors --out run --epochs 1 {TINY}"),
        "evaluate --run run --data data.safetensors",
        "predict --run run --audio audio/calm4.wav --text quiet --attention attention.svg",
        &format!("crossval --data data.safetensors --out folds --folds 3 --epochs 1 {TINY}"),
        "report --run run --data data.safetensors",
    ] {
        let outcome = mcsan(here, &format!("{command} --device cpu")).succeeds();
        is_harmless(&outcome.stdout, command);
        is_harmless(&outcome.stderr, command);
    }
    for file in ["run/report.html", "folds/report.html", "folds/crossval.md", "folds/crossval.tex", "attention.svg"] {
        let text = fs::read_to_string(here.join(file)).unwrap();
        is_harmless(&text, file);
        assert!(!text.contains("<img") || file.ends_with(".md") || file.ends_with(".tex"), "{file}");
    }
    let report = mcsan(here, "evaluate --run run --data data.safetensors --device cpu --json");
    assert!(!report.stdout.contains('\u{1b}'));
    let report = report.json();
    let names: Vec<&str> = report["classes"].as_array().unwrap().iter().filter_map(|class| class["name"].as_str()).collect();
    assert!(HOSTILE.iter().all(|name| names.contains(name)), "a document has the names as they are: {names:?}");
}

#[test]
fn lines_fit_a_terminal_and_names_that_are_cut_are_told_apart() {
    let long = "surprised in a way that no word of the language quite says, ";
    let names = ["glad", "sad", "calm"].map(|end| format!("{long}{end}").replace(',', ""));
    let folder = renamed([&names[0], &names[1], &names[2]]);
    let here = folder.path();
    mcsan(here, "prepare manifest manifest.csv --vectors vectors.txt --out data.safetensors --device cpu").succeeds();
    let trained = mcsan(here, &format!("train --data data.safetensors --out run --epochs 12 {TINY} --device cpu")).succeeds();
    fits(&trained.stdout, "train");
    fits(&trained.stderr, "train");
    assert_eq!(trained.stderr.lines().filter(|line| line.starts_with("epoch ")).count(), 12, "{}", trained.stderr);
    for command in ["evaluate --run run --data data.safetensors", "predict --run run --audio audio/calm4.wav --text quiet"] {
        let shown = mcsan(here, &format!("{command} --device cpu")).succeeds().stdout;
        fits(&shown, command);
        assert!(["1. surprised", "2. surprised", "3. surprised", "…"].iter().all(|part| shown.contains(part)), "{shown}");
    }
}

#[test]
fn people_read_per_cent_everywhere_and_programs_shares() {
    let folder = trained();
    let here = folder.path();
    let shown = mcsan(here, "evaluate --run run --data data.safetensors --device cpu").succeeds().stdout;
    let report = mcsan(here, "evaluate --run run --data data.safetensors --device cpu --json").json();
    let page = fs::read_to_string(here.join("run/report.html")).unwrap();
    for key in ["wa", "ua", "weighted_f1"] {
        let share = report[key].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&share));
        let text = format!("{:.1} %", 100.0 * share);
        assert!(shown.contains(&text) && page.contains(&format!("<dd>{text}<")), "{key}: {text} in\n{shown}");
    }
}

/// A corpus of forty classes of three utterances.
fn many_classes() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut manifest = "audio,text,label,split\n".to_owned();
    for class in 0..40 {
        for (take, split) in ["train", "train", "test"].into_iter().enumerate() {
            let clip = format!("{class}-{take}.wav");
            tone(&folder.path().join(&clip), MONO_16_KHZ, 200.0 + (3 * class + take) as f32 * 20.0, 0.12);
            manifest += &format!("{clip},word {},label {class},{split}\n", class % 7);
        }
    }
    fs::write(folder.path().join("manifest.csv"), manifest).unwrap();
    folder
}

#[test]
fn many_classes_are_shown_in_short_tables() {
    let folder = many_classes();
    let here = folder.path();
    let prepared = mcsan(here, "prepare manifest manifest.csv --out data.safetensors --device cpu").succeeds().stdout;
    let inspected = mcsan(here, "inspect data.safetensors").succeeds().stdout;
    assert!(prepared.contains(" and 10 more") && inspected.contains("and 10 more classes"), "{prepared}{inspected}");
    let trained = mcsan(here, &format!("train --data data.safetensors --out run --epochs 1 {TINY} --device cpu")).succeeds().stdout;
    let confused = trained.contains("most often taken for another") && !trained.contains("true        predicted\n  ");
    assert!(trained.lines().count() < 60 && trained.contains("and 10 more classes") && confused, "{trained}");
    let predicted = mcsan(here, "predict --run run --audio 7-1.wav --text word --device cpu").succeeds().stdout;
    assert!(predicted.lines().count() == 11 && predicted.contains("and 30 less likely classes"), "{predicted}");
    let folds = format!("crossval --data data.safetensors --out folds --folds 3 --epochs 1 {TINY} --device cpu");
    let shown = mcsan(here, &folds).succeeds().stdout;
    assert!(shown.contains("The 30 of 40 classes with the most test utterances") && shown.lines().count() < 70, "{shown}");
    assert!(fs::read_to_string(here.join("folds/crossval-confusion.csv")).unwrap().starts_with("true,label 0,"));
    for page in ["run/report.html", "folds/report.html"] {
        let page = fs::read_to_string(here.join(page)).unwrap();
        assert!(page.len() < 100_000 && page.contains("what was most often taken for what"), "{} bytes", page.len());
    }
    let test: Value = serde_json::from_slice(&fs::read(here.join("run/test.json")).unwrap()).unwrap();
    assert_eq!(test["confusion"].as_array().unwrap().len(), 40, "a document has all of it");
}
